package state_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"doorward/state"
	"doorward/state/statetest"
)

// clock is a clock that tests move.
type clock struct{ moved atomic.Int64 }

func (c *clock) now() time.Time {
	return time.UnixMilli(1_800_000_000_000).Add(time.Duration(c.moved.Load()))
}

func (c *clock) advance(d time.Duration) { c.moved.Add(int64(d)) }

func open(t testing.TB, url string, o state.Options) *state.Store {
	t.Helper()
	store, err := state.Open(url, o)
	if err != nil {
		t.Fatalf("Open(%q) = %v", url, err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func TestMemoryConforms(t *testing.T) {
	statetest.Run(t, func(t *testing.T) statetest.Subject {
		var c clock
		return statetest.Subject{
			Store:   open(t, "memory:", state.Options{Now: c.now}),
			Advance: c.advance,
		}
	})
}

func TestFileConforms(t *testing.T) {
	statetest.Run(t, func(t *testing.T) statetest.Subject {
		var c clock
		url := "file:" + filepath.Join(t.TempDir(), "state")
		again := func() *state.Store { return open(t, url, state.Options{Now: c.now}) }
		return statetest.Subject{Store: again(), Advance: c.advance, Reopen: again}
	})
}

func TestTimeToLiveIsRoundedUp(t *testing.T) {
	for _, url := range []string{"memory:", "file:" + filepath.Join(t.TempDir(), "state")} {
		var c clock
		store := open(t, url, state.Options{Now: c.now})
		for _, ttl := range []time.Duration{1, 999 * time.Microsecond, time.Millisecond} {
			if _, err := store.Set(t.Context(), "a", nil, ttl); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Get(t.Context(), "a"); err != nil {
				t.Errorf("%s: Get at once after Set for %s = %v", url, ttl, err)
			}
			c.advance(time.Millisecond)
			if _, err := store.Get(t.Context(), "a"); !errors.Is(err, state.ErrNotFound) {
				t.Errorf("%s: Get a millisecond after Set for %s = %v", url, ttl, err)
			}
		}
	}
}

// An event that comes just when a reader is about to wait wakes it.
func TestFollowMissesNothing(t *testing.T) {
	const events = 20_000
	log := open(t, "memory:", state.Options{}).Log("log", 10)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	seen := make(chan uint64, 1)
	go func() {
		defer close(seen)
		for event, err := range log.Follow(ctx, 0) {
			if err != nil {
				t.Errorf("Follow = %v", err)
				return
			}
			if seen <- event.Position; event.Position == events {
				return
			}
		}
	}()
	for i := range events {
		if _, err := log.Append(ctx, nil); err != nil {
			t.Fatal(err)
		}
		if got := <-seen; got != uint64(i+1) {
			t.Fatalf("event %d came as %d", i+1, got)
		}
	}
}
