package portal

import (
	"net/http"
	"time"

	"golang.org/x/text/language"

	"doorward/auth/audit"
	"doorward/auth/cookie"
	"doorward/auth/page"
	"doorward/auth/session"
	"doorward/auth/user"
)

// showPortal shows what the visitor may open.
func (p *Portal) showPortal(w http.ResponseWriter, r *visitor) {
	s := p.member(w, r)
	if s == nil {
		return
	}
	q, err := query(r.Request)
	if err != nil {
		p.refuse(w, r, statusOf(err))
		return
	}
	v := page.Portal{Frame: p.frame(s), Query: q.Get("q")}
	if p.o.Apps != nil {
		v.Apps = p.o.Apps(s.View())
	}
	p.o.Pages.Portal(w, r.Request, http.StatusOK, v)
}

// member is the session of the visitor. Without one the visitor is sent to sign in,
// and member returns nil.
func (p *Portal) member(w http.ResponseWriter, r *visitor) *session.Session {
	if s := p.session(r); s != nil {
		return s
	}
	v := visit{}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		v.Return = r.URL.RequestURI()
	} else {
		v.Return = r.URL.Path
	}
	if v.Return == "/" {
		v.Return = ""
	}
	redirect(w, v.at("/sign_in"))
	return nil
}

// freshAge is how long ago people may have proven who they are, who do what
// outlives a session: a screen that was left alone is no proof.
const freshAge = 5 * time.Minute

// fresh is member for what needs a sign-in of the last minutes.
func (p *Portal) fresh(w http.ResponseWriter, r *visitor) *session.Session {
	s := p.member(w, r)
	if s == nil || p.isFresh(s) {
		return s
	}
	v := visit{Return: r.URL.Path}
	ask := []string{"fresh", "1"}
	if pr := p.providers[s.Provider()]; pr != nil {
		ask = append(ask, "provider", pr.Name)
	}
	redirect(w, v.at("/sign_in", ask...))
	return nil
}

func (p *Portal) isFresh(s *session.Session) bool {
	age := p.now().Sub(s.AuthTime())
	return age >= -freshAge && age <= freshAge
}

// area is what all pages of an account begin with.
func (p *Portal) area(s *session.Session) page.Area {
	u := s.View().User
	return page.Area{Frame: p.frame(s), Without: page.Without{
		Password:   !p.o.LocalUsers || !u.HasPassword,
		Identities: len(p.o.Providers) == 0,
	}}
}

func (p *Portal) showAccount(w http.ResponseWriter, r *visitor) {
	if s := p.member(w, r); s != nil {
		p.profile(w, r, s, "")
	}
}

func (p *Portal) profile(
	w http.ResponseWriter, r *visitor, s *session.Session, done page.Notice,
) {
	view := s.View()
	v := page.Account{
		Area: p.area(s), EmailVerified: view.User.EmailVerified,
		GroupsUnknown: view.GroupsUnknown,
		Created:       view.User.Created, SignedIn: view.User.SignedIn,
	}
	v.Notice = done
	for _, name := range view.Groups {
		g := page.Group{Name: name}
		for _, from := range view.Sources[name] {
			g.From = append(g.From, page.GroupSource{
				Way: page.Way(from.Kind), Name: from.Name, Provider: p.titleOf(from.Provider),
			})
		}
		if p.o.Title != nil {
			g.Title = p.o.Title(name)
		}
		v.Groups = append(v.Groups, g)
	}
	p.o.Pages.Account(w, r.Request, http.StatusOK, v)
}

// titleOf is what people call a provider, its name when it is not there any more.
func (p *Portal) titleOf(provider string) string {
	if pr := p.providers[provider]; pr != nil {
		return pr.Title
	}
	return provider
}

// saveAccount takes the language that a user wants.
func (p *Portal) saveAccount(w http.ResponseWriter, r *visitor) {
	s := p.member(w, r)
	if s == nil {
		return
	}
	f, err := form(r.Request)
	if err != nil {
		p.refuse(w, r, statusOf(err))
		return
	}
	locale := f.Get("locale")
	if locale != "" {
		tag, err := language.Parse(locale)
		if err != nil || len(locale) > 35 {
			p.refuse(w, r, http.StatusBadRequest)
			return
		}
		locale = tag.String()
	}
	_, err = p.o.Directory.Update(r.Context(), s.View().User.ID, func(u *user.User) error {
		u.Locale = locale
		return nil
	})
	if err != nil {
		p.failed(w, r, "saving an account", err)
		return
	}
	p.profile(w, r, s, page.ProfileSaved)
}

func (p *Portal) showSessions(w http.ResponseWriter, r *visitor) {
	if s := p.member(w, r); s != nil {
		p.sessions(w, r, s, "")
	}
}

func (p *Portal) sessions(
	w http.ResponseWriter, r *visitor, s *session.Session, done page.Notice,
) {
	v := page.Sessions{Area: p.area(s)}
	v.Notice = done
	for _, one := range p.o.Sessions.Of(s.View().User.ID) {
		shown := page.Session{
			ID: one.ID(), Current: one.ID() == s.ID(), Client: one.Client(),
			Agent: one.Agent(), MFA: one.MFA(),
			Created: one.Created(), LastSeen: one.LastSeen(), Expires: one.Expires(),
		}
		if pr := p.providers[one.Provider()]; pr != nil {
			shown.Provider = pr.Title
		}
		v.Sessions = append(v.Sessions, shown)
	}
	p.o.Pages.Sessions(w, r.Request, http.StatusOK, v)
}

// endSessions ends one session of the visitor, or all but the one that asks.
func (p *Portal) endSessions(w http.ResponseWriter, r *visitor) {
	s := p.member(w, r)
	if s == nil {
		return
	}
	f, err := form(r.Request)
	if err != nil || f.Get("end") == "" {
		p.refuse(w, r, statusOf(err))
		return
	}
	which := f.Get("end")
	for _, one := range p.o.Sessions.Of(s.View().User.ID) {
		self := one.ID() == s.ID()
		if one.ID() != which && (which != "others" || self) {
			continue
		}
		p.o.Sessions.End(r.Context(), one, "ended by its user")
		p.record(r, audit.Event{
			Kind: audit.SessionEnded, User: nameOf(s.View()), By: nameOf(s.View()),
			Detail: one.ID(),
		})
	}
	done := page.SessionEnded
	if which == "others" {
		done = page.SessionsEnded
	}
	if !s.Valid() {
		cookie.Ticket(w, p.o.CookieDomain, "")
		redirect(w, "/sign_in")
		return
	}
	p.sessions(w, r, s, done)
}

// whoami tells scripts of our pages whether this browser is signed in, and as whom.
func (p *Portal) whoami(w http.ResponseWriter, r *visitor) {
	s := p.session(r)
	if s == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	u := s.View().User
	writeJSON(w, http.StatusOK, map[string]any{"name": u.Name, "title": u.Display()})
}
