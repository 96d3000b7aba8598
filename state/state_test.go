package state_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
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

// An event that comes just when a reader is about to wait wakes it. So each event
// comes as soon as the reader has the one before, and neither waits for the other
// in a way that takes time.
func TestFollowMissesNothing(t *testing.T) {
	const events = 150_000
	log := open(t, "memory:", state.Options{}).Log("log", 10)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var seen atomic.Uint64
	go func() {
		for event, err := range log.Follow(ctx, 0) {
			if err != nil {
				return
			}
			if seen.Store(event.Position); event.Position == events {
				return
			}
		}
	}()
	for i := range uint64(events) {
		if _, err := log.Append(ctx, nil); err != nil {
			t.Fatal(err)
		}
		for seen.Load() <= i {
			if ctx.Err() != nil {
				t.Fatalf("event %d did not come", i+1)
			}
			runtime.Gosched()
		}
	}
}
