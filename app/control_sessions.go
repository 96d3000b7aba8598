package app

import (
	"fmt"
	"net/http"
	"time"

	"doorward/auth/audit"
	"doorward/auth/session"
)

// SessionStatus is a session as the control socket tells of it. Its ID opens nothing.
type SessionStatus struct {
	// ID is what it is ended by, User the name of whose it is.
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

func (a *App) doSessions(r *http.Request) (any, error) {
	g, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	query, err := readQuery(r, "user")
	if err != nil {
		return nil, err
	}
	chosen := g.signIn.sessions.All()
	if query.Has("user") {
		p, err := g.signIn.find(query.Get("user"))
		if err != nil {
			return nil, err
		}
		chosen = g.signIn.sessions.Of(p.View().User.ID)
	}
	list := []SessionStatus{}
	for _, x := range chosen {
		list = append(list, statusOfSession(x))
	}
	return list, nil
}

// endedReason is what a session that ends here ends of.
func endedReason(r *http.Request) string { return "ended by " + caller(r) }

func (a *App) doEndSession(r *http.Request) (any, error) {
	g, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	s, id := g.signIn, r.PathValue("id")
	x := s.sessions.ByID(id)
	if x == nil {
		return nil, unknown("session", id, nil)
	}
	s.sessions.End(r.Context(), x, endedReason(r))
	s.note(r, audit.SessionEnded, x.UserName(), id)
	return done{1}, nil
}

func (a *App) doEndSessions(r *http.Request) (any, error) {
	g, u, err := a.about(r)
	if err != nil {
		return nil, err
	}
	n := g.signIn.sessions.EndUser(r.Context(), u.ID, endedReason(r))
	// A new epoch, too: somebody may be at the sign-in with the password of before.
	if err := g.signIn.directory.EndSessions(r.Context(), u.ID); err != nil {
		return nil, err
	}
	g.signIn.note(r, audit.SessionEnded, u.Name, fmt.Sprintf("all: %d", n))
	return done{n}, nil
}

func (a *App) doEvents(r *http.Request) (any, error) {
	g, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	query, err := readQuery(r, "limit")
	if err != nil {
		return nil, err
	}
	limit, err := readLimit(query)
	if err != nil {
		return nil, err
	}
	list, err := g.signIn.audit.Last(r.Context(), limit)
	return append([]audit.Event{}, list...), err
}
