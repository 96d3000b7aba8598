package portal

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"

	"doorward/auth/audit"
	"doorward/auth/cookie"
	"doorward/auth/oidc"
	"doorward/auth/page"
	"doorward/auth/session"
	"doorward/auth/user"
)

// signInWith sends the visitor to a provider.
func (p *Portal) signInWith(w http.ResponseWriter, r *visitor, name string) {
	pr := p.providers[name]
	q, err := query(r.Request)
	switch {
	case pr == nil:
		p.notFound(w, r)
		return
	case err != nil:
		p.refuse(w, r, statusOf(err))
		return
	}
	e := p.entry(q)
	if s := p.session(r); s != nil && !e.fresh && !e.another {
		p.arrive(w, r, s, e.visit)
		return
	}
	s := &passage{Asked: e.fresh || e.another, visit: e.visit}
	ask := oidc.AuthRequest{LoginHint: hint(q.Get("login_hint"))}
	switch {
	case e.another:
		ask.Prompt, ask.LoginHint = "select_account", ""
	case e.fresh:
		ask.Prompt = "login"
	}
	to, err := p.leave(w, r, pr, s, ask)
	if err != nil {
		p.providerFailed(w, r, pr, e.again(), err)
		return
	}
	redirect(w, to)
}

// maxHint is the length of a login hint: that of a mail address.
const maxHint = 254

func hint(given string) string {
	if len(given) > maxHint || !plain(given) {
		return ""
	}
	return given
}

// leave is where the visitor goes for a passage. It completes the passage.
func (p *Portal) leave(
	w http.ResponseWriter, r *visitor, pr *Provider, s *passage, ask oidc.AuthRequest,
) (string, error) {
	s.ID = make([]byte, 16)
	rand.Read(s.ID)
	s.Provider, s.Begun = pr.Name, p.now().Unix()
	s.Browser = cookie.Public(cookie.Bind(w, r.Request))
	if to := p.address(s.Return, ""); to.own && to.url.Path == "/" {
		// An address that leads nowhere is not carried around.
		s.visit = visit{}
	}
	if len(s.Fragment) > maxFragment {
		s.Fragment = ""
	}
	state, err := p.sealState(s)
	if err != nil {
		return "", err
	}
	ask.State, ask.Nonce, ask.Verifier = state, p.nonce(s), p.verifier(s)
	ask.RedirectURL = p.callbackURL(pr)
	return pr.Client.AuthURL(r.Context(), ask)
}

// callback takes what a provider sends back with the visitor.
func (p *Portal) callback(w http.ResponseWriter, r *visitor, name string) {
	if r.URL.RawQuery == "" {
		// The way back from signing out at the provider.
		redirect(w, "/sign_out")
		return
	}
	q, err := query(r.Request)
	pr := p.providers[name]
	if err != nil || pr == nil || q.Has("code") && q.Has("error") {
		p.stale(w, r, "")
		return
	}
	s, err := p.openState(q.Get("state"), name, cookie.BrowserOf(r.Request))
	if err != nil {
		p.o.Log.Info("an answer of a provider was refused", zap.String("provider", name),
			zap.Stringer("client", r.client), zap.Error(err))
		p.staleState(w, r, s, err)
		return
	}
	if p.o.Floods.Spent(r.client) {
		// Anybody can have a state and come back with it, which costs the provider a
		// question and the store an entry. Answers that sign somebody in do not count.
		p.o.Pages.Message(w, r.Request, 0, page.Message{
			Frame: p.frame(nil), Kind: page.Busy, Wait: busyWait, Retry: s.at("/sign_in"),
		})
		return
	}
	live := p.session(r)
	first, err := p.o.Sessions.Once(r.Context(),
		"state/"+base64.RawURLEncoding.EncodeToString(s.ID), 2*stateAge)
	switch {
	case err != nil:
		p.failed(w, r, "marking a state as used", err)
	case live != nil && s.For == forSignIn && (!first || p.served(s, live)):
		p.arrive(w, r, live, s.visit)
	case !first:
		p.stale(w, r, s.at("/sign_in"))
	default:
		p.answered(w, r, pr, s, q)
	}
}

// served tells whether what the visitor left for is here already: another tab has
// signed in meanwhile.
func (p *Portal) served(s *passage, live *session.Session) bool {
	return !s.Asked && !live.Created().Before(s.begun())
}

// staleState tells why a state is not taken. A state that is merely old says where
// to start again; of any other nothing is believed.
func (p *Portal) staleState(w http.ResponseWriter, r *visitor, s *passage, err error) {
	browser := cookie.BrowserOf(r.Request)
	switch {
	case errors.Is(err, errBrowser) && browser == "":
		p.o.Pages.Message(w, r.Request, http.StatusBadRequest, page.Message{
			Frame: p.frame(nil), Kind: page.Loop, Cause: page.CauseCookie, Retry: "/sign_in",
		})
		return
	case errors.Is(err, errBrowser) && s.For == forSignIn &&
		!p.o.Loops.Circles(browser, "callback "+s.Return):
		// Tabs that began together have each been given a name for the browser, and it
		// kept the last one. They sign in again, under that name; nothing of the answer is
		// used, so who was sent here by somebody else is where any link could lead.
		redirect(w, s.at("/sign_in", "provider", s.Provider))
		return
	case errors.Is(err, errBrowser):
		s = nil
	}
	retry := ""
	if s != nil {
		retry = s.at("/sign_in")
	}
	p.stale(w, r, retry)
}

// answered goes on with an answer whose state is ours.
func (p *Portal) answered(
	w http.ResponseWriter, r *visitor, pr *Provider, s *passage, q url.Values,
) {
	since := p.now()
	c, err := pr.Client.Exchange(r.Context(), oidc.Callback{
		Query: q, Nonce: p.nonce(s), Verifier: p.verifier(s), RedirectURL: p.callbackURL(pr),
	})
	if err != nil {
		p.o.Floods.Allow(r.client)
		p.record(r, audit.Event{Kind: audit.SignInFailed, Provider: pr.Name, Detail: "provider"})
		p.providerFailed(w, r, pr, s.at("/sign_in"), err)
		return
	}
	if s.For == forLink {
		p.link(w, r, pr, s, c)
		return
	}
	person, err := p.admit(r, pr, c)
	if err != nil {
		p.notAdmitted(w, r, pr, err)
		return
	}
	start := p.start(pr, person.View().User.ID, s, c)
	start.Since = since
	if live := p.session(r); live != nil && !s.Asked && p.same(live, &start) {
		p.arrive(w, r, live, s.visit)
		return
	}
	if began := p.begin(w, r, start); began != nil {
		p.arrive(w, r, began, s.visit)
	}
}

// sameAge is how long a tab may be behind another one that signs in as well.
const sameAge = 15 * time.Second

// same tells whether a session is the one that would begin, begun by another tab a moment
// ago: in its place there would be none that the other tabs are on their way with. The
// provider may have begun a session of its own for each tab.
func (p *Portal) same(live *session.Session, o *session.Start) bool {
	return live.View().User.ID == o.UserID && live.Provider() == o.Provider &&
		live.Subject() == o.Subject && live.MFA() == o.MFA && p.now().Sub(live.Created()) < sameAge
}

// start is the session that an answer of a provider begins. When the visitor last
// proved who they are, the provider says; or it was told to ask, just now. Where
// neither is so it may have been long ago.
func (p *Portal) start(pr *Provider, id string, s *passage, c *oidc.Claims) session.Start {
	when := c.AuthTime
	switch {
	case !when.IsZero():
	case s.Asked:
		when = p.now()
	default:
		when = time.Unix(1, 0)
	}
	return session.Start{
		UserID: id, Provider: pr.Name, Subject: c.Subject, MFA: c.MFA, AuthTime: when,
		UpstreamSID: c.SID, Secrets: secretsOf(c, p.now()).encode(),
	}
}

// notAdmitted says why somebody whom the provider knows does not get in.
func (p *Portal) notAdmitted(w http.ResponseWriter, r *visitor, pr *Provider, err error) {
	m := page.Message{
		Frame: p.frame(nil), Provider: pr.Title,
		Another: "/sign_in?another=1&provider=" + url.QueryEscape(pr.Name),
	}
	switch {
	case errors.Is(err, errNoAccount), errors.Is(err, errGuest):
		m.Kind = page.NoAccount
	case errors.Is(err, errPending):
		m.Kind = page.Pending
	case errors.Is(err, errDisabled):
		m.Kind = page.Disabled
	case errors.Is(err, errNames):
		m.Kind = page.NameCollides
	default:
		p.failed(w, r, "finding the account", err)
		return
	}
	p.record(r, audit.Event{Kind: audit.SignInFailed, Provider: pr.Name, Detail: err.Error()})
	p.o.Pages.Message(w, r.Request, 0, m)
}

// active returns why a user may not sign in, nil when they may.
func active(u *user.User) error {
	switch {
	case u.State == user.Pending:
		return errPending
	case u.State != user.Active || u.Service:
		return errDisabled
	}
	return nil
}
