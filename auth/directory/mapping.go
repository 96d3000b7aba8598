package directory

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"doorward/auth/user"
)

// Mapping is what the configuration says about groups.
type Mapping struct {
	// Groups are the groups with a section of their own, by name.
	Groups map[string]Group
	// Defaults are groups that everybody is in who has an identity at the provider,
	// by the provider's name.
	Defaults map[string][]string
	// Providers are the names of all providers: what an account of another one was in
	// counts no more. Nil believes all.
	Providers []string
}

// Group says who is in a group, beside the members that the store has.
type Group struct {
	// ProviderGroups and Roles are as providers write them. With the name of a provider
	// and a colon before it, a group is one of that provider alone: some let everybody
	// make groups of any name.
	ProviderGroups []string
	Roles          []string
	// Users are names, or e-mail addresses that were verified.
	Users []string
}

// mapping is a Mapping the other way round. It does not change.
type mapping struct {
	names    []string
	known    map[string]bool // the providers; nil is all
	byGroup  map[groupOf][]string
	byRole   map[string][]string
	byUser   map[string][]string
	defaults map[string][]string
}

// groupOf is a group of a provider; of any, where that is empty.
type groupOf struct{ provider, group string }

func compile(m Mapping) mapping {
	c := mapping{
		names:   slices.Sorted(maps.Keys(m.Groups)),
		byGroup: map[groupOf][]string{}, byRole: map[string][]string{},
		byUser: map[string][]string{}, defaults: map[string][]string{},
	}
	if m.Providers != nil {
		c.known = map[string]bool{}
	}
	for _, name := range m.Providers {
		c.known[name] = true
	}
	for _, name := range c.names {
		group := m.Groups[name]
		for _, from := range group.ProviderGroups {
			key := groupOf{group: from}
			if provider, group, ok := strings.Cut(from, ":"); ok && c.known[provider] {
				key = groupOf{provider, group}
			}
			c.byGroup[key] = append(c.byGroup[key], name)
		}
		for _, role := range group.Roles {
			c.byRole[role] = append(c.byRole[role], name)
		}
		for _, login := range group.Users {
			login = Canonical(login)
			c.byUser[login] = append(c.byUser[login], name)
		}
	}
	for provider, groups := range m.Defaults {
		c.defaults[provider] = slices.Clone(groups)
	}
	return c
}

// sources collects groups with where each comes from.
type sources map[string][]user.Source

func (s sources) add(groups []string, from user.Source) {
	for _, group := range groups {
		if !slices.Contains(s[group], from) {
			s[group] = append(s[group], from)
		}
	}
}

// view is the user with all groups. Where a provider cannot tell the groups, its
// default groups are not given either: they could be what an error gives away.
func (m *mapping) view(u *user.User) *user.View {
	found, unknown := sources{}, false
	found.add(u.Groups, user.Source{Kind: user.SourceMember})
	found.add(m.byUser[u.Name], user.Source{Kind: user.SourceNamed})
	if email := Canonical(u.Email); u.EmailVerified && email != u.Name {
		found.add(m.byUser[email], user.Source{Kind: user.SourceAddress, Name: email})
	}
	var roles []string
	for i := range u.Identities {
		if m.known != nil && !m.known[u.Identities[i].Provider] {
			continue
		}
		m.identity(&u.Identities[i], found)
		roles = append(roles, u.Identities[i].Roles...)
		unknown = unknown || u.Identities[i].GroupsUnknown
	}
	slices.Sort(roles)
	v := user.NewView(u, slices.Sorted(maps.Keys(found)), slices.Compact(roles), found)
	v.GroupsUnknown = unknown
	return v
}

func (m *mapping) identity(i *user.Identity, found sources) {
	for _, role := range i.Roles {
		found.add(m.byRole[role],
			user.Source{Kind: user.SourceRole, Name: role, Provider: i.Provider})
	}
	if i.GroupsUnknown {
		return
	}
	for _, group := range i.Groups {
		from := user.Source{Kind: user.SourceGroup, Name: group, Provider: i.Provider}
		found.add(m.byGroup[groupOf{group: group}], from)
		found.add(m.byGroup[groupOf{i.Provider, group}], from)
	}
	found.add(m.defaults[i.Provider],
		user.Source{Kind: user.SourceProvider, Provider: i.Provider})
}

// Configure takes another mapping, at once for all who hold a person.
func (d *Directory) Configure(m Mapping) {
	compiled := compile(m)
	var news []string
	d.mu.Lock()
	if reflect.DeepEqual(d.mapping, compiled) {
		d.mu.Unlock()
		return
	}
	d.mapping = compiled
	for id, a := range d.index.byID {
		old := a.person.View()
		if view := compiled.view(old.User); !same(old, view) {
			a.person.Set(view)
			news = append(news, id)
		}
	}
	d.mu.Unlock()
	for _, id := range news {
		d.changed(id)
	}
}

// same tells whether two views of the same user are.
func same(a, b *user.View) bool {
	return slices.Equal(a.Groups, b.Groups) && slices.Equal(a.Roles, b.Roles) &&
		maps.EqualFunc(a.Sources, b.Sources, slices.Equal) && a.GroupsUnknown == b.GroupsUnknown
}

// Visitor makes a person of a user that the directory does not have: an account of a
// provider that comes with a token of its own. Groups are mapped as for all others.
func (d *Directory) Visitor(u user.User) *user.Person {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return user.NewPerson(d.mapping.view(&u))
}
