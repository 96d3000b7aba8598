package config

import (
	"net/url"
	"slices"
	"strings"
)

// reserved is what Doorward answers itself, on every host.
const reserved = "/.doorward"

// notReserved refuses paths that no request of the route would ever have.
func (v *validator) notReserved(pattern string, p place) {
	path := strings.ToLower(strings.TrimPrefix(pattern, "=")) + "/"
	if strings.HasPrefix(path, reserved+"/") {
		v.errorf(p, "", "Doorward answers below %s/ itself, on every host", reserved)
	}
}

// gate checks how people and programs pass a route, and what its server learns.
func (v *validator) gate(r *Route, p place) {
	if v.cfg.SignIn == nil {
		for _, key := range []string{
			"public_paths", "identity_headers", "app", "provider", "preflight", "bearer", "tokens",
			"basic_auth", "consent",
		} {
			if p.key(key).given {
				v.missingf(p.key(key), "", "has no effect without [sign_in]")
			}
		}
		return
	}
	if r.Access.Public && r.Access.given {
		for _, key := range []string{
			"public_paths", "identity_headers", "provider", "preflight", "bearer", "tokens",
			"basic_auth", "consent",
		} {
			if p.key(key).given {
				v.missingf(p.key(key), "", "has no effect, because the route is public")
			}
		}
	}
	for i, path := range r.PublicPaths {
		v.pathPattern(path, p.key("public_paths").item(i))
	}
	v.duplicates(r.PublicPaths, p.key("public_paths"))
	v.identityHeaders(r, p.key("identity_headers"))
	v.programs(r, p)
	v.comesBack(r, p)
	v.routeProvider(r, p.key("provider"))
	if at := p.key("preflight"); r.Preflight == "answer" && len(r.Origins) == 0 {
		v.errorf(at, `origins = ["*.example.com"]`, "needs origins: whose pages may send requests")
	}
	if at := p.key("consent"); at.given {
		v.consent(r.Consent, at)
	}
}

// comesBack warns of hosts that people cannot come back to from the sign-in host: who is
// sent back takes a code along that opens a session, so it is never a host that nothing
// but a pattern has. With one cookie for a domain there is no code. Programs with tokens
// never leave.
func (v *validator) comesBack(r *Route, p place) {
	if r.Access.Public || r.Tokens || len(r.Bearer) > 0 {
		return
	}
	const why = "people come back from signing in only to hosts that a route names"
	if len(r.Hosts) == 0 && !slices.ContainsFunc(v.cfg.Routes, func(other Route) bool {
		return slices.ContainsFunc(other.Hosts, v.isWayBack)
	}) {
		v.warnf(p, why+", and none names any")
	}
	for i, host := range r.Hosts {
		switch at := p.key("hosts").item(i); {
		case v.isWayBack(host):
		case strings.HasPrefix(host, "~"):
			v.warnf(at, "is a pattern: "+why)
		default:
			v.warnf(at, "is a pattern: "+why+`, or with cookie = "domain" below cookie_domain`)
		}
	}
}

// isWayBack tells whether a sign-in may end at the hosts that a route has by this name or
// pattern.
func (v *validator) isWayBack(host string) bool {
	rest, wildcard := strings.CutPrefix(strings.ToLower(host), "*")
	if !wildcard {
		return !strings.HasPrefix(host, "~")
	}
	s := v.cfg.SignIn
	return s.Cookie == "domain" && strings.HasSuffix(rest, "."+s.CookieDomain)
}

// routeProvider checks that those who sign in there may pass.
func (v *validator) routeProvider(r *Route, p place) {
	if r.Provider == "" {
		return
	}
	v.knownProvider(r.Provider, p, false)
	if only := r.Access.Providers; len(only) > 0 && !slices.Contains(only, r.Provider) {
		v.errorf(p, "", "a sign-in with %s does not count: it is not in access.providers", p.shown())
	}
}

// consent checks the text that people have to agree to.
func (v *validator) consent(text string, p place) {
	const longest = 8 << 10
	switch {
	case strings.TrimSpace(text) == "":
		v.errorf(p, "", "is empty")
	case len(text) > longest || hasControl(strings.ReplaceAll(text, "\n", "")):
		v.errorf(p, "", "is longer than %v or has a control character", Size(longest))
	}
}

// programs checks with which tokens programs pass.
func (v *validator) programs(r *Route, p place) {
	if r.BasicAuth && !r.Tokens {
		v.errorf(p.key("basic_auth"), "add tokens = true", "needs tokens, which stand in the password's place")
	}
	for i, b := range r.Bearer {
		at := p.key("bearer").item(i)
		if !at.key("provider").given {
			v.missingf(at, `provider = "azure-ad"`, "needs a provider")
		} else {
			v.knownProvider(b.Provider, at.key("provider"), false)
		}
		for _, pr := range v.cfg.SignIn.Providers {
			if pr.Name == b.Provider && pr.Type == "github" {
				v.errorf(at.key("provider"), "", "tokens of GitHub do not say for whom they are")
			}
		}
		if len(b.Audiences) == 0 {
			v.missingf(at, `audiences = ["api://app"]`,
				"needs audiences: a token for another program must not open this one")
		}
		v.entries(b.Audiences, at.key("audiences"))
		v.entries(b.Scopes, at.key("scopes"))
		if b.Scopes != nil && len(b.Scopes) == 0 {
			v.errorf(at.key("scopes"), "without the key any scope will do", "is empty")
		}
	}
}

// identityFields are the placeholders in fields about a user.
func identityFields() []string {
	return []string{"user", "name", "email", "groups", "roles", "id", "provider", "jwt"}
}

// identityHeaders checks fields of one's own. Clients' fields of these names are dropped
// everywhere, so they must be nobody else's.
func (v *validator) identityHeaders(r *Route, p place) {
	fields := r.IdentityHeaders.Fields
	if p.given && p.node.kind == tableKind && len(fields) == 0 && len(p.node.names) == 0 {
		v.errorf(p, `write "none"`, "is empty")
	}
	certificate := []string{}
	if c := r.ClientCertificate; c != nil {
		for _, name := range c.Headers.Named() {
			certificate = append(certificate, strings.ToLower(name))
		}
	}
	for _, name := range sortedKeys(fields) {
		at, lower := p.key(name), strings.ToLower(name)
		v.fieldName(name, at, true)
		switch {
		case lower != "authorization" && v.hasMeaning(lower) || isForwarding(lower):
			v.errorf(at, "", "this field has a meaning of its own, which its sender would lose")
		case setsField(&r.Headers.Request, name) || setsField(&v.cfg.Headers.Request, name):
			v.errorf(at, "", "headers.request sets this field as well")
		case slices.Contains(certificate, lower):
			v.errorf(at, "", "client_certificate sets this field as well")
		}
		if v.templateOf(fields[name], at, identityFields()) && closesNothing(fields[name]) {
			v.errorf(at, "write }} for a literal one", "the value has a brace that closes nothing")
		}
	}
	v.sameName(sortedKeys(fields), p)
}

// closesNothing reports a single closing brace in a template that is right otherwise.
func closesNothing(template string) bool {
	template = strings.ReplaceAll(template, "{{", "")
	for _, name := range identityFields() {
		template = strings.ReplaceAll(template, "{"+name+"}", "")
	}
	return strings.Contains(strings.ReplaceAll(template, "}}", ""), "}")
}

// isForwarding reports fields that say how a request came here.
func isForwarding(name string) bool {
	return slices.Contains([]string{
		"via", "x-real-ip", "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-server",
		"x-forwarded-ssl", "x-original-url", "x-rewrite-url", "set-cookie",
	}, name)
}

// app checks how a route is shown on the portal, and fills in name and address.
func (v *validator) app(r *Route, p place) {
	a := r.App
	if a == nil || v.cfg.SignIn == nil {
		return
	}
	if a.Title == "" {
		a.Title = r.Name
	}
	for _, text := range []struct{ key, value string }{
		{"title", a.Title}, {"description", a.Description}, {"group", a.Group},
	} {
		if hasControl(text.value) {
			v.errorf(p.key(text.key), "", "has a control character")
		}
	}
	v.picture(a.Icon, p.key("icon"))
	at := p.key("url")
	u, err := url.Parse(a.URL)
	switch {
	case at.given && (err != nil || u.Host == "" || u.User != nil || u.Opaque != "" ||
		u.Scheme != "https" && u.Scheme != "http"):
		v.errorf(at, `write "https://app.example.com/"`, "%s is not an address to open", at.shown())
	case a.URL != "" || a.Hidden:
	default:
		if a.URL = v.appURL(r); a.URL == "" {
			v.missingf(p, `url = "https://app.example.com/"`,
				"needs url: the route names no single host and path to open")
		}
	}
}

// appURL is the address of the first host and path, empty when they are patterns.
func (v *validator) appURL(r *Route) string {
	if len(r.Hosts) == 0 || strings.HasPrefix(r.Hosts[0], "*") || strings.HasPrefix(r.Hosts[0], "~") {
		return ""
	}
	path := "/"
	if len(r.Paths) > 0 {
		if path = strings.TrimPrefix(r.Paths[0], "="); !strings.HasPrefix(path, "/") {
			return ""
		}
	}
	// Where people sign in on another port than usual, they open applications there.
	port := strings.TrimPrefix(v.cfg.SignIn.Host, v.cfg.SignIn.Hostname())
	return "https://" + r.Hosts[0] + port + path
}
