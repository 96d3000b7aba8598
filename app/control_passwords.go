package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"doorward/auth/audit"
	"doorward/auth/directory"
	"doorward/auth/local"
	"doorward/auth/portal"
	"doorward/auth/user"
)

// Invitation is a user with the address where they choose a password.
type Invitation struct {
	// User is whom it is for.
	User UserStatus `json:"user"`
	// Link is good once, until Expires; empty for who needs none.
	Link    string    `json:"link,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
}

// inviteTime is how long a link to choose a password is good.
const inviteTime = 72 * time.Hour

// newPassword is the password that a user is to have.
type newPassword struct {
	Password string `json:"password"`
}

// hasPasswords tells why the user cannot have a password, nil when it can.
func (g *generation) hasPasswords(u *user.User) error {
	switch {
	case u.Service:
		return conflict("%q is a service, which has no password but tokens: "+
			"doorward token add %s --title TITLE", u.Name, u.Name)
	case !g.cfg.SignIn.LocalUsers:
		return &askError{http.StatusConflict, errNoPasswords}
	}
	return nil
}

// checkPassword tells what is wrong with a password for the user, nil for nothing.
func (g *generation) checkPassword(u *user.User, password string) error {
	if err := g.hasPasswords(u); err != nil {
		return err
	}
	return weak(g.signIn.local.Policy().Check(password, local.ContextOf(u)...))
}

// weak is the error of a password with problems, nil without any.
func weak(problems []local.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	var texts []string
	for _, p := range problems {
		texts = append(texts, p.Text)
	}
	return &askError{http.StatusUnprocessableEntity,
		fmt.Errorf("not a good password: %s", strings.Join(texts, "; "))}
}

// makeUser makes a user, with a password that was found good or with none. After an
// error there is none of both.
func (g *generation) makeUser(
	ctx context.Context, u user.User, password string,
) (*user.User, error) {
	s := g.signIn
	p, err := s.directory.Create(ctx, u)
	if err != nil {
		return nil, err
	}
	made := p.View().User
	if password == "" {
		return made, nil
	}
	problems, err := s.local.SetPassword(ctx, made.ID, password)
	if err == nil {
		err = weak(problems)
	}
	if err != nil {
		return nil, errors.Join(err, s.directory.Delete(context.WithoutCancel(ctx), made.ID))
	}
	return made, nil
}

func (a *App) doPassword(r *http.Request) (any, error) {
	g, u, err := a.about(r)
	if err != nil {
		return nil, err
	}
	var asked newPassword
	if err := readBody(r, &asked); err != nil {
		return nil, err
	}
	if err := g.hasPasswords(u); err != nil {
		return nil, err
	}
	problems, err := g.signIn.local.SetPassword(r.Context(), u.ID, asked.Password)
	if err != nil {
		return nil, misused(err)
	}
	if err := weak(problems); err != nil {
		return nil, err
	}
	g.signIn.note(r, audit.PasswordChanged, u.Name, "")
	return g.signIn.statusByID(u.ID)
}

func (a *App) doInvite(r *http.Request) (any, error) {
	g, u, err := a.about(r)
	if err != nil {
		return nil, err
	}
	if err := g.hasPasswords(u); err != nil {
		return nil, err
	}
	if u.State != user.Active {
		return nil, conflict("the user %q is %s, and would not get in: doorward user enable %s",
			u.Name, u.State, u.Name)
	}
	made, err := g.invite(r.Context(), u)
	if err == nil {
		g.signIn.note(r, audit.UserChanged, u.Name, "a link to choose a password")
	}
	return made, err
}

// invite makes the link by which a user chooses a password; older ones end.
func (g *generation) invite(ctx context.Context, u *user.User) (Invitation, error) {
	s := g.signIn
	if err := s.directory.EndLinks(ctx, portal.InvitePurpose, u.ID); err != nil {
		return Invitation{}, err
	}
	expires := time.Now().Add(inviteTime).Round(time.Second).UTC()
	code, err := s.directory.CreateLink(ctx, directory.Link{
		Purpose: portal.InvitePurpose, UserID: u.ID, Expires: expires,
	})
	if err != nil {
		return Invitation{}, misused(err)
	}
	status, err := s.statusByID(u.ID)
	link := "https://" + g.cfg.SignIn.Host + "/setup?code=" + code
	return Invitation{User: status, Link: link, Expires: expires}, err
}
