// Package statetest is the conformance suite of package state: every promise of a
// store as a test that each engine has to pass. What differs between engines, such
// as files that are damaged or locked, is tested beside the engine.
package statetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"doorward/state"
)

// Subject is an engine under test. All but Reopen are needed.
type Subject struct {
	Store *state.Store // empty
	// Advance moves the time that entries expire by.
	Advance func(time.Duration)
	// Reopen opens the same store again after it was closed. Nil: the engine forgets.
	Reopen func() *state.Store
}

// patience is how long the suite waits for what has to happen.
const patience = 30 * time.Second

// Run runs the suite as subtests of t. It calls open for each of them and closes
// the store at its end.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for _, group := range [][]test{
		entryTests(), expiryTests(), listTests(), writeTests(), logTests(), endTests(), keyTests(),
	} {
		for _, test := range group {
			t.Run(test.name, func(t *testing.T) {
				subject := open(t)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				t.Cleanup(func() {
					cancel()
					if err := subject.Store.Close(); err != nil {
						t.Errorf("Close() = %v", err)
					}
				})
				test.run(&trial{T: t, Subject: subject, ctx: ctx})
			})
		}
	}
}

type test struct {
	name string
	run  func(*trial)
}

// trial is one subtest.
type trial struct {
	*testing.T
	Subject
	ctx context.Context
}

func (t *trial) set(key, value string, ttl time.Duration) uint64 {
	t.Helper()
	version, err := t.Store.Set(t.ctx, key, []byte(value), ttl)
	if err != nil {
		t.Fatalf("Set(%q) = %v", key, err)
	}
	return version
}

// has fails the test unless the entry has the value.
func (t *trial) has(key, want string) state.Entry {
	t.Helper()
	entry, err := t.Store.Get(t.ctx, key)
	if err != nil || string(entry.Value) != want {
		t.Fatalf("Get(%q) = %q, %v, want %q", key, entry.Value, err, want)
	}
	return entry
}

// lacks fails the test unless the entry is absent.
func (t *trial) lacks(key string) {
	t.Helper()
	entry, err := t.Store.Get(t.ctx, key)
	t.wantError(err, state.ErrNotFound, key)
	if entry.Version != 0 || entry.Value != nil {
		t.Errorf("Get(%q) = %+v with an error", key, entry)
	}
}

// wantError fails the test unless err is want and names the key.
func (t *trial) wantError(err, want error, key string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error about %.40q = %v, want %v", key, err, want)
	}
	var named *state.KeyError
	if !errors.As(err, &named) || named.Key != key {
		t.Errorf("error %q does not carry the key %.40q", err, key)
	}
}

// lists fails the test unless these are the keys that begin with prefix.
func (t *trial) lists(prefix string, want ...string) {
	t.Helper()
	if got := t.keys(prefix); !slices.Equal(got, want) {
		t.Fatalf("keys that begin with %q = %q, want %q", prefix, got, want)
	}
}

func (t *trial) keys(prefix string) []string {
	t.Helper()
	var keys []string
	for entry, err := range t.Store.All(t.ctx, prefix) {
		if err != nil {
			t.Fatalf("All(%q) = %v", prefix, err)
		}
		keys = append(keys, entry.Key)
	}
	return keys
}

// append adds an event and wants it at that position.
func (t *trial) append(log *state.Log, event string, want uint64) {
	t.Helper()
	if position, err := log.Append(t.ctx, []byte(event)); err != nil || position != want {
		t.Fatalf("Append(%q) = %d, %v, want %d", event, position, err, want)
	}
}

// wait fails the test when the goroutines behind done do not all end in time.
func (t *trial) wait(done <-chan error, n int) {
	t.Helper()
	for range n {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(patience):
			t.Fatal("still at work")
		}
	}
}
