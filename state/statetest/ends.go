package statetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"doorward/state"
)

func endTests() []test {
	return []test{
		{"context that ended stops everything", contextStops},
		{"closed store says so", closedSaysSo},
		{"close wakes who waits and stops who works", closeWhileInUse},
		{"reopened store has everything", reopenKeeps},
	}
}

// calls is every method that asks the engine.
func (t *trial) calls(ctx context.Context) map[string]error {
	_, get := t.Store.Get(ctx, "a")
	_, set := t.Store.Set(ctx, "a", nil, 0)
	_, swap := t.Store.CompareAndSwap(ctx, "a", 0, nil, 0)
	_, list := t.Store.List(ctx, state.Range{Prefix: "a"})
	_, appending := t.Store.Log("a", 1).Append(ctx, nil)
	_, newest := t.Store.Log("a", 1).Newest(ctx)
	_, secret := t.Store.Secret(ctx, "a")
	errs := map[string]error{
		"Get": get, "Set": set, "CompareAndSwap": swap, "List": list, "Append": appending,
		"Newest": newest, "Secret": secret, "Delete": t.Store.Delete(ctx, "a"),
	}
	for _, err := range t.Store.All(ctx, "a") {
		errs["All"] = err
	}
	for _, err := range t.Store.Log("a", 1).Follow(ctx, 0) {
		errs["Follow"] = err
	}
	return errs
}

func contextStops(t *trial) {
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	for name, err := range t.calls(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want that of the context", name, err)
		}
	}
	t.lists("")
}

func closedSaysSo(t *trial) {
	t.set("a", "", 0)
	for range 2 {
		if err := t.Store.Close(); err != nil {
			t.Fatalf("Close = %v", err)
		}
	}
	for name, err := range t.calls(t.ctx) {
		if !errors.Is(err, state.ErrClosed) {
			t.Errorf("%s = %v, want ErrClosed", name, err)
		}
	}
}

func closeWhileInUse(t *trial) {
	const workers = 8
	var busy atomic.Int32
	working := make(chan struct{})
	done := inParallel(workers, func(worker int) error {
		key := fmt.Sprint("k/", worker)
		for i := 0; ; i++ {
			_, setErr := t.Store.Set(t.ctx, key, nil, 0)
			_, listErr := t.Store.List(t.ctx, state.Range{})
			_, getErr := t.Store.Get(t.ctx, key)
			switch err := errors.Join(setErr, listErr, getErr); {
			case errors.Is(err, state.ErrClosed):
				return nil
			case err != nil:
				return err
			}
			if i == 0 && busy.Add(1) == workers {
				close(working)
			}
		}
	})
	following := inParallel(2, func(int) error {
		for _, err := range t.Store.Log("log", 1).Follow(t.ctx, 0) {
			if !errors.Is(err, state.ErrClosed) {
				return fmt.Errorf("following ended with %w", err)
			}
		}
		return nil
	})
	select {
	case <-working:
	case <-t.ctx.Done():
		t.Fatal("the workers did not begin")
	}
	if err := t.Store.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	t.wait(done, workers)
	t.wait(following, 2)
}

func reopenKeeps(t *trial) {
	if t.Reopen == nil {
		t.Skip("this engine forgets")
	}
	version := t.set("a", "one", 0)
	t.set("short", "x", time.Second)
	t.set("long", "x", time.Hour)
	log := t.Store.Log("log", 3)
	for i := range 5 {
		t.append(log, fmt.Sprint(i), uint64(i+1))
	}
	secret, err := t.Store.Secret(t.ctx, "s")
	if err != nil {
		t.Fatal(err)
	}
	if err := t.Store.Close(); err != nil {
		t.Fatal(err)
	}
	t.Advance(time.Second)
	t.Store = t.Reopen()
	defer t.Store.Close()

	if entry := t.has("a", "one"); entry.Version != version {
		t.Errorf("version %d, was %d", entry.Version, version)
	}
	t.lacks("short")
	t.lists("", "a", "long", "secret/s")
	if next := t.set("a", "two", 0); next <= version {
		t.Errorf("version %d came after %d", next, version)
	}
	log = t.Store.Log("log", 3)
	t.append(log, "5", 6)
	if got := t.read(log, 3, 3); strings.Join(got, "") != "345" {
		t.Errorf("events = %q", got)
	}
	again, err := t.Store.Secret(t.ctx, "s")
	if err != nil || string(again) != string(secret) {
		t.Errorf("another secret than before, %v", err)
	}
}
