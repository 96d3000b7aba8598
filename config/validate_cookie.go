package config

import (
	"slices"
	"strings"
)

// cookie checks the persistence cookie and its values at the servers.
func (v *validator) cookie(b *Backend, p place) {
	values := make(map[string]place)
	for i, s := range b.Servers {
		at := serverPlace(p, i).key("cookie")
		switch first, taken := values[s.Cookie]; {
		case s.Cookie == "":
			continue
		case b.Cookie == nil:
			v.errorf(at, "", "has no effect without [%s]", p.key("cookie").path)
		case len(s.Cookie) > 128 || strings.ContainsFunc(s.Cookie, notInCookie):
			v.errorf(at, "", `must be up to 128 printable characters without spaces and " , ; \ |`)
		case taken:
			v.errorf(at, "", "the server in %s has this value already", at.as(first.position()))
		}
		values[s.Cookie] = at
	}
	if at := p.key("cookie"); b.Cookie != nil && !v.failed[at.path] {
		v.cookieAttributes(b.Cookie, at)
		v.cookieDomain(b, at.key("domain"))
	}
}

// cookieDomain warns about hosts at which browsers refuse the cookie (RFC 6265
// section 5.3).
func (v *validator) cookieDomain(b *Backend, p place) {
	domain := strings.ToLower(b.Cookie.Domain)
	if domain == "" {
		return
	}
	for i, r := range v.cfg.Routes {
		for j, host := range r.Hosts {
			host = strings.ToLower(strings.TrimPrefix(host, "*."))
			if r.Backend == b.Name && !strings.HasPrefix(host, "~") &&
				host != domain && !strings.HasSuffix(host, "."+domain) {
				at := v.root.key("route").item(i).key("hosts").item(j)
				v.warnf(p, "browsers refuse the cookie at %s, %s", at.path, at.shown())
			}
		}
	}
}

// notInCookie reports characters that cannot stand in the value of a cookie (RFC
// 6265 section 4.1.1), or that separate the value from its dates.
func notInCookie(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`",;\|`, r)
}

func (v *validator) cookieAttributes(c *Cookie, p place) {
	name := p.key("name")
	lower := strings.ToLower(c.Name)
	switch {
	case c.Name == "" && !name.given:
		v.missingf(p, `name = "SRV"`, "needs a name")
	case !isToken(c.Name):
		v.errorf(name, "", "%s is not the name of a cookie", name.shown())
	case strings.HasPrefix(lower, "__host-") && (c.Domain != "" || !c.Secure),
		strings.HasPrefix(lower, "__secure-") && !c.Secure:
		v.errorf(name, "", "browsers take a cookie of this name only with secure, and __Host- "+
			"only without a domain")
	}
	if at := p.key("domain"); c.Domain != "" && !isHostname(c.Domain) {
		v.errorf(at, `write "example.com"`, "%s is not a domain", at.shown())
	}
	switch {
	case !c.Secure && c.SameSite == "none":
		v.errorf(p.key("same_site"), "", "browsers refuse none without secure")
	case !c.Secure:
		v.warnf(p.key("secure"), "everybody on the way can read and change a cookie that is "+
			"sent over plain HTTP")
	case v.onlyPlain():
		v.warnf(p.key("secure"), "there is no https listener, so no client sends the cookie back")
	}
	if c.MaxLife > 0 && c.MaxIdle > c.MaxLife {
		v.warnf(p.key("max_idle"), "is longer than max_life, so it never matters")
	}
}

// sharedCookies warns about backends of one host that overwrite each other's
// cookie, since none knows what the other's means. Values in the file may be
// meant for both.
func (v *validator) sharedCookies(p place) {
	type jar struct{ host, cookie string }
	first := make(map[jar]string)
	warned := make(map[string]bool)
	for _, r := range v.cfg.Routes {
		b := v.cfg.Backends[r.Backend]
		if b == nil || b.Cookie == nil || b.Cookie.Name == "" || !hasOpaque(b) {
			continue
		}
		hosts := r.Hosts
		if len(hosts) == 0 {
			hosts = []string{""}
		}
		for _, host := range hosts {
			key := jar{strings.ToLower(host), b.Cookie.Name}
			other, taken := first[key]
			if !taken {
				first[key] = r.Backend
			} else if other != r.Backend && !warned[r.Backend] {
				warned[r.Backend] = true
				v.warnf(p.key(r.Backend).key("cookie").key("name"), "backend %s has a cookie of this "+
					"name for the same host: clients of both lose their server each time", other)
			}
		}
	}
}

// hasOpaque reports whether a server's value in the cookie is not in the file.
func hasOpaque(b *Backend) bool {
	return slices.ContainsFunc(b.Servers, func(s Server) bool { return s.Cookie == "" })
}
