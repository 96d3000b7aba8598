package app

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"doorward/auth"
	"doorward/auth/assert"
	"doorward/auth/page"
	"doorward/auth/policy"
	"doorward/auth/portal"
	"doorward/config"
	"doorward/proxy"
	"doorward/proxy/route"
)

// buildGate puts the gate in front of a route, where people can sign in.
func (g *generation) buildGate(c *config.Route, r *proxy.Route) error {
	if g.signIn == nil {
		return nil
	}
	rule, err := accessRule(c)
	if err != nil {
		return err
	}
	head, err := g.identityHead(c)
	if err != nil {
		return err
	}
	s := g.signIn
	app := appOf(c, g.cfg)
	gate := s.doors.Gate(auth.RouteOptions{
		Name: c.Name, App: app, Rule: rule, Head: head, Preflight: preflights[c.Preflight],
		Origin: originRule(c), Tokens: c.Tokens, Basic: c.BasicAuth, Bearer: s.bearers(c),
		Provider: c.Provider, Consent: c.Consent,
	})
	r.Gate, r.Networks = gate, nil // the gate says why a network is refused
	if r.Origins == nil && c.Access.SignedIn() {
		// Browsers send cookies along with a WebSocket that a page of another host opens
		// (security case WS-11).
		r.Origins = []string{"same"}
	}
	s.gates[c.Name] = gate
	s.rules = append(s.rules, portalApp{
		App: app, name: c.Name, rule: rule, open: c.Tokens || c.BasicAuth,
		shown: c.App != nil && !c.App.Hidden && app.URL != "",
	})
	return nil
}

var preflights = map[string]auth.Preflight{
	"pass": auth.PreflightPass, "answer": auth.PreflightAnswer, "deny": auth.PreflightDeny,
}

// accessRule is who may pass the route.
func accessRule(c *config.Route) (*policy.Rule, error) {
	paths, err := route.ParsePaths(c.PublicPaths)
	if err != nil {
		return nil, err
	}
	a := &c.Access
	o := policy.Options{
		Name: c.Name, Public: a.Public, AnyUser: a.AnyUser, Users: a.Users, Groups: a.Groups,
		Roles: a.Roles, Providers: a.Providers, Methods: a.Methods, Networks: set(a.Networks),
		MFA: a.MFA,
	}
	if len(c.PublicPaths) > 0 {
		o.Paths = paths.Has
	}
	return policy.Compile(o)
}

// identityHead is what the route's server is told about the user.
func (g *generation) identityHead(c *config.Route) (*assert.Template, error) {
	h := &c.IdentityHeaders
	if h.Preset == "" && len(h.Fields) == 0 {
		return nil, nil
	}
	host := g.cfg.SignIn.Host
	o := assert.Options{
		Preset: h.Preset, Fields: h.Fields, Percent: c.IdentityEncoding == "percent",
		Relevant: c.Access.Groups, App: c.Name, Issuer: "https://" + host, Audience: c.Name,
		JWKS: "https://" + host + "/.doorward/jwks.json", Version: "doorward",
		Keys: g.signIn.keys, Log: g.log.Named("sign-in"),
	}
	return assert.CompileTemplate(o)
}

// identityFields are the names that clients may not send on any route: those that some
// route tells its server who the user is with.
func (g *generation) identityFields() (names []string) {
	if g.cfg.SignIn == nil {
		return nil
	}
	for i := range g.cfg.Routes {
		for name := range g.cfg.Routes[i].IdentityHeaders.Fields {
			if !strings.EqualFold(name, "Authorization") && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// appOf is how people know the route.
func appOf(c *config.Route, cfg *config.Config) page.App {
	app := page.App{Title: c.Name, URL: addressOf(c, cfg)}
	if a := c.App; a != nil {
		app.Icon, app.Description, app.Group = a.Icon, a.Description, a.Group
		if a.Title != "" {
			app.Title = a.Title
		}
		if a.URL != "" {
			app.URL = a.URL
		}
	}
	return app
}

// addressOf is where a route begins: its first host that is a name, and its first path
// that is one. Empty when there is none.
func addressOf(c *config.Route, cfg *config.Config) string {
	u := url.URL{Scheme: "https", Path: "/"}
	for _, h := range c.Hosts {
		if isName(h) {
			u.Host = h + publicPort(cfg)
			break
		}
	}
	if u.Host == "" {
		return ""
	}
	for _, p := range c.Paths {
		if p = strings.TrimPrefix(p, "="); strings.HasPrefix(p, "/") {
			u.Path = p
			break
		}
	}
	return u.String()
}

// isName tells a host from patterns for several.
func isName(host string) bool { return host != "" && !strings.ContainsAny(host, "*~") }

// publicPort is the port that people reach HTTPS at: the sign-in host has it with it.
func publicPort(cfg *config.Config) string {
	if _, port, err := net.SplitHostPort(cfg.SignIn.Host); err == nil && port != "443" {
		return ":" + port
	}
	return ""
}

// originRule tells whether pages of an origin may send requests to the route's hosts.
func originRule(c *config.Route) func(host, origin string) bool {
	if len(c.Origins) == 0 {
		return nil
	}
	allowed := lower(c.Origins)
	return func(host, origin string) bool {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" {
			return false
		}
		return proxy.OriginAllowed(allowed, strings.ToLower(u.Hostname()), host)
	}
}

// destinations are the addresses that a sign-in may end at: hosts that routes name, and
// below the domain of a cookie for all, where nobody takes a code along, hosts that
// routes have by one wildcard.
type destinations struct {
	hosts  []string
	domain string
	port   string
	routes []config.Route
}

func (g *generation) destinations() *destinations {
	return &destinations{
		hosts: lower(g.gatedHosts()), domain: strings.ToLower(cookieDomain(g.cfg.SignIn)),
		port: publicPort(g.cfg), routes: g.cfg.Routes,
	}
}

// has tells whether a sign-in may end at one of the hosts of a list.
func (d *destinations) has(hosts []string, name string) bool {
	below := d.domain != "" && (name == d.domain || strings.HasSuffix(name, "."+d.domain))
	return slices.ContainsFunc(hosts, func(h string) bool {
		if h = strings.ToLower(h); isName(h) {
			return h == name
		}
		_, parent, ok := strings.Cut(name, ".")
		return below && ok && h == "*."+parent
	})
}

// Destination implements portal.Destinations. Which route it is decides what the
// visitor reads, never whether they may pass: that the gate does.
func (d *destinations) Destination(host, path string) (portal.Destination, bool) {
	name, ok := strings.CutSuffix(host, d.port)
	if !ok || !d.has(d.hosts, name) {
		return portal.Destination{}, false
	}
	for i := range d.routes {
		c := &d.routes[i]
		if d.has(c.Hosts, name) && holds(c.Paths, path) {
			return destinationOf(c), true
		}
	}
	return portal.Destination{Title: name}, true
}

func holds(paths []string, path string) bool {
	if len(paths) == 0 {
		return true
	}
	p, err := route.ParsePaths(paths)
	return err == nil && p.Has([]byte(path))
}

func destinationOf(c *config.Route) portal.Destination {
	d := portal.Destination{Route: c.Name, Title: c.Name, Provider: c.Provider, Consent: c.Consent}
	if c.App != nil && c.App.Title != "" {
		d.Title = c.App.Title
	}
	switch h := &c.IdentityHeaders; {
	case h.Preset == "none", h.Preset == "" && len(h.Fields) == 0:
	case h.Preset != "":
		d.Tells = []page.Told{page.TellsName, page.TellsEmail, page.TellsGroups}
	default:
		d.Tells = toldBy(h.Fields)
	}
	return d
}

// toldBy is what a table of fields tells.
func toldBy(fields map[string]string) (list []page.Told) {
	for _, t := range []struct {
		field string
		told  page.Told
	}{
		{"{user}", page.TellsName}, {"{email}", page.TellsEmail},
		{"{groups}", page.TellsGroups}, {"{roles}", page.TellsRoles},
	} {
		for _, value := range fields {
			if strings.Contains(value, t.field) || strings.Contains(value, "{jwt}") {
				list = append(list, t.told)
				break
			}
		}
	}
	return list
}
