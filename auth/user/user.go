// Package user is the model of those who sign in: a [User] as it is stored, a
// [Person] as all its sessions on this node share it, and a [View] of it at one
// moment, which is what access is decided on and servers are told.
//
// The package stores nothing and decides nothing.
package user

import (
	"slices"
	"time"
)

// State says whether a user may sign in.
type State string

// The states of a user. Only Active may sign in or pass a gate.
const (
	Active   State = "active"
	Pending  State = "pending" // waits for approval
	Disabled State = "disabled"
)

// User is one account as the directory keeps it: a person, or a service that has
// tokens only. Users are values; who changes one changes a Clone.
type User struct {
	// ID never changes and is never used again.
	ID string `json:"id"`
	// Name is unique, in the form that the directory compares names in.
	Name string `json:"name"`
	// Title is the name to show; empty is Name.
	Title string `json:"title,omitempty"`
	// Email is for display and mail. Only a verified one may decide anything.
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified,omitempty"`
	// Locale is the language of the pages, as in BCP 47; empty is the browser's.
	Locale string `json:"locale,omitempty"`
	State  State  `json:"state"`
	// Service accounts have no password, no identities and no sessions.
	Service bool `json:"service,omitempty"`
	// Epoch ends sessions: those that began under a smaller one are over. EpochAt is when
	// it was raised last; zero is never.
	Epoch   uint64    `json:"epoch"`
	EpochAt time.Time `json:"epoch_at,omitzero"`
	// Groups are the groups of the store that the user is a member of.
	Groups []string `json:"groups,omitempty"`
	// Identities are the accounts at providers that sign this user in.
	Identities []Identity `json:"identities,omitempty"`
	// Consents are hashes of what the user has agreed to.
	Consents []string `json:"consents,omitempty"`
	// HasPassword says that a local sign-in is possible, MustChange that the
	// password has to be changed at the next one.
	HasPassword bool `json:"has_password,omitempty"`
	MustChange  bool `json:"must_change,omitempty"`

	// Created is when the account was made, SignedIn when somebody last signed in.
	Created  time.Time `json:"created"`
	SignedIn time.Time `json:"signed_in,omitzero"`
}

// Identity is an account at a provider, known by provider and subject and by
// nothing else: names and addresses change hands.
type Identity struct {
	// Provider is the provider's name in the configuration, Subject its immutable
	// key: "tenant/object" for Entra ID, the sub claim for others.
	Provider string `json:"provider"`
	Subject  string `json:"subject"`
	// Name and Email are what the provider said at the last sign-in, for display.
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	// Groups and Roles are the provider's own identifiers, as of the last sign-in
	// or recheck. GroupsUnknown says that it could not tell: then nothing that
	// needs a group is open.
	Groups        []string  `json:"groups,omitempty"`
	Roles         []string  `json:"roles,omitempty"`
	GroupsUnknown bool      `json:"groups_unknown,omitempty"`
	Guest         bool      `json:"guest,omitempty"`
	Linked        time.Time `json:"linked"`
	SignedIn      time.Time `json:"signed_in,omitzero"`
}

// Token is a secret of a user or a service for programs. The secret itself is
// kept nowhere.
type Token struct {
	// ID names the token in lists, UserID is whose it is, Title what it is for.
	ID     string `json:"id"`
	UserID string `json:"user"`
	Title  string `json:"title"`
	// Routes are the names of the routes that the token opens; empty is all that
	// its user may.
	Routes  []string  `json:"routes,omitempty"`
	Created time.Time `json:"created"`
	// Expires is when it ends; zero is never.
	Expires  time.Time `json:"expires,omitzero"`
	LastUsed time.Time `json:"last_used,omitzero"`
}

// Display is the name to show.
func (u *User) Display() string {
	if u.Title != "" {
		return u.Title
	}
	return u.Name
}

// Clone returns a copy that shares nothing with u.
func (u *User) Clone() User {
	c := *u
	c.Groups, c.Consents = slices.Clone(u.Groups), slices.Clone(u.Consents)
	c.Identities = slices.Clone(u.Identities)
	for i := range c.Identities {
		id := &c.Identities[i]
		id.Groups, id.Roles = slices.Clone(id.Groups), slices.Clone(id.Roles)
	}
	return c
}

// Identity returns the identity at a provider, nil when there is none.
func (u *User) Identity(provider string) *Identity {
	for i := range u.Identities {
		if u.Identities[i].Provider == provider {
			return &u.Identities[i]
		}
	}
	return nil
}

// Linked tells whether an account of a provider signs the user in.
func (u *User) Linked(provider, subject string) bool {
	id := u.Identity(provider)
	return id != nil && id.Subject == subject
}

// Opens tells whether the token is for the route and has not ended.
func (t *Token) Opens(route string, now time.Time) bool {
	if !t.Expires.IsZero() && !now.Before(t.Expires) {
		return false
	}
	return len(t.Routes) == 0 || slices.Contains(t.Routes, route)
}
