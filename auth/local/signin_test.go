package local_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"doorward/auth/local"
	"doorward/auth/user"
)

func TestSignIn(t *testing.T) {
	inBubble(t, func(w *world) {
		for _, login := range []string{"bob", "BOB", "bob@x.example"} {
			r := w.opens(local.Attempt{Login: login, Password: right}, true)
			if r.UserID != w.id() || r.MustChange || r.Device == "" {
				w.Errorf("as %s: %+v", login, r)
			}
		}
		w.update(w.id(), func(u *user.User) { u.MustChange = true })
		if r := w.opens(local.Attempt{Login: "bob", Password: right}, true); !r.MustChange {
			w.Error("the password need not be changed")
		}
	})
}

// What ends the user's sessions while the password is looked at ends the one to come.
func TestSignInTellsTheEpochItBeganIn(t *testing.T) {
	inBubble(t, func(w *world) {
		before := w.users.Person(w.id()).View().User.Epoch
		w.users.meanwhile = func() {
			if err := w.users.EndSessions(w.Context(), w.id()); err != nil {
				w.Error(err)
			}
		}
		if r := w.opens(local.Attempt{Login: "bob", Password: right}, true); r.Epoch != before {
			w.Errorf("epoch %d, want %d", r.Epoch, before)
		}
		if r := w.opens(local.Attempt{Login: "bob", Password: right}, true); r.Epoch != before+1 {
			w.Errorf("the next time it is %d, want %d", r.Epoch, before+1)
		}
	})
}

func TestOldHashIsReplacedWhenItsUserSignsIn(t *testing.T) {
	fish, err := bcrypt.GenerateFromPassword([]byte(right), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	inBubble(t, func(w *world) {
		if err := w.users.SetPassword(w.Context(), w.id(), string(fish)); err != nil {
			w.Fatal(err)
		}
		epoch := w.users.Person(w.id()).View().User.Epoch
		w.opens(local.Attempt{Login: "bob", Password: wrong}, false)
		if phc := w.users.Password(w.id()); phc != string(fish) {
			w.Error("replaced by a wrong password")
		}
		w.opens(local.Attempt{Login: "bob", Password: right}, true)
		phc := w.users.Password(w.id())
		if phc == string(fish) || local.CheckHash(phc) != nil {
			w.Errorf("the hash is %s", phc)
		}
		if now := w.users.Person(w.id()).View().User.Epoch; now != epoch {
			w.Error("sessions were ended by a hash")
		}
		w.opens(local.Attempt{Login: "bob", Password: right}, true)
	})
}

func TestKnownBrowsersNeedASigner(t *testing.T) {
	inBubble(t, func(w *world) {
		l := local.New(local.Options{Users: w.users, Hasher: cheap()})
		r, err := l.SignIn(w.Context(), local.Attempt{Login: "bob", Password: right, Device: "x.y.z"})
		if err != nil || r.Device != "" {
			w.Errorf("SignIn = %+v, %v", r, err)
		}
	})
}

func TestLimitsMayBeSet(t *testing.T) {
	inBubble(t, func(w *world) {
		w.Configure(local.Settings{
			Limits:  local.Limits{Failures: 2, MaxWait: time.Minute, PerMinute: 3, PerHour: 5},
			MinTime: time.Millisecond,
		})
		var refused *local.ThrottledError
		for i := range 3 {
			if err := w.try(fmt.Sprint("user-", i), wrong, from(1)); !errors.Is(err, local.ErrWrong) {
				w.Errorf("try %d: %v", i, err)
			}
		}
		err := w.try("bob", right, from(1))
		if !errors.As(err, &refused) || refused.RetryAfter > time.Minute || refused.Error() == "" {
			w.Errorf("the fourth in a minute: %v", err)
		}
		for i := range 2 {
			_ = w.try("bob", wrong, from(2+i))
		}
		w.opens(local.Attempt{Login: "bob", Password: right}, false)
		pass(2 * time.Minute)
		w.opens(local.Attempt{Login: "bob", Password: right}, true)
	})
}

// TestNamesThatNobodyHasCostAHash measures, where the tests of TestSecurity have a
// time of their own: 62 ms against 0.5 ms is what CVE-2026-41263 was about.
func TestNamesThatNobodyHasCostAHash(t *testing.T) {
	w := open(t)
	l := w.another(nil, local.NewHasher(local.HashOptions{Memory: 8 * 1024, Time: 1}))
	l.Configure(local.Settings{
		Limits:  local.Limits{Failures: 1e6, PerMinute: 1e6, PerHour: 1e6},
		MinTime: time.Nanosecond,
	})
	if _, err := l.SetPassword(t.Context(), w.id(), right); err != nil {
		t.Fatal(err)
	}
	if _, err := w.users.Create(t.Context(), user.User{Name: "without"}); err != nil {
		t.Fatal(err)
	}
	took := map[string][]time.Duration{}
	for range 21 {
		for _, login := range []string{"bob", "nobody", "without"} {
			began := time.Now()
			_, err := l.SignIn(t.Context(), local.Attempt{Login: login, Password: wrong, Client: from(1)})
			if !errors.Is(err, local.ErrWrong) {
				t.Fatal(err)
			}
			took[login] = append(took[login], time.Since(began))
		}
	}
	median := func(login string) time.Duration {
		slices.Sort(took[login])
		return took[login][len(took[login])/2]
	}
	for _, login := range []string{"nobody", "without"} {
		if ratio := float64(median(login)) / float64(median("bob")); ratio < 0.5 || ratio > 2 {
			t.Errorf("%s takes %s, bob %s", login, median(login), median("bob"))
		}
	}
}
