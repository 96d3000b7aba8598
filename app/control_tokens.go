package app

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"doorward/auth/audit"
	"doorward/auth/user"
)

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
	// Secret is what programs send; it is kept nowhere.
	Secret string `json:"secret"`
}

// NamedToken is a token with the name of its user.
type NamedToken struct {
	user.Token
	// Name is the user's, as of now.
	Name string `json:"name"`
}

// doAllTokens lists the tokens of all users, by the names of these.
func (a *App) doAllTokens(*http.Request) (any, error) {
	g, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	list := []NamedToken{}
	for _, p := range g.signIn.directory.All() {
		u := p.View().User
		for _, t := range g.signIn.directory.Tokens(u.ID) {
			list = append(list, NamedToken{t, u.Name})
		}
	}
	return list, nil
}

func (a *App) doTokens(r *http.Request) (any, error) {
	g, u, err := a.about(r)
	if err != nil {
		return nil, err
	}
	list := []NamedToken{}
	for _, t := range g.signIn.directory.Tokens(u.ID) {
		list = append(list, NamedToken{t, u.Name})
	}
	return list, nil
}

func (a *App) doAddToken(r *http.Request) (any, error) {
	g, u, err := a.about(r)
	if err != nil {
		return nil, err
	}
	var asked NewToken
	if err := readBody(r, &asked); err != nil {
		return nil, err
	}
	if err := g.checkToken(&asked); err != nil {
		return nil, err
	}
	secret, t, err := g.signIn.directory.CreateToken(r.Context(), user.Token{
		UserID: u.ID, Title: asked.Title, Routes: asked.Routes, Expires: asked.Expires,
	})
	if err != nil {
		return nil, misused(err)
	}
	g.signIn.note(r, audit.TokenCreated, u.Name, t.ID+" "+t.Title)
	return MadeToken{t, secret}, nil
}

// errNoTitle is a token of which nobody will know what it is for.
var errNoTitle = errors.New("a token needs a title, by which people know what it is for")

// checkToken tells why such a token would be of no use.
func (g *generation) checkToken(t *NewToken) error {
	switch {
	case strings.TrimSpace(t.Title) == "":
		return &askError{http.StatusBadRequest, errNoTitle}
	case !t.Expires.IsZero() && !time.Now().Before(t.Expires):
		return misasked("the token would have ended at %s", t.Expires.Format(time.RFC3339))
	}
	var known []string
	takes := map[string]bool{}
	for _, rule := range g.signIn.rules {
		known = append(known, rule.name)
		takes[rule.name] = rule.open
	}
	for _, name := range t.Routes {
		takesTokens, ok := takes[name]
		if !ok {
			return unknown("route", name, known)
		}
		if !takesTokens {
			return conflict("the route %q takes no tokens: tokens = true lets it", name)
		}
	}
	return nil
}

func (a *App) doDeleteToken(r *http.Request) (any, error) {
	g, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	s, id := g.signIn, r.PathValue("id")
	t, ok := s.directory.Token(id)
	if !ok {
		return nil, unknown("token", id, nil)
	}
	if err := s.directory.DeleteToken(r.Context(), id); err != nil {
		return nil, misused(err)
	}
	name := t.UserID
	if p := s.directory.Person(t.UserID); p != nil {
		name = p.View().User.Name
	}
	s.note(r, audit.TokenDeleted, name, id+" "+t.Title)
	a.review() // what it has let pass
	return done{1}, nil
}
