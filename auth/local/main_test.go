package local_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"doorward/auth/directory"
	"doorward/auth/local"
	"doorward/auth/user"
	"doorward/state"
)

const (
	right = "a horse, a battery, a staple"
	wrong = "another horse, another staple"
)

// world is a local sign-in with the directory it is made for, in a bubble of its
// own time.
type world struct {
	*testing.T
	*local.Local
	users *users
	lines *observer.ObservedLogs
}

// users is the directory, which tells how many hashes were looked at.
type users struct {
	*directory.Directory
	looked atomic.Int32
	// meanwhile happens once while a hash is being made, late when the first is found right
	// and whose it is is asked for the words about them.
	meanwhile, late func()
	persons         int
}

func (u *users) Person(id string) *user.Person {
	p := u.Directory.Person(id)
	if u.late == nil {
		return p
	}
	if u.persons++; u.persons == 3 {
		late := u.late
		u.late = nil
		late()
	}
	return p
}

func (u *users) Password(id string) string {
	u.looked.Add(1)
	phc := u.Directory.Password(id)
	if next := u.meanwhile; next != nil {
		u.meanwhile = nil
		next()
	}
	return phc
}

// signer is a signature anybody can check, and nobody but tests should make.
type signer struct{}

func (signer) MAC(purpose string, data ...string) string {
	return fmt.Sprintf("%x", fmt.Sprint(purpose, data))
}

func (s signer) Check(purpose, mac string, data ...string) bool {
	return mac == s.MAC(purpose, data...)
}

// cheap is a hash that costs a millisecond.
func cheap() *local.Hasher {
	return local.NewHasher(local.HashOptions{Memory: 1024, Time: 1, Concurrent: 2})
}

// inBubble runs a test with the user bob, whose password is right.
func inBubble(t *testing.T, run func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { run(open(t)) })
}

func open(t *testing.T) *world {
	t.Helper()
	store, err := state.Open("memory:", state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	d, err := directory.Open(t.Context(), directory.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	core, lines := observer.New(zap.InfoLevel)
	w := &world{T: t, users: &users{Directory: d}, lines: lines}
	w.Local = w.another(zap.New(core), cheap())
	w.add(user.User{Name: "bob", Email: "bob@x.example"})
	return w
}

// another makes a sign-in with the same users, as a restart would.
func (w *world) another(log *zap.Logger, h *local.Hasher) *local.Local {
	return local.New(local.Options{
		Users: w.users, Hasher: h, Canonical: directory.Canonical, Signer: signer{}, Log: log,
		Settings: local.Settings{Policy: local.Policy{RejectCommon: true, Words: []string{"Acme"}}},
	})
}

// add makes a user with the right password.
func (w *world) add(u user.User) string {
	w.Helper()
	p, err := w.users.Create(w.Context(), u)
	if err != nil {
		w.Fatal(err)
	}
	id := p.View().User.ID
	if u.Service {
		return id
	}
	if problems, err := w.SetPassword(w.Context(), id, right); err != nil || len(problems) > 0 {
		w.Fatal(problems, err)
	}
	w.users.looked.Store(0)
	return id
}

// id is that of bob.
func (w *world) id() string { return w.users.ByName("bob").View().User.ID }

func (w *world) update(id string, change func(*user.User)) {
	w.Helper()
	_, err := w.users.Update(w.Context(), id, func(u *user.User) error {
		change(u)
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
}

// from is the nth address, in a network of its own.
func from(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 1})
}

// try signs in from an address.
func (w *world) try(login, password string, client netip.Addr) error {
	_, err := w.SignIn(w.Context(), local.Attempt{Login: login, Password: password, Client: client})
	return err
}

// block guesses for ten seconds, after which the user has to wait for some more.
func (w *world) block(login string) {
	for i := range 40 {
		_ = w.try(login, wrong, from(i))
	}
}

// opens fails the test unless the sign-in is right or wrong as wanted.
func (w *world) opens(a local.Attempt, want bool) local.Result {
	w.Helper()
	if !a.Client.IsValid() {
		a.Client = from(60_000)
	}
	r, err := w.SignIn(w.Context(), a)
	if err != nil && !errors.Is(err, local.ErrWrong) || (err == nil) != want {
		w.Fatalf("sign-in as %q = %v, want it to be right: %v", a.Login, err, want)
	}
	return r
}

// pass lets time of the bubble pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

var _ local.Users = (*users)(nil)

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
