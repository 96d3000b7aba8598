package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"doorward/auth"
	"doorward/auth/audit"
	"doorward/auth/page"
	"doorward/auth/policy"
	"doorward/auth/portal"
	"doorward/auth/user"
	"doorward/config"
	"doorward/proxy"
	"doorward/proxy/route"
)

// maxPicture bounds the pictures that pages show.
const maxPicture = 2 << 20

// buildPages makes the pages, with the company's pictures.
func (g *generation) buildPages() error {
	b := &g.cfg.Brand
	o := page.Options{
		Brand: page.Brand{Title: b.Title, Color: b.Color, Language: b.Language},
		Icons: map[string]page.File{},
	}
	for _, l := range b.Links {
		o.Brand.Links = append(o.Brand.Links, page.Link{Title: l.Title, URL: l.URL})
	}
	var errs []error
	read := func(name string, at config.Diagnostic) (f page.File) {
		if name == "" {
			return f
		}
		data, err := readPicture(name)
		if err != nil {
			errs = append(errs, placed(at, err))
		}
		return page.File{Name: filepath.Base(name), Data: data}
	}
	o.Brand.Logo = read(b.Logo, g.cfg.At("brand", "logo"))
	o.Brand.Favicon = read(b.Favicon, g.cfg.At("brand", "favicon"))
	o.Brand.Background = read(b.Background, g.cfg.At("brand", "background"))
	for i := range g.cfg.Routes {
		if a := g.cfg.Routes[i].App; a != nil && a.Icon != "" {
			o.Icons[a.Icon] = read(a.Icon, g.cfg.At("route", i, "app", "icon"))
		}
	}
	for i, p := range g.cfg.SignIn.Providers {
		if p.Icon.IsFile() {
			o.Icons[string(p.Icon)] = read(string(p.Icon), g.cfg.At("sign_in", "provider", i, "icon"))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var err error
	g.signIn.pages, err = page.New(o)
	return placed(g.cfg.At("brand"), err)
}

func readPicture(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxPicture {
		return nil, fmt.Errorf("%s: larger than %d MiB", name, maxPicture>>20)
	}
	return os.ReadFile(name)
}

// portalApp is a route as the portal shows it, and whom.
type portalApp struct {
	page.App
	name string
	rule *policy.Rule
	// open says that its users may limit a token to it.
	open, shown bool
}

// buildPortal makes the sign-in host, and what all gates have in common.
func (g *generation) buildPortal() {
	c, s := g.cfg.SignIn, g.signIn
	consents := s.directory
	s.portal = portal.New(portal.Options{
		Host: c.Host, CookieDomain: cookieDomain(c), LocalUsers: c.LocalUsers,
		MinLength: g.cfg.PasswordPolicy.MinLength, Providers: s.portalProviders(g.cfg),
		Destinations: g.destinations(), Apps: s.apps, Routes: s.choices, Title: g.groupTitle,
		Reserved: g.reservedName, Box: s.box, Sessions: s.sessions, Directory: s.directory,
		Pages: s.pages, Audit: s.audit, Loops: s.loops, Floods: s.floods, Local: s.local,
		Hasher: s.hasher, Consents: consents, Rechecks: s.rechecks, Log: g.log.Named("sign-in"),
	})
	s.doors = auth.New(auth.Shared{
		Host: c.Host, CookieDomain: cookieDomain(c), Sessions: s.sessions, Box: s.box,
		Ready: s.ready,
		Pages: s.pages.Under("/.doorward/assets/"), Tokens: s.directory, Consents: consents,
		Keys: s.keys.JWKS(), Assets: s.pages.Assets(), Title: g.groupTitle,
		Leave: s.portal.Leave, Told: s.noteRefusal, Until: s.curfew.until, Log: g.log.Named("sign-in"),
	})
}

func cookieDomain(c *config.SignIn) string {
	if c.Cookie == "domain" {
		return c.CookieDomain
	}
	return ""
}

// groupTitle is what a group is called on pages.
func (g *generation) groupTitle(name string) string {
	if t := g.cfg.Groups[name].Title; t != "" {
		return t
	}
	return name
}

// reservedName tells whether a rule names a user: then nobody gets that name from a
// provider whose people choose names themselves.
func (g *generation) reservedName(name string) bool {
	is := func(user string) bool { return strings.EqualFold(user, name) }
	for i := range g.cfg.Routes {
		if slices.ContainsFunc(g.cfg.Routes[i].Access.Users, is) {
			return true
		}
	}
	for _, group := range g.cfg.Groups {
		if slices.ContainsFunc(group.Users, is) {
			return true
		}
	}
	return slices.ContainsFunc(g.cfg.Stats.Access.Users, is)
}

// apps are what somebody may open.
func (s *signIn) apps(v *user.View) (list []page.App) {
	for _, a := range s.rules {
		if a.shown && a.rule.Visible(v) {
			list = append(list, a.App)
		}
	}
	return list
}

// choices are the routes that somebody may limit a token to.
func (s *signIn) choices(v *user.View) (list []page.Choice) {
	for _, a := range s.rules {
		if a.open && a.rule.Visible(v) {
			list = append(list, page.Choice{Value: a.name, Title: a.Title})
		}
	}
	return list
}

// signInName is the name of the route to the sign-in host.
const signInName = "sign-in"

// signInHost is the sign-in host without its port, "" when there is none.
func signInHost(cfg *config.Config) string {
	if cfg.SignIn == nil {
		return ""
	}
	if h, _, err := net.SplitHostPort(cfg.SignIn.Host); err == nil {
		return h
	}
	return cfg.SignIn.Host
}

// signInRoutes are the rules and routes of our own: the sign-in host, and what every
// host has under /.doorward. They stand before all others.
func (g *generation) signInRoutes() ([]route.Rule, []*proxy.Route, error) {
	host := signInHost(g.cfg)
	answers, err := answerChanges(g.cfg, nil)
	make := func(name string, h http.Handler) *proxy.Route {
		return &proxy.Route{
			Name: name, Handler: h, Answer: answers, BodyBytes: maxForm * 4, Private: true,
			ClientTimeout: first(0, g.cfg.Timeouts.Client),
		}
	}
	s := g.signIn
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if auth.Reserved([]byte(r.URL.Path)) {
			s.doors.ServeHTTP(w, r)
			return
		}
		s.portal.ServeHTTP(w, r)
	})
	own := route.Rule{Name: g.freeName(signInName + "-own"), Paths: []string{"/.doorward"}}
	hosts := g.gatedHosts()
	if !slices.ContainsFunc(g.cfg.Routes, func(r config.Route) bool { return len(r.Hosts) == 0 }) {
		own.Hosts = hosts // else it is every host
	}
	name := g.freeName(signInName)
	rules := []route.Rule{{Name: name, Hosts: []string{host}, Canonical: true}}
	routes := []*proxy.Route{make(name, pages)}
	if len(hosts)+len(g.cfg.Routes) > 0 {
		rules, routes = append(rules, own), append(routes, make(own.Name, s.doors))
	}
	return rules, routes, err
}

// gatedHosts are all hosts that routes name.
func (g *generation) gatedHosts() (hosts []string) {
	for i := range g.cfg.Routes {
		for _, h := range g.cfg.Routes[i].Hosts {
			if !slices.Contains(hosts, h) {
				hosts = append(hosts, h)
			}
		}
	}
	if h := g.cfg.Stats.Host; h != "" && !slices.Contains(hosts, h) {
		hosts = append(hosts, h)
	}
	return hosts
}

// freeName is the name, or the first like it that no route has.
func (g *generation) freeName(name string) string {
	free := name
	for n := 2; slices.ContainsFunc(g.cfg.Routes, func(r config.Route) bool {
		return r.Name == free
	}); n++ {
		free = fmt.Sprintf("%s#%d", name, n)
	}
	return free
}

// noteRefusal records that somebody was turned away.
func (s *signIn) noteRefusal(r auth.Refusal) {
	s.audit.Record(context.Background(), audit.Event{
		Kind: audit.AccessDenied, User: r.User.Name, Client: r.Client.String(),
		Detail: r.Route + ": " + r.Decision.String(),
	})
}
