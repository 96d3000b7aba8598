package entratest

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// sessionCookie is the name of the provider's own, ESTSAUTH at Microsoft.
const sessionCookie = "ESTSAUTH"

// codeLife is how long a code may wait to be exchanged.
const codeLife = 10 * time.Minute

// flow is where one browser is on its way through the pages.
type flow struct {
	account        *account
	session        *session // one that was there before; nil: none
	mfa, consented bool
}

// Present makes every browser without a session that of a user, by name or id,
// as if it had signed in before: no form is shown. Empty: of nobody.
func (s *Server) Present(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.present = user
}

// signIn takes the next step: another form, a refusal, or the code.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request, q *asked) {
	f, no := s.step(r, q)
	switch {
	case no != nil && no.form:
		s.form(w, q, "sign-in", no)
	case no != nil:
		s.turnAway(w, r, q, no)
	case f == nil && q.prompt == "none":
		s.back(w, r, q, (&refusal{number: 50058, kind: "login_required",
			text: "A silent sign-in request was sent but no user is signed in."}).values(s))
	case f == nil:
		s.form(w, q, "sign-in", nil)
	default:
		s.proceed(w, r, q, f)
	}
}

// step says who is there: by the form that was posted, by the session's cookie, or
// because the test says so.
func (s *Server) step(r *http.Request, q *asked) (*flow, *refusal) {
	if r.Method == http.MethodPost {
		if f := s.flows[r.PostForm.Get("flow")]; f != nil {
			f.mfa = f.mfa || r.PostForm.Get("approve") != ""
			if r.PostForm.Get("consent") == "no" {
				return nil, &refusal{number: 65004, kind: "access_denied", goesBack: true,
					text: "User declined to consent to access the app."}
			}
			f.consented = f.consented || r.PostForm.Get("consent") == "yes"
			return f, nil
		}
		return s.credentials(q, r.PostForm.Get("loginfmt"), r.PostForm.Get("passwd"))
	}
	if q.prompt == "login" || q.prompt == "select_account" {
		return nil, nil
	}
	if open := s.open(r); open != nil && s.meant(q, open.account) {
		return &flow{account: open.account, session: open, mfa: open.mfa}, nil
	}
	if a := s.userAt(q.tenant, s.present); s.present != "" && a != nil {
		return &flow{account: a}, nil
	}
	return nil, nil
}

// meant says whether a user who is signed in is who the app asks for.
func (s *Server) meant(q *asked, a *account) bool {
	if q.tenant != "" && a.Tenant != q.tenant {
		return false
	}
	return q.hint == "" || strings.EqualFold(q.hint, a.Username) || q.hint == loginHint(a)
}

func (s *Server) credentials(q *asked, name, password string) (*flow, *refusal) {
	a := s.userAt(q.tenant, name)
	switch {
	case a == nil:
		return nil, &refusal{number: 50034, form: true, text: "The user account '" + name +
			"' does not exist in the directory."}
	case q.tenant != "" && a.Tenant != q.tenant:
		return nil, &refusal{number: 50020, text: "User account '" + name + "' from identity" +
			" provider does not exist in tenant and cannot access the application."}
	case a.Password != "" && a.Password != password:
		return nil, &refusal{number: 50126, form: true,
			text: "Error validating credentials due to invalid username or password."}
	}
	return &flow{account: a}, nil
}

// open is the session of the request's cookie, nil without one.
func (s *Server) open(r *http.Request) *session {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	return s.sessions[c.Value]
}

// proceed asks for what is still missing of somebody who is known.
func (s *Server) proceed(w http.ResponseWriter, r *http.Request, q *asked, f *flow) {
	a := f.account
	consent := (a.Consent && !a.consented[q.app.ClientID] || q.prompt == "consent") && !f.consented
	no := a.barred()
	switch silent := q.prompt == "none"; {
	case no != nil:
		s.turnAway(w, r, q, no)
	case a.MFA && !f.mfa && silent:
		s.back(w, r, q, needsMFA("interaction_required").values(s))
	case a.MFA && !f.mfa:
		s.more(w, q, f, "mfa")
	case consent && silent:
		s.back(w, r, q, (&refusal{number: 65001, kind: "consent_required", text: "The user or" +
			" administrator has not consented to use the application."}).values(s))
	case consent:
		s.more(w, q, f, "consent")
	default:
		s.grant(w, r, q, f)
	}
}

// barred says why an account may not sign in whatever it shows.
func (a *account) barred() *refusal {
	switch {
	case a.Disabled:
		return &refusal{number: 50057, kind: "access_denied", text: "The user account is disabled."}
	case a.NotAssigned:
		return &refusal{number: 50105, kind: "access_denied", text: "The signed in user '" +
			a.Username + "' is not assigned to a role for the application."}
	case a.Blocked:
		return &refusal{number: 53003, kind: "access_denied", text: "Access has been blocked by" +
			" Conditional Access policies. The access policy does not allow token issuance."}
	}
	return nil
}

func needsMFA(kind string) *refusal {
	return &refusal{number: 50076, kind: kind, text: "Due to a configuration change made by your" +
		" administrator, or because you moved to a new location, you must use multi-factor" +
		" authentication to access the resource."}
}

// turnAway is a page to people, and an answer to an app that wanted no pages.
func (s *Server) turnAway(w http.ResponseWriter, r *http.Request, q *asked, no *refusal) {
	switch {
	case q.prompt == "none":
		no.kind = cmp.Or(no.kind, "interaction_required")
		s.back(w, r, q, no.values(s))
	case no.goesBack:
		s.back(w, r, q, no.values(s))
	default:
		s.refusePage(w, no)
	}
}

// form asks who it is.
func (s *Server) form(w http.ResponseWriter, q *asked, kind string, no *refusal) {
	v := view{Kind: kind, App: q.app.ClientID, Name: q.hint}
	if a := s.userAt(q.tenant, q.hint); a != nil && q.hint != "" {
		v.Name = a.Username
	}
	if no != nil {
		v.Error = no.message()
	}
	s.page(w, http.StatusOK, v)
}

// more asks somebody who is known.
func (s *Server) more(w http.ResponseWriter, q *asked, f *flow, kind string) {
	id := rand.Text()
	s.flows[id] = f
	s.page(w, http.StatusOK, view{Kind: kind, App: q.app.ClientID, Name: f.account.Username,
		Scope: q.scope, Hidden: url.Values{"flow": {id}}})
}

// grant gives the app its code.
func (s *Server) grant(w http.ResponseWriter, r *http.Request, q *asked, f *flow) {
	open := f.session
	if open == nil {
		open = &session{id: guid(rand.Text()), account: f.account, since: s.now()}
		value := rand.Text()
		s.sessions[value] = open
		http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: value, Path: "/",
			Secure: true, HttpOnly: true, SameSite: http.SameSiteNoneMode})
	}
	open.mfa = open.mfa || f.mfa
	if !slices.Contains(open.apps, q.app) {
		open.apps = append(open.apps, q.app)
	}
	f.account.consented[q.app.ClientID] = true
	code := "1." + rand.Text() + rand.Text()
	s.codes[code] = &grant{
		asked: q, account: f.account, session: open, scopes: strings.Fields(q.scope),
		epoch: f.account.epoch, made: s.now(), expires: s.now().Add(codeLife),
	}
	s.back(w, r, q, url.Values{"code": {code}, "session_state": {open.id}})
}
