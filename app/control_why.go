package app

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

	"doorward/auth/policy"
	"doorward/config"
	"doorward/proxy/route"
)

// Why says what becomes of a request of somebody, and why.
type Why struct {
	// URL and User are what was asked about; an empty User is nobody.
	URL  string `json:"url"`
	User string `json:"user,omitempty"`
	// Route is the route that takes the request, Canonical the path that it is decided
	// on.
	Route     string `json:"route"`
	Canonical string `json:"path"`
	// Access is "allowed", or in words why not; Rule is the rule, Missing what would be
	// needed.
	Access  string   `json:"access"`
	Rule    string   `json:"rule,omitempty"`
	Missing []string `json:"missing,omitempty"`
	// Groups are the user's, with where each comes from.
	Groups map[string]string `json:"groups,omitempty"`
	// Fields are what the server would be told about the user. Tokens are shortened.
	Fields []string `json:"fields,omitempty"`
	// Backend has the servers, Servers are those that take requests now.
	Backend string   `json:"backend,omitempty"`
	Servers []string `json:"servers,omitempty"`
}

func (a *App) doWhy(r *http.Request) (any, error) {
	query, err := readQuery(r, "user", "url")
	if err != nil {
		return nil, err
	}
	s, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	at, err := url.Parse(query.Get("url"))
	if err != nil || at.Host == "" {
		return nil, misasked("url=%q is no address such as https://app.example.com/path", query.Get("url"))
	}
	g := a.live.Load()
	out := Why{URL: at.String(), User: query.Get("user")}
	c := g.routeOf(at, &out)
	if c == nil {
		out.Access = "no route takes it"
		return out, nil
	}
	out.Route, out.Backend = c.Name, c.Backend
	if b := g.backends[c.Backend]; b != nil {
		for _, server := range b.Servers() {
			if server.Usable() {
				out.Servers = append(out.Servers, server.Name())
			}
		}
	}
	return out, s.explain(g, c, &out)
}

// routeOf is the route that takes a GET of the address, nil when there is none.
func (g *generation) routeOf(at *url.URL, out *Why) *config.Route {
	host, _, err := net.SplitHostPort(at.Host)
	if err != nil {
		host = at.Host
	}
	canonical, ok := route.CanonicalHost(nil, []byte(host))
	if !ok {
		return nil
	}
	res := g.snapshot.Table.Match(&route.Request{
		Host: canonical, Path: []byte(at.EscapedPath()), Query: []byte(at.RawQuery),
		Method: []byte(http.MethodGet), Fields: noFields{},
	})
	if res.Rule < 0 {
		return nil
	}
	out.Canonical = string(bytes.Clone(res.Path))
	name := g.snapshot.Routes[res.Rule].Name
	for i := range g.cfg.Routes {
		if g.cfg.Routes[i].Name == name {
			return &g.cfg.Routes[i]
		}
	}
	out.Route = name // one of our own
	return nil
}

// noFields is a request without any.
type noFields struct{}

// Field implements route.Fields.
func (noFields) Field(string, int) ([]byte, bool) { return nil, false }

// explain says what the gate of the route would do.
func (s *signIn) explain(g *generation, c *config.Route, out *Why) error {
	rule, err := accessRule(c)
	if err != nil {
		return err
	}
	asked := policy.Asked{Method: []byte(http.MethodGet), Path: []byte(out.Canonical)}
	if out.User == "" || out.User == "-" {
		out.User, out.Access = "", "asks to sign in"
		if rule.Open(asked) {
			out.Access = "allowed: nobody has to sign in"
		}
		return nil
	}
	p := s.directory.ByName(out.User)
	if p == nil {
		return &askError{http.StatusNotFound, errors.New("there is no user " + out.User)}
	}
	v := p.View()
	out.Groups = map[string]string{}
	for _, name := range v.Groups {
		out.Groups[name] = v.Sources[name]
	}
	// Networks, the provider and the second factor are those of a session: what can be
	// said of the user alone is said.
	e := rule.Explain(v, false, "", asked)
	out.Rule, out.Missing = e.Rule, e.Missing
	out.Access = e.Decision.String()
	if rule.Open(asked) {
		out.Access = "allowed: nobody has to sign in"
		return nil
	}
	head, err := g.identityHead(c)
	if err != nil {
		return err
	}
	fields, err := head.Head(v)
	if err != nil {
		out.Access = err.Error()
	}
	for line := range strings.Lines(string(fields)) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ": ")
		if strings.HasPrefix(value, "ey") && len(value) > 40 {
			value = value[:20] + "…"
		}
		out.Fields = append(out.Fields, name+": "+value)
	}
	return nil
}
