package auth

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"go.uber.org/zap"

	"doorward/auth/cookie"
	"doorward/auth/page"
	"doorward/auth/session"
	"doorward/internal/gate"
)

// ownPrefix is where every host has paths of ours.
const ownPrefix = "/.doorward"

// ServeHTTP answers the paths under /.doorward/ of any host, for requests that no gate
// has seen: see [Reserved].
func (d *Doors) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.serve(w, r, d.placeIn(r)) }

// own is ServeHTTP for a request that a gate was asked about.
func (d *Doors) own(q *gate.Question) http.Handler {
	at := d.placeOf(q)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.serve(w, r, at) })
}

func (d *Doors) serve(w http.ResponseWriter, r *http.Request, at place) {
	name := strings.TrimPrefix(at.path, ownPrefix+"/")
	switch {
	case name == "jwks.json" && d.Keys != nil:
		d.Keys.ServeHTTP(w, r)
		return
	case strings.HasPrefix(name, "assets/") && d.Assets != nil:
		d.Assets.ServeHTTP(w, r)
		return
	}
	answer := map[string]func(http.ResponseWriter, *http.Request, place){
		"handoff": d.handoff, "sign_out": d.signOut, "whoami": d.whoami,
	}[name]
	unstored(w)
	switch {
	case answer == nil:
		writeJSON(w, r, http.StatusNotFound, problem{Error: "not_found"})
	case !at.secure:
		insist(at).ServeHTTP(w, r)
	default:
		answer(w, r, at)
	}
}

// only refuses other methods.
func only(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	for _, m := range methods {
		if r.Method == m {
			return true
		}
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	writeJSON(w, r, http.StatusMethodNotAllowed, problem{Error: "method_not_allowed"})
	return false
}

// sessionOf is the session of a request, nil when there is none.
func (d *Doors) sessionOf(r *http.Request, at place) *session.Session {
	host := []byte(at.host)
	c := cookie.Of(r, d.cookieFor(host))
	if !c.Given {
		return nil
	}
	return d.Sessions.Find(c.Value(), d.ticketHost(host))
}

// handoff takes the code that the sign-in host gave, and gives the browser its ticket for
// this host. A code that is none any more does no harm to who is in: the address stays
// in the history of browsers.
func (d *Doors) handoff(w http.ResponseWriter, r *http.Request, at place) {
	if !only(w, r, http.MethodGet) {
		return
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(q["code"]) != 1 {
		d.stale(w, r, at)
		return
	}
	s, h, err := d.Sessions.Redeem(r.Context(), q.Get("code"))
	ended := errors.Is(err, session.ErrEnded)
	switch {
	case errors.Is(err, session.ErrCode):
		d.stale(w, r, at)
		return
	case err != nil && !ended:
		d.broken(w, r, at, "a handoff cannot be redeemed", err)
		return
	}
	to, ok := at.returns(h.Return)
	if !ok || h.Host != at.host {
		d.stale(w, r, at)
		return
	}
	if browser := cookie.BrowserOf(r); ended || browser == "" || cookie.Public(browser) != h.Bind {
		// Tabs that began together have each been given a name for the browser, and it
		// kept the last one; or the session of another one took the place of this. The gate
		// asks again, now under that name; who was sent here by somebody else gets nothing.
		redirect(w, to)
		return
	}
	ticket, err := d.Sessions.Ticket(r.Context(), s, string(d.ticketHost([]byte(at.host))))
	if err != nil {
		d.broken(w, r, at, "a ticket cannot be made", err)
		return
	}
	d.giveTicket(w, at.host, ticket)
	redirect(w, to)
}

// returns judges where a handoff leads: to the very host where it is.
func (p place) returns(address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Opaque != "" || !plain(address) ||
		strings.ToLower(strings.TrimSuffix(u.Host, ":443")) != p.authority ||
		Reserved([]byte(u.EscapedPath())) {
		return "", false
	}
	return u.String(), true
}

// stale answers a code that opens nothing.
func (d *Doors) stale(w http.ResponseWriter, r *http.Request, at place) {
	if d.sessionOf(r, at) != nil {
		redirect(w, at.origin()+"/")
		return
	}
	d.Pages.Message(w, withoutCode(r), 0, page.Message{
		Frame: d.frame(nil), Kind: page.Stale, App: page.App{Title: at.host},
		Retry: at.origin() + "/", Home: d.signIn + "/",
	})
}

// withoutCode is the request without its secrets, for pages that link to themselves.
func withoutCode(r *http.Request) *http.Request {
	quiet, u := *r, *r.URL
	u.RawQuery = ""
	if lang := r.URL.Query().Get("lang"); lang != "" {
		u.RawQuery = url.Values{"lang": {lang}}.Encode()
	}
	quiet.URL, quiet.RequestURI = &u, u.RequestURI()
	return &quiet
}

func (d *Doors) broken(w http.ResponseWriter, r *http.Request, at place, what string, err error) {
	d.Log.Error(what, zap.String("host", at.host), zap.Error(err))
	d.Pages.Message(w, withoutCode(r), http.StatusServiceUnavailable, page.Message{
		Frame: d.frame(nil), Kind: page.Failed, App: page.App{Title: at.host},
		Retry: at.origin() + "/",
	})
}

// signOut ends the session on all hosts. A GET asks first, on the sign-in host: anybody
// can make a browser send one.
func (d *Doors) signOut(w http.ResponseWriter, r *http.Request, at place) {
	if !only(w, r, http.MethodGet, http.MethodPost) {
		return
	}
	there := d.signIn + "/sign_out?" + url.Values{"return": {at.origin() + "/"}}.Encode()
	if r.Method == http.MethodGet {
		redirect(w, there)
		return
	}
	if d.forged(r) {
		d.Pages.Message(w, r, 0, page.Message{
			Frame: d.frame(nil), Kind: page.Foreign, Home: d.signIn + "/",
		})
		return
	}
	if s := d.sessionOf(r, at); s != nil {
		if d.Leave != nil {
			if provider := d.Leave(r, s); provider != "" {
				there = provider
			}
		}
		d.Sessions.End(r.Context(), s, "signed out")
	}
	d.giveTicket(w, at.host, "")
	redirect(w, there)
}

// forged tells whether a form may come from another origin, be it of the same site. Who
// brings a cookie of ours and does not say where from is not believed either.
func (d *Doors) forged(r *http.Request) bool {
	silent := r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == ""
	return d.foreign.Check(r) != nil || silent && cookie.Ours(r)
}

// self is what somebody is told of themselves.
type self struct {
	User     string   `json:"user"`
	Name     string   `json:"name"`
	Email    string   `json:"email,omitempty"`
	Groups   []string `json:"groups"`
	Roles    []string `json:"roles"`
	Provider string   `json:"provider"`
	MFA      bool     `json:"mfa"`
}

func (d *Doors) whoami(w http.ResponseWriter, r *http.Request, at place) {
	if !only(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	w.Header().Set("Vary", "Cookie")
	s := d.sessionOf(r, at)
	if s == nil {
		w.Header().Set("WWW-Authenticate", `Doorward realm="`+at.host+`"`)
		writeJSON(w, r, http.StatusUnauthorized, problem{
			Error: "unauthenticated", Login: d.start(cookie.Bind(w, r), at.page(r)),
		})
		return
	}
	v := s.View()
	writeJSON(w, r, http.StatusOK, self{
		User: v.User.Name, Name: v.User.Display(), Email: v.User.Email,
		Groups: append([]string{}, v.Groups...), Roles: append([]string{}, v.Roles...),
		Provider: s.Provider(), MFA: s.MFA(),
	})
}

// redirect sends a browser on with a GET.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}
