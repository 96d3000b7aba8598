package state_test

import (
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
