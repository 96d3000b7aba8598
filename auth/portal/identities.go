package portal

import (
	"errors"
	"net/http"

	"doorward/auth/audit"
	"doorward/auth/directory"
	"doorward/auth/oidc"
	"doorward/auth/page"
	"doorward/auth/session"
	"doorward/auth/user"
)

var (
	errLastWay = errors.New("nothing would be left to sign in with")
	errLinked  = errors.New("the user has an identity at this provider")
)

func (p *Portal) showIdentities(w http.ResponseWriter, r *visitor) {
	s := p.member(w, r)
	if s == nil {
		return
	}
	say := page.Frame{}
	if r.URL.RawQuery == "done=linked" {
		say.Notice = page.IdentityLinked
	}
	p.identities(w, r, s, http.StatusOK, say)
}

// identities shows the accounts at providers; of say only problems and notice count.
func (p *Portal) identities(
	w http.ResponseWriter, r *visitor, s *session.Session, status int, say page.Frame,
) {
	u := s.View().User
	v := page.Identities{Area: p.area(s)}
	v.Problems, v.Notice = say.Problems, say.Notice
	for _, id := range u.Identities {
		shown := page.Identity{
			Provider: page.Provider{Name: id.Provider, Title: id.Provider},
			Name:     id.Name, Email: id.Email, Linked: id.Linked, SignedIn: id.SignedIn,
			Kept: p.lastWay(u, id.Provider),
		}
		if pr := p.providers[id.Provider]; pr != nil {
			shown.Provider = p.choice(pr, &entry{})
		}
		v.Linked = append(v.Linked, shown)
	}
	for i := range p.o.Providers {
		if pr := &p.o.Providers[i]; u.Identity(pr.Name) == nil {
			v.Others = append(v.Others, p.choice(pr, &entry{}))
		}
	}
	p.o.Pages.Identities(w, r.Request, status, v)
}

// lastWay tells whether a user could not sign in without this identity: what a
// provider that is no longer there could do does not count.
func (p *Portal) lastWay(u *user.User, provider string) bool {
	if u.HasPassword && p.o.LocalUsers {
		return false
	}
	for _, id := range u.Identities {
		if id.Provider != provider && p.providers[id.Provider] != nil {
			return false
		}
	}
	return true
}

// changeIdentities begins to link an account at a provider, or unlinks one. Both
// take a recent sign-in: who has an identity has the account.
func (p *Portal) changeIdentities(w http.ResponseWriter, r *visitor) {
	s := p.fresh(w, r)
	if s == nil {
		return
	}
	f, err := form(r.Request)
	if err != nil {
		p.refuse(w, r, statusOf(err))
		return
	}
	if name := f.Get("unlink"); name != "" {
		p.unlink(w, r, s, name)
		return
	}
	pr := p.providers[f.Get("link")]
	if pr == nil || s.View().User.Identity(pr.Name) != nil {
		p.refuse(w, r, http.StatusBadRequest)
		return
	}
	to, err := p.leave(w, r, pr,
		&passage{For: forLink, Session: s.ID(), Asked: true,
			visit: visit{Return: "/account/identities"}},
		oidc.AuthRequest{Prompt: "select_account"})
	if err != nil {
		p.providerFailed(w, r, pr, "/account/identities", err)
		return
	}
	p.o.Pages.Continue(w, r.Request, http.StatusOK, page.Continue{
		Frame: p.frame(s), URL: to, To: pr.Title,
	})
}

// link adds an identity to the account of the session that asked for it, and is
// still here.
func (p *Portal) link(
	w http.ResponseWriter, r *visitor, pr *Provider, st *passage, c *oidc.Claims,
) {
	s := p.session(r)
	if s == nil || s.ID() != st.Session {
		p.stale(w, r, "/account/identities")
		return
	}
	if c.Guest && !pr.Guests {
		p.notAdmitted(w, r, pr, errGuest)
		return
	}
	_, err := p.o.Directory.Update(r.Context(), s.View().User.ID, func(u *user.User) error {
		if u.Identity(pr.Name) != nil {
			return errLinked
		}
		u.Identities = append(u.Identities, user.Identity{
			Provider: pr.Name, Subject: c.Subject, Linked: p.now().UTC(),
		})
		learn(u, pr.Name, c, p.now())
		return nil
	})
	if errors.Is(err, directory.ErrTaken) || errors.Is(err, errLinked) {
		p.identities(w, r, s, http.StatusConflict, page.Frame{
			Problems: []page.Problem{{Code: page.IdentityTaken}},
		})
		return
	}
	if err != nil {
		p.failed(w, r, "linking an identity", err)
		return
	}
	p.record(r, audit.Event{Kind: audit.IdentityLinked, User: nameOf(s.View()), Provider: pr.Name})
	// Not here: the address has a code in it, even though it was used.
	redirect(w, "/account/identities?done=linked")
}

// unlink removes an identity, and ends the sessions that it began.
func (p *Portal) unlink(w http.ResponseWriter, r *visitor, s *session.Session, name string) {
	_, err := p.o.Directory.Update(r.Context(), s.View().User.ID, func(u *user.User) error {
		if u.Identity(name) == nil {
			return nil
		}
		if p.lastWay(u, name) {
			return errLastWay
		}
		kept := u.Identities[:0]
		for _, id := range u.Identities {
			if id.Provider != name {
				kept = append(kept, id)
			}
		}
		u.Identities = kept
		return nil
	})
	if errors.Is(err, errLastWay) {
		p.identities(w, r, s, http.StatusConflict, page.Frame{
			Problems: []page.Problem{{Code: page.IdentityLast}},
		})
		return
	}
	if err != nil {
		p.failed(w, r, "unlinking an identity", err)
		return
	}
	for _, one := range p.o.Sessions.Of(s.View().User.ID) {
		if one.Provider() == name {
			p.o.Sessions.End(r.Context(), one, "the identity was unlinked")
		}
	}
	p.record(r, audit.Event{Kind: audit.IdentityRemoved, User: nameOf(s.View()), Provider: name})
	if !s.Valid() {
		redirect(w, "/sign_in")
		return
	}
	p.identities(w, r, s, http.StatusOK, page.Frame{Notice: page.IdentityRemoved})
}
