package config

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
)

// stats checks where the statistics are shown, and who may see them.
func (v *validator) stats() {
	s := &v.cfg.Stats
	p := v.root.key("stats")
	v.statsHost(s, p)
	v.statsAccess(s, p)
	v.users(s.Users, p.key("users"))
	for _, own := range []struct{ key, address string }{
		{"metrics", s.Metrics}, {"health", s.Health},
	} {
		if own.address == "" {
			continue
		}
		at := p.key(own.key)
		host, port, ok := v.address(own.address, at)
		if !ok {
			continue
		}
		v.listeners = v.listener(v.listeners, listener{at, host, port})
		// /healthz and /readyz tell nothing, and are for a balancer elsewhere.
		if own.key == "metrics" && !isLoopback(host) {
			v.warnf(at, "everybody who can reach this address sees the names of all servers")
		}
	}
}

func (v *validator) statsHost(s *Stats, p place) {
	at := p.key("host")
	if s.Host == "" {
		for _, key := range []string{"access", "users", "actions"} {
			if p.key(key).given {
				v.missingf(p.key(key), "", "has no effect without host")
			}
		}
		return
	}
	if strings.HasPrefix(s.Host, "*.") {
		v.errorf(at, "", "the page needs one host, without a wildcard")
		return
	}
	v.hostPattern(s.Host, at, false)
	v.noRoute(s.Host, "this is stats.host, the page with the statistics")
}

// statsAccess fills in who may see the page when the file does not say so. A page
// that anybody may see is never what a file left open.
func (v *validator) statsAccess(s *Stats, p place) {
	a, at := &s.Access, p.key("access")
	switch {
	case v.failed[at.path]:
		return
	case a.given:
		v.access(a, at)
	default:
		a.Public = true
	}
	n, users := &a.Networks, p.key("users")
	switch open := a.Public && !v.failed[at.path]; {
	case len(s.Users) > 0 && !a.Public:
		v.errorf(users, "leave out users", "access asks people to sign in already")
	case len(s.Users) > 0 && s.Host != "" && v.onlyPlain():
		v.warnf(users, "there is no https listener, so everybody on the way can read the passwords")
	case len(s.Users) > 0 || !open:
	case n.Given():
		v.everybody(*n, at.key("networks"), "shows every server to everybody; users asks for a password")
	case a.given && (at.node.kind == stringKind || at.key("public").given):
		v.errorf(at, "", "everybody would see every server; this needs users with passwords")
	default:
		n.Entries = []string{"127.0.0.0/8", "::1"}
		n.Prefixes = []netip.Prefix{
			netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
		}
	}
	if a.AnyUser && s.Actions && !v.failed[at.path] {
		v.warnf(at, "everybody who signs in may take servers out; name groups, or set actions = false")
	}
}

// shortPassword is shorter than what can be found out by trying.
const shortPassword = 12

// users checks names and passwords for HTTP's basic authentication (RFC 7617).
func (v *validator) users(users map[string]Secret, p place) {
	for _, name := range sortedKeys(users) {
		at := p.key(name)
		if v.failed[at.path] {
			continue
		}
		password := users[name].Reveal()
		switch {
		case name == "" || len(name) > 128 || strings.Contains(name, ":") || hasControl(name):
			v.errorf(at, "", "cannot be a name: 1 to 128 characters without a colon")
		case password == "":
			v.errorf(at, "", "the password is empty")
		case hasControl(password) || strings.Contains(password, "\t"):
			v.errorf(at, "", "the password has a control character")
		case !v.chosen(password, at):
		case len([]rune(password)) < shortPassword:
			v.warnf(at, "the password has fewer than %d characters", shortPassword)
		}
	}
}

// isLoopback reports whether a host is this machine alone.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	if err == nil {
		return addr.Unmap().IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// ownAddress refuses a server that is this very Doorward: requests would go round
// in circles, and pages that trust this machine would be open to the world.
func (v *validator) ownAddress(s *Server, p place) {
	if s.Network == "unix" {
		if control := v.cfg.Listen.Control; control != "" && filepath.Clean(s.Address) == filepath.Clean(control) {
			v.errorf(p, "", "%s is listen.control of this Doorward", p.shown())
		}
		return
	}
	i := slices.IndexFunc(v.listeners, func(l listener) bool { return l.answers(s.Address) })
	if i >= 0 {
		v.errorf(p, "", "%s is %s of this Doorward", p.shown(), v.listeners[i].at.path)
	}
}
