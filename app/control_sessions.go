package app

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"doorward/auth/audit"
	"doorward/auth/session"
	"doorward/auth/user"
)

// SessionStatus is a session as the control socket tells of it. Its ID opens nothing.
type SessionStatus struct {
	// ID is what ends it, User whose it is.
	ID   string `json:"id"`
	User string `json:"user"`
	// Provider is where the user signed in, MFA says that with a second factor.
	Provider string `json:"provider"`
	MFA      bool   `json:"mfa"`
	// Client and Agent are what it began with.
	Client string `json:"client,omitempty"`
	Agent  string `json:"agent,omitempty"`
	// Created, LastSeen and Expires are its times; LastSeen is precise to a minute.
	Created  time.Time `json:"created"`
	LastSeen time.Time `json:"last_seen"`
	Expires  time.Time `json:"expires"`
}

func statusOfSession(s *session.Session) SessionStatus {
	return SessionStatus{
		ID: s.ID(), User: s.UserName(), Provider: s.Provider(), MFA: s.MFA(), Client: s.Client(),
		Agent: s.Agent(), Created: s.Created(), LastSeen: s.LastSeen(), Expires: s.Expires(),
	}
}

// named is the user that a query names, nil when it names none.
func (s *signIn) named(name string) (*user.User, error) {
	if name == "" {
		return nil, nil
	}
	p := s.directory.ByName(name)
	if p == nil {
		return nil, &askError{http.StatusNotFound, errors.New("there is no user " + name)}
	}
	return p.View().User, nil
}

func (a *App) doSessions(r *http.Request) (any, error) {
	s, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	query, err := readQuery(r, "user")
	if err != nil {
		return nil, err
	}
	u, err := s.named(query.Get("user"))
	if err != nil {
		return nil, err
	}
	list := []SessionStatus{}
	for _, x := range s.sessions.All() {
		if u == nil || x.User().ID == u.ID {
			list = append(list, statusOfSession(x))
		}
	}
	return list, nil
}

func (a *App) doEndSession(r *http.Request) (any, error) {
	s, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	x := s.sessions.ByID(id)
	if x == nil {
		return nil, &askError{http.StatusNotFound, errors.New("there is no session " + id)}
	}
	s.sessions.End(r.Context(), x, "ended by "+caller(r))
	s.note(r, audit.SessionEnded, x.UserName(), id)
	return done{1}, nil
}

func (a *App) doEndSessions(r *http.Request) (any, error) {
	s, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	p, err := s.person(r)
	if err != nil {
		return nil, err
	}
	u := p.View().User
	n := s.sessions.EndUser(r.Context(), u.ID, "ended by "+caller(r))
	s.note(r, audit.SessionEnded, u.Name, "all")
	return done{n}, nil
}

// NewToken is a token to be made.
type NewToken struct {
	// Title is what it is for, Routes are the only ones it opens; none is all that its
	// user may.
	Title  string   `json:"title"`
	Routes []string `json:"routes,omitempty"`
	// Expires is when it ends; zero is never.
	Expires time.Time `json:"expires,omitzero"`
}

// MadeToken is a token with its secret, which is told this once.
type MadeToken struct {
	user.Token
	Secret string `json:"secret"`
}

func (a *App) doTokens(r *http.Request) (any, error) {
	s, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	p, err := s.person(r)
	if err != nil {
		return nil, err
	}
	return append([]user.Token{}, s.directory.Tokens(p.View().User.ID)...), nil
}

func (a *App) doAddToken(r *http.Request) (any, error) {
	s, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	p, err := s.person(r)
	if err != nil {
		return nil, err
	}
	var asked NewToken
	if err := readBody(r, &asked); err != nil {
		return nil, err
	}
	for _, name := range asked.Routes {
		if s.gates[name] == nil {
			return nil, misasked("there is no route %s", name)
		}
	}
	secret, t, err := s.directory.CreateToken(r.Context(), user.Token{
		UserID: p.View().User.ID, Title: asked.Title, Routes: asked.Routes, Expires: asked.Expires,
	})
	if err != nil {
		return nil, misused(err)
	}
	s.note(r, audit.TokenCreated, p.View().User.Name, t.ID+" "+t.Title)
	return MadeToken{t, secret}, nil
}

func (a *App) doDeleteToken(r *http.Request) (any, error) {
	s, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	t, ok := s.directory.Token(r.PathValue("id"))
	if !ok {
		return nil, &askError{http.StatusNotFound, errors.New("there is no token " + r.PathValue("id"))}
	}
	if err := s.directory.DeleteToken(r.Context(), t.ID); err != nil {
		return nil, misused(err)
	}
	name := t.UserID
	if p := s.directory.Person(t.UserID); p != nil {
		name = p.View().User.Name
	}
	s.note(r, audit.TokenDeleted, name, t.ID+" "+t.Title)
	a.review()
	return done{1}, nil
}

func (a *App) doEvents(r *http.Request) (any, error) {
	s, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	query, err := readQuery(r, "limit")
	if err != nil {
		return nil, err
	}
	limit := defaultListed
	if text := query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
			return nil, misasked("limit=%q is no number from 1", text)
		}
	}
	list, err := s.audit.Last(r.Context(), limit)
	return append([]audit.Event{}, list...), err
}
