package audit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"doorward/auth/audit"
	"doorward/state"
)

// world is a store and what recorders on it say, in a bubble of its own time.
type world struct {
	*testing.T
	store *state.Store
	lines *observer.ObservedLogs
	log   *zap.Logger
}

func inBubble(t *testing.T, run func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store, err := state.Open("memory:", state.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		core, lines := observer.New(zap.InfoLevel)
		run(&world{T: t, store: store, lines: lines, log: zap.New(core)})
	})
}

func (w *world) open(store *state.Store, keep int) *audit.Recorder {
	r := audit.New(audit.Options{Store: store, Log: w.log, Keep: keep})
	w.Cleanup(func() { _ = r.Close() })
	return r
}

// details returns what the newest events say, after all are written.
func (w *world) details(r *audit.Recorder, n int) string {
	w.Helper()
	synctest.Wait()
	events, err := r.Last(w.Context(), n)
	if err != nil {
		w.Fatalf("Last = %v", err)
	}
	var list []string
	for _, e := range events {
		list = append(list, e.Detail)
	}
	return strings.Join(list, " ")
}

func TestEventsAreInTheLogAndInTheStore(t *testing.T) {
	inBubble(t, func(w *world) {
		r, other := w.open(w.store, 0), w.open(w.store, 0)
		if got := w.details(r, 10); got != "" {
			w.Errorf("before the first: %s", got)
		}
		want := audit.Event{
			At: time.Now().UTC(), Kind: audit.SignIn, User: "bob", By: "admin", Client: "192.0.2.1",
			Provider: "azure", Detail: "with a second factor",
		}
		r.Record(w.Context(), audit.Event{
			Kind: audit.SignIn, User: "bob", By: "admin", Client: "192.0.2.1", Provider: "azure",
			Detail: "with a second factor",
		})
		synctest.Wait()
		events, err := other.Last(w.Context(), 1)
		if err != nil || len(events) != 1 || events[0] != want {
			w.Errorf("Last = %+v, %v, want %+v", events, err, want)
		}
		lines := w.lines.FilterMessage("audit").All()
		if len(lines) != 1 {
			w.Fatalf("%d lines", len(lines))
		}
		if fields := lines[0].ContextMap(); fields["kind"] != "sign-in" || fields["user"] != "bob" ||
			fields["client"] != "192.0.2.1" || fields["detail"] != want.Detail {
			w.Errorf("the line has %v", fields)
		}
	})
}

func TestNewestEventsInTheirOrder(t *testing.T) {
	inBubble(t, func(w *world) {
		r := w.open(w.store, 5)
		for i := range 300 {
			r.Record(w.Context(), audit.Event{Detail: fmt.Sprint(i)})
		}
		for n, want := range map[int]string{
			-1: "", 0: "", 1: "299", 3: "297 298 299", 5: "295 296 297 298 299",
			1000: "295 296 297 298 299",
		} {
			if got := w.details(r, n); got != want {
				w.Errorf("the newest %d: %s, want %s", n, got, want)
			}
		}
		// An instance that keeps more finds what is there.
		more := w.open(w.store, 100)
		if got := w.details(more, 1000); got != "295 296 297 298 299" {
			w.Errorf("where few were kept: %s", got)
		}
		more.Record(w.Context(), audit.Event{Detail: "300"})
		if got := w.details(more, 50); got != "295 296 297 298 299 300" {
			w.Errorf("where few were kept and one more: %s", got)
		}
	})
}

func TestWhatClientsChooseIsBounded(t *testing.T) {
	inBubble(t, func(w *world) {
		r := w.open(w.store, 0)
		r.Record(w.Context(), audit.Event{
			Kind: audit.SignInFailed, User: strings.Repeat("é", 10_000), Detail: "a\xffb\r\nc",
			Client: "x" + strings.Repeat("é", 10_000),
		})
		synctest.Wait()
		events, err := r.Last(w.Context(), 1)
		if err != nil || len(events) != 1 {
			w.Fatalf("Last = %v, %v", events, err)
		}
		e := events[0]
		if len(e.User) != 512 || len(e.Client) > 512 || strings.ContainsRune(e.Client, '\uFFFD') ||
			e.Detail != "a\uFFFDb\r\nc" {
			w.Errorf("%d bytes of user, %d of client, detail %q", len(e.User), len(e.Client), e.Detail)
		}
	})
}

// engine is a store as an engine whose writes can be made to wait or fail.
type engine struct {
	state.Engine
	store *state.Store

	mu   sync.Mutex
	err  error
	hold chan struct{}
}

func (e *engine) set(err error, hold chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err, e.hold = err, hold
}

func (e *engine) Write(ctx context.Context, changes []state.Change) ([]uint64, error) {
	e.mu.Lock()
	err, hold := e.err, e.hold
	e.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if err != nil {
		return nil, err
	}
	return e.store.Write(ctx, changes...)
}

func TestNobodyWaitsForASlowStore(t *testing.T) {
	inBubble(t, func(w *world) {
		hold := make(chan struct{})
		slow := &engine{store: w.store, hold: hold}
		r := w.open(state.New(slow), 0)
		const events = 1500
		for i := range events {
			began := time.Now()
			r.Record(w.Context(), audit.Event{Detail: fmt.Sprint(i)})
			if waited := time.Since(began); waited > 20*time.Millisecond {
				w.Fatalf("event %d waited %s", i, waited)
			}
		}
		gone, cancel := context.WithCancel(w.Context())
		cancel()
		began := time.Now()
		if r.Record(gone, audit.Event{}); time.Since(began) > 0 {
			w.Error("waited for a client that has gone")
		}
		if n := w.lines.FilterMessage("audit").Len(); n != events+1 {
			w.Errorf("%d lines", n)
		}
		dropped := r.Dropped()
		if dropped < 300 || dropped > 477 {
			w.Errorf("%d dropped", dropped)
		}
		if n := w.lines.FilterMessageSnippet("in this log alone").Len(); n < 1 || n > 10 {
			w.Errorf("said %d times", n)
		}
		close(hold)
		<-time.After(2 * time.Second) // the write that took so long is done again
		list, err := w.open(w.store, 0).Last(w.Context(), 10_000)
		if err != nil || uint64(len(list))+dropped != events+1 {
			w.Errorf("%d events in the store, %d dropped, %v", len(list), dropped, err)
		}
	})
}

func TestEventsWaitForAStoreThatIsAway(t *testing.T) {
	inBubble(t, func(w *world) {
		broken := &engine{store: w.store}
		broken.set(errors.New("no route to the store"), nil)
		r := w.open(state.New(broken), 0)
		r.Record(w.Context(), audit.Event{Detail: "one"})
		<-time.After(time.Minute)
		r.Record(w.Context(), audit.Event{Detail: "two"})
		broken.set(nil, nil)
		<-time.After(2 * time.Second)
		if got := w.details(w.open(w.store, 0), 10); got != "one two" || r.Dropped() != 0 {
			w.Errorf("events %q, %d dropped", got, r.Dropped())
		}
	})
}

func TestCloseWritesWhatIsQueuedAndNeverHangs(t *testing.T) {
	inBubble(t, func(w *world) {
		hold := make(chan struct{})
		slow := &engine{store: w.store}
		slow.set(nil, hold)
		r := w.open(state.New(slow), 0)
		for i := range 250 {
			r.Record(w.Context(), audit.Event{Detail: fmt.Sprint(i)})
		}
		closed := make(chan error)
		go func() { closed <- r.Close() }()
		synctest.Wait()
		close(hold)
		if err := <-closed; err != nil {
			w.Errorf("Close = %v", err)
		}
		list, err := w.open(w.store, 0).Last(w.Context(), 1000)
		if err != nil || len(list) != 250 {
			w.Errorf("%d events, %v", len(list), err)
		}
		r.Record(w.Context(), audit.Event{Detail: "late"})
		if r.Dropped() != 1 || w.lines.FilterMessage("audit").Len() != 251 {
			w.Errorf("%d dropped after the end", r.Dropped())
		}

		slow.set(errors.New("no route to the store"), nil)
		broken := w.open(state.New(slow), 0)
		broken.Record(w.Context(), audit.Event{Detail: "lost"})
		began := time.Now()
		if err := broken.Close(); err != nil || time.Since(began) > 5*time.Second {
			w.Errorf("Close = %v after %s", err, time.Since(began))
		}
		if broken.Dropped() != 1 {
			w.Errorf("%d dropped", broken.Dropped())
		}
	})
}

func TestClosedStoreEndsNothingElse(t *testing.T) {
	inBubble(t, func(w *world) {
		r := w.open(w.store, 0)
		if err := w.store.Close(); err != nil {
			w.Fatal(err)
		}
		r.Record(w.Context(), audit.Event{Detail: "lost"})
		<-time.After(time.Minute)
		if r.Dropped() != 1 {
			w.Errorf("%d dropped", r.Dropped())
		}
		if _, err := r.Last(w.Context(), 1); !errors.Is(err, state.ErrClosed) {
			w.Errorf("Last = %v", err)
		}
	})
}
