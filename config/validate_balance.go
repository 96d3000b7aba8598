package config

import (
	"slices"
	"strings"
	"time"
)

// nobodySigned is what to know about everything that goes by the user.
const nobodySigned = "signing in is not available in this version of Doorward, " +
	"so the client's address counts"

// balance checks how requests are shared out and kept together.
func (v *validator) balance(b *Backend, p place) {
	at := p.key("balance")
	v.selector(b.Balance, at)
	limited := func(s Server) bool { return s.MaxConnections > 0 }
	if len(b.Servers) > 0 && !slices.ContainsFunc(b.Servers, limited) {
		if b.Balance == "first" {
			v.warnf(at, "no server has max_connections, so the first one takes every request")
		}
		if b.QueueLimit > 0 && p.key("queue_limit").given {
			v.warnf(p.key("queue_limit"), "no server has max_connections, so no request waits")
		}
	}
	if at := p.key("slow_start"); b.SlowStart > Delay(time.Hour) {
		v.errorf(at, "", "%s is longer than 1h", at.shown())
	}
	if at := p.key("maintenance_page"); at.given && b.MaintenancePage == "" {
		v.errorf(at, "", "the name of the file is empty")
	}
	v.backups(b, p)
	if b.Stick != nil {
		v.stick(b, p)
	}
	v.cookie(b, p)
}

func (v *validator) backups(b *Backend, p place) {
	backup := func(s Server) bool { return s.Backup }
	others := slices.ContainsFunc(b.Servers, func(s Server) bool { return !s.Backup })
	switch {
	case len(b.Servers) == 0:
	case !others:
		v.warnf(p, "every server is a backup")
	case b.UseAllBackups && !slices.ContainsFunc(b.Servers, backup):
		v.warnf(p.key("use_all_backups"), "no server of this backend is a backup")
	}
}

// selector checks the name in "header:NAME" and the like.
func (v *validator) selector(s Selector, p place) {
	name := s.Name()
	switch s.Kind() {
	case "user":
		v.warnf(p, nobodySigned)
	case "header", "cookie":
		if !isToken(name) {
			v.errorf(p, "", "%s: what stands behind the colon is not a name", p.shown())
		}
	}
	if s.Kind() != "header" {
		return
	}
	switch strings.ToLower(name) {
	case "cookie":
		v.warnf(p, "this field changes with every cookie, and the server with it; "+
			"one cookie does better")
	case "authorization":
		v.warnf(p, "a client with a new token in this field counts as another client")
	}
}

func (v *validator) stick(b *Backend, p place) {
	at := p.key("stick")
	on := at.key("on")
	v.selector(b.Stick.On, on)
	if at.key("ipv6_prefix").given && b.Stick.On != "src" && b.Stick.On != "user" {
		v.errorf(at.key("ipv6_prefix"), "", `has no effect with on = %s`, on.shown())
	}
	switch b.Balance.Kind() {
	case "source", "uri", "header", "user":
		v.warnf(at, "clients are kept together twice: by balance = %s and by this table, "+
			"which wins", p.key("balance").shown())
	}
}

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

// onlyPlain reports whether clients talk to Doorward without TLS, and no proxy in
// front of it can have spoken TLS with them.
func (v *validator) onlyPlain() bool {
	l := &v.cfg.Listen
	return len(l.HTTPS) == 0 && len(l.TrustedProxies.Entries)+len(l.ProxyProtocol.Entries) == 0
}
