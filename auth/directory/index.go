package directory

import (
	"maps"
	"slices"

	"doorward/auth/user"
)

// account is a user in memory. It is replaced as a whole, but for the person.
type account struct {
	person   *user.Person
	password string
	version  uint64 // of the entry in the store
}

func (a *account) user() *user.User { return a.person.View().User }

// identityOf is what an identity is known by.
type identityOf struct{ provider, subject string }

// index finds accounts. Directory.mu guards it.
type index struct {
	byID       map[string]*account
	byName     map[string]*account
	byIdentity map[identityOf]*account
	emails     map[string][]string // canonical address -> IDs
	groups     map[string]struct{} // those of the store
}

func newIndex() index {
	return index{
		byID: map[string]*account{}, byName: map[string]*account{},
		byIdentity: map[identityOf]*account{}, emails: map[string][]string{},
		groups: map[string]struct{}{},
	}
}

func (x *index) person(a *account) *user.Person {
	if a == nil {
		return nil
	}
	return a.person
}

// add puts an account in, whose user is u.
func (x *index) add(a *account, u *user.User) {
	x.byID[u.ID] = a
	x.byName[u.Name] = a
	for _, i := range u.Identities {
		x.byIdentity[identityOf{i.Provider, i.Subject}] = a
	}
	if email := Canonical(u.Email); email != "" {
		x.emails[email] = append(x.emails[email], u.ID)
	}
}

// remove takes an account out, whose user was u. What another account took over
// meanwhile stays.
func (x *index) remove(a *account, u *user.User) {
	delete(x.byID, u.ID)
	if x.byName[u.Name] == a {
		delete(x.byName, u.Name)
	}
	for _, i := range u.Identities {
		if key := (identityOf{i.Provider, i.Subject}); x.byIdentity[key] == a {
			delete(x.byIdentity, key)
		}
	}
	email := Canonical(u.Email)
	ids := slices.DeleteFunc(slices.Clone(x.emails[email]), func(id string) bool {
		return id == u.ID
	})
	if len(ids) == 0 {
		delete(x.emails, email)
	} else {
		x.emails[email] = ids
	}
}

// byEmail returns the account with a password that an address means, nil when it
// could be several: the only one, or the only one that has proven the address.
func (x *index) byEmail(email string) *account {
	var all, verified []*account
	for _, id := range x.emails[email] {
		if a := x.byID[id]; a.user().HasPassword {
			all = append(all, a)
			if a.user().EmailVerified {
				verified = append(verified, a)
			}
		}
	}
	switch {
	case len(all) == 1:
		return all[0]
	case len(verified) == 1:
		return verified[0]
	}
	return nil
}

// groupNames is all groups that the store knows: made, or named by a member.
func (x *index) groupNames() map[string]struct{} {
	names := maps.Clone(x.groups)
	for _, a := range x.byID {
		for _, group := range a.user().Groups {
			names[group] = struct{}{}
		}
	}
	return names
}
