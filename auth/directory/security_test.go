package directory_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"doorward/auth/directory"
	"doorward/auth/user"
	"doorward/state"
)

// TestSecurity holds the cases of the groups LOC, TIME and OIDC that are decided by
// what users are known by, and until when.
func TestSecurity(t *testing.T) {
	for name, test := range map[string]func(*world){
		"LOC-04_one_user_by_all_spellings":              spellings,
		"LOC-10_users_are_the_same_on_every_instance":   sameEverywhere,
		"LOC-15_no_answer_is_remembered":                notRemembered,
		"LOC-16_disabled_user":                          disabled,
		"LOC-18_nobody_is_there_before_somebody_is":     empty,
		"LOC-33_token_in_odd_forms":                     oddTokens,
		"OIDC-39_nobody_is_linked_by_name_or_address":   neverLinked,
		"TIME-02_clock_of_the_store_90_s_apart":         skewed,
		"TIME-03_clock_of_1970":                         clockOf1970,
		"TIME-04_times_are_UTC":                         utc,
		"TIME-05_an_end_that_is_never":                  farAway,
		"TIME-06_the_end_is_judged_when_it_is_read":     exactEnd,
		"LOC-32_another_password_ends_sessions":         passwordEndsSessions,
		"LOC-32_a_better_hash_leaves_sessions_be":       rehashEndsNothing,
		"LOC-09_used_link_of_old_is_no_link_any_more":   replayedLink,
		"LOC-16_active_again_with_no_session_of_before": activeAgain,
	} {
		t.Run(name, func(t *testing.T) { inBubble(t, test) })
	}
}

func spellings(w *world) {
	d := w.open(directory.Mapping{})
	bob := w.create(d, user.User{Name: "bob", Email: "Bob@X.example"})
	zoe := w.create(d, user.User{Name: "zoé"})
	w.must(d.SetPassword(w.Context(), idOf(bob), "hash"))
	for login, want := range map[string]*user.Person{
		"Bob": bob, "bob ": bob, "\tBOB\n": bob, "bob@x.example": bob, "BOB@X.EXAMPLE": bob,
		"ｂｏｂ": bob, "𝐛𝐨𝐛": bob, "zo\u0065\u0301": zoe, "ZO\u0045\u0301": zoe, "zo\u00e9": zoe,
		"bob.": nil, "bob\x00": nil, "b\u043eb": nil, "bo\xffb": nil, "bob:x": nil,
		strings.Repeat(" ", 1<<16) + "bob": nil,
	} {
		if got := d.ByName(login); got != want {
			w.Errorf("%q is %s, want %s", login, nameOf(got), nameOf(want))
		}
		if want == nil || strings.Contains(login, "@") {
			continue
		}
		_, err := d.Create(w.Context(), user.User{Name: login})
		if !errors.Is(err, directory.ErrTaken) {
			w.Errorf("%q could be created beside: %v", login, err)
		}
	}
}

func sameEverywhere(w *world) {
	here, there := w.open(directory.Mapping{}), w.open(directory.Mapping{})
	bob := w.create(here, user.User{Name: "bob"})
	synctest.Wait()
	w.update(there, there.ByName("bob"), func(u *user.User) { u.State = user.Disabled })
	synctest.Wait()
	later := w.open(directory.Mapping{})
	if bob.View().User.State != user.Disabled ||
		later.ByName("bob").View().User.State != user.Disabled {
		w.Error("disabled on one instance alone")
	}
}

func notRemembered(w *world) {
	d := w.open(directory.Mapping{})
	bob := w.create(d, user.User{Name: "bob"})
	secret, _, err := d.CreateToken(w.Context(), user.Token{UserID: idOf(bob)})
	w.must(err)
	for range 3 {
		if p, _ := d.FindToken([]byte(secret)); p != bob {
			w.Fatal("not found")
		}
	}
	w.must(d.Delete(w.Context(), idOf(bob)))
	if p, _ := d.FindToken([]byte(secret)); p != nil {
		w.Error("an earlier answer was given again")
	}
}

func disabled(w *world) {
	d := w.open(directory.Mapping{})
	bob := w.create(d, user.User{Name: "bob"})
	before := bob.View()
	w.update(d, bob, func(u *user.User) { u.State = user.Disabled })
	after := bob.View().User
	if after.State != user.Disabled || after.Epoch <= before.User.Epoch {
		w.Errorf("is %s in epoch %d, was in %d", after.State, after.Epoch, before.User.Epoch)
	}
	if before.User.State != user.Active {
		w.Error("a view has changed in somebody's hands")
	}
}

func activeAgain(w *world) {
	d := w.open(directory.Mapping{})
	bob := w.create(d, user.User{Name: "bob"})
	epoch := bob.View().User.Epoch
	for _, s := range []user.State{user.Disabled, user.Active} {
		w.update(d, bob, func(u *user.User) { u.State = s })
	}
	if now := bob.View().User; now.Epoch <= epoch {
		w.Errorf("sessions of epoch %d hold in %d", epoch, now.Epoch)
	}
	w.update(d, bob, func(u *user.User) { u.Epoch = 0 })
	if now := bob.View().User; now.Epoch <= epoch {
		w.Error("the epoch went back")
	}
}

func empty(w *world) {
	d := w.open(directory.Mapping{})
	if n := len(d.All()); n != 0 {
		w.Errorf("%d users that nobody has made", n)
	}
	for _, name := range []string{"admin", "root", "doorward", "guest"} {
		if p := d.ByName(name); p != nil {
			w.Errorf("there is a user %s", name)
		}
	}
}

func oddTokens(w *world) {
	d := w.open(directory.Mapping{})
	bob := w.create(d, user.User{Name: "bob"})
	secret, _, err := d.CreateToken(w.Context(), user.Token{UserID: idOf(bob)})
	w.must(err)
	for _, odd := range []string{
		" " + secret, secret + " ", "\ufeff" + secret, secret + secret, secret + "=",
		strings.ToUpper(secret), strings.Replace(secret, "dw_", "DW_", 1), "bob:" + secret,
		strings.Repeat("a", 1<<16), secret[:51] + "\x00", "",
	} {
		if p, _ := d.FindToken([]byte(odd)); p != nil {
			w.Errorf("opens with %.70q", odd)
		}
	}
}

func neverLinked(w *world) {
	d := w.open(directory.Mapping{})
	admin := w.create(d, user.User{
		Name: "admin", Email: "admin@example.com", EmailVerified: true, Groups: []string{"admins"},
	})
	w.must(d.SetPassword(w.Context(), idOf(admin), "hash"))
	identity := user.Identity{
		Provider: "azure", Subject: "t/9", Name: "admin", Email: "admin@example.com",
	}
	if p := d.ByIdentity("azure", "t/9"); p != nil {
		w.Errorf("an identity that nobody has is %s", nameOf(p))
	}
	for _, subject := range []string{"admin", "admin@example.com", idOf(admin)} {
		if p := d.ByIdentity("azure", subject); p != nil {
			w.Errorf("the subject %q is %s", subject, nameOf(p))
		}
	}
	_, err := d.Create(w.Context(), user.User{Name: "Admin", Identities: []user.Identity{identity}})
	if !errors.Is(err, directory.ErrTaken) || len(admin.View().User.Identities) != 0 {
		w.Errorf("Create = %v, the admin has %v", err, admin.View().User.Identities)
	}
	other := w.create(d, user.User{
		Name: "admin-2", Email: "admin@example.com", EmailVerified: true,
		Identities: []user.Identity{identity},
	})
	if other == admin || other.View().In("admins") || d.ByName("admin@example.com") != admin {
		w.Errorf("the same address made one of two: %v", other.View().Groups)
	}
	var taken *directory.TakenError
	_, err = d.Update(w.Context(), idOf(admin), func(u *user.User) error {
		u.Identities = append(u.Identities, identity)
		return nil
	})
	if !errors.As(err, &taken) || taken.What != "identity" || taken.Value != "azure" {
		w.Errorf("an identity that signs in another user: %v", err)
	}
}

func skewed(w *world) {
	store, err := state.Open("memory:", state.Options{
		Now: func() time.Time { return time.Now().Add(-90 * time.Second) },
	})
	w.must(err)
	w.store = store
	w.Cleanup(func() { _ = store.Close() })
	d := w.open(directory.Mapping{})
	secret, err := d.CreateLink(w.Context(),
		directory.Link{Purpose: "x", Expires: time.Now().Add(time.Minute)})
	w.must(err)
	pass(time.Minute)
	if _, err := d.UseLink(w.Context(), secret); !errors.Is(err, directory.ErrNotFound) {
		w.Errorf("a link that the store's clock lets live: %v", err)
	}
}

func clockOf1970(w *world) {
	d, err := directory.Open(w.Context(), directory.Options{
		Store: w.store, Now: func() time.Time { return time.Unix(10, 0) },
	})
	w.must(err)
	defer d.Close()
	bob := w.create(d, user.User{Name: "bob"})
	secret, _, err := d.CreateToken(w.Context(),
		user.Token{UserID: idOf(bob), Expires: time.Unix(20, 0)})
	w.must(err)
	if p, _ := d.FindToken([]byte(secret)); p != bob {
		w.Error("not found before its end")
	}
	if p, _ := w.open(directory.Mapping{}).FindToken([]byte(secret)); p != nil {
		w.Error("opens when the clock is right again")
	}
}

func utc(w *world) {
	zone := time.FixedZone("somewhere", 5*3600)
	d, err := directory.Open(w.Context(), directory.Options{
		Store: w.store, Now: func() time.Time { return time.Now().In(zone) },
	})
	w.must(err)
	defer d.Close()
	bob := w.create(d, user.User{Name: "bob"})
	_, made, err := d.CreateToken(w.Context(), user.Token{UserID: idOf(bob)})
	w.must(err)
	for entry, err := range w.store.All(w.Context(), "") {
		w.must(err)
		if strings.Contains(string(entry.Value), "+05:00") {
			w.Errorf("%s has a time of a zone: %s", entry.Key, entry.Value)
		}
	}
	if made.Created.Location() != time.UTC || bob.View().User.Created.Location() != time.UTC {
		w.Error("a time is not in UTC")
	}
}

func farAway(w *world) {
	d := w.open(directory.Mapping{})
	bob := w.create(d, user.User{Name: "bob"})
	for _, far := range []time.Time{
		time.Unix(1<<31, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1e18, 0),
	} {
		secret, _, err := d.CreateToken(w.Context(), user.Token{UserID: idOf(bob), Expires: far})
		if err == nil {
			if p, _ := d.FindToken([]byte(secret)); p != bob {
				w.Errorf("a token until %v does not open", far.Unix())
			}
		} else if !errors.Is(err, directory.ErrInvalid) {
			w.Errorf("a token until %v: %v", far.Unix(), err)
		}
		_, err = d.CreateLink(w.Context(), directory.Link{Purpose: "x", Expires: far})
		if err != nil && !errors.Is(err, directory.ErrInvalid) {
			w.Errorf("a link until %v: %v", far.Unix(), err)
		}
	}
}

func exactEnd(w *world) {
	d := w.open(directory.Mapping{})
	bob := w.create(d, user.User{Name: "bob"})
	end := time.Now().Add(time.Hour)
	token, _, err := d.CreateToken(w.Context(), user.Token{UserID: idOf(bob), Expires: end})
	w.must(err)
	link, err := d.CreateLink(w.Context(), directory.Link{Purpose: "x", Expires: end})
	w.must(err)
	pass(time.Hour - 1)
	p, _ := d.FindToken([]byte(token))
	if _, err := d.PeekLink(w.Context(), link); p != bob || err != nil {
		w.Errorf("before the end: %s, %v", nameOf(p), err)
	}
	pass(1)
	p, _ = d.FindToken([]byte(token))
	if _, err := d.PeekLink(w.Context(), link); p != nil || !errors.Is(err, directory.ErrNotFound) {
		w.Errorf("at the end: %s, %v", nameOf(p), err)
	}
}

func passwordEndsSessions(w *world) {
	d := w.open(directory.Mapping{})
	bob := w.create(d, user.User{Name: "bob"})
	epoch := bob.View().User.Epoch
	w.update(d, bob, func(u *user.User) { u.MustChange = true })
	w.must(d.SetPassword(w.Context(), idOf(bob), "new"))
	u := bob.View().User
	if u.Epoch <= epoch || !u.HasPassword || u.MustChange || d.Password(idOf(bob)) != "new" {
		w.Errorf("after a new password: %+v", u)
	}
	w.must(d.SetPassword(w.Context(), idOf(bob), ""))
	if u := bob.View().User; u.HasPassword || d.Password(idOf(bob)) != "" || u.Epoch != epoch+2 {
		w.Errorf("without a password: %+v", u)
	}
}

func rehashEndsNothing(w *world) {
	d := w.open(directory.Mapping{})
	bob := w.create(d, user.User{Name: "bob"})
	w.must(d.SetPassword(w.Context(), idOf(bob), "old"))
	epoch := bob.View().User.Epoch
	w.must(d.Rehash(w.Context(), idOf(bob), "old", "better"))
	w.must(d.Rehash(w.Context(), idOf(bob), "old", "of another password"))
	if got := d.Password(idOf(bob)); got != "better" || bob.View().User.Epoch != epoch {
		w.Errorf("password %q, epoch %d, was %d", got, bob.View().User.Epoch, epoch)
	}
}

func replayedLink(w *world) {
	d := w.open(directory.Mapping{})
	secret, err := d.CreateLink(w.Context(),
		directory.Link{Purpose: "first", Expires: time.Now().Add(time.Hour)})
	w.must(err)
	_, err = d.UseLink(w.Context(), secret)
	w.must(err)
	for i, node := range []*directory.Directory{d, w.open(directory.Mapping{})} {
		if l, err := node.UseLink(w.Context(), secret); !errors.Is(err, directory.ErrNotFound) {
			w.Errorf("node %d: %+v, %v", i, l, err)
		}
	}
}

func FuzzCanonicalNameStaysTheSame(f *testing.F) {
	for _, seed := range []string{"Bob", " ǅ ", "ﬃ", "İstanbul", "ϴ", "\u0345a", "ẞ", "K", "a\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, login string) {
		once := directory.Canonical(login)
		if once == "" || len(once) > 256 {
			return // no name, or none that a directory takes
		}
		if again := directory.Canonical(once); again != once {
			t.Errorf("%q became %q and then %q", login, once, again)
		}
	})
}
