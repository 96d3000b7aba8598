package directory_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"doorward/auth/directory"
	"doorward/auth/user"
	"doorward/state"
)

// world is a store with directories on it, in a bubble of its own time.
type world struct {
	*testing.T
	store *state.Store
	lines *observer.ObservedLogs
	log   *zap.Logger

	mu      sync.Mutex
	changed []string
}

// inBubble runs a test on a store in memory, whose time passes only while
// everybody waits.
func inBubble(t *testing.T, run func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store, err := state.Open("memory:", state.Options{})
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, store)
		t.Cleanup(func() { _ = store.Close() })
		run(w)
	})
}

func newWorld(t *testing.T, store *state.Store) *world {
	core, lines := observer.New(zap.WarnLevel)
	return &world{T: t, store: store, lines: lines, log: zap.New(core)}
}

// open opens a directory as another instance would.
func (w *world) open(m directory.Mapping) *directory.Directory {
	w.Helper()
	d, err := directory.Open(w.Context(), directory.Options{
		Store: w.store, Log: w.log, Mapping: m,
		Changed: func(id string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.changed = append(w.changed, id)
		},
	})
	if err != nil {
		w.Fatalf("Open = %v", err)
	}
	w.Cleanup(func() {
		if err := d.Close(); err != nil && !errors.Is(err, state.ErrClosed) {
			w.Errorf("Close = %v", err)
		}
	})
	return d
}

// news returns the users that were told as changed since the last call.
func (w *world) news() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.changed
	w.changed = nil
	return list
}

func (w *world) create(d *directory.Directory, u user.User) *user.Person {
	w.Helper()
	p, err := d.Create(w.Context(), u)
	if err != nil {
		w.Fatalf("Create(%q) = %v", u.Name, err)
	}
	return p
}

func (w *world) update(d *directory.Directory, p *user.Person, change func(*user.User)) {
	w.Helper()
	_, err := d.Update(w.Context(), idOf(p), func(u *user.User) error {
		change(u)
		return nil
	})
	if err != nil {
		w.Fatalf("Update(%q) = %v", p.View().User.Name, err)
	}
}

// must fails the test when there is an error.
func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func idOf(p *user.Person) string { return p.View().User.ID }

// nameOf is for messages, also of nobody.
func nameOf(p *user.Person) string {
	if p == nil {
		return "nobody"
	}
	return p.View().User.Name
}

// engine is a store as an engine that can be told to fail.
type engine struct {
	store *state.Store

	mu  sync.Mutex
	err error
}

func (e *engine) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err = err
}

func (e *engine) failing() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

func (e *engine) Get(ctx context.Context, key string) (state.Entry, error) {
	if err := e.failing(); err != nil {
		return state.Entry{}, err
	}
	return e.store.Get(ctx, key)
}

func (e *engine) List(ctx context.Context, r state.Range) ([]state.Entry, error) {
	if err := e.failing(); err != nil {
		return nil, err
	}
	return e.store.List(ctx, r)
}

func (e *engine) Write(ctx context.Context, changes []state.Change) ([]uint64, error) {
	if err := e.failing(); err != nil {
		return nil, err
	}
	return e.store.Write(ctx, changes...)
}

func (e *engine) Newest(ctx context.Context, log string) (uint64, error) {
	return e.store.Log(log, 1).Newest(ctx)
}

func (e *engine) Follow(ctx context.Context, t state.Tail) ([]state.Event, error) {
	for event, err := range e.store.Log(t.Log, 1).Follow(ctx, t.After) {
		return []state.Event{event}, err
	}
	return nil, nil
}

func (e *engine) Close() error { return nil }

const soon = time.Minute

// pass lets time of the bubble pass, and what has to happen then.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
