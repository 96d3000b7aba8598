package auth

import (
	"bytes"
	"net/http"

	"doorward/auth/assert"
	"doorward/auth/cookie"
	"doorward/auth/page"
	"doorward/auth/policy"
	"doorward/auth/session"
	"doorward/auth/user"
	"doorward/internal/gate"
)

// Preflight says what becomes of a request with which a browser asks whether a page
// of another site may send one (Fetch Standard, CORS-preflight request). It never
// carries a session.
type Preflight uint8

// What becomes of preflights. The zero value leaves it to the server.
const (
	PreflightPass   Preflight = iota // to the server, from nobody
	PreflightAnswer                  // answered, with yes for the route's origins
	PreflightDeny                    // refused as everybody else is
)

// RouteOptions describes the gate of one route.
type RouteOptions struct {
	// Name is the route's; tokens are for routes by name. App is how people know it.
	Name string
	App  page.App
	// Rule decides; it must be there. Head is what servers are told, nil is nothing.
	Rule *policy.Rule
	Head *assert.Template

	// Preflight is what becomes of preflights.
	Preflight Preflight
	// Origin tells whether pages of that origin ("https://a.example") may send requests
	// to the host; nil is none. It is asked with PreflightAnswer.
	Origin func(host, origin string) bool

	// Tokens lets users' tokens pass, Basic also as the password of basic
	// authentication. Bearer lets those of providers pass.
	Tokens, Basic bool
	Bearer        []Bearer
	// Provider is the one that people are sent to here; empty leaves them the choice.
	Provider string
	// Consent is a text that users must have agreed to; empty is none.
	Consent string
}

// Gate is the gate of one route. It implements the Gate of the proxy; its methods may be
// called by many goroutines.
type Gate struct {
	d      *Doors
	o      RouteOptions
	grants *grants
	writes bool // the field Authorization is ours
}

var _ gate.Gate = (*Gate)(nil)

// Gate makes the gate of a route.
func (d *Doors) Gate(o RouteOptions) *Gate {
	if o.App.Title == "" {
		o.App.Title = o.Name
	}
	g := &Gate{d: d, o: o, writes: o.Head.Writes("Authorization")}
	if len(o.Bearer) > 0 {
		g.grants = newGrants(d.Now)
	}
	return g
}

// Check implements gate.Gate.
func (g *Gate) Check(q *gate.Question) gate.Verdict {
	if Reserved(q.Path) {
		return gate.Verdict{Answer: g.d.own(q)}
	}
	asked := policy.Asked{Method: q.Method, Path: q.Path, Client: q.Client}
	method, preflight := preflightOf(q)
	preflight = preflight && g.o.Preflight != PreflightDeny
	if preflight {
		asked.Method = method // a rule about methods is about the request that follows
	}
	if g.o.Rule.Reach(asked) != policy.Allowed {
		return g.refuse(q, holder{}, asked)
	}
	switch {
	case g.o.Rule.Open(asked):
		return g.unknown(q)
	case !q.Secure:
		return gate.Verdict{Answer: insist(g.d.placeOf(q)), Status: insistStatus(q)}
	case preflight:
		return g.preflight(q)
	}
	return g.identify(q, asked)
}

// identify finds out who it is. A session comes before what Authorization says, which
// then may be a matter between the browser and the server.
func (g *Gate) identify(q *gate.Question, asked policy.Asked) gate.Verdict {
	d := g.d
	d.wait()
	c := cookie.In(q.Fields, d.cookieFor(q.Host))
	if c.Given {
		if s := d.Sessions.Find(c.Value(), d.ticketHost(q.Host)); s != nil {
			h := holder{s.View(), s.MFA(), s.Provider()}
			return g.judge(q, s, h, asked)
		}
	}
	if verdict, known := g.authorize(q, asked); known {
		return verdict
	}
	return g.challenge(q, c)
}

// holder is whose right to come in is judged.
type holder struct {
	view     *user.View
	mfa      bool
	provider string
}

// judge lets the user pass whom the rule lets in.
func (g *Gate) judge(
	q *gate.Question, p gate.Pass, h holder, asked policy.Asked,
) gate.Verdict {
	if g.o.Rule.Judge(h.view, h.mfa, h.provider, asked) != policy.Allowed {
		return g.refuse(q, h, asked)
	}
	if g.o.Consent != "" && !g.agreed(h.view) {
		return g.askConsent(q)
	}
	head, err := g.o.Head.Head(h.view)
	if err != nil {
		return g.unspeakable(q, h.view, err)
	}
	return gate.Verdict{
		Pass: p, Head: head, HideAuthorization: g.hides(q),
	}
}

// unknown lets pass whoever it is, as nobody.
func (g *Gate) unknown(q *gate.Question) gate.Verdict {
	return gate.Verdict{HideAuthorization: g.hides(q)}
}

// hides tells whether the server gets no Authorization of the client's: a server that
// learns from that field who somebody is believes it on public paths as well.
func (g *Gate) hides(q *gate.Question) bool { return g.writes || carriesOurs(q.Fields) }

// agreed tells whether the user has agreed to the route's text.
func (g *Gate) agreed(v *user.View) bool {
	if v.Cache.Get(g) != nil {
		return true
	}
	if g.d.Consents == nil || !g.d.Consents.Given(v.User.ID, g.o.Name, g.o.Consent) {
		return false
	}
	v.Cache.Put(g, true)
	return true
}

// Holds implements gate.Gate.
func (g *Gate) Holds(p gate.Pass, q *gate.Question) bool {
	if p == nil {
		asked := policy.Asked{Method: q.Method, Path: q.Path, Client: q.Client}
		return g.o.Rule.Reach(asked) == policy.Allowed && g.o.Rule.Open(asked)
	}
	return g.o.Rule.Near(q.Client) && g.holds(p)
}

// holds tells whether a pass is still good for those whom the rule lets in.
func (g *Gate) holds(p gate.Pass) bool {
	g.d.wait()
	var h holder
	switch p := p.(type) {
	case *session.Session:
		if !p.Valid() {
			return false
		}
		h = holder{p.View(), p.MFA(), p.Provider()}
	case *tokenPass:
		if !g.o.Tokens && !g.o.Basic || !p.holds(g.d, g.o.Name) {
			return false
		}
		h = holder{view: p.person.View()}
	case *grant:
		if !g.takes(p) || !g.d.Now().Before(p.Expires) {
			return false
		}
		g.d.until(p.Expires)
		h = holder{p.Person.View(), p.MFA, p.Provider}
	default:
		return false
	}
	return g.o.Rule.Admits(h.view, h.mfa, h.provider) == policy.Allowed
}

// preflightOf tells whether this is a preflight, and the method of the request that it
// asks for. Only what browsers send counts as one (security case PATH-25): behind one
// that asks for another protocol there would be a tunnel that nobody signed in for.
func preflightOf(q *gate.Question) (method []byte, ok bool) {
	if string(q.Method) != http.MethodOptions || q.Upgrade != nil {
		return nil, false
	}
	if _, ok := q.Fields.Field("origin", 0); !ok {
		return nil, false
	}
	method, ok = q.Fields.Field("access-control-request-method", 0)
	return method, ok && len(method) > 0
}

func (g *Gate) preflight(q *gate.Question) gate.Verdict {
	if g.o.Preflight == PreflightPass {
		return g.unknown(q)
	}
	host := string(q.Host)
	return gate.Verdict{Answer: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, origin := w.Header(), r.Header.Get("Origin")
		h.Set("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
		if g.o.Origin != nil && g.o.Origin(host, origin) {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
			h.Set("Access-Control-Allow-Methods", r.Header.Get("Access-Control-Request-Method"))
			if names := r.Header.Get("Access-Control-Request-Headers"); names != "" {
				h.Set("Access-Control-Allow-Headers", names)
			}
			h.Set("Access-Control-Max-Age", "600")
		}
		w.WriteHeader(http.StatusNoContent)
	})}
}

// Reserved tells whether a canonical path is ours on every host, in any case: software
// that ignores case must not take it for another one.
func Reserved(path []byte) bool {
	return len(path) >= len(ownPrefix) && bytes.EqualFold(path[:len(ownPrefix)],
		[]byte(ownPrefix)) &&
		(len(path) == len(ownPrefix) || path[len(ownPrefix)] == '/')
}
