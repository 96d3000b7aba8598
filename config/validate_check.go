package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// check checks how the servers of a backend are watched, and fills in what
// follows from other keys.
func (v *validator) check(b *Backend, p place) {
	c := b.Check
	at := p.key("check")
	v.checkKeys(c, at)
	v.checkRequest(c, at)
	v.expect(c, at.key("expect"))
	v.intervals(c, at)
	v.checkedServers(b, p)
}

// checkKeys finds keys that another one makes useless.
func (v *validator) checkKeys(c *Check, p place) {
	if c.Type != "http" {
		useless := []string{"method", "path", "version", "host", "headers", "body", "expect"}
		if c.Type == "grpc" {
			useless = slices.DeleteFunc(useless, func(key string) bool { return key == "host" })
		}
		if c.Type == "tcp" {
			useless = append(useless, "tls")
		}
		for _, key := range useless {
			if p.key(key).given {
				v.errorf(p.key(key), "", "has no effect with type = %q", c.Type)
			}
		}
	}
	if at := p.key("service"); c.Service != "" && c.Type != "grpc" {
		v.errorf(at, "", "has no effect with type = %q", c.Type)
	}
	if c.Type == "tls" && c.TLS == "off" {
		v.errorf(p.key("tls"), "", `a check of type "tls" needs TLS`)
	}
	if c.Observe == "off" && !v.failed[p.key("observe").path] {
		for _, key := range []string{"error_limit", "on_error"} {
			if p.key(key).given {
				v.missingf(p.key(key), "", `has no effect without observe = "layer4" or "layer7"`)
			}
		}
	}
}

// checkRequest checks the request of a check: it goes out as it stands here.
func (v *validator) checkRequest(c *Check, p place) {
	v.method(c.Method, p.key("method"))
	if at := p.key("path"); !isTarget(c.Path) && !(c.Path == "*" && c.Method == "OPTIONS") {
		v.errorf(at, "", "must begin with / and have only printable ASCII characters, "+
			"no spaces and no #")
	}
	if c.Host != "" && !isAuthority(c.Host) {
		v.errorf(p.key("host"), "", "%s is not a host", p.key("host").shown())
	}
	names := sortedKeys(c.Headers)
	for _, name := range names {
		at := p.key("headers").key(name)
		if strings.EqualFold(name, "Host") {
			v.errorf(at, "use host", "this field has a key of its own")
			continue
		}
		v.fieldName(name, at, true)
		if hasControl(c.Headers[name]) {
			v.errorf(at, "", "the value has a control character")
		}
		if isCredential(name) {
			v.literal(at)
		}
	}
	v.sameName(names, p.key("headers"))
}

// isTarget reports whether text can stand as path and query in the first line of
// a request.
func isTarget(text string) bool {
	return strings.HasPrefix(text, "/") && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '#'
	})
}

// isAuthority reports whether text is a host, with a port or without.
func isAuthority(text string) bool {
	if hostPort(text) == nil {
		return true
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	addr, err := netip.ParseAddr(bare)
	if err == nil {
		return addr.Zone() == "" && addr.Is6() == (bare != text)
	}
	return isHostname(text)
}

// expect checks what an answer must be. Without a condition it is HAProxy's: any
// status from 200 to 399.
func (v *validator) expect(c *Check, p place) {
	e := &c.Expect
	needsBody := e.Body != "" || e.BodyRegex != ""
	some := len(e.Status) > 0 || e.StatusRegex != "" || needsBody || len(e.Header) > 0
	switch {
	case p.given && !some:
		v.missingf(p, "without the key 2xx and 3xx are good", "is empty")
	case !some:
		e.Status = []StatusRange{{200, 399}}
	case needsBody && c.Method == "HEAD":
		v.errorf(p, "", "the answer to HEAD has no body")
	}
	if at := p.key("status"); at.given && len(e.Status) == 0 {
		v.errorf(at, "", "is empty")
	}
	for _, regex := range []struct{ key, text string }{
		{"status_regex", e.StatusRegex}, {"body_regex", e.BodyRegex},
	} {
		if regex.text != "" {
			v.expression(regex.text, p.key(regex.key))
		}
	}
	for _, name := range sortedKeys(e.Header) {
		v.fieldName(name, p.key("header").key(name), false)
	}
	v.matchers(e.Header, p.key("header"))
	v.sameName(sortedKeys(e.Header), p.key("header"))
}

// shortestInterval keeps checks from being an attack on the servers.
const shortestInterval = Duration(100 * time.Millisecond)

func (v *validator) intervals(c *Check, p place) {
	for _, own := range []struct {
		key   string
		value *Duration
	}{
		{"interval", &c.Interval}, {"fast_interval", &c.FastInterval},
		{"down_interval", &c.DownInterval},
	} {
		if *own.value == 0 {
			*own.value = c.Interval
		} else if at := p.key(own.key); *own.value < shortestInterval {
			v.errorf(at, "", "%s is shorter than %v", at.shown(), shortestInterval)
		}
	}
	if at := p.key("on_error"); c.Observe != "off" && c.OnError == "fastinter" &&
		c.FastInterval >= c.Interval {
		v.warnf(at, "checks become no faster without a fast_interval shorter than interval")
	}
	if at := p.key("timeout"); c.Timeout > c.Interval {
		v.warnf(at, "is longer than interval: the next check waits until this one ends")
	}
}

// checkedServers checks that the servers of a backend fit its check.
func (v *validator) checkedServers(b *Backend, p place) {
	c, at := b.Check, p.key("check")
	if len(b.Servers) == 0 {
		return
	}
	checked := func(s Server) bool { return s.Check }
	if !slices.ContainsFunc(b.Servers, checked) {
		v.warnf(at, "no server of this backend is checked")
	}
	secure := func(s Server) bool { return s.TLS || s.Network == "" }
	if c.Type == "tls" && c.Port == 0 && !slices.ContainsFunc(b.Servers, secure) {
		v.warnf(at.key("type"), "no server of this backend has an https:// URL")
	}
	for i, s := range b.Servers {
		if c.Port != 0 && s.Network == "unix" && s.CheckAddress == "" && s.Check {
			v.errorf(at.key("port"), "", "%s is a Unix socket, which has no port", serverPlace(p, i).path)
		}
	}
}

// serverPlace returns where a server of the backend at p stands, in either form.
func serverPlace(p place, i int) place {
	if short := p.key("servers"); short.given {
		return short.item(i)
	}
	return p.key("server").item(i)
}
