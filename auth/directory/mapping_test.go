package directory_test

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"

	"doorward/auth/directory"
	"doorward/auth/user"
)

func TestGroupsComeFromTheStoreTheConfigurationAndProviders(t *testing.T) {
	mapping := directory.Mapping{
		Groups: map[string]directory.Group{
			"admins":  {ProviderGroups: []string{"g-1", "g-2"}, Roles: []string{"Admin"}},
			"named":   {Users: []string{"Bob", "carol@example.com"}},
			"writers": {ProviderGroups: []string{"g-2"}},
		},
		Defaults: map[string][]string{"azure": {"staff"}},
	}
	at := func(change func(*user.Identity)) []user.Identity {
		i := user.Identity{Provider: "azure", Subject: "t/1"}
		change(&i)
		return []user.Identity{i}
	}
	cases := map[string]struct {
		user   user.User
		groups []string
		from   string // where the first one is from
	}{
		"nothing": {user: user.User{Name: "x"}},
		"store": {
			user:   user.User{Name: "x", Groups: []string{"local"}},
			groups: []string{"local"}, from: "member in the store",
		},
		"name": {
			user:   user.User{Name: "BOB"},
			groups: []string{"named"}, from: "the configuration names the user",
		},
		"verified address": {
			user:   user.User{Name: "x", Email: "Carol@Example.com", EmailVerified: true},
			groups: []string{"named"},
			from:   "the configuration names the verified address carol@example.com",
		},
		"address that anybody may claim": {user: user.User{Name: "x", Email: "carol@example.com"}},
		"default": {
			user:   user.User{Name: "x", Identities: at(func(*user.Identity) {})},
			groups: []string{"staff"}, from: "everybody of azure",
		},
		"provider": {
			user: user.User{Name: "x", Identities: at(func(i *user.Identity) {
				i.Groups, i.Roles = []string{"g-2", "g-9"}, []string{"Admin", "Admin"}
			})},
			groups: []string{"admins", "staff", "writers"}, from: "role Admin of azure, group g-2 of azure",
		},
		"unknown": {
			user: user.User{
				Name: "x", Groups: []string{"local"},
				Identities: at(func(i *user.Identity) {
					i.Groups, i.GroupsUnknown = []string{"g-1"}, true
				}),
			},
			groups: []string{"local"}, from: "member in the store",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				v := w.create(w.open(mapping), c.user).View()
				if !slices.Equal(v.Groups, c.groups) {
					w.Fatalf("groups %v, want %v", v.Groups, c.groups)
				}
				if len(c.groups) > 0 && v.Whence(c.groups[0]) != c.from {
					w.Errorf("%s from %q, want %q", c.groups[0], v.Whence(c.groups[0]), c.from)
				}
				if unknown := name == "unknown"; v.GroupsUnknown != unknown {
					w.Errorf("groups unknown: %v", v.GroupsUnknown)
				}
				if name == "provider" && !slices.Equal(v.Roles, []string{"Admin"}) {
					w.Errorf("roles %v", v.Roles)
				}
			})
		})
	}
}

func TestReloadChangesViewsOfThoseItConcerns(t *testing.T) {
	inBubble(t, func(w *world) {
		d := w.open(directory.Mapping{})
		bob := w.create(d, user.User{Name: "bob"})
		carol := w.create(d, user.User{Name: "carol"})
		synctest.Wait()
		w.news()
		view := carol.View()
		named := directory.Mapping{
			Groups: map[string]directory.Group{"admins": {Users: []string{"bob"}}},
		}
		d.Configure(named)
		if !bob.View().In("admins") || carol.View() != view {
			w.Errorf("bob in %v; carol's view is another: %v", bob.View().Groups, carol.View() != view)
		}
		if news := w.news(); !slices.Equal(news, []string{idOf(bob)}) {
			w.Errorf("told %v", news)
		}
		if later := w.create(d, user.User{Name: "dave"}); later.View().In("admins") {
			w.Error("dave is an admin")
		}
		w.update(d, bob, func(u *user.User) { u.Title = "Bob" })
		if !bob.View().In("admins") {
			w.Error("the mapping was forgotten by a change")
		}
		d.Configure(directory.Mapping{})
		if bob.View().In("admins") {
			w.Error("still an admin")
		}
	})
}

func TestGroups(t *testing.T) {
	inBubble(t, func(w *world) {
		d := w.open(directory.Mapping{Groups: map[string]directory.Group{"admins": {}}})
		bob := w.create(d, user.User{Name: "bob", Groups: []string{"guests"}})
		w.must(d.CreateGroup(w.Context(), "staff"))
		if got := d.Groups(); !slices.Equal(got, []string{"admins", "guests", "staff"}) {
			w.Errorf("Groups = %v", got)
		}
		if err := d.CreateGroup(w.Context(), "staff"); !errors.Is(err, directory.ErrTaken) {
			w.Errorf("made twice: %v", err)
		}
		for _, name := range []string{"", " staff", "a|b", "a,b", "a\nb", "\xff"} {
			if err := d.CreateGroup(w.Context(), name); !errors.Is(err, directory.ErrInvalid) {
				w.Errorf("CreateGroup(%q) = %v", name, err)
			}
		}
		for _, name := range []string{"admins", "staff", "staff"} {
			w.must(d.AddMember(w.Context(), name, idOf(bob)))
		}
		if got := bob.View().Groups; !slices.Equal(got, []string{"admins", "guests", "staff"}) {
			w.Errorf("in %v", got)
		}
		if err := d.AddMember(w.Context(), "stuff", idOf(bob)); !errors.Is(err, directory.ErrNotFound) {
			w.Errorf("added to what is no group: %v", err)
		}
		w.must(d.RemoveMember(w.Context(), "guests", idOf(bob)))
		w.must(d.RemoveMember(w.Context(), "guests", idOf(bob)))
		if got := d.Groups(); !slices.Equal(got, []string{"admins", "staff"}) {
			w.Errorf("Groups = %v after the last guest", got)
		}
		w.must(d.DeleteGroup(w.Context(), "staff"))
		if err := d.DeleteGroup(w.Context(), "staff"); !errors.Is(err, directory.ErrNotFound) {
			w.Errorf("deleted twice: %v", err)
		}
		if got := bob.View().Groups; !slices.Equal(got, []string{"admins"}) {
			w.Errorf("in %v", got)
		}
	})
}

// A group of a provider counts from it alone where the configuration says so, and what a
// provider said that is none any more counts nowhere.
func TestGroupsOfOneProvider(t *testing.T) {
	mapping := directory.Mapping{
		Groups: map[string]directory.Group{
			"admins": {ProviderGroups: []string{"azure:g-1"}},
			"any":    {ProviderGroups: []string{"g-1"}, Roles: []string{"Boss"}},
			"colon":  {ProviderGroups: []string{"other:g-1"}},
		},
		Providers: []string{"azure", "gh"},
	}
	inBubble(t, func(w *world) {
		d := w.open(mapping)
		for i, c := range []struct {
			provider string
			want     []string
		}{
			{"azure", []string{"admins", "any", "colon"}},
			{"gh", []string{"any", "colon"}},
			{"gone", nil},
		} {
			v := w.create(d, user.User{Name: c.provider, Identities: []user.Identity{{
				Provider: c.provider, Subject: "t/" + strconv.Itoa(i), Roles: []string{"Boss"},
				Groups: []string{"g-1", "other:g-1", "azure:g-1"},
			}}}).View()
			if !slices.Equal(v.Groups, c.want) || v.Has("Boss") != (c.want != nil) {
				t.Errorf("%s: groups %v, roles %v, want %v", c.provider, v.Groups, v.Roles, c.want)
			}
		}
		// What a reload leaves out counts no more.
		mapping.Providers = []string{"gh"}
		d.Configure(mapping)
		if v := d.ByName("azure").View(); len(v.Groups) > 0 || v.Has("Boss") {
			t.Errorf("of a provider that is gone: %v, %v", v.Groups, v.Roles)
		}
	})
}
