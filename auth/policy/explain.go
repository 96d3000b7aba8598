package policy

import (
	"slices"

	"doorward/auth/user"
)

// Explanation is a judgement in words that may be shown to the user it is about. It
// names groups, roles and providers, never other users.
type Explanation struct {
	// Rule is the rule's name.
	Rule     string
	Decision Decision
	// By says what let the user in: "public", "any user", "group staff",
	// "role Admin" or "named". Empty where nothing did.
	By string
	// Missing are the groups of which one would have been enough, MissingRoles the
	// roles. Both are empty for those whom the rule lets in.
	Missing, MissingRoles []string
	// Named says that there are users whom the rule names one by one.
	Named bool
	// GroupsUnknown says that a provider could not tell the user's groups.
	GroupsUnknown bool
	// Providers are those that would have done, Methods what may be used: where the
	// decision is about them.
	Providers, Methods []string
}

// Explain judges as [Rule.Judge] does, and says why. The caller may keep the result.
func (r *Rule) Explain(v *user.View, mfa bool, provider string, a Asked) Explanation {
	e := Explanation{Rule: r.name, Decision: r.Judge(v, mfa, provider, a)}
	switch e.Decision {
	case WrongProvider:
		e.Providers = slices.Clone(r.providers)
	case WrongMethod:
		e.Methods = slices.Clone(r.methods)
	}
	if v == nil {
		return e
	}
	e.By = r.by(v)
	if e.By == "" {
		e.Missing, e.MissingRoles = slices.Clone(r.groups), slices.Clone(r.roles)
		e.Named = len(r.names)+len(r.emails) > 0
		e.GroupsUnknown = v.GroupsUnknown
	}
	return e
}

// by is what makes the rule let the user in.
func (r *Rule) by(v *user.View) string {
	switch {
	case r.public:
		return "public"
	case r.anyUser:
		return "any user"
	}
	for _, g := range r.groups {
		if v.In(g) {
			return "group " + g
		}
	}
	for _, role := range r.roles {
		if v.Has(role) {
			return "role " + role
		}
	}
	if r.namesUser(v.User) {
		return "named"
	}
	return ""
}
