package app

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"doorward/auth/audit"
	"doorward/auth/directory"
	"doorward/auth/portal"
	"doorward/auth/user"
)

// errNoSignIn is an instance where nobody can sign in.
var errNoSignIn = errors.New("the configuration has no [sign_in]: there are no users")

// UserStatus is a user as the control socket tells of them.
type UserStatus struct {
	// ID never changes, Name is what the user signs in with.
	ID   string `json:"id"`
	Name string `json:"name"`
	// Title and Email are for display.
	Title string `json:"title,omitempty"`
	Email string `json:"email,omitempty"`
	// State is "active", "pending" or "disabled". Service accounts have tokens only.
	State   string `json:"state"`
	Service bool   `json:"service,omitempty"`
	// Groups are all groups by name, with where the user has each from.
	Groups map[string]string `json:"groups"`
	// Providers are where the user has an account to sign in with; "local" is a
	// password.
	Providers []string `json:"providers"`
	// Sessions and Tokens are how many there are.
	Sessions int `json:"sessions"`
	Tokens   int `json:"tokens"`
	// SignedIn is when somebody last signed in; zero is never.
	SignedIn time.Time `json:"signed_in,omitzero"`
}

// NewUser is a user to be made.
type NewUser struct {
	// Name is what the user signs in with; Title and Email are for display.
	Name  string `json:"name"`
	Title string `json:"title,omitempty"`
	Email string `json:"email,omitempty"`
	// Groups are those of the store to be in. Admin adds that of administrators.
	Groups []string `json:"groups,omitempty"`
	Admin  bool     `json:"admin,omitempty"`
	// Service makes an account that has tokens only.
	Service bool `json:"service,omitempty"`
}

// Invitation is a user with the address where they choose a password.
type Invitation struct {
	User UserStatus `json:"user"`
	// Link is good once, until Expires; empty for services.
	Link    string    `json:"link,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
}

// inviteTime is how long a link to choose a password is good.
const inviteTime = 72 * time.Hour

// signedIn is the sign-in in force.
func (a *App) signInNow() (*signIn, error) {
	if s := a.live.Load().signIn; s != nil {
		return s, nil
	}
	return nil, &askError{http.StatusNotFound, errNoSignIn}
}

// person is the user that a request is about.
func (s *signIn) person(r *http.Request) (*user.Person, error) {
	name := r.PathValue("user")
	p := s.directory.ByName(name)
	if p == nil {
		p = s.directory.Person(name)
	}
	if p == nil {
		return nil, &askError{http.StatusNotFound, errors.New("there is no user " + name)}
	}
	return p, nil
}

func (s *signIn) status(p *user.Person) UserStatus {
	v := p.View()
	u := v.User
	out := UserStatus{
		ID: u.ID, Name: u.Name, Title: u.Title, Email: u.Email, State: string(u.State),
		Service: u.Service, Groups: map[string]string{}, Providers: []string{},
		Sessions: len(s.sessions.Of(u.ID)), Tokens: len(s.directory.Tokens(u.ID)),
		SignedIn: u.SignedIn,
	}
	for _, g := range v.Groups {
		out.Groups[g] = v.Sources[g]
	}
	if u.HasPassword {
		out.Providers = append(out.Providers, "local")
	}
	for _, i := range u.Identities {
		out.Providers = append(out.Providers, i.Provider)
	}
	return out
}

// note records what somebody did at the control socket.
func (s *signIn) note(r *http.Request, kind audit.Kind, name, detail string) {
	s.audit.Record(r.Context(), audit.Event{Kind: kind, User: name, By: caller(r), Detail: detail})
}

// misused makes a fault of the request of what the directory does not take.
func misused(err error) error {
	switch {
	case errors.Is(err, directory.ErrTaken):
		return &askError{http.StatusConflict, err}
	case errors.Is(err, directory.ErrInvalid):
		return &askError{http.StatusBadRequest, err}
	case errors.Is(err, directory.ErrNotFound):
		return &askError{http.StatusNotFound, err}
	}
	return err
}

func (a *App) doUsers(*http.Request) (any, error) {
	s, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	list := []UserStatus{}
	for _, p := range s.directory.All() {
		list = append(list, s.status(p))
	}
	return list, nil
}

func (a *App) doUser(r *http.Request) (any, error) {
	s, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	p, err := s.person(r)
	if err != nil {
		return nil, err
	}
	return s.status(p), nil
}

func (a *App) doAddUser(r *http.Request) (any, error) {
	s, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	var asked NewUser
	if err := readBody(r, &asked); err != nil {
		return nil, err
	}
	if asked.Admin && !slices.Contains(asked.Groups, adminGroup) {
		asked.Groups = append(asked.Groups, adminGroup)
	}
	p, err := s.directory.Create(r.Context(), user.User{
		Name: asked.Name, Title: asked.Title, Email: asked.Email, Groups: asked.Groups,
		Service: asked.Service, State: user.Active,
	})
	if err != nil {
		return nil, misused(err)
	}
	s.note(r, audit.UserCreated, p.View().User.Name, strings.Join(asked.Groups, ", "))
	return a.invite(r.Context(), s, p)
}

func (a *App) doInvite(r *http.Request) (any, error) {
	s, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	p, err := s.person(r)
	if err != nil {
		return nil, err
	}
	s.note(r, audit.UserChanged, p.View().User.Name, "a link to choose a password")
	return a.invite(r.Context(), s, p)
}

// invite makes the link by which a user chooses a password; older ones end.
func (a *App) invite(ctx context.Context, s *signIn, p *user.Person) (any, error) {
	out := Invitation{User: s.status(p)}
	cfg := a.live.Load().cfg
	if p.View().User.Service || !cfg.SignIn.LocalUsers {
		return out, nil
	}
	if err := s.directory.EndLinks(ctx, portal.InvitePurpose, p.View().User.ID); err != nil {
		return nil, err
	}
	out.Expires = time.Now().Add(inviteTime)
	code, err := s.directory.CreateLink(ctx, directory.Link{
		Purpose: portal.InvitePurpose, UserID: p.View().User.ID, Expires: out.Expires,
	})
	if err != nil {
		return nil, misused(err)
	}
	out.Link = "https://" + cfg.SignIn.Host + "/setup?code=" + code
	return out, nil
}

// userState is what a user is to become.
type userState struct {
	State string `json:"state"`
}

func (a *App) doUserState(r *http.Request) (any, error) {
	s, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	p, err := s.person(r)
	if err != nil {
		return nil, err
	}
	var asked userState
	if err := readBody(r, &asked); err != nil {
		return nil, err
	}
	if p, err = s.directory.Update(r.Context(), p.View().User.ID, func(u *user.User) error {
		u.State = user.State(asked.State)
		return nil
	}); err != nil {
		return nil, misused(err)
	}
	s.note(r, audit.UserChanged, p.View().User.Name, asked.State)
	return s.status(p), nil
}

// done is the answer of what leaves nothing to say.
type done struct {
	Done int `json:"done"`
}

func (a *App) doDeleteUser(r *http.Request) (any, error) {
	s, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	p, err := s.person(r)
	if err != nil {
		return nil, err
	}
	u := p.View().User
	if err := s.directory.Delete(r.Context(), u.ID); err != nil {
		return nil, misused(err)
	}
	s.sessions.EndUser(r.Context(), u.ID, "the user was deleted")
	s.note(r, audit.UserDeleted, u.Name, "")
	return done{1}, nil
}

// GroupStatus is a group with its members of the store and of the configuration.
type GroupStatus struct {
	// Name is the group's, Members are names of users.
	Name    string   `json:"name"`
	Members []string `json:"members"`
}

func (a *App) doGroups(*http.Request) (any, error) {
	s, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	list := []GroupStatus{}
	for _, name := range s.directory.Groups() {
		g := GroupStatus{Name: name, Members: []string{}}
		for _, p := range s.directory.All() {
			if v := p.View(); v.In(name) {
				g.Members = append(g.Members, v.User.Name)
			}
		}
		list = append(list, g)
	}
	return list, nil
}

// doJoin puts a user into a group of the store, which is made when there is none.
func (a *App) doJoin(r *http.Request) (any, error) {
	return a.regroup(r, func(s *signIn, group, id string) error {
		if !slices.Contains(s.directory.Groups(), group) {
			if err := s.directory.CreateGroup(r.Context(), group); err != nil {
				return err
			}
		}
		return s.directory.AddMember(r.Context(), group, id)
	})
}

func (a *App) doPart(r *http.Request) (any, error) {
	return a.regroup(r, func(s *signIn, group, id string) error {
		return s.directory.RemoveMember(r.Context(), group, id)
	})
}

func (a *App) regroup(r *http.Request, do func(s *signIn, group, id string) error) (any, error) {
	s, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	p, err := s.person(r)
	if err != nil {
		return nil, err
	}
	group := r.PathValue("group")
	if err := do(s, group, p.View().User.ID); err != nil {
		return nil, misused(err)
	}
	s.note(r, audit.UserChanged, p.View().User.Name, strings.ToLower(r.Method)+" group "+group)
	return s.status(s.directory.Person(p.View().User.ID)), nil
}
