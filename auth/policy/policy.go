// Package policy holds the access rules of routes: who may come in, from where, how
// well known and to do what. It compiles a rule, judges by it without an allocation,
// and explains a judgement to people.
//
// It knows neither sessions nor requests: the gate brings the user's view and what
// was asked for. What is not allowed is refused.
package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"doorward/internal/netset"
)

// ErrContradiction is a rule that opens to everybody and to some only.
var ErrContradiction = errors.New("the access rule contradicts itself")

// Options is a rule as it is configured. Users, Groups and Roles are who is let in:
// one of them is enough. Networks, Methods, Providers and MFA must hold besides.
type Options struct {
	// Name is what the rule is called towards people: its route's name.
	Name string
	// Public lets in everybody, without sign-in, AnyUser everybody who has signed
	// in. With neither, and nobody named, nobody gets in.
	Public, AnyUser bool
	// Users are names, or e-mail addresses: with an "@" it is the address, and it
	// counts only where it is verified. ASCII letters are compared without case.
	Users []string
	// Groups and Roles are compared exactly.
	Groups, Roles []string
	// Providers are the only ones a sign-in counts from, "local" among them; empty
	// is all.
	Providers []string
	// Methods are the only ones that may be used; empty is all, GET includes HEAD.
	Methods []string
	// Networks are the only ones to come from, also where nobody needs to sign in;
	// nil is all.
	Networks *netset.Set
	// MFA asks for a second factor.
	MFA bool
	// Paths tells whether a canonical path is open to everybody; nil is none. It
	// keeps nothing of path, and allocates nothing.
	Paths func(path []byte) bool
}

// Rule is a compiled rule. It is immutable; any number of goroutines may use it.
type Rule struct {
	name            string
	public, anyUser bool
	mfa             bool
	names, emails   map[string]struct{}
	groups, roles   []string
	providers       []string
	methods         []string
	networks        *netset.Set
	paths           func(path []byte) bool
}

// Compile makes a rule. ErrContradiction when everybody may come in and somebody is
// named besides, or a second factor is asked of those who need not sign in.
func Compile(o Options) (*Rule, error) {
	named := len(o.Users)+len(o.Groups)+len(o.Roles) > 0
	signedIn := o.AnyUser || named || o.MFA || len(o.Providers) > 0
	switch {
	case o.Public && signedIn:
		return nil, fmt.Errorf("%w: public asks nobody who they are; leave out the rest, "+
			"or public", ErrContradiction)
	case o.AnyUser && named:
		return nil, fmt.Errorf("%w: any-user includes those it names; leave out one of both",
			ErrContradiction)
	}
	r := &Rule{
		name: o.Name, public: o.Public, anyUser: o.AnyUser, mfa: o.MFA,
		names: map[string]struct{}{}, emails: map[string]struct{}{},
		groups: slices.Clone(o.Groups), roles: slices.Clone(o.Roles),
		providers: slices.Clone(o.Providers), networks: o.Networks, paths: o.Paths,
	}
	for _, u := range o.Users {
		if strings.Contains(u, "@") {
			r.emails[string(appendLower(nil, u))] = struct{}{}
		} else {
			r.names[strings.ToLower(u)] = struct{}{}
		}
	}
	for _, m := range o.Methods {
		r.methods = append(r.methods, m)
		if m == "GET" {
			r.methods = append(r.methods, "HEAD")
		}
	}
	return r, nil
}

// Asked is what somebody wants. Its slices are only read.
type Asked struct {
	Method []byte // as it was sent: methods have a case
	// Path is canonical: the one that is forwarded.
	Path   []byte
	Client netip.Addr
}

// Open tells whether this is open to everybody without sign-in. Reach may refuse it
// nevertheless.
func (r *Rule) Open(a Asked) bool {
	return r.public || r.paths != nil && r.paths(a.Path)
}

// Name is what the rule is called.
func (r *Rule) Name() string { return r.name }

// Groups are those that the rule names: what the server behind it cares about. The
// caller does not change them.
func (r *Rule) Groups() []string { return r.groups }
