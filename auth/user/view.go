package user

import "sync/atomic"

// Person is a user as all its sessions on this node share it. Its methods may be
// called by many goroutines.
type Person struct {
	view atomic.Pointer[View]
}

// NewPerson makes a person with its first view.
func NewPerson(v *View) *Person {
	p := new(Person)
	p.view.Store(v)
	return p
}

// View is the user as of now. It does not change; the next call may return
// another one.
func (p *Person) View() *View { return p.view.Load() }

// Set replaces the view, for all sessions at once.
func (p *Person) Set(v *View) { p.view.Store(v) }

// View is a user at one moment, with what the configuration makes of its groups.
// It is immutable, but for its Cache.
type View struct {
	User *User
	// Groups are the groups that rules name, sorted: those of the store, and those
	// that the configuration maps provider groups and roles to. Roles are those that
	// providers gave, sorted.
	Groups []string
	Roles  []string
	// Sources says of each group where the user has it from.
	Sources map[string][]Source
	// GroupsUnknown says that a provider could not tell all groups.
	GroupsUnknown bool
	// Cache keeps what is made of the view once and used often.
	Cache Cache

	groups map[string]struct{}
	roles  map[string]struct{}
	// active and epoch are the user's: every request looks at them, and the user's own
	// memory would be one more to wait for.
	active bool
	epoch  uint64
}

// NewView makes a view. It keeps the slices, which must be sorted, and the map.
func NewView(u *User, groups, roles []string, sources map[string][]Source) *View {
	return &View{
		User: u, Groups: groups, Roles: roles, Sources: sources,
		groups: setOf(groups), roles: setOf(roles),
		active: u.State == Active, epoch: u.Epoch,
	}
}

// Lets tells whether what began in an epoch of the user may go on: the user is active,
// and no later epoch has begun.
func (v *View) Lets(epoch uint64) bool { return v.active && v.epoch <= epoch }

func setOf(names []string) map[string]struct{} {
	set := make(map[string]struct{}, len(names))
	for _, n := range names {
		set[n] = struct{}{}
	}
	return set
}

// In tells whether the user is in the group.
func (v *View) In(group string) bool {
	_, ok := v.groups[group]
	return ok
}

// Has tells whether a provider gave the user the role.
func (v *View) Has(role string) bool {
	_, ok := v.roles[role]
	return ok
}
