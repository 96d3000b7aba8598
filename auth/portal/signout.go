package portal

import (
	"net/http"

	"doorward/auth/audit"
	"doorward/auth/cookie"
	"doorward/auth/page"
	"doorward/auth/session"
)

// showSignOut asks whether to sign out: a GET changes nothing, since anybody can
// make a browser send one.
func (p *Portal) showSignOut(w http.ResponseWriter, r *visitor) {
	q, err := query(r.Request)
	if err != nil {
		p.refuse(w, r, statusOf(err))
		return
	}
	s := p.session(r)
	if s == nil {
		p.signedOut(w, r, p.address(q.Get("return"), ""), "")
		return
	}
	v := page.SignOut{Frame: p.frame(s), Return: q.Get("return")}
	if pr := p.providers[s.Provider()]; pr != nil && pr.LogoutThere {
		v.Provider = pr.Title
	}
	p.o.Pages.SignOut(w, r.Request, http.StatusOK, v)
}

// signOut ends the session on all hosts, and at the provider where that is wanted.
func (p *Portal) signOut(w http.ResponseWriter, r *visitor) {
	f, err := form(r.Request)
	if err != nil {
		p.refuse(w, r, statusOf(err))
		return
	}
	to := p.address(f.Get("return"), "")
	s := p.session(r)
	cookie.Ticket(w, p.o.CookieDomain, "")
	if s == nil {
		p.signedOut(w, r, to, "")
		return
	}
	// The provider's address needs what goes with the session.
	there := p.Leave(r.Request, s)
	p.o.Sessions.End(r.Context(), s, "signed out")
	p.record(r, audit.Event{
		Kind: audit.SignOut, User: nameOf(s.View()), By: nameOf(s.View()), Provider: s.Provider(),
	})
	pr := p.providers[s.Provider()]
	switch {
	case there != "":
		p.o.Pages.Continue(w, r.Request, http.StatusOK, page.Continue{URL: there, To: pr.Title})
	case pr != nil:
		p.signedOut(w, r, to, pr.Title)
	default:
		p.signedOut(w, r, to, "")
	}
}

// signedOut is the page after signing out. It leads on to addresses of ours alone.
func (p *Portal) signedOut(w http.ResponseWriter, r *visitor, to address, provider string) {
	v := page.SignedOut{Provider: provider}
	if !to.own {
		v.Return = to.String()
	}
	p.o.Pages.SignedOut(w, r.Request, http.StatusOK, v)
}

// Leave is where a browser signs out at the provider of its session, empty when
// nowhere. It has to be asked before the session ends here. The browser comes back to
// an address that is registered there in any case.
func (p *Portal) Leave(r *http.Request, s *session.Session) string {
	pr := p.providers[s.Provider()]
	if pr == nil || !pr.LogoutThere || pr.Channel == nil {
		return ""
	}
	sealed, err := p.o.Sessions.Secrets(r.Context(), s)
	if err != nil {
		p.warn("reading what a session keeps", err)
	}
	kept := decodeSecrets(sealed)
	return pr.Channel.LogoutURL(kept.IDToken, kept.LoginHint, p.callbackURL(pr))
}
