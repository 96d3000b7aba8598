package directory_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"doorward/auth/directory"
	"doorward/auth/user"
	"doorward/state"
)

func TestInstancesSeeEachOthersChanges(t *testing.T) {
	inBubble(t, func(w *world) {
		here, there := w.open(directory.Mapping{}), w.open(directory.Mapping{})
		id := idOf(w.create(here, user.User{
			Name: "bob", Identities: []user.Identity{{Provider: "azure", Subject: "t/1"}},
		}))
		synctest.Wait()
		bob := there.Person(id)
		if bob == nil || there.ByName("bob") != bob || there.ByIdentity("azure", "t/1") != bob {
			w.Fatal("the new user is not there")
		}
		if news := w.news(); !slices.Equal(news, []string{id, id}) {
			w.Errorf("told %v, want each instance once", news)
		}

		w.must(here.SetPassword(w.Context(), id, "hash"))
		w.must(here.CreateGroup(w.Context(), "staff"))
		w.must(here.AddMember(w.Context(), "staff", id))
		synctest.Wait()
		if there.Password(id) != "hash" || !bob.View().In("staff") || bob.View().User.Epoch != 2 {
			w.Errorf("password %q, groups %v, epoch %d",
				there.Password(id), bob.View().Groups, bob.View().User.Epoch)
		}

		secret, token, err := here.CreateToken(w.Context(), user.Token{UserID: id, Title: "ci"})
		w.must(err)
		synctest.Wait()
		if p, found := there.FindToken([]byte(secret)); p != bob || found.ID != token.ID {
			w.Errorf("token of %s", nameOf(p))
		}
		pass(2 * soon)
		if used, _ := here.Token(token.ID); used.LastUsed.IsZero() {
			w.Error("the use of a token on the other instance is not known here")
		}
		w.must(here.DeleteToken(w.Context(), token.ID))
		synctest.Wait()
		if p, _ := there.FindToken([]byte(secret)); p != nil {
			w.Error("the token still opens")
		}

		w.must(here.DeleteGroup(w.Context(), "staff"))
		synctest.Wait()
		if bob.View().In("staff") || len(there.Groups()) != 0 {
			w.Errorf("in %v of %v", bob.View().Groups, there.Groups())
		}

		w.must(here.Delete(w.Context(), id))
		synctest.Wait()
		if there.Person(id) != nil || there.ByName("bob") != nil ||
			bob.View().User.State != user.Disabled {
			w.Errorf("deleted, still found or %s", bob.View().User.State)
		}
	})
}

func TestInstanceThatWasLeftBehindReadsEverythingAgain(t *testing.T) {
	inBubble(t, func(w *world) {
		d := w.open(directory.Mapping{})
		gone := w.create(d, user.User{Name: "gone"})
		stays := w.create(d, user.User{Name: "stays"})
		secret, _, err := d.CreateToken(w.Context(), user.Token{UserID: idOf(gone)})
		w.must(err)
		synctest.Wait()
		w.news()
		// Somebody deletes a user, and the events about it have left the log before
		// they are seen here.
		log := w.store.Log("users", 1)
		_, err = w.store.Write(w.Context(), state.Delete("user/"+idOf(gone)),
			log.Appending([]byte(`{"group":"x"}`)), log.Appending([]byte(`{"group":"y"}`)))
		w.must(err)
		synctest.Wait()
		if d.Person(idOf(gone)) != nil || d.ByName("stays") != stays {
			w.Error("not read again")
		}
		if p, _ := d.FindToken([]byte(secret)); p != nil {
			w.Error("the token of a user that is gone opens")
		}
		if news := w.news(); !slices.Equal(news, []string{idOf(gone)}) {
			w.Errorf("told %v", news)
		}
		w.update(d, stays, func(u *user.User) { u.Title = "still follows" })
		other := w.open(directory.Mapping{})
		w.update(other, other.ByName("stays"), func(u *user.User) { u.Title = "follows on" })
		synctest.Wait()
		if got := stays.View().User.Title; got != "follows on" {
			w.Errorf("title %q", got)
		}
	})
}

func TestFollowingGoesOnAfterTheStoreWasAway(t *testing.T) {
	inBubble(t, func(w *world) {
		healthy := w.open(directory.Mapping{})
		broken := &engine{store: w.store}
		w.store = state.New(broken)
		d := w.open(directory.Mapping{})
		broken.fail(errors.New("no route to the store"))
		bob := w.create(healthy, user.User{Name: "bob"})
		synctest.Wait()
		if d.ByName("bob") != nil {
			w.Fatal("read from a store that does not answer")
		}
		if _, err := d.Create(w.Context(), user.User{Name: "eve"}); err == nil {
			w.Error("created in a store that does not answer")
		}
		broken.fail(nil)
		pass(soon)
		if p := d.ByName("bob"); p == nil || idOf(p) != idOf(bob) {
			w.Error("the event was lost")
		}
		if w.lines.FilterMessageSnippet("not up to date").Len() == 0 {
			w.Error("nobody was told")
		}
	})
}

func TestWhatCannotBeReadLetsNobodyIn(t *testing.T) {
	inBubble(t, func(w *world) {
		d := w.open(directory.Mapping{})
		bob := w.create(d, user.User{Name: "bob"})
		log := w.store.Log("users", 100)
		for _, event := range []string{"", "{", `{"user":5}`, `{"user":"u-nobody"}`, `{}`,
			`{"token":"!"}`, `{"used":{"!":1}}`, `{"later":"unknown"}`} {
			_, err := log.Append(w.Context(), []byte(event))
			w.must(err)
		}
		for _, key := range []string{"user/ux", "token/!", "token-used/!", "token-used/x"} {
			_, err := w.store.Set(w.Context(), key, []byte("{{"), 0)
			w.must(err)
		}
		_, err := w.store.Write(w.Context(), state.Put("user/"+idOf(bob), []byte("[]"), 0),
			log.Appending([]byte(`{"user":"`+idOf(bob)+`"}`)))
		w.must(err)
		synctest.Wait()
		if d.Person(idOf(bob)) != nil || bob.View().User.State == user.Active {
			w.Error("a damaged user is still there")
		}
		if other := w.open(directory.Mapping{}); len(other.All()) != 0 {
			w.Errorf("read %d users", len(other.All()))
		}
		if _, err := d.Update(w.Context(), idOf(bob), nil); err == nil ||
			!strings.Contains(err.Error(), "cannot be read") {
			w.Errorf("Update = %v", err)
		}
	})
}

func TestPanicOfOneEventEndsNothing(t *testing.T) {
	inBubble(t, func(w *world) {
		armed := true
		d, err := directory.Open(w.Context(), directory.Options{
			Store: w.store, Log: w.log,
			Changed: func(string) {
				if armed {
					armed = false
					panic("the bomb")
				}
			},
		})
		w.must(err)
		defer d.Close()
		other := w.open(directory.Mapping{})
		w.create(other, user.User{Name: "one"})
		pass(soon)
		w.create(other, user.User{Name: "two"})
		pass(soon)
		if d.ByName("one") == nil || d.ByName("two") == nil {
			w.Error("no longer follows")
		}
	})
}
