package directory

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"doorward/auth/user"
	"doorward/state"
)

// The keys of the store.
const (
	userPrefix     = "user/"
	namePrefix     = "user-name/"
	identityPrefix = "user-identity/"
	groupPrefix    = "group/"
	tokenPrefix    = "token/"
	usedPrefix     = "token-used/"
	linkPrefix     = "link/"
)

func userKey(id string) string   { return userPrefix + id }
func nameKey(name string) string { return namePrefix + name }

// identityKey holds a hash of the subject, which may be of any length and bytes.
func identityKey(provider, subject string) string {
	sum := sha256.Sum256([]byte(subject))
	return identityPrefix + provider + "/" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// record is a user as it is stored.
type record struct {
	user.User
	Password string `json:"password,omitempty"`
}

func (r *record) clone() record { return record{r.User.Clone(), r.Password} }

func (r *record) encode() ([]byte, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", r.Name, err)
	}
	return data, nil
}

func decode(data []byte) (record, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return record{}, err
	}
	return r, nil
}

// settle brings a record into the form that is stored, whatever somebody made of it.
func (r *record) settle() error {
	r.Name = Canonical(r.Name)
	r.Title = cleanTitle(r.Title)
	r.HasPassword = r.Password != ""
	slices.Sort(r.Groups)
	r.Groups = slices.Compact(r.Groups)
	if r.Email == "" {
		r.EmailVerified = false
	}
	return r.check()
}

func (r *record) check() error {
	if err := checkName(r.Name); err != nil {
		return err
	}
	if err := checkEmail(r.Email); err != nil {
		return err
	}
	for _, group := range r.Groups {
		if err := checkGroup(group); err != nil {
			return err
		}
	}
	switch {
	case r.State != user.Active && r.State != user.Pending && r.State != user.Disabled:
		return invalid("there is no state %q", r.State)
	case r.Service && (r.HasPassword || len(r.Identities) > 0):
		return invalid("the service %q can have tokens only: no password, no identity", r.Name)
	}
	return r.checkIdentities()
}

func (r *record) checkIdentities() error {
	seen := map[string]bool{}
	for _, i := range r.Identities {
		switch {
		case i.Provider == "" || i.Subject == "":
			return invalid("an identity needs a provider and a subject")
		case seen[i.Provider]:
			return invalid("%q has two identities at %s, at most one", r.Name, i.Provider)
		}
		seen[i.Provider] = true
	}
	return nil
}

// claims are the keys that a user takes for itself.
func (r *record) claims() []string {
	keys := []string{nameKey(r.Name)}
	for _, i := range r.Identities {
		keys = append(keys, identityKey(i.Provider, i.Subject))
	}
	return keys
}

// taken says what of the record the key stands for.
func (r *record) taken(key string) error {
	for _, i := range r.Identities {
		if identityKey(i.Provider, i.Subject) == key {
			return &TakenError{What: "identity", Value: i.Provider}
		}
	}
	return &TakenError{What: "name", Value: r.Name}
}

// rewrite is the changes that make old, which has the version, into next. Nil when
// they are the same. Keys that others may claim are only let go with the record
// itself guarded, so nobody else can have them meanwhile.
func rewrite(old, next *record, version uint64) ([]state.Change, error) {
	before, err := old.encode()
	if err != nil {
		return nil, err
	}
	after, err := next.encode()
	if err != nil || bytes.Equal(before, after) {
		return nil, err
	}
	changes := []state.Change{state.Put(userKey(next.ID), after, 0).If(version)}
	had, has := old.claims(), next.claims()
	for _, key := range has {
		if !slices.Contains(had, key) {
			changes = append(changes, state.Put(key, []byte(next.ID), 0).If(0))
		}
	}
	for _, key := range had {
		if !slices.Contains(has, key) {
			changes = append(changes, state.Delete(key))
		}
	}
	return changes, nil
}
