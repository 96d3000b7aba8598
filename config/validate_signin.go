package config

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"
)

// signIn checks how people sign in, and finds what has no effect without it.
func (v *validator) signIn() {
	s := v.cfg.SignIn
	p := v.root.key("sign_in")
	v.stateSecret()
	if s == nil {
		for _, key := range []string{"groups", "password_policy", "brand"} {
			if at := v.root.key(key); at.given {
				v.errorf(at, "", "has no effect without [sign_in]")
			}
		}
		return
	}
	v.signInHost(s, p.key("host"))
	v.sessionCookie(s, p)
	if s.Idle > s.Lifetime && p.key("idle").given {
		v.warnf(p.key("idle"), "is longer than lifetime, so it never matters")
	}
	v.whoSignsIn(s, p)
	v.overHTTPS(p)
	v.providers(s, p.key("provider"))
	v.defaultRedirect(s, p.key("default_redirect"))
	v.groups()
	v.passwords(s)
	v.brand()
}

// signInHost checks the host and brings it into the form in which it is compared: lower
// case, without the usual port.
func (v *validator) signInHost(s *SignIn, p place) {
	if !p.given || v.failed[p.path] {
		v.missingf(v.root.key("sign_in"), `host = "login.example.com"`, "needs a host")
		return
	}
	host, port := splitPort(s.Host)
	if port != "" && hostPort(s.Host) != nil {
		v.errorf(p, "", "%s has no valid port", p.shown())
		return
	}
	if port == "443" {
		s.Host = host
	}
	if strings.HasPrefix(host, "*.") {
		v.errorf(p, "", "the pages need one host, without a wildcard")
		return
	}
	v.hostPattern(host, p, false)
	s.Host = strings.ToLower(s.Host)
	if strings.EqualFold(host, v.cfg.Stats.Host) {
		v.errorf(p, "", "this is stats.host, the page with the statistics")
	}
	v.noRoute(host, "this is sign_in.host, where people sign in")
}

// noRoute refuses routes for a host that Doorward answers itself.
func (v *validator) noRoute(host, why string) {
	for i, r := range v.cfg.Routes {
		for j, other := range r.Hosts {
			if strings.EqualFold(other, host) {
				v.errorf(v.root.key("route").item(i).key("hosts").item(j), "", "%s", why)
			}
		}
	}
}

// splitPort returns a host, with the brackets of an address, and its port if there is
// one.
func splitPort(text string) (host, port string) {
	host, port, err := net.SplitHostPort(text)
	switch {
	case err != nil || strings.Trim(port, "0123456789") != "":
		return text, ""
	case strings.Contains(host, ":"):
		return "[" + host + "]", port
	}
	return host, port
}

// sessionCookie checks for which hosts the cookie is. At a public suffix, where
// everybody may have a host, browsers take no cookie (RFC 6265 section 5.3).
func (v *validator) sessionCookie(s *SignIn, p place) {
	at := p.key("cookie_domain")
	domain := strings.ToLower(strings.TrimSuffix(s.CookieDomain, "."))
	if v.failed[p.key("cookie").path] || v.failed[at.path] {
		return
	}
	if s.Cookie == "host" {
		if domain != "" {
			v.errorf(at, `write cookie = "domain"`, "has no effect with a cookie for each host")
		}
		return
	}
	_, err := netip.ParseAddr(domain)
	suffix, _ := publicsuffix.PublicSuffix(domain)
	switch host := s.Hostname(); {
	case domain == "":
		v.missingf(p, `cookie_domain = "example.com"`, "needs the domain of the cookie")
	case strings.HasPrefix(domain, "."):
		v.errorf(at, at.hintf("did you mean %q?", strings.TrimLeft(domain, ".")),
			"%s begins with a dot", at.shown())
	case !isHostname(domain) || err == nil:
		v.errorf(at, `write "example.com"`, "%s is not a domain", at.shown())
	case domain == suffix:
		v.errorf(at, `write "example.com"`,
			"%s belongs to nobody alone: anybody could have a host that gets the cookie", at.shown())
	case s.Host != "" && !v.failed[p.key("host").path] &&
		host != domain && !strings.HasSuffix(host, "."+domain):
		v.errorf(at, "", "sign_in.host is not below %s", at.shown())
	}
	s.CookieDomain = domain
}

// whoSignsIn checks that there is anybody who can.
func (v *validator) whoSignsIn(s *SignIn, p place) {
	if s.LocalUsers {
		if at := p.key("mfa"); s.MFA == "required" {
			v.warnf(at, "local users have no second factor, so none of them gets in anywhere")
		}
		return
	}
	if len(s.Providers) == 0 {
		v.errorf(p.key("local_users"), "add a [[sign_in.provider]]",
			"there is no provider, so nobody could sign in")
	}
	if at := p.key("throttle"); at.given {
		v.warnf(at, "has no effect without local users")
	}
}

// overHTTPS checks that cookies can be sent: they never go over plain HTTP.
func (v *validator) overHTTPS(p place) {
	l := &v.cfg.Listen
	at := v.root.key("listen")
	switch {
	case len(l.HTTPS) == 0:
		v.errorf(p, "set listen.https", "people sign in over TLS alone, and nothing listens for it")
	case len(l.HTTP) > 0 && !l.HTTPRedirect:
		v.warnf(at.key("http_redirect"), "nobody is signed in over plain HTTP, where only public "+
			"routes open")
	}
}

// defaultRedirect checks where people land: at home, or at a host that is ours.
func (v *validator) defaultRedirect(s *SignIn, p place) {
	to := s.DefaultRedirect
	if to == "" || v.failed[p.path] {
		return
	}
	u, err := url.Parse(to)
	switch {
	case err != nil || strings.ContainsAny(to, "\\ ") || strings.ContainsFunc(to, notPrintable):
		v.errorf(p, `write "/" or "https://app.example.com/"`, "is not a place to redirect to")
	case strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//"):
	case u.Scheme != "https" || u.Host == "" || u.User != nil || u.Opaque != "":
		v.errorf(p, `write "/" or "https://app.example.com/"`, "is not a place to redirect to")
	case !strings.EqualFold(u.Hostname(), s.Hostname()) && !v.isRouted(u.Hostname()):
		v.errorf(p, "", "no route names the host of %s", p.shown())
	}
}

// isRouted reports whether a route may take requests for a host. Expressions are
// believed to.
func (v *validator) isRouted(host string) bool {
	_, parent, _ := strings.Cut(host, ".")
	for _, r := range v.cfg.Routes {
		for _, h := range r.Hosts {
			if strings.EqualFold(h, host) || strings.EqualFold(h, "*."+parent) ||
				strings.HasPrefix(h, "~") {
				return true
			}
		}
		if len(r.Hosts) == 0 {
			return true
		}
	}
	return false
}

// groups checks who is in which group.
func (v *validator) groups() {
	for _, name := range sortedKeys(v.cfg.Groups) {
		g, p := v.cfg.Groups[name], v.root.key("groups").key(name)
		if v.failed[p.path] {
			continue
		}
		v.groupName(name, p)
		v.entries(g.ProviderGroups, p.key("provider_groups"))
		v.whoseGroups(g.ProviderGroups, p.key("provider_groups"))
		v.entries(g.Roles, p.key("roles"))
		v.userNames(g.Users, p.key("users"))
		if hasControl(g.Title) {
			v.errorf(p.key("title"), "", "has a control character")
		}
	}
}

// whoseGroups warns of groups that several providers can give where one is GitHub: there,
// everybody can make one of any name.
func (v *validator) whoseGroups(list []string, p place) {
	providers := v.cfg.SignIn.Providers
	public := func(pr Provider) bool { return pr.Type == "github" && pr.AuthorityHost == "" }
	if len(providers) < 2 || !slices.ContainsFunc(providers, public) {
		return
	}
	for i, group := range list {
		named := func(pr Provider) bool { return strings.HasPrefix(group, pr.Name+":") }
		if !slices.ContainsFunc(providers, named) {
			v.warnf(p.item(i), "counts from GitHub too, where everybody can make a group of "+
				"any name: write the name of its provider and a colon before it")
		}
	}
}

// groupName checks the name of a group: servers get lists of them, separated by "|" or
// by commas.
func (v *validator) groupName(name string, p place) {
	bad := strings.ContainsAny(name, "|,") || strings.ContainsFunc(name, notPrintable)
	if name == "" || len(name) > 128 || bad || strings.TrimSpace(name) != name {
		v.errorf(p, "", "cannot be the name of a group: 1 to 128 printable characters, not | and ,")
	}
}

// entries checks a list of names that others made.
func (v *validator) entries(list []string, p place) {
	for i, entry := range list {
		if entry == "" || strings.ContainsFunc(entry, notPrintable) || !utf8.ValidString(entry) {
			v.errorf(p.item(i), "", "is empty or has a character that cannot be printed")
		}
	}
	v.duplicates(list, p)
}

// userNames checks a list of users, by name or e-mail address.
func (v *validator) userNames(list []string, p place) {
	for i, name := range list {
		at := p.item(i)
		switch {
		case strings.HasPrefix(name, "*"):
			v.errorf(at, "name a group", "%s: there are no patterns for users", at.shown())
		case name == "" || len(name) > 256 || strings.ContainsAny(name, ` :/\|,;"<>`) ||
			strings.ContainsFunc(name, notPrintable):
			v.errorf(at, "", "%s is not the name or address of a user", at.shown())
		}
	}
	v.duplicates(list, p)
}

// passwords checks the policy for new passwords.
func (v *validator) passwords(s *SignIn) {
	p := v.root.key("password_policy")
	switch at := p.key("min_length"); {
	case !p.given:
	case !s.LocalUsers:
		v.warnf(p, "has no effect without local users")
	case v.cfg.PasswordPolicy.MinLength < 15 && s.MFA != "required":
		v.warnf(at, "is short for passwords without a second factor; NIST asks for 15")
	}
	v.entries(v.cfg.PasswordPolicy.RejectWords, p.key("reject_words"))
}
