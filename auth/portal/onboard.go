package portal

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"doorward/auth/audit"
	"doorward/auth/directory"
	"doorward/auth/oidc"
	"doorward/auth/user"
)

// Why somebody whom a provider knows does not get in.
var (
	errNoAccount = errors.New("no account, and none is made at sign-in")
	errGuest     = errors.New("a guest of the tenant")
	errPending   = errors.New("the account waits for approval")
	errDisabled  = errors.New("the account is disabled")
	errNames     = errors.New("every name for a new account is taken")
)

// admit returns the user whom an answer of a provider signs in, with what the
// provider says by now. Only the subject says who that is: no account is ever
// found, or joined, for a name or an address that is alike.
func (p *Portal) admit(r *visitor, pr *Provider, c *oidc.Claims) (*user.Person, error) {
	if c.Guest && !pr.Guests {
		return nil, errGuest
	}
	person := p.o.Directory.ByIdentity(pr.Name, c.Subject)
	if person == nil {
		return p.onboard(r, pr, c)
	}
	if err := active(person.View().User); err != nil {
		return nil, err
	}
	return p.o.Directory.Update(r.Context(), person.View().User.ID, func(u *user.User) error {
		if err := active(u); err != nil {
			return err
		}
		if !u.Linked(pr.Name, c.Subject) {
			return errNoAccount // any more
		}
		u.SignedIn = p.now().UTC()
		learn(u, pr.Name, c, p.now())
		return nil
	})
}

// onboard makes the account of somebody who comes for the first time.
func (p *Portal) onboard(r *visitor, pr *Provider, c *oidc.Claims) (*user.Person, error) {
	u := user.User{
		State: user.Active, SignedIn: p.now().UTC(),
		Identities: []user.Identity{{
			Provider: pr.Name, Subject: c.Subject, Linked: p.now().UTC(),
		}},
	}
	switch pr.Onboarding {
	case Auto:
	case Approve:
		u.State, u.SignedIn = user.Pending, time.Time{}
	default:
		return nil, errNoAccount
	}
	learn(&u, pr.Name, c, p.now())
	person, err := p.create(r.Context(), pr, c, u)
	if err != nil {
		return nil, err
	}
	made := person.View().User
	p.record(r, audit.Event{
		Kind: audit.UserCreated, User: made.Name, Provider: pr.Name, Detail: string(made.State),
	})
	return person, active(made)
}

// create gives a new account the first name that is free.
func (p *Portal) create(
	ctx context.Context, pr *Provider, c *oidc.Claims, u user.User,
) (*user.Person, error) {
	for _, name := range names(c, pr.Name) {
		if p.o.Directory.ByName(name) != nil || p.reserved(pr, c, name) {
			continue
		}
		u.Name = name
		person, err := p.o.Directory.Create(ctx, u)
		var taken *directory.TakenError
		if !errors.As(err, &taken) {
			return person, err
		}
		// Two tabs may come for the first time at once.
		if person := p.o.Directory.ByIdentity(pr.Name, c.Subject); person != nil {
			return person, nil
		}
	}
	return nil, errNames
}

// reserved tells whether a rule means somebody by this name, and not by the word
// of this provider: names there may be whatever people like to be called.
func (p *Portal) reserved(pr *Provider, c *oidc.Claims, name string) bool {
	if p.o.Reserved == nil || pr.NamesTrusted || !p.o.Reserved(name) {
		return false
	}
	return !c.EmailVerified || directory.Canonical(c.Email) != name
}

// names are those that a new account may get, the best first.
func names(c *oidc.Claims, provider string) []string {
	address, _, _ := strings.Cut(c.Email, "@")
	base := cmp.Or(nameFrom(c.Name), nameFrom(address), nameFrom(c.Title), nameFrom(provider))
	all := []string{base}
	for n := 2; n < 10; n++ {
		all = append(all, fmt.Sprintf("%s-%d", base, n))
	}
	var random [5]byte
	rand.Read(random[:])
	return append(all, base+"-"+hex.EncodeToString(random[:]))
}

// maxNameFrom leaves room for what is put behind a name that is taken.
const maxNameFrom = 200

// nameFrom makes a user name of what a provider says, empty when nothing is left.
func nameFrom(text string) string {
	name := strings.Map(func(r rune) rune {
		if r <= ' ' || strings.ContainsRune(`:/\|,;"<>`, r) || r == 0x7f {
			return '-'
		}
		return r
	}, directory.Canonical(text))
	if len(name) > maxNameFrom {
		name = strings.ToValidUTF8(name[:maxNameFrom], "")
	}
	return strings.Trim(name, ".-")
}

// learn writes what a provider says of an account into its user: groups and roles in
// place of those before, which is all that decides anything. How the user is
// called follows too, where the account lives on this identity.
func learn(u *user.User, provider string, c *oidc.Claims, now time.Time) {
	id := u.Identity(provider)
	if id == nil {
		return
	}
	email := mailFrom(c.Email)
	id.Name, id.Email = cmp.Or(c.Title, c.Name), email
	id.Groups, id.Roles = sorted(c.Groups), sorted(c.Roles)
	id.GroupsUnknown, id.Guest, id.SignedIn = c.GroupsUnknown, c.Guest, now.UTC()
	if u.HasPassword || u.Identities[0].Provider != provider {
		return
	}
	u.Title = c.Title
	u.Email, u.EmailVerified = email, email != "" && c.EmailVerified
}

func sorted(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

// mailFrom is a mail address that a provider gives, empty when it can be none.
func mailFrom(text string) string {
	name, domain, _ := strings.Cut(text, "@")
	if name == "" || domain == "" || len(text) > maxHint || !plain(text) ||
		strings.Contains(domain, "@") {
		return ""
	}
	return text
}
