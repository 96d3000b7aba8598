package user

import "strings"

// SourceKind is how somebody comes into a group.
type SourceKind string

// The ways into a group.
const (
	// SourceMember is a member in the store.
	SourceMember SourceKind = "member"
	// SourceNamed is a user whom the configuration names, SourceAddress one whose
	// verified address it names, which is the Source's Name.
	SourceNamed   SourceKind = "named"
	SourceAddress SourceKind = "address"
	// SourceRole and SourceGroup are a role and a group at a provider, SourceProvider
	// is everybody who signs in there.
	SourceRole     SourceKind = "role"
	SourceGroup    SourceKind = "group"
	SourceProvider SourceKind = "provider"
)

// Source is where a user has a group from.
type Source struct {
	// Kind is how.
	Kind SourceKind
	// Name is the address, the role or the group, Provider the name of the provider;
	// empty where the kind has none.
	Name, Provider string
}

// String says it in English.
func (s Source) String() string {
	switch s.Kind {
	case SourceMember:
		return "member in the store"
	case SourceNamed:
		return "the configuration names the user"
	case SourceAddress:
		return "the configuration names the verified address " + s.Name
	case SourceProvider:
		return "everybody of " + s.Provider
	default:
		return string(s.Kind) + " " + s.Name + " of " + s.Provider
	}
}

// Whence says in English where the user has a group from, empty for one that the user
// has not.
func (v *View) Whence(group string) string {
	var all []string
	for _, s := range v.Sources[group] {
		all = append(all, s.String())
	}
	return strings.Join(all, ", ")
}
