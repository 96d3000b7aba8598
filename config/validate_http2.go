package config

import (
	"slices"
	"strings"
)

// http2 finds out which servers of a backend speak HTTP/2, and what cannot be had
// with them.
func (v *validator) http2(b *Backend, p place) {
	for i := range b.Servers {
		s := &b.Servers[i]
		plain := s.Network == "tcp" && !s.TLS && !s.HTTP2
		if b.HTTP2 && plain {
			at := serverPlace(p, i)
			if !p.key("servers").given {
				at = at.key("url")
			}
			v.errorf(at, at.hintf("write %q", "h2c"+strings.TrimPrefix(s.URL, "http")),
				"http2 is agreed on in TLS, which %s does not have", at.shown())
		}
		s.HTTP2 = s.HTTP2 || b.HTTP2 && s.Network != "" && !plain
	}
	speaks := func(s Server) bool { return s.HTTP2 }
	if b.Check != nil {
		v.checkVersion(b, p)
	}
	if !slices.ContainsFunc(b.Servers, speaks) {
		return
	}
	if !b.ServerKeepAlive {
		v.warnf(p.key("server_keep_alive"), "has no effect on servers that speak HTTP/2")
	}
	if slices.ContainsFunc(b.Servers, func(s Server) bool { return !s.HTTP2 }) {
		return
	}
	for i := range v.cfg.Routes {
		r, at := &v.cfg.Routes[i], v.root.key("route").item(i)
		if at := at.key("upgrades"); r.Backend == b.Name && at.given && len(r.Upgrades) > 0 {
			v.warnf(at, "has no effect: the servers of %s speak HTTP/2, where nothing is upgraded",
				b.Name)
		}
	}
}

// checkVersion checks that servers can be asked in the version of HTTP that their
// check wants.
func (v *validator) checkVersion(b *Backend, p place) {
	c, at := b.Check, p.key("check")
	for i := range b.Servers {
		s := &b.Servers[i]
		if s.HTTP2 || s.Network == "" || !s.Check {
			continue
		}
		place := serverPlace(p, i)
		switch {
		case c.Type == "grpc":
			v.errorf(at.key("type"), "write h2c:// or set http2", "%s does not speak HTTP/2, which gRPC needs",
				place.path)
		case c.Type == "http" && c.Version == "2":
			v.errorf(at.key("version"), "write h2c:// or set http2", "%s does not speak HTTP/2", place.path)
		default:
			continue
		}
		return
	}
}
