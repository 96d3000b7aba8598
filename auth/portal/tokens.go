package portal

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"doorward/auth/audit"
	"doorward/auth/directory"
	"doorward/auth/page"
	"doorward/auth/session"
	"doorward/auth/user"
)

// maxTokenDays is the longest life of a token that has one, in days.
const maxTokenDays = 3650

func (p *Portal) showTokens(w http.ResponseWriter, r *visitor) {
	if s := p.member(w, r); s != nil {
		p.tokens(w, r, s, http.StatusOK, page.Tokens{})
	}
}

// tokens shows the tokens of the visitor, in a view that may say more already.
func (p *Portal) tokens(
	w http.ResponseWriter, r *visitor, s *session.Session, status int, v page.Tokens,
) {
	problems, notice := v.Problems, v.Notice
	v.Area = p.area(s)
	v.Problems, v.Notice = problems, notice
	if p.o.Routes != nil {
		v.Routes = p.o.Routes(s.View())
	}
	for _, t := range p.o.Directory.Tokens(s.View().User.ID) {
		shown := page.Token{
			ID: t.ID, Title: t.Title, Created: t.Created, Expires: t.Expires, LastUsed: t.LastUsed,
		}
		for _, name := range t.Routes {
			shown.Routes = append(shown.Routes, titleOf(v.Routes, name))
		}
		v.Tokens = append(v.Tokens, shown)
	}
	p.o.Pages.Tokens(w, r.Request, status, v)
}

func titleOf(choices []page.Choice, name string) string {
	for _, c := range choices {
		if c.Value == name {
			return c.Title
		}
	}
	return name
}

// changeTokens makes a token, or removes one. A token outlives the session that
// made it, so to make one takes a recent sign-in.
func (p *Portal) changeTokens(w http.ResponseWriter, r *visitor) {
	s := p.member(w, r)
	if s == nil {
		return
	}
	f, err := formWith(r.Request, "route")
	if err != nil {
		p.refuse(w, r, statusOf(err))
		return
	}
	if id := f.Get("delete"); id != "" {
		p.deleteToken(w, r, s, id)
		return
	}
	if s = p.fresh(w, r); s != nil {
		p.makeToken(w, r, s, f)
	}
}

func (p *Portal) makeToken(
	w http.ResponseWriter, r *visitor, s *session.Session, f url.Values,
) {
	days, err := strconv.Atoi(f.Get("days"))
	v := page.Tokens{Title: strings.TrimSpace(f.Get("title")), Days: days}
	t := user.Token{UserID: s.View().User.ID, Title: v.Title, Routes: f["route"]}
	switch {
	case err != nil || days < 0 || days > maxTokenDays || !p.mayLimit(s, t.Routes):
		p.refuse(w, r, http.StatusBadRequest)
		return
	case v.Title == "":
		v.Problems = []page.Problem{{Code: page.TitleMissing}}
		p.tokens(w, r, s, http.StatusBadRequest, v)
		return
	case days > 0:
		t.Expires = p.now().UTC().Add(time.Duration(days) * 24 * time.Hour)
	}
	secret, t, err := p.o.Directory.CreateToken(r.Context(), t)
	if errors.Is(err, directory.ErrInvalid) {
		v.Problems = []page.Problem{{Code: page.TooMany}}
		p.tokens(w, r, s, http.StatusBadRequest, v)
		return
	}
	if err != nil {
		p.failed(w, r, "making a token", err)
		return
	}
	p.record(r, audit.Event{Kind: audit.TokenCreated, User: nameOf(s.View()), Detail: t.ID})
	p.tokens(w, r, s, http.StatusOK, page.Tokens{
		New: &page.NewToken{Title: t.Title, Secret: secret},
	})
}

// mayLimit tells whether the routes are among those that the visitor was offered.
func (p *Portal) mayLimit(s *session.Session, routes []string) bool {
	var offered []page.Choice
	if p.o.Routes != nil {
		offered = p.o.Routes(s.View())
	}
	return !slices.ContainsFunc(routes, func(name string) bool {
		return !slices.ContainsFunc(offered, func(c page.Choice) bool { return c.Value == name })
	})
}

// deleteToken removes a token of the visitor. Those of others are not there.
func (p *Portal) deleteToken(w http.ResponseWriter, r *visitor, s *session.Session, id string) {
	v := page.Tokens{}
	if t, ok := p.o.Directory.Token(id); ok && t.UserID == s.View().User.ID {
		err := p.o.Directory.DeleteToken(r.Context(), id)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			p.failed(w, r, "removing a token", err)
			return
		}
		v.Notice = page.TokenDeleted
		p.record(r, audit.Event{Kind: audit.TokenDeleted, User: nameOf(s.View()), Detail: id})
	}
	p.tokens(w, r, s, http.StatusOK, v)
}
