package portal

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"doorward/auth/audit"
	"doorward/auth/directory"
	"doorward/auth/local"
	"doorward/auth/page"
	"doorward/auth/session"
	"doorward/auth/user"
)

// The purposes of one-time links that /setup takes.
const (
	// SetupPurpose makes the first administrator, in the groups of the link.
	SetupPurpose = "setup"
	// InvitePurpose makes a user, or gives the one that it names a password.
	InvitePurpose = "invite"
)

// showSetup shows what a one-time link is good for, and leaves the link as it is:
// readers of mail open links before people do.
func (p *Portal) showSetup(w http.ResponseWriter, r *visitor) {
	q, err := query(r.Request)
	if err != nil {
		p.refuse(w, r, statusOf(err))
		return
	}
	code := q.Get("code")
	link, err := p.peek(r.Context(), code)
	if err != nil {
		p.noLink(w, r, err)
		return
	}
	v := p.setupPage(link, code)
	if person := p.o.Directory.Person(link.UserID); person != nil {
		u := person.View().User
		v.Name, v.Title, v.Email = u.Name, u.Title, u.Email
	}
	p.o.Pages.Setup(w, r.Request, http.StatusOK, v)
}

func (p *Portal) setupPage(link directory.Link, code string) page.Setup {
	return page.Setup{
		Action: "/setup", Code: code, MinLength: p.o.MinLength,
		Invited: link.Purpose == InvitePurpose,
	}
}

// peek returns the link of a code, or directory.ErrNotFound. Where nobody signs in
// with a password there are none, and where there is an administrator, made in whatever
// way, none that makes the first.
func (p *Portal) peek(ctx context.Context, code string) (directory.Link, error) {
	if !p.o.LocalUsers || code == "" {
		return directory.Link{}, directory.ErrNotFound
	}
	link, err := p.o.Directory.PeekLink(ctx, code)
	switch {
	case err != nil || link.Purpose == InvitePurpose:
	case link.Purpose != SetupPurpose || p.hasFirst(link.Groups):
		err = directory.ErrNotFound
	}
	return link, err
}

// hasFirst tells whether somebody who can sign in is in all of the groups already.
func (p *Portal) hasFirst(groups []string) bool {
	return len(groups) > 0 && slices.ContainsFunc(p.o.Directory.All(), func(one *user.Person) bool {
		v := one.View()
		out := func(group string) bool { return !v.In(group) }
		return active(v.User) == nil && !slices.ContainsFunc(groups, out)
	})
}

func (p *Portal) noLink(w http.ResponseWriter, r *visitor, err error) {
	if !errors.Is(err, directory.ErrNotFound) {
		p.failed(w, r, "reading a one-time link", err)
		return
	}
	kind := page.LinkOver
	if !p.o.LocalUsers {
		kind = page.NotFound
	}
	p.tell(w, r, http.StatusNotFound, page.Message{Kind: kind, Home: "/"})
}

// setUp makes the user that a one-time link is for, and signs it in. The link is
// used up as the last thing before, so that a mistake in the form costs none.
func (p *Portal) setUp(w http.ResponseWriter, r *visitor) {
	f, err := form(r.Request)
	if err != nil {
		p.refuse(w, r, statusOf(err))
		return
	}
	code := f.Get("code")
	link, err := p.peek(r.Context(), code)
	if err != nil {
		p.noLink(w, r, err)
		return
	}
	u := user.User{
		Name: directory.Canonical(f.Get("name")), Title: strings.TrimSpace(f.Get("title")),
		Email: strings.TrimSpace(f.Get("email")), Groups: link.Groups, State: user.Disabled,
	}
	if person := p.o.Directory.Person(link.UserID); person != nil {
		u = person.View().User.Clone()
	} else if link.UserID != "" {
		p.noLink(w, r, directory.ErrNotFound)
		return
	}
	v := p.setupPage(link, code)
	v.Name, v.Title, v.Email = u.Name, u.Title, u.Email
	if v.Problems = p.setupProblems(&u, f); len(v.Problems) > 0 {
		p.o.Pages.Setup(w, r.Request, http.StatusBadRequest, v)
		return
	}
	id, err := p.settle(r.Context(), u, f.Get("password"), code)
	switch problem := setupProblem(err); {
	case problem != "":
		v.Problems = []page.Problem{{Code: problem}}
		p.o.Pages.Setup(w, r.Request, http.StatusBadRequest, v)
	case errors.Is(err, directory.ErrNotFound):
		p.noLink(w, r, err)
	case err != nil:
		p.failed(w, r, "setting up a user", err)
	default:
		p.record(r, audit.Event{Kind: audit.UserCreated, User: u.Name,
			Detail: "by " + link.Purpose})
		s := p.begin(w, r, session.Start{UserID: id, Provider: byPassword, AuthTime: p.now()})
		if s != nil {
			p.noteSignIn(r, id)
			redirect(w, "/")
		}
	}
}

// setupProblems is what can be said without changing anything.
func (p *Portal) setupProblems(u *user.User, f url.Values) []page.Problem {
	var found []page.Problem
	switch {
	case u.ID != "":
	case u.Name == "":
		found = append(found, page.Problem{Code: page.NameMissing})
	case p.o.Directory.ByName(u.Name) != nil:
		found = append(found, page.Problem{Code: page.NameTaken})
	}
	if u.ID == "" && u.Email != "" && mailFrom(u.Email) == "" {
		found = append(found, page.Problem{Code: page.EmailInvalid})
	}
	if f.Get("password") != f.Get("again") {
		return append(found, page.Problem{Code: page.PasswordDiffers})
	}
	weak := p.o.Local.Policy().Check(f.Get("password"), local.ContextOf(u)...)
	return append(found, p.problems(weak)...)
}

// settle gives the link's user its password and lets it in. A new user is disabled
// until the link is used up: two who come with one link at once make one user.
func (p *Portal) settle(
	ctx context.Context, u user.User, password, code string,
) (id string, err error) {
	fresh := u.ID == ""
	if fresh {
		person, err := p.o.Directory.Create(ctx, u)
		if err != nil {
			return "", err
		}
		u = *person.View().User
	}
	defer func() {
		if err != nil && fresh {
			err = errors.Join(err, p.o.Directory.Delete(context.WithoutCancel(ctx), u.ID))
		}
	}()
	phc, err := p.o.Hasher.Hash(ctx, password)
	if err != nil {
		return "", err
	}
	if _, err := p.o.Directory.UseLink(ctx, code); err != nil {
		return "", err
	}
	if err := p.o.Directory.SetPassword(ctx, u.ID, phc); err != nil {
		return "", err
	}
	_, err = p.o.Directory.Update(ctx, u.ID, func(u *user.User) error {
		if fresh {
			u.State = user.Active
		}
		return nil
	})
	return u.ID, err
}

// setupProblem is what an error of settle tells its visitor, empty for others.
func setupProblem(err error) page.Code {
	switch {
	case errors.Is(err, directory.ErrTaken):
		return page.NameTaken
	case errors.Is(err, directory.ErrInvalid):
		return page.NameInvalid
	case errors.Is(err, local.ErrBusy):
		return page.TooBusy
	}
	return ""
}
