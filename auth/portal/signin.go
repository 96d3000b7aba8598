package portal

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"doorward/auth/audit"
	"doorward/auth/cookie"
	"doorward/auth/local"
	"doorward/auth/page"
	"doorward/auth/session"
	"doorward/auth/user"
)

// byPassword is the provider of sessions that a password of ours began.
const byPassword = "local"

// entry is what somebody asks of the sign-in page.
type entry struct {
	visit
	to address
	// provider is the one that was chosen, by the visitor or by the route; nil is
	// none.
	provider *Provider
	// fresh asks to sign in again although there is a session, another to do so with
	// another account.
	fresh, another bool
}

func (p *Portal) entry(q url.Values) entry {
	e := entry{visit: visitOf(q), fresh: q.Get("fresh") == "1", another: q.Get("another") == "1"}
	e.to = p.address(e.Return, e.Fragment)
	e.provider = p.providers[q.Get("provider")]
	if e.provider == nil {
		e.provider = p.providers[e.to.destination.Provider]
	}
	if e.provider == nil && !p.o.LocalUsers && len(p.o.Providers) == 1 {
		e.provider = &p.o.Providers[0]
	}
	return e
}

// again is the address of the sign-in page, for the same.
func (e *entry) again() string {
	return e.at("/sign_in", "fresh", flag(e.fresh), "another", flag(e.another))
}

// with is where the way through a provider begins.
func (e *entry) with(pr *Provider, hint string) string {
	return e.at("/sign_in/with/"+url.PathEscape(pr.Name),
		"fresh", flag(e.fresh), "another", flag(e.another), "login_hint", hint)
}

func flag(on bool) string {
	if on {
		return "1"
	}
	return ""
}

// showSignIn lets people with a session pass, and asks the others who they are.
func (p *Portal) showSignIn(w http.ResponseWriter, r *visitor) {
	q, err := query(r.Request)
	if err != nil {
		p.refuse(w, r, statusOf(err))
		return
	}
	e := p.entry(q)
	if s := p.session(r); s != nil && !e.fresh && !e.another {
		p.arrive(w, r, s, e.visit)
		return
	}
	cookie.Bind(w, r.Request)
	if e.provider != nil {
		p.lead(w, r, &e, e.provider, "")
		return
	}
	p.askWho(w, r, &e, attempt{})
}

// lead goes on to a provider by way of a page: its script keeps the fragment, and
// no form is the beginning of a chain of redirects that browsers would have to be
// told the end of.
func (p *Portal) lead(
	w http.ResponseWriter, r *visitor, e *entry, pr *Provider, hint string,
) {
	if ready, why := pr.ready(); !ready {
		p.providerDown(w, r, pr, e.again(), why)
		return
	}
	p.o.Pages.Continue(w, r.Request, http.StatusOK, page.Continue{
		Frame: p.frame(nil), URL: withQuery(e.with(pr, hint)), To: pr.Title,
	})
}

// withQuery makes sure that a script may add a parameter.
func withQuery(address string) string {
	if strings.Contains(address, "?") {
		return address
	}
	return address + "?"
}

// attempt is a form of the sign-in page and what was wrong with it; the zero attempt
// is none.
type attempt struct {
	login   string
	status  int
	problem page.Problem
}

// askWho shows the sign-in page, again after an attempt.
func (p *Portal) askWho(w http.ResponseWriter, r *visitor, e *entry, before attempt) {
	if c := cookie.Of(r.Request, p.ticketCookie()); c.Given && !session.Plausible(c.Value()) {
		cookie.Ticket(w, p.o.CookieDomain, "")
	}
	v := page.SignIn{
		Frame: p.frame(nil), To: p.app(e.to), Again: e.again(),
	}
	status := http.StatusOK
	if before.status != 0 {
		status, v.Problems = before.status, []page.Problem{before.problem}
	}
	for i := range p.o.Providers {
		v.Providers = append(v.Providers, p.choice(&p.o.Providers[i], e))
	}
	if p.o.LocalUsers || slices.ContainsFunc(p.o.Providers, hasDomains) {
		v.Form = &page.Form{
			Action: e.again(), Login: before.login, EmailOnly: !p.o.LocalUsers,
		}
	}
	if s := p.session(r); s == nil {
		v.Watch = "/whoami"
	} else if e.another {
		v.Known = &page.Known{Who: *who(s.View().User), Action: e.again()}
	}
	p.o.Pages.SignIn(w, r.Request, status, v)
}

func hasDomains(pr Provider) bool { return len(pr.EmailDomains) > 0 }

func (p *Portal) choice(pr *Provider, e *entry) page.Provider {
	c := page.Provider{Name: pr.Name, Title: pr.Title, Icon: pr.Icon, Type: pr.Type}
	c.URL = e.with(pr, "")
	if ready, why := pr.ready(); !ready {
		c.Down = why
	}
	return c
}

// signIn takes the form of the sign-in page.
func (p *Portal) signIn(w http.ResponseWriter, r *visitor) {
	q, err := query(r.Request)
	f, ferr := form(r.Request)
	if err = errors.Join(err, ferr); err != nil {
		p.refuse(w, r, statusOf(err))
		return
	}
	e := p.entry(q)
	if f.Has("fragment") {
		e.Fragment = f.Get("fragment")
	}
	if s := p.session(r); s != nil && f.Get("continue") == "yes" {
		p.arrive(w, r, s, e.visit)
		return
	}
	login, password := f.Get("login"), f.Get("password")
	domain := p.byDomain(login)
	switch {
	case login == "":
		p.refuse(w, r, http.StatusBadRequest)
	case domain != nil && (password == "" || !p.o.LocalUsers):
		cookie.Bind(w, r.Request)
		p.lead(w, r, &e, domain, login)
	case !p.o.LocalUsers:
		p.askWho(w, r, &e, attempt{login, http.StatusBadRequest,
			page.Problem{Code: page.NoProvider}})
	case password == "":
		p.askWho(w, r, &e, attempt{login, http.StatusBadRequest,
			page.Problem{Code: page.WrongLogin}})
	case cookie.BrowserOf(r.Request) == "":
		// The page with the form gave it one. The session's would be lost as well, and the
		// form shown again without a word.
		p.o.Pages.Message(w, r.Request, http.StatusBadRequest, page.Message{
			Frame: p.frame(nil), Kind: page.Loop, Cause: page.CauseCookie, Retry: e.again(),
		})
	default:
		p.byPassword(w, r, &e, local.Attempt{Login: login, Password: password})
	}
}

// byPassword judges a name and a password.
func (p *Portal) byPassword(w http.ResponseWriter, r *visitor, e *entry, a local.Attempt) {
	a.Client, a.Device = r.client, string(cookie.Of(r.Request, cookie.Device).Value())
	result, err := p.o.Local.SignIn(r.Context(), a)
	if err != nil {
		p.notSignedIn(w, r, e, a.Login, err)
		return
	}
	if result.Device != "" { // by which the browser is known to have signed in before
		cookie.Set(w, http.Cookie{
			Name: cookie.Device, Value: result.Device, MaxAge: int(cookie.Year / time.Second),
		})
	}
	person := p.o.Directory.Person(result.UserID)
	if person == nil {
		p.notSignedIn(w, r, e, a.Login, local.ErrWrong)
		return
	}
	if result.MustChange {
		p.mustChange(w, r, e.visit, person.View().User)
		return
	}
	s := p.begin(w, r, session.Start{
		UserID: result.UserID, Epoch: result.Epoch, Provider: byPassword, AuthTime: p.now(),
	})
	if s == nil {
		return
	}
	p.noteSignIn(r, result.UserID)
	p.arriveByForm(w, r, s, e.visit)
}

// notSignedIn shows the page again. A stranger learns the same from all refusals
// that have to do with the name; who has a provider for that address is sent there.
func (p *Portal) notSignedIn(
	w http.ResponseWriter, r *visitor, e *entry, login string, err error,
) {
	var throttled *local.ThrottledError
	switch {
	case errors.As(err, &throttled):
		p.record(r, audit.Event{Kind: audit.SignInFailed, Provider: byPassword,
			Detail: "throttled"})
		retryAfter(w, throttled.RetryAfter)
		p.askWho(w, r, e, attempt{login, http.StatusTooManyRequests,
			page.Problem{Code: page.Throttled, Wait: throttled.RetryAfter}})
	case errors.Is(err, local.ErrWrong):
		p.record(r, audit.Event{Kind: audit.SignInFailed, Provider: byPassword, Detail: "wrong"})
		if domain := p.byDomain(login); domain != nil {
			p.lead(w, r, e, domain, login)
			return
		}
		p.askWho(w, r, e, attempt{login, http.StatusForbidden, page.Problem{Code: page.WrongLogin}})
	case errors.Is(err, local.ErrBusy):
		retryAfter(w, busyWait)
		p.askWho(w, r, e, attempt{login, http.StatusServiceUnavailable,
			page.Problem{Code: page.TooBusy, Wait: busyWait}})
	default:
		p.failed(w, r, "judging a password", err)
	}
}

// byDomain is the provider that signs in people with such a mail address, nil when
// there is none. There must be no doubt what the domain is: exactly one "@", and
// nothing but the characters of a domain behind it.
func (p *Portal) byDomain(login string) *Provider {
	name, domain, ok := strings.Cut(strings.TrimSpace(login), "@")
	if !ok || !plain(name) || !plain(domain) || strings.ContainsAny(name, `"@`) {
		return nil
	}
	domain = strings.ToLower(domain)
	for i := range p.o.Providers {
		if slices.Contains(p.o.Providers[i].EmailDomains, domain) {
			return &p.o.Providers[i]
		}
	}
	return nil
}

// session is the session of the visitor, nil when there is none.
func (p *Portal) session(r *visitor) *session.Session {
	ticket := cookie.Of(r.Request, p.ticketCookie()).Value()
	if len(ticket) == 0 {
		return nil
	}
	return p.o.Sessions.Find(ticket, []byte(p.cookieHost()))
}

// ticketCookie is the name of the cookie that holds the session's ticket.
func (p *Portal) ticketCookie() string {
	if p.o.CookieDomain != "" {
		return cookie.Domain
	}
	return cookie.Host
}

// cookieHost is the host that the tickets of this Portal are for: its own, or the
// domain that all hosts share.
func (p *Portal) cookieHost() string {
	if p.o.CookieDomain != "" {
		return p.o.CookieDomain
	}
	return p.home().host()
}

// begin begins a session in this browser and ends the one it had: who signs in
// never goes on under an id that was known before. It answers itself when it
// returns nil.
func (p *Portal) begin(w http.ResponseWriter, r *visitor, start session.Start) *session.Session {
	start.Client, start.Agent, start.Host = r.client.String(), r.UserAgent(), p.cookieHost()
	begin := p.o.Sessions.Begin
	if old := p.session(r); old != nil {
		begin = func(ctx context.Context, o session.Start) (*session.Session, string, error) {
			return p.o.Sessions.Renew(ctx, old, o)
		}
	}
	s, ticket, err := begin(r.Context(), start)
	if err == nil && !p.stands(s) {
		p.o.Sessions.End(r.Context(), s, "what it began with went away meanwhile")
		err = session.ErrEnded
	}
	switch {
	case errors.Is(err, session.ErrEnded), errors.Is(err, session.ErrNoUser):
		p.stale(w, r, "/sign_in") // the right to sign in has gone since it was proven
		return nil
	case err != nil:
		p.failed(w, r, "beginning a session", err)
		return nil
	}
	cookie.Ticket(w, p.o.CookieDomain, ticket)
	p.record(r, audit.Event{Kind: audit.SignIn, User: nameOf(s.View()), Provider: start.Provider})
	return s
}

// stands tells whether a session that has just begun may stay. Who takes away the way by
// which it began ends the sessions there are, behind that: it is one of them, or we see it.
func (p *Portal) stands(s *session.Session) bool {
	if p.o.Rechecks != nil && !p.o.Rechecks.Serves(s.Provider()) {
		return false
	}
	return s.Provider() == byPassword || s.View().User.Linked(s.Provider(), s.Subject())
}

// noteSignIn remembers when a user came. That it cannot be written keeps nobody out.
func (p *Portal) noteSignIn(r *visitor, id string) {
	_, err := p.o.Directory.Update(r.Context(), id, func(u *user.User) error {
		u.SignedIn = p.now().UTC()
		return nil
	})
	if err != nil {
		p.warn("noting a sign-in", err)
	}
}
