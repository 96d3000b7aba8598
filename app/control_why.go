package app

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"doorward/auth/policy"
	"doorward/auth/user"
	"doorward/config"
	"doorward/proxy/route"
)

// Question is a request of which somebody wants to know what becomes of it.
type Question struct {
	// User is a name, "-" for nobody. URL is the address, with its scheme.
	User, URL string
	// Method is that of the request; empty is GET. Client is the address it comes from;
	// empty is one from where the route lets people in.
	Method, Client string
}

// nobody stands for a request without a user.
const nobody = "-"

// query is the question as parameters.
func (q Question) query() url.Values {
	values := url.Values{"user": {q.User}, "url": {q.URL}}
	if q.Method != "" {
		values.Set("method", q.Method)
	}
	if q.Client != "" {
		values.Set("client", q.Client)
	}
	return values
}

// Why says what becomes of a request of somebody, and why.
type Why struct {
	// URL, Method and User are what was asked about; an empty User is nobody.
	URL    string `json:"url"`
	Method string `json:"method"`
	User   string `json:"user,omitempty"`
	// Route is the route that takes the request, Canonical the path that it is decided
	// on, Does what the route does: "backend", "redirect", "respond", "sign-in",
	// "statistics". Status is that of the answer where no route takes it.
	Route     string `json:"route"`
	Canonical string `json:"path"`
	Does      string `json:"does,omitempty"`
	Status    int    `json:"status,omitempty"`
	// Rule is who may pass, in words.
	Rule string `json:"rule,omitempty"`
	// Access begins with "allowed", or says in words why not. By is what lets the user
	// in: "any user", "group staff", "role Admin" or "named".
	Access string `json:"access"`
	By     string `json:"by,omitempty"`
	// Missing are groups, of which one would be enough, MissingRoles roles likewise.
	// Needs is what else there has to be.
	Missing      []string `json:"missing,omitempty"`
	MissingRoles []string `json:"missing_roles,omitempty"`
	Needs        []string `json:"needs,omitempty"`
	// As is how the user was taken to be signed in.
	As string `json:"as,omitempty"`
	// Groups are the user's, with where each comes from. GroupsUnknown says that a
	// provider could not tell all of them. Roles are those of providers.
	Groups        map[string]string `json:"groups,omitempty"`
	GroupsUnknown bool              `json:"groups_unknown,omitempty"`
	Roles         []string          `json:"roles,omitempty"`
	// Fields are what the server would be told about the user. Tokens are shortened.
	Fields []string `json:"fields,omitempty"`
	// Backend has the servers, BackendStatus is "UP" or "DOWN", Balance how it shares
	// requests out. Servers are those that it would be shared out over now. Server is the
	// one that would be chosen, where that can be foretold, ServerBy why.
	Backend       string   `json:"backend,omitempty"`
	BackendStatus string   `json:"backend_status,omitempty"`
	Balance       string   `json:"balance,omitempty"`
	Servers       []string `json:"servers,omitempty"`
	Server        string   `json:"server,omitempty"`
	ServerBy      string   `json:"server_by,omitempty"`
}

// inquiry is a question at work.
type inquiry struct {
	*generation
	url    *url.URL
	client netip.Addr // the zero Addr: not told
	view   *user.View // nil: nobody
	asked  policy.Asked
	out    Why
}

func (a *App) doWhy(r *http.Request) (any, error) {
	q, err := a.inquire(r)
	if err != nil {
		return nil, err
	}
	c := q.findRoute()
	if c == nil {
		return q.out, nil
	}
	if err := q.askGate(c); err != nil {
		return nil, err
	}
	if b := q.backends[c.Backend]; q.out.Does == "backend" && b != nil {
		status, err := newServersOf(a, c.Backend)
		if err != nil {
			return nil, err
		}
		q.foretell(b, status)
	}
	return q.out, nil
}

// newServersOf is a backend as it is now.
func newServersOf(a *App, name string) (*BackendStatus, error) {
	list := newServers(a.View())
	return list.backend(name)
}

// inquire reads a question.
func (a *App) inquire(r *http.Request) (*inquiry, error) {
	query, err := readQuery(r, "user", "url", "method", "client")
	if err != nil {
		return nil, err
	}
	g, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	q := &inquiry{generation: g}
	address, name := query.Get("url"), query.Get("user")
	q.url, err = url.Parse(address)
	if err != nil || q.url.Host == "" || q.url.Scheme != "https" && q.url.Scheme != "http" {
		return nil, misasked("%q is no address such as https://app.example.com/path", address)
	}
	if text := query.Get("client"); text != "" {
		if q.client, err = netip.ParseAddr(text); err != nil {
			return nil, misasked("the client %q is no address such as 192.0.2.1", text)
		}
		q.client = q.client.Unmap()
	}
	method := query.Get("method")
	if method == "" {
		method = http.MethodGet
	}
	q.out = Why{URL: address, Method: method}
	q.asked.Method = []byte(method)
	if name != "" && name != nobody {
		p, err := g.signIn.find(name)
		if err != nil {
			return nil, err
		}
		q.know(p.View())
	}
	return q, nil
}

// know is about whom the question is. The view is another one with the same facts, so
// that an answer leaves nothing in the caches of the real one.
func (q *inquiry) know(v *user.View) {
	q.view = user.NewView(v.User, v.Groups, v.Roles, v.Sources)
	q.view.GroupsUnknown = v.GroupsUnknown
	q.out.User, q.out.Groups, q.out.Roles = v.User.Name, groupsOf(v), v.Roles
	q.out.GroupsUnknown = v.GroupsUnknown
}

// noFields is a request without any.
type noFields struct{}

// Field implements route.Fields.
func (noFields) Field(string, int) ([]byte, bool) { return nil, false }

// findRoute is the route that takes the request, as its section or one made up for a
// route of our own; nil when there is none.
func (q *inquiry) findRoute() *config.Route {
	host, ok := route.CanonicalHost(nil, []byte(q.url.Host))
	if !ok {
		q.lost(http.StatusBadRequest, "no route takes it: that is no host of HTTP")
		return nil
	}
	path := q.url.EscapedPath()
	if path == "" {
		path = "/"
	}
	res := q.snapshot.Table.Match(&route.Request{
		Host: host, Path: []byte(path), Query: []byte(q.url.RawQuery),
		Method: q.asked.Method, Client: q.client, Fields: noFields{},
	})
	switch {
	case res.Bad:
		q.lost(http.StatusBadRequest, "no route takes it: its path can be read in two ways")
		return nil
	case res.Rule < 0 && res.Known:
		q.lost(http.StatusNotFound, "no route takes it")
		return nil
	case res.Rule < 0:
		q.lost(http.StatusMisdirectedRequest, "no route takes it")
		return nil
	}
	q.out.Route, q.out.Canonical = q.snapshot.Routes[res.Rule].Name, string(res.Path)
	q.asked.Path = res.Path
	// Our own routes stand before those of the configuration.
	if i := res.Rule - (len(q.snapshot.Routes) - len(q.cfg.Routes)); i >= 0 {
		c := &q.cfg.Routes[i]
		q.out.Does = actionOf(c)
		return c
	}
	return q.ownRoute()
}

func (q *inquiry) lost(status int, why string) { q.out.Status, q.out.Access = status, why }

// ownRoute is what has no section of a route.
func (q *inquiry) ownRoute() *config.Route {
	if q.board != nil && q.out.Route == q.boardName() {
		q.out.Does = "statistics"
		return &config.Route{Name: q.out.Route, Access: q.cfg.Stats.Access}
	}
	q.out.Does = "sign-in"
	return &config.Route{Name: q.out.Route, Access: config.Access{Public: true}}
}

func actionOf(c *config.Route) string {
	switch {
	case c.Redirect != nil:
		return "redirect"
	case c.Respond != nil:
		return "respond"
	}
	return "backend"
}

// ruleOf is an access rule in words.
func ruleOf(a *config.Access) string {
	var who, must []string
	add := func(what string, names []string) {
		if len(names) > 0 {
			who = append(who, what+" "+strings.Join(names, ", "))
		}
	}
	add("users", a.Users)
	add("groups", a.Groups)
	add("roles", a.Roles)
	switch {
	case a.Public:
		who = []string{"everybody"}
	case a.AnyUser:
		who = []string{"everybody who has signed in"}
	case len(who) == 0:
		who = []string{"nobody"}
	}
	if a.Providers != nil {
		must = append(must, "signed in with "+strings.Join(a.Providers, " or "))
	}
	if a.MFA {
		must = append(must, "with a second factor")
	}
	if a.Networks.Given() {
		must = append(must, "from "+strings.Join(a.Networks.Entries, ", "))
	}
	if a.Methods != nil {
		must = append(must, "with "+strings.Join(a.Methods, ", "))
	}
	rule := strings.Join(who, "; or ")
	if len(must) > 0 {
		rule = fmt.Sprintf("%s; %s", rule, strings.Join(must, ", "))
	}
	return rule
}
