package directory_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"doorward/auth/directory"
	"doorward/auth/user"
	"doorward/state"
)

func TestUsersAreFoundByWhatTheyAreKnownBy(t *testing.T) {
	inBubble(t, func(w *world) {
		d := w.open(directory.Mapping{})
		bob := w.create(d, user.User{
			Name: "Bob", Email: "Bob@Example.com",
			Identities: []user.Identity{{Provider: "azure", Subject: "t/1"}},
		})
		w.create(d, user.User{Name: "alice"})
		for _, c := range []struct {
			by   string
			got  *user.Person
			want *user.Person
		}{
			{"ID", d.Person(idOf(bob)), bob},
			{"name", d.ByName("bob"), bob},
			{"identity", d.ByIdentity("azure", "t/1"), bob},
			{"subject of another provider", d.ByIdentity("github", "t/1"), nil},
			{"other subject", d.ByIdentity("azure", "t/2"), nil},
			{"address without a password", d.ByName("bob@example.com"), nil},
			{"no name", d.ByName(""), nil},
			{"no ID", d.Person(""), nil},
		} {
			if c.got != c.want {
				w.Errorf("by %s: %s, want %s", c.by, nameOf(c.got), nameOf(c.want))
			}
		}
		var names []string
		for _, p := range d.All() {
			names = append(names, p.View().User.Name)
		}
		if got := strings.Join(names, " "); got != "alice bob" {
			w.Errorf("All = %s", got)
		}
		u := bob.View().User
		if len(u.ID) != 27 || u.ID[0] != 'u' || u.State != user.Active || u.Created.IsZero() {
			w.Errorf("created as %+v", u)
		}
	})
}

func TestAddressSignsInWhoHasAPasswordAndIsAlone(t *testing.T) {
	inBubble(t, func(w *world) {
		d := w.open(directory.Mapping{})
		one := w.create(d, user.User{Name: "one", Email: "team@example.com"})
		two := w.create(d, user.User{Name: "two", Email: "team@example.com"})
		w.must(d.SetPassword(w.Context(), idOf(one), "hash"))
		if got := d.ByName("Team@Example.com"); got != one {
			w.Errorf("the only one with a password: %s", nameOf(got))
		}
		w.must(d.SetPassword(w.Context(), idOf(two), "hash"))
		if got := d.ByName("team@example.com"); got != nil {
			w.Errorf("one of two with a password: %s", nameOf(got))
		}
		w.update(d, two, func(u *user.User) { u.EmailVerified = true })
		if got := d.ByName("team@example.com"); got != two {
			w.Errorf("the only one who has proven the address: %s", nameOf(got))
		}
		w.update(d, two, func(u *user.User) { u.Email = "" })
		if two.View().User.EmailVerified {
			w.Error("no address is still verified")
		}
		if got := d.ByName("team@example.com"); got != one {
			w.Errorf("after the other has gone: %s", nameOf(got))
		}
		three := w.create(d, user.User{Name: "team@example.com"})
		if got := d.ByName("team@example.com"); got != three {
			w.Errorf("a name goes before an address: %s", nameOf(got))
		}
	})
}

func TestWhatNoUserCanBeIsRefused(t *testing.T) {
	long := strings.Repeat("x", 300)
	at := func(subject, provider string) user.Identity {
		return user.Identity{Provider: provider, Subject: subject}
	}
	cases := map[string]user.User{
		"no name":            {},
		"space":              {Name: "a b"},
		"control":            {Name: "a\x00b"},
		"colon":              {Name: "a:b"},
		"list":               {Name: "a|b"},
		"path":               {Name: "../a"},
		"dot at the end":     {Name: "bob."},
		"hidden":             {Name: "bo\u200bb"},
		"not UTF-8":          {Name: "b\xffb"},
		"long":               {Name: long},
		"state":              {Name: "a", State: "sleeping"},
		"address":            {Name: "a", Email: "nowhere"},
		"address of lines":   {Name: "a", Email: "a@b\r\nBcc: c@d"},
		"long address":       {Name: "a", Email: long + "@example.com"},
		"group":              {Name: "a", Groups: []string{"a|b"}},
		"no subject":         {Name: "a", Identities: []user.Identity{at("", "azure")}},
		"two at a provider":  {Name: "a", Identities: []user.Identity{at("1", "x"), at("2", "x")}},
		"service that signs": {Name: "a", Service: true, Identities: []user.Identity{at("1", "x")}},
	}
	inBubble(t, func(w *world) {
		d := w.open(directory.Mapping{})
		for name, u := range cases {
			if p, err := d.Create(w.Context(), u); !errors.Is(err, directory.ErrInvalid) {
				w.Errorf("%s: %s, %v", name, nameOf(p), err)
			}
		}
		service := w.create(d, user.User{Name: "robot", Service: true})
		err := d.SetPassword(w.Context(), idOf(service), "hash")
		if !errors.Is(err, directory.ErrInvalid) || d.Password(idOf(service)) != "" {
			w.Errorf("a service with a password: %v", err)
		}
		shown := w.create(d, user.User{Name: "b", Title: " Bob\r\n\x1b[31m  the\u202e Builder" + long})
		title := shown.View().User.Title
		if !strings.HasPrefix(title, "Bob [31m the Builder") || len(title) > 256 {
			w.Errorf("title %q", title)
		}
	})
}

func TestUpdate(t *testing.T) {
	inBubble(t, func(w *world) {
		d := w.open(directory.Mapping{})
		bob := w.create(d, user.User{Name: "bob"})
		before := *bob.View().User
		w.news()
		w.update(d, bob, func(u *user.User) {
			u.ID, u.Created, u.Epoch, u.HasPassword = "u-other", time.Time{}, 0, true
			u.Name, u.Groups = "ROBERT", []string{"b", "a", "b"}
		})
		u := bob.View().User
		if u.ID != before.ID || !u.Created.Equal(before.Created) || u.Epoch != before.Epoch ||
			u.HasPassword {
			w.Errorf("became %+v", u)
		}
		if !slices.Equal(u.Groups, []string{"a", "b"}) || d.ByName("bob") != nil ||
			d.ByName("Robert") != bob {
			w.Errorf("groups %v, by names %s, %s", u.Groups,
				nameOf(d.ByName("bob")), nameOf(d.ByName("robert")))
		}
		synctest.Wait()
		if news := w.news(); !slices.Equal(news, []string{before.ID}) {
			w.Errorf("told %v, want the user once", news)
		}
		newest, _ := w.store.Log("users", 1).Newest(w.Context())
		w.update(d, bob, func(*user.User) {})
		if again, _ := w.store.Log("users", 1).Newest(w.Context()); again != newest {
			w.Error("a change of nothing was written")
		}
		oops := errors.New("oops")
		_, err := d.Update(w.Context(), before.ID, func(u *user.User) error {
			u.Title = "lost"
			return oops
		})
		if !errors.Is(err, oops) || bob.View().User.Title != "" {
			w.Errorf("an error of the change: %v, %q", err, bob.View().User.Title)
		}
		for _, id := range []string{"u-nobody", "", "\x00"} {
			if err := d.EndSessions(w.Context(), id); !errors.Is(err, directory.ErrNotFound) {
				w.Errorf("EndSessions(%q) = %v", id, err)
			}
		}
	})
}

func TestNamesAndIdentitiesAreFreeAgainAfterTheyWereGivenUp(t *testing.T) {
	inBubble(t, func(w *world) {
		d := w.open(directory.Mapping{})
		azure := user.Identity{Provider: "azure", Subject: "t/1"}
		bob := w.create(d, user.User{Name: "bob", Identities: []user.Identity{azure}})
		w.update(d, bob, func(u *user.User) { u.Name, u.Identities = "robert", nil })
		second := w.create(d, user.User{Name: "bob", Identities: []user.Identity{azure}})
		if d.ByIdentity("azure", "t/1") != second || d.ByName("bob") != second {
			w.Error("the new one is not found")
		}
		w.must(d.Delete(w.Context(), idOf(second)))
		w.must(d.Delete(w.Context(), "u-nobody"))
		third := w.create(d, user.User{Name: "bob", Identities: []user.Identity{azure}})
		if d.ByIdentity("azure", "t/1") != third || idOf(third) == idOf(second) {
			w.Error("the third one is not found, or has the ID of the second")
		}
	})
}

func TestOnlyOneOfManyGetsAName(t *testing.T) {
	inBubble(t, func(w *world) {
		nodes := []*directory.Directory{w.open(directory.Mapping{}), w.open(directory.Mapping{})}
		var winners, losers int
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				_, err := nodes[i%2].Create(w.Context(), user.User{Name: "bob", Title: fmt.Sprint(i)})
				mu.Lock()
				defer mu.Unlock()
				var taken *directory.TakenError
				switch {
				case err == nil:
					winners++
				case errors.Is(err, directory.ErrTaken) && errors.As(err, &taken) && taken.What == "name":
					losers++
				default:
					w.Errorf("Create = %v", err)
				}
			})
		}
		all.Wait()
		synctest.Wait()
		if winners != 1 || losers != 19 || len(nodes[0].All()) != 1 || len(nodes[1].All()) != 1 {
			w.Errorf("%d winners, %d losers, %d users", winners, losers, len(nodes[0].All()))
		}
	})
}

func TestChangesAtTheSameTimeAllCount(t *testing.T) {
	inBubble(t, func(w *world) {
		nodes := []*directory.Directory{w.open(directory.Mapping{}), w.open(directory.Mapping{})}
		bob := w.create(nodes[0], user.User{Name: "bob"})
		before := bob.View().User.Epoch
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				if err := nodes[i%2].EndSessions(w.Context(), idOf(bob)); err != nil {
					w.Error(err)
				}
			})
		}
		all.Wait()
		synctest.Wait()
		for i, node := range nodes {
			if got := node.Person(idOf(bob)).View().User.Epoch; got != before+20 {
				w.Errorf("node %d has epoch %d, want %d", i, got, before+20)
			}
		}
	})
}

func TestEverythingIsThereAfterAReopen(t *testing.T) {
	url := "file:" + t.TempDir()
	reopen := func() (*world, *directory.Directory) {
		store, err := state.Open(url, state.Options{})
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, store)
		t.Cleanup(func() { _ = store.Close() })
		return w, w.open(directory.Mapping{})
	}
	w, d := reopen()
	bob := w.create(d, user.User{
		Name: "bob", Title: "Bob", Email: "bob@example.com", Groups: []string{"staff"},
		Identities: []user.Identity{{Provider: "azure", Subject: "t/1", Groups: []string{"g"}}},
	})
	w.must(d.SetPassword(t.Context(), idOf(bob), "hash"))
	w.must(d.CreateGroup(t.Context(), "empty"))
	secret, token, err := d.CreateToken(t.Context(), user.Token{UserID: idOf(bob), Title: "ci"})
	w.must(err)
	if p, _ := d.FindToken([]byte(secret)); p != bob {
		t.Fatalf("token of %s", nameOf(p))
	}
	w.must(d.Close())
	w.must(w.store.Close())

	_, again := reopen()
	p := again.ByName("bob")
	if p == nil || again.ByIdentity("azure", "t/1") != p || again.Password(idOf(p)) != "hash" {
		t.Fatalf("found %s, password %q", nameOf(p), again.Password(idOf(bob)))
	}
	got, want := fmt.Sprintf("%+v", *p.View().User), fmt.Sprintf("%+v", *bob.View().User)
	if got != want {
		t.Errorf("user\n%s, was\n%s", got, want)
	}
	if groups := again.Groups(); !slices.Equal(groups, []string{"empty", "staff"}) {
		t.Errorf("groups %v", groups)
	}
	shown, ok := again.Token(token.ID)
	if !ok || shown.Title != "ci" || shown.LastUsed.IsZero() {
		t.Errorf("token %+v, used at %v", shown, shown.LastUsed)
	}
	if found, _ := again.FindToken([]byte(secret)); found != p {
		t.Errorf("token of %s", nameOf(found))
	}
}
