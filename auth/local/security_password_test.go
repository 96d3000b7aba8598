package local_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"doorward/auth/local"
	"doorward/auth/user"
)

func longPasswords(w *world) {
	id := w.id()
	long := strings.Repeat("every word is another one; ", 60)[:1024]
	for _, password := range []string{
		long, long[:72] + "a", "nul\x00is data like any other",
	} {
		if problems, err := w.SetPassword(w.Context(), id, password); err != nil || problems != nil {
			w.Fatal(problems, err)
		}
		w.opens(local.Attempt{Login: "bob", Password: password}, true)
		for _, other := range []string{
			password + "x", password[:len(password)-1], password[:len(password)-1] + "b",
			strings.Replace(password, "\x00is", "\x00as", 1) + " ", password[:3],
		} {
			w.opens(local.Attempt{Login: "bob", Password: other}, false)
			w.opens(local.Attempt{Login: "bob", Password: password}, true)
		}
	}
	w.opens(local.Attempt{Login: "bob", Password: strings.Repeat("x", 1<<20)}, false)
	problems, err := w.SetPassword(w.Context(), id, long+"x")
	if err != nil || len(problems) != 1 || problems[0].Code != local.TooLong {
		w.Errorf("1025 bytes: %v, %v", problems, err)
	}
	if _, err := cheap().Hash(w.Context(), long+"x"); err == nil {
		w.Error("1025 bytes were hashed")
	}
}

func emptyPassword(w *world) {
	// The hash of nothing, as somebody else may have stored it.
	const ofNothing = "pbkdf2_sha256$10000$seasalt$3+RsI0gN4hO2ePw81JnODNK3dqd5IHVBN0nCWJCnlzU="
	if err := local.CheckHash(ofNothing); err != nil {
		w.Fatal(err)
	}
	if err := w.users.SetPassword(w.Context(), w.id(), ofNothing); err != nil {
		w.Fatal(err)
	}
	w.opens(local.Attempt{Login: "bob"}, false)
	w.opens(local.Attempt{}, false)
	if _, err := cheap().Hash(w.Context(), ""); err == nil {
		w.Error("nothing was hashed")
	}
}

func badStoredHashes(w *world) {
	for name, phc := range badHashes() {
		if err := local.CheckHash(phc); !errors.Is(err, local.ErrUnknownHash) {
			w.Errorf("%s: CheckHash = %v", name, err)
		}
		id := w.add(user.User{Name: "x" + fmt.Sprint(len(w.users.All()))})
		if err := w.users.SetPassword(w.Context(), id, phc); err != nil {
			w.Fatal(err)
		}
		login := w.users.Person(id).View().User.Name
		for _, password := range []string{right, "", phc} {
			w.opens(local.Attempt{Login: login, Password: password, Client: from(len(login))}, false)
		}
		pass(time.Hour)
	}
}

func noConcatenation(w *world) {
	for name, password := range map[string]string{
		"ab": "c horse battery staple", "a": "bd horse battery staple",
	} {
		id := w.add(user.User{Name: name})
		if problems, err := w.SetPassword(w.Context(), id, password); err != nil || problems != nil {
			w.Fatal(problems, err)
		}
		w.opens(local.Attempt{Login: name, Password: password}, true)
	}
	w.opens(local.Attempt{Login: "a", Password: "bc horse battery staple"}, false)
	w.opens(local.Attempt{Login: "ab", Password: "d horse battery staple"}, false)
}

func disabledMeanwhile(w *world) {
	id := w.id()
	w.users.meanwhile = func() {
		w.update(id, func(u *user.User) { u.State = user.Disabled })
	}
	w.opens(local.Attempt{Login: "bob", Password: right}, false)
	w.update(id, func(u *user.User) { u.State = user.Active })
	w.users.meanwhile = func() {
		if err := w.users.Delete(w.Context(), id); err != nil {
			w.Error(err)
		}
	}
	w.opens(local.Attempt{Login: "bob", Password: right}, false)
}

func changedMeanwhile(w *world) {
	id := w.id()
	w.users.meanwhile = func() {
		if _, err := w.SetPassword(w.Context(), id, wrong); err != nil {
			w.Error(err)
		}
	}
	w.opens(local.Attempt{Login: "bob", Password: right}, false)
	w.users.meanwhile = func() { // hashed anew by another sign-in
		if _, err := w.SetPassword(w.Context(), id, wrong); err != nil {
			w.Error(err)
		}
	}
	w.opens(local.Attempt{Login: "bob", Password: wrong}, true)
}

func noDefaults(w *world) {
	for _, password := range []string{
		"changeme", "ChangeMe!", "changeme123", "changemechangeme", "admin", "administrator", "password",
		"doorward", "Doorward2026", "default", "secret", "letmein", "P@ssw0rd", "change-me-please",
	} {
		policy := local.Policy{MinLength: 8, RejectCommon: true, Words: []string{"Doorward"}}
		if policy.Check(password, "admin") == nil {
			w.Errorf("%q is a password like any other", password)
		}
	}
}

func changeNeedsOld(w *world) {
	id := w.id()
	change := func(old, next string, n int) ([]local.Problem, error) {
		return w.ChangePassword(w.Context(),
			local.Change{UserID: id, Old: old, New: next, Client: from(n)})
	}
	const next = "quite another sentence"
	for i, old := range []string{"", wrong, right[1:], right + " "} {
		began := time.Now()
		if _, err := change(old, next, i); !errors.Is(err, local.ErrWrong) {
			w.Errorf("with %q: %v", old, err)
		}
		if took := time.Since(began); took < 250*time.Millisecond {
			w.Errorf("refused after %s", took)
		}
	}
	_, _ = change(wrong, next, 5)
	if _, err := change(right, next, 6); !errors.Is(err, local.ErrWrong) {
		w.Errorf("the sixth guess is looked at: %v", err)
	}
	w.opens(local.Attempt{Login: "bob", Password: right}, false) // the count is one
	pass(time.Hour)
	epoch := w.users.Person(id).View().User.Epoch
	if problems, err := change(right, next, 7); err != nil || problems != nil {
		w.Fatal(problems, err)
	}
	if now := w.users.Person(id).View().User.Epoch; now <= epoch {
		w.Error("sessions of the old password live on")
	}
	w.opens(local.Attempt{Login: "bob", Password: right}, false)
	w.opens(local.Attempt{Login: "bob", Password: next}, true)
	if _, err := change(next, next+"!", 8); err != nil {
		w.Error(err)
	}
	if _, err := w.ChangePassword(w.Context(), local.Change{UserID: "u-nobody", Old: next}); err == nil {
		w.Error("changed for nobody")
	}
}

func changeKeepsPolicy(w *world) {
	for password, want := range map[string]local.Code{
		"short": local.TooShort, "passwordpassword": local.Common, "bob@x.example 2026": local.Personal,
		"acme 20262026": local.Personal, right: local.Unchanged,
		strings.Repeat("x", 1025): local.TooLong, "a\xff horse battery staple": local.NotText,
	} {
		problems, err := w.ChangePassword(w.Context(),
			local.Change{UserID: w.id(), Old: right, New: password, Client: from(1)})
		found := false
		for _, p := range problems {
			found = found || p.Code == want
		}
		if err != nil || !found {
			w.Errorf("%.30q: %v, %v, want %s", password, codes(problems), err, want)
		}
	}
	w.opens(local.Attempt{Login: "bob", Password: right}, true)
}

// oddCredentials are what the two halves of Basic credentials may be: they go
// through the same sign-in, and so through the same counts.
func oddCredentials(w *world) {
	for i, a := range []local.Attempt{
		{Login: "\ufeffbob", Password: right}, {Login: "bob", Password: "\ufeff" + right},
		{Login: strings.Repeat("b", 1<<16), Password: right}, {Login: "bob:" + right},
		{Login: "bob", Password: strings.Repeat("x", 1<<16)}, {Login: "bob\x00", Password: right},
		{Login: "b\xffb", Password: right}, {Login: "bob", Password: right + "\n"},
	} {
		a.Client = from(i)
		w.opens(a, false)
	}
	for i := range 2 {
		_ = w.try("bob", wrong, from(100+i))
	}
	w.opens(local.Attempt{Login: "bob", Password: right}, false)
}

func jumpingClock(w *world) {
	var offset time.Duration
	l := local.New(local.Options{
		Users: w.users, Hasher: cheap(),
		Now: func() time.Time { return time.Unix(0, 0).Add(offset) },
	})
	try := func(password string) error {
		_, err := l.SignIn(w.Context(),
			local.Attempt{Login: "bob", Password: password, Client: from(1)})
		return err
	}
	for range 20 {
		_ = try(wrong)
	}
	offset = 50 * 365 * 24 * time.Hour // the right time is here
	if err := try(right); err != nil {
		w.Errorf("after the clock was set: %v", err)
	}
}
