package policy

import (
	"net/netip"
	"slices"

	"doorward/auth/user"
)

// Decision is what a rule says. Its zero value refuses.
type Decision uint8

// The decisions, in no order of strictness.
const (
	// NotMember is somebody whom the rule does not name.
	NotMember Decision = iota
	// Allowed is to be let in.
	Allowed
	// NeedsMFA would be let in with a second factor.
	NeedsMFA
	// WrongNetwork comes from where nobody is let in.
	WrongNetwork
	// WrongMethod wants to do what nobody may.
	WrongMethod
	// WrongProvider would have to sign in another way.
	WrongProvider
)

// String is the decision as a word for logs.
func (d Decision) String() string {
	switch d {
	case Allowed:
		return "allowed"
	case NeedsMFA:
		return "needs-mfa"
	case WrongNetwork:
		return "wrong-network"
	case WrongMethod:
		return "wrong-method"
	case WrongProvider:
		return "wrong-provider"
	default:
		return "not-member"
	}
}

// Reach judges what has nothing to do with who asks: the network and the method.
// It is Allowed when both are right.
func (r *Rule) Reach(a Asked) Decision {
	if len(r.methods) > 0 && !containsBytes(r.methods, a.Method) {
		return WrongMethod
	}
	if !r.Near(a.Client) {
		return WrongNetwork
	}
	return Allowed
}

// Near tells whether the network of a client is one to come from.
func (r *Rule) Near(client netip.Addr) bool {
	return r.networks == nil || r.networks.Contains(client)
}

// Judge decides about a user who has signed in with the provider, by a second factor
// if mfa. It allocates nothing.
func (r *Rule) Judge(v *user.View, mfa bool, provider string, a Asked) Decision {
	if d := r.Reach(a); d != Allowed {
		return d
	}
	return r.Admits(v, mfa, provider)
}

// Admits is Judge for one who is inside already: whether it is still the right user,
// wherever and for whatever the request is.
func (r *Rule) Admits(v *user.View, mfa bool, provider string) Decision {
	switch {
	case v == nil || v.User.State != user.Active || !r.Visible(v):
		return NotMember
	case len(r.providers) > 0 && !slices.Contains(r.providers, provider):
		return WrongProvider
	case r.mfa && !mfa:
		return NeedsMFA
	default:
		return Allowed
	}
}

// Visible tells whether the user is one of those whom the rule lets in, however they
// signed in: what the portal shows.
func (r *Rule) Visible(v *user.View) bool {
	if r.public || r.anyUser {
		return true
	}
	for _, g := range r.groups {
		if v.In(g) {
			return true
		}
	}
	for _, role := range r.roles {
		if v.Has(role) {
			return true
		}
	}
	return r.namesUser(v.User)
}

func (r *Rule) namesUser(u *user.User) bool {
	if _, ok := r.names[u.Name]; ok {
		return true
	}
	return len(r.emails) > 0 && u.EmailVerified && r.namesEmail(u.Email)
}

// maxEmail is the longest address there is (RFC 5321, section 4.5.3.1.3).
const maxEmail = 254

func (r *Rule) namesEmail(email string) bool {
	if len(email) > maxEmail {
		return false
	}
	var buf [maxEmail]byte
	_, ok := r.emails[string(appendLower(buf[:0], email))]
	return ok
}

// appendLower lowers ASCII letters alone: by the rules of Unicode other letters become
// ASCII ones (U+212A is a k), and with them one address another.
func appendLower(b []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

func containsBytes(list []string, b []byte) bool {
	for _, s := range list {
		if s == string(b) {
			return true
		}
	}
	return false
}
