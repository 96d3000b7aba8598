package config

import (
	"slices"
	"strings"
)

// access checks who may pass, and brings the rule into the form that Access promises:
// it says of everybody whether they need to sign in.
func (v *validator) access(a *Access, p place) {
	v.networks(&a.Networks, p.key("networks"))
	v.nobody(a.Networks, p.key("networks"))
	switch {
	case v.failed[p.path]:
	case v.cfg.SignIn == nil:
		v.accessOfNobody(a, p)
	case !a.given:
		v.missing(p)
	case !v.contradicts(a, p):
		v.members(a, p)
		v.conditions(a, p)
	}
}

// missing refuses a route that leaves open who may pass. Neither answer would be safe
// to guess: one opens what should be closed, the other breaks what everybody needs.
func (v *validator) missing(p place) {
	// Shown at the route, but no second error about it.
	p.given = true
	v.missingf(p, `write access = "any-user", { groups = ["staff"] } or "public"`,
		"is missing: with [sign_in] every route says who may pass")
}

// accessOfNobody checks a rule where nobody is asked who they are.
func (v *validator) accessOfNobody(a *Access, p place) {
	const message = "needs [sign_in], without which nobody is asked who they are"
	if a.AnyUser && p.node.kind == stringKind {
		v.errorf(p, "", message)
	}
	for _, key := range []string{"any_user", "users", "groups", "roles", "providers", "mfa"} {
		if at := p.key(key); at.given && p.node.kind == tableKind {
			v.errorf(at, "", message)
		}
	}
	if at := p.key("methods"); at.given {
		v.errorf(at, "the route's methods say which requests it takes", "needs [sign_in]")
	}
	a.Public = true
}

// contradicts finds what cannot be meant: rules that open to all and to some only, and
// those that do not say to whom.
func (v *validator) contradicts(a *Access, p place) bool {
	var who []string
	for _, key := range []string{"any_user", "users", "groups", "roles", "providers", "mfa"} {
		if p.node.kind == tableKind && p.key(key).given {
			who = append(who, key)
		}
	}
	switch {
	case a.Public && a.needsUser():
		v.errorf(p.key("public"), "leave out "+strings.Join(who, ", ")+", or public",
			"asks nobody who they are")
	case a.AnyUser && a.names():
		v.errorf(p.key("any_user"), "leave out one of both", "includes everybody whom the rest names")
	case !a.Public && !a.AnyUser && !a.names():
		if a.MFA || a.Providers != nil {
			a.AnyUser = true
			return false
		}
		v.missingf(p, "add any_user = true, groups, users or roles; public = true for nobody in particular",
			"does not say who may pass")
	default:
		return false
	}
	return true
}

// members checks who is named.
func (v *validator) members(a *Access, p place) {
	v.userNames(a.Users, p.key("users"))
	v.entries(a.Roles, p.key("roles"))
	for i, group := range a.Groups {
		at := p.key("groups").item(i)
		v.groupName(group, at)
		v.knownGroup(group, at)
	}
	v.duplicates(a.Groups, p.key("groups"))
	for _, list := range []struct {
		key     string
		entries []string
	}{{"users", a.Users}, {"groups", a.Groups}, {"roles", a.Roles}} {
		if list.entries != nil && len(list.entries) == 0 {
			v.warnf(p.key(list.key), "is empty: it holds nobody")
		}
	}
}

// knownGroup warns about groups that are likely to be misspelt. Groups that the store
// has are not known here.
func (v *validator) knownGroup(group string, p place) {
	_, known := v.cfg.Groups[group]
	for _, pr := range v.cfg.SignIn.Providers {
		known = known || slices.Contains(pr.DefaultGroups, group)
	}
	if known || v.failed[p.path] {
		return
	}
	if near := Nearest(group, sortedKeys(v.cfg.Groups)); near != "" {
		v.warnf(p, "%s is not in [groups], but %q is", p.shown(), near)
	} else if !v.cfg.SignIn.LocalUsers {
		v.warnf(p, `%s is not in [groups], so nobody is in it but by "doorward group"`, p.shown())
	}
}

// conditions checks what must hold besides.
func (v *validator) conditions(a *Access, p place) {
	s := v.cfg.SignIn
	for i, name := range a.Providers {
		v.knownProvider(name, p.key("providers").item(i), true)
	}
	for i, method := range a.Methods {
		v.method(method, p.key("methods").item(i))
	}
	if at := p.key("methods"); a.Methods != nil && len(a.Methods) == 0 {
		v.errorf(at, "without the key every method passes", "is empty")
	}
	if at := p.key("providers"); a.Providers != nil && len(a.Providers) == 0 {
		v.errorf(at, "without the key every provider counts", "is empty")
	}
	if a.MFA && s.MFA == "off" {
		v.errorf(p.key("mfa"), "", `nobody is asked for a second factor with sign_in.mfa = "off"`)
	}
	if a.MFA && len(s.Providers) == 0 {
		v.warnf(p.key("mfa"), "local users have no second factor, so nobody passes")
	}
}

// knownProvider checks the name of a provider; "local" stands for passwords kept here.
func (v *validator) knownProvider(name string, p place, orLocal bool) {
	var names []string
	for _, pr := range v.cfg.SignIn.Providers {
		names = append(names, pr.Name)
	}
	if orLocal && v.cfg.SignIn.LocalUsers {
		names = append(names, "local")
	}
	switch {
	case slices.Contains(names, name):
	case orLocal && name == "local":
		v.errorf(p, "", "nobody signs in this way with sign_in.local_users = false")
	default:
		v.errorf(p, didYouMean(name, names), "there is no provider %s", p.shown())
	}
}
