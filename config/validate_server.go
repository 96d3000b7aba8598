package config

import (
	"net"
	"net/url"
	"path"
	"reflect"
	"strings"
)

// servers checks the servers of a backend, in either form, and names them.
func (v *validator) servers(b *Backend, p place) {
	short, long := p.key("servers"), p.key("server")
	switch {
	case short.given && long.given:
		v.errorf(short, "", "servers and [[%s]] exclude each other", long.path)
	case len(b.ServerURLs)+len(b.Servers) == 0:
		v.missingf(p, `servers = ["http://10.0.0.1:8080"]`, "has no servers")
	}
	for i, text := range b.ServerURLs {
		s := newServer(text)
		v.serverURL(&s, short.item(i))
		b.Servers = append(b.Servers, s)
	}
	names := make(map[string]place)
	urls := make(map[string]place)
	for i := range b.Servers {
		s, at, key := &b.Servers[i], short.item(i), short.item(i)
		if !short.given {
			at = long.item(i)
			key = v.server(s, at, names)
			v.serverKeys(b, s, at)
		}
		if first, twice := urls[s.URL]; twice && s.URL != "" {
			v.warnf(key, "the same server as %s", first.path)
		}
		urls[s.URL] = at
		v.ownAddress(s, key)
	}
	weights := 0
	for i := range b.Servers {
		s := &b.Servers[i]
		weights += s.Weight
		if s.Name == "" {
			s.Name = freeName(s.Address, names)
		}
	}
	if len(b.Servers) > 0 && weights == 0 {
		v.warnf(p, "every server has weight 0, so none gets requests")
	}
}

// newServer returns a server with defaults.
func newServer(url string) Server {
	s := Server{URL: url}
	setDefaults(reflect.ValueOf(&s).Elem())
	return s
}

// server checks one [[backends.NAME.server]] and returns the place of its URL.
func (v *validator) server(s *Server, p place, names map[string]place) place {
	if at := p.key("name"); at.given {
		first, taken := names[s.Name]
		switch {
		case s.Name == "" || len(s.Name) > 128 || strings.ContainsFunc(s.Name, notInName):
			v.errorf(at, "", "must be 1 to 128 printable characters without spaces and quotes")
		case taken:
			v.errorf(at, "", "the server in %s has this name already",
				at.as(first.position()))
		}
		names[s.Name] = at
	}
	at := p.key("url")
	if !at.given {
		v.missingf(p, `url = "http://10.0.0.1:8080"`, "needs a url")
		return at
	}
	v.serverURL(s, at)
	return at
}

// serverKeys checks the keys of a server that need others beside them.
func (v *validator) serverKeys(b *Backend, s *Server, p place) {
	at := p.key("check_address")
	switch {
	case s.CheckAddress == "":
	case b.Check == nil:
		v.warnf(at, "the backend has no check")
	case !s.Check:
		v.errorf(at, "", "has no effect with check = false")
	}
	if err := hostPort(s.CheckAddress); s.CheckAddress != "" && err != nil {
		v.errorf(at, `write "10.0.0.1:8080"`, "%s %v", at.shown(), err)
	}
	if s.QueueLimit > 0 && s.MaxConnections == 0 {
		v.warnf(p.key("queue_limit"), "without max_connections no request waits for this server")
	}
}

// serverURL reads the address out of a URL. A URL with a password in it is not
// shown.
func (v *validator) serverURL(s *Server, p place) {
	scheme, rest, ok := strings.Cut(s.URL, "://")
	switch {
	case strings.Contains(s.URL, "@"):
		v.errorf(p, "set Authorization in headers.request",
			"a server's URL has no user and password")
	case !ok:
		v.errorf(p, p.hintf("did you mean %q?", "http://"+s.URL), "%s is not a URL", p.shown())
	case scheme == "unix":
		v.socket(s, rest, p)
	case scheme == "http" || scheme == "https" || scheme == "h2c":
		s.HTTP2 = scheme == "h2c"
		v.hostURL(s, scheme == "https", p)
	default:
		v.errorf(p, didYouMean(scheme, []string{"http", "https", "h2c", "unix"}),
			"%s: the scheme is not one of http, https, h2c, unix", p.shown())
	}
}

func (v *validator) socket(s *Server, file string, p place) {
	// sun_path has room for 108 bytes on Linux and 104 elsewhere.
	const longest = 103
	switch {
	case !path.IsAbs(file):
		v.errorf(p, `write "unix:///run/app.sock"`, "%s has no absolute path", p.shown())
	case len(file) > longest:
		v.errorf(p, "", "the path of a socket has at most %d bytes", longest)
	case hasControl(file) || strings.ContainsAny(file, "?#%"):
		v.errorf(p, "", "%s is not the path of a socket", p.shown())
	default:
		s.Network, s.Address = "unix", file
	}
}

func (v *validator) hostURL(s *Server, secure bool, p place) {
	u, err := url.Parse(s.URL)
	if err != nil {
		v.errorf(p, "", "%s is not a URL", p.shown())
		return
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		v.errorf(p, "replace_prefix of a route changes paths", "%s has more than a host and a port",
			p.shown())
		return
	}
	port := u.Port()
	if port == "" {
		port = map[bool]string{false: "80", true: "443"}[secure]
	}
	address := net.JoinHostPort(u.Hostname(), port)
	if err := hostPort(address); err != nil || strings.HasSuffix(u.Host, ":") {
		what := "has no port after the colon"
		if err != nil {
			what = err.Error()
		}
		v.errorf(p, "", "%s %s", p.shown(), what)
		return
	}
	s.Network, s.Address, s.TLS = "tcp", address, secure
}
