package app

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"doorward/auth/audit"
	"doorward/auth/directory"
	"doorward/auth/local"
	"doorward/auth/user"
)

// What is refused at the control socket about people.
var (
	errNoSignIn    = errors.New("the configuration has no [sign_in]: there are no users")
	errNoPasswords = errors.New("sign_in.local_users is false: nobody signs in with a password")
)

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
	// Groups are all groups by name, with where the user has each from. GroupsUnknown
	// says that a provider could not tell all of them. Roles are those of providers.
	Groups        map[string]string `json:"groups"`
	GroupsUnknown bool              `json:"groups_unknown,omitempty"`
	Roles         []string          `json:"roles,omitempty"`
	// Providers are where the user has an account to sign in with; "local" is a
	// password. Accounts are those at providers.
	Providers []string        `json:"providers"`
	Accounts  []AccountStatus `json:"accounts,omitempty"`
	// Sessions and Tokens are how many there are.
	Sessions int `json:"sessions"`
	Tokens   int `json:"tokens"`
	// Created is when the user was made, SignedIn when somebody last signed in; zero is
	// never.
	Created  time.Time `json:"created"`
	SignedIn time.Time `json:"signed_in,omitzero"`
}

// AccountStatus is the account at a provider that signs a user in.
type AccountStatus struct {
	// Provider is its name in the configuration, Subject what the account is known by
	// there.
	Provider string `json:"provider"`
	Subject  string `json:"subject"`
	// Name and Email are what the provider said at the last sign-in, which was then.
	Name     string    `json:"name,omitempty"`
	Email    string    `json:"email,omitempty"`
	SignedIn time.Time `json:"signed_in,omitzero"`
}

// NewUser is a user to be made.
type NewUser struct {
	// Name is what the user signs in with; Title and Email are for display.
	Name  string `json:"name"`
	Title string `json:"title,omitempty"`
	Email string `json:"email,omitempty"`
	// Groups are those to be in, which have to be there. Admin adds that of
	// administrators.
	Groups []string `json:"groups,omitempty"`
	Admin  bool     `json:"admin,omitempty"`
	// Service makes an account that has tokens only.
	Service bool `json:"service,omitempty"`
	// Password is the user's; empty makes a link by which the user chooses one.
	Password string `json:"password,omitempty"`
}

// signInNow is the generation in force, which has sign-in.
func (a *App) signInNow() (*generation, error) {
	if g := a.live.Load(); g.signIn != nil {
		return g, nil
	}
	return nil, &askError{http.StatusNotFound, errNoSignIn}
}

// about is the generation in force and the user in the path.
func (a *App) about(r *http.Request) (*generation, *user.User, error) {
	g, err := a.signInNow()
	if err != nil {
		return nil, nil, err
	}
	p, err := g.signIn.find(r.PathValue("user"))
	if err != nil {
		return nil, nil, err
	}
	return g, p.View().User, nil
}

// find finds a user by name, e-mail address or ID.
func (s *signIn) find(name string) (*user.Person, error) {
	p := s.directory.ByName(name)
	if p == nil {
		p = s.directory.Person(name)
	}
	if p != nil {
		return p, nil
	}
	var names []string
	for _, other := range s.directory.All() {
		names = append(names, other.View().User.Name)
	}
	return nil, unknown("user", name, names)
}

// unknown is a name that nothing has, with the one that was meant perhaps.
func unknown(what, name string, known []string) error {
	return &askError{http.StatusNotFound, fmt.Errorf("no such %s: %q%s", what, name,
		meant(name, known))}
}

// conflict is what cannot be done as things are.
func conflict(format string, args ...any) error {
	return &askError{http.StatusConflict, fmt.Errorf(format, args...)}
}

// statusByID is what is told of the user with the ID; nobody was deleted meanwhile.
func (s *signIn) statusByID(id string) (UserStatus, error) {
	p := s.directory.Person(id)
	if p == nil {
		return UserStatus{}, unknown("user", id, nil)
	}
	return s.status(p), nil
}

func (s *signIn) status(p *user.Person) UserStatus {
	v := p.View()
	u := v.User
	out := UserStatus{
		ID: u.ID, Name: u.Name, Title: u.Title, Email: u.Email, State: string(u.State),
		Service: u.Service, Groups: groupsOf(v), GroupsUnknown: v.GroupsUnknown, Roles: v.Roles,
		Providers: []string{}, Sessions: len(s.sessions.Of(u.ID)),
		Tokens: len(s.directory.Tokens(u.ID)), Created: u.Created, SignedIn: u.SignedIn,
	}
	if u.HasPassword {
		out.Providers = append(out.Providers, localProvider)
	}
	for _, i := range u.Identities {
		out.Providers = append(out.Providers, i.Provider)
		out.Accounts = append(out.Accounts, AccountStatus{
			Provider: i.Provider, Subject: i.Subject, Name: i.Name, Email: i.Email,
			SignedIn: i.SignedIn,
		})
	}
	return out
}

// localProvider stands for a password among the names of providers.
const localProvider = "local"

// groupsOf are the groups of a user, with where each comes from.
func groupsOf(v *user.View) map[string]string {
	groups := map[string]string{}
	for _, name := range v.Groups {
		groups[name] = v.Whence(name)
	}
	return groups
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
	case errors.Is(err, local.ErrBusy):
		return &askError{http.StatusServiceUnavailable, err}
	}
	return err
}

func (a *App) doUsers(*http.Request) (any, error) {
	g, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	list := []UserStatus{}
	for _, p := range g.signIn.directory.All() {
		list = append(list, g.signIn.status(p))
	}
	return list, nil
}

func (a *App) doUser(r *http.Request) (any, error) {
	g, u, err := a.about(r)
	if err != nil {
		return nil, err
	}
	return g.signIn.statusByID(u.ID)
}

func (a *App) doAddUser(r *http.Request) (any, error) {
	g, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	s := g.signIn
	var asked NewUser
	if err := readBody(r, &asked); err != nil {
		return nil, err
	}
	for _, name := range asked.Groups {
		if known := s.directory.Groups(); !slices.Contains(known, name) {
			return nil, unknown("group", name, known)
		}
	}
	if asked.Admin && !slices.Contains(asked.Groups, adminGroup) {
		asked.Groups = append(asked.Groups, adminGroup)
	}
	u := user.User{
		Name: asked.Name, Title: asked.Title, Email: asked.Email, Groups: asked.Groups,
		Service: asked.Service, State: user.Active,
	}
	if err := g.checkPassword(&u, asked.Password); asked.Password != "" && err != nil {
		return nil, err
	}
	made, err := g.makeUser(r.Context(), u, asked.Password)
	if err != nil {
		return nil, misused(err)
	}
	detail := ""
	if len(asked.Groups) > 0 {
		detail = "in the groups " + strings.Join(asked.Groups, ", ")
	}
	s.note(r, audit.UserCreated, made.Name, detail)
	if made.Service || asked.Password != "" || !g.cfg.SignIn.LocalUsers {
		status, err := s.statusByID(made.ID)
		return Invitation{User: status}, err
	}
	return g.invite(r.Context(), made)
}

// userState is what a user is to become, of one that is From now; empty is whatever it
// is.
type userState struct {
	State string `json:"state"`
	From  string `json:"from,omitempty"`
}

func (a *App) doUserState(r *http.Request) (any, error) {
	g, u, err := a.about(r)
	if err != nil {
		return nil, err
	}
	var asked userState
	if err := readBody(r, &asked); err != nil {
		return nil, err
	}
	state := user.State(asked.State)
	if state != user.Active && state != user.Disabled {
		return nil, misasked("state %q is none of active, disabled", asked.State)
	}
	p, err := g.signIn.directory.Update(r.Context(), u.ID, func(u *user.User) error {
		if asked.From != "" && string(u.State) != asked.From {
			return conflict("the user %q is not %s but %s", u.Name, asked.From, u.State)
		}
		u.State = state
		return nil
	})
	if err != nil {
		return nil, misused(err)
	}
	g.signIn.note(r, audit.UserChanged, u.Name, "now "+asked.State)
	a.review() // what tokens have let pass, too
	return g.signIn.status(p), nil
}

// done is the answer of what leaves nothing to say: how many it was about.
type done struct {
	Done int `json:"done"`
}

func (a *App) doDeleteUser(r *http.Request) (any, error) {
	g, u, err := a.about(r)
	if err != nil {
		return nil, err
	}
	if err := g.signIn.directory.Delete(r.Context(), u.ID); err != nil {
		return nil, misused(err)
	}
	g.signIn.sessions.EndUser(r.Context(), u.ID, "the user was deleted")
	g.signIn.note(r, audit.UserDeleted, u.Name, "")
	a.review() // what tokens have let pass
	return done{1}, nil
}
