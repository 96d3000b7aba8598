package directory_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"doorward/auth/directory"
	"doorward/auth/user"
	"doorward/state"
)

// TestInstancesAgreeAfterAnything lets instances make changes at the same time that
// get in each other's way. Afterwards all of them know the same, and so does one that
// reads everything from the store.
func TestInstancesAgreeAfterAnything(t *testing.T) {
	for seed := range uint64(8) {
		inBubble(t, func(w *world) {
			var nodes []*directory.Directory
			for range 3 {
				nodes = append(nodes, w.open(directory.Mapping{}))
			}
			var all sync.WaitGroup
			for i, node := range nodes {
				random := rand.New(rand.NewPCG(seed, uint64(i)))
				all.Go(func() {
					for range 150 {
						w.anything(node, random)
					}
				})
			}
			all.Wait()
			synctest.Wait()
			want := known(w.open(directory.Mapping{}))
			for i, node := range nodes {
				if got := known(node); got != want {
					w.Errorf("seed %d: instance %d knows\n%s\nthe store has\n%s", seed, i, got, want)
				}
			}
			w.claims(nodes[0])
		})
	}
}

// anything makes a change, which may be refused for good reasons alone.
func (w *world) anything(d *directory.Directory, random *rand.Rand) {
	pick := func(kind string) string { return fmt.Sprint(kind, random.IntN(6)) }
	identity := user.Identity{Provider: pick("p"), Subject: pick("s")}
	id := "u-nobody"
	if people := d.All(); len(people) > 0 {
		id = idOf(people[random.IntN(len(people))])
	}
	var err error
	switch random.IntN(8) {
	case 0:
		_, err = d.Create(w.Context(), user.User{
			Name: pick("n"), Email: pick("e") + "@x", Identities: []user.Identity{identity},
		})
	case 1:
		_, err = d.Update(w.Context(), id, func(u *user.User) error {
			u.Name, u.Email = pick("n"), pick("e")+"@x"
			return nil
		})
	case 2:
		_, err = d.Update(w.Context(), id, func(u *user.User) error {
			u.Identities = []user.Identity{identity}
			return nil
		})
	case 3:
		err = d.SetPassword(w.Context(), id, pick("h"))
	case 4:
		_, _, err = d.CreateToken(w.Context(), user.Token{UserID: id, Title: pick("t")})
	case 5:
		for _, token := range d.Tokens(id) {
			err = d.DeleteToken(w.Context(), token.ID)
		}
	case 6:
		err = errors.Join(d.CreateGroup(w.Context(), pick("g")), d.AddMember(w.Context(), pick("g"), id))
	case 7:
		if err = d.Delete(w.Context(), id); random.IntN(2) == 0 {
			err = d.DeleteGroup(w.Context(), pick("g"))
		}
	}
	if err != nil && !errors.Is(err, directory.ErrTaken) && !errors.Is(err, directory.ErrNotFound) &&
		!errors.Is(err, state.ErrConflict) {
		w.Errorf("refused: %v", err)
	}
}

// known is all that an instance knows, as text.
func known(d *directory.Directory) string {
	var text strings.Builder
	fmt.Fprintln(&text, d.Groups())
	for _, p := range d.All() {
		v := p.View()
		fmt.Fprintf(&text, "%+v %v %s\n", *v.User, v.Groups, d.Password(v.User.ID))
		for _, i := range v.User.Identities {
			fmt.Fprintln(&text, " ", nameOf(d.ByIdentity(i.Provider, i.Subject)))
		}
		fmt.Fprintln(&text, " ", nameOf(d.ByName(v.User.Name)), nameOf(d.ByName(v.User.Email)))
		for _, token := range d.Tokens(v.User.ID) {
			fmt.Fprintln(&text, " ", token.ID, token.Title)
		}
	}
	return text.String()
}

// claims checks that the keys of names and identities are those of the users.
func (w *world) claims(d *directory.Directory) {
	want := map[string]string{}
	for _, p := range d.All() {
		u := p.View().User
		want["user-name/"+u.Name] = u.ID
		for _, i := range u.Identities {
			want["user-identity/"+i.Provider] += u.ID // which subject is in a hash
		}
	}
	for _, prefix := range []string{"user-name/", "user-identity/"} {
		for entry, err := range w.store.All(w.Context(), prefix) {
			w.must(err)
			key, owner := entry.Key, string(entry.Value)
			if prefix == "user-identity/" {
				key = key[:strings.LastIndexByte(key, '/')]
			}
			if !strings.Contains(want[key], owner) {
				w.Errorf("%s is held by %s, who does not have it", entry.Key, owner)
			}
			want[key] = strings.Replace(want[key], owner, "", 1)
		}
	}
	for key, left := range want {
		if left != "" {
			w.Errorf("%s of %s has no key of its own", key, left)
		}
	}
}

func TestErrorsOfTheStoreAreTheCallers(t *testing.T) {
	inBubble(t, func(w *world) {
		broken := &engine{store: w.store}
		w.store = state.New(broken)
		d := w.open(directory.Mapping{})
		bob := w.create(d, user.User{Name: "bob", Groups: []string{"staff"}})
		_, token, err := d.CreateToken(w.Context(), user.Token{UserID: idOf(bob)})
		w.must(err)
		link, err := d.CreateLink(w.Context(),
			directory.Link{Purpose: "x", Expires: time.Now().Add(time.Hour)})
		w.must(err)
		synctest.Wait()
		away := errors.New("no route to the store")
		broken.fail(away)
		ctx := w.Context()
		_, create := d.Create(ctx, user.User{Name: "eve"})
		_, _, tokenErr := d.CreateToken(ctx, user.Token{UserID: idOf(bob)})
		_, linkErr := d.CreateLink(ctx, directory.Link{Expires: time.Now().Add(time.Hour)})
		_, peek := d.PeekLink(ctx, link)
		_, use := d.UseLink(ctx, link)
		_, opening := directory.Open(ctx, directory.Options{Store: w.store})
		for call, err := range map[string]error{
			"Create": create, "CreateToken": tokenErr, "CreateLink": linkErr, "PeekLink": peek,
			"UseLink": use, "Open": opening, "EndLinks": d.EndLinks(ctx, "x", ""),
			"SetPassword": d.SetPassword(ctx, idOf(bob), "hash"), "Delete": d.Delete(ctx, idOf(bob)),
			"DeleteToken": d.DeleteToken(ctx, token.ID), "CreateGroup": d.CreateGroup(ctx, "g"),
			"DeleteGroup": d.DeleteGroup(ctx, "staff"),
		} {
			if !errors.Is(err, away) {
				w.Errorf("%s = %v", call, err)
			}
		}
		broken.fail(nil)
		if d.ByName("bob") != bob || !bob.View().In("staff") || d.Password(idOf(bob)) != "" {
			w.Error("what was not stored is in memory")
		}
		if _, err := d.UseLink(ctx, link); err != nil {
			w.Errorf("the link was lost: %v", err)
		}
	})
}
