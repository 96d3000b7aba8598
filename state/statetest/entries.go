package statetest

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"doorward/state"
)

func entryTests() []test {
	return []test{
		{"get returns what was set", getReturnsWhatWasSet},
		{"values belong to whom they were given", valuesAreCopies},
		{"delete removes and repeats", deleteRemoves},
		{"versions change and never come back", versionsNeverComeBack},
		{"compare-and-swap needs the version", swapNeedsTheVersion},
		{"compare-and-swap lets one of many win", swapsRace},
		{"secret is made once", secretIsMadeOnce},
		{"secret that is none is refused", wrongSecret},
	}
}

func getReturnsWhatWasSet(t *trial) {
	t.lacks("a")
	t.set("a", "one", 0)
	t.has("a", "one")
	t.set("a", "two", 0)
	t.set("a/b", "", 0)
	t.has("a/b", "")
	entry := t.has("a", "two")
	if entry.Key != "a" || !entry.Expires.IsZero() {
		t.Errorf("Get = %+v, want the key and no expiry", entry)
	}
}

func valuesAreCopies(t *trial) {
	mine := []byte("value")
	if _, err := t.Store.Set(t.ctx, "a", mine, 0); err != nil {
		t.Fatal(err)
	}
	copy(mine, "XXXXX")
	copy(t.has("a", "value").Value, "YYYYY")
	for entry := range t.Store.All(t.ctx, "") {
		copy(entry.Value, "ZZZZZ")
	}
	t.has("a", "value")

	log := t.Store.Log("log", 10)
	t.append(log, "event", 1)
	for range 2 {
		for event, err := range log.Follow(t.ctx, 0) {
			if err != nil || string(event.Data) != "event" {
				t.Fatalf("Follow = %q, %v", event.Data, err)
			}
			copy(event.Data, "XXXXX")
			break
		}
	}
}

func deleteRemoves(t *trial) {
	t.set("a", "one", 0)
	for range 2 {
		if err := t.Store.Delete(t.ctx, "a"); err != nil {
			t.Fatalf("Delete = %v", err)
		}
		t.lacks("a")
	}
	t.lists("")
}

func versionsNeverComeBack(t *trial) {
	seen := map[uint64]bool{0: true}
	for range 5 {
		for range 3 {
			version := t.set("a", "same", 0)
			if seen[version] {
				t.Fatalf("version %d came back", version)
			}
			seen[version] = true
			if entry := t.has("a", "same"); entry.Version != version {
				t.Fatalf("Get has version %d, Set returned %d", entry.Version, version)
			}
		}
		if err := t.Store.Delete(t.ctx, "a"); err != nil {
			t.Fatal(err)
		}
	}
}

func swapNeedsTheVersion(t *trial) {
	swap := func(version uint64, value string) (uint64, error) {
		return t.Store.CompareAndSwap(t.ctx, "a", version, []byte(value), 0)
	}
	_, err := swap(7, "not there")
	t.wantError(err, state.ErrConflict, "a")
	first, err := swap(0, "one")
	if err != nil {
		t.Fatalf("create = %v", err)
	}
	_, err = swap(0, "again")
	t.wantError(err, state.ErrConflict, "a")
	second, err := swap(first, "two")
	if err != nil || second == first {
		t.Fatalf("swap = %d, %v", second, err)
	}
	_, err = swap(first, "late")
	t.wantError(err, state.ErrConflict, "a")
	t.has("a", "two")
	if err := t.Store.Delete(t.ctx, "a"); err != nil {
		t.Fatal(err)
	}
	_, err = swap(second, "after delete")
	t.wantError(err, state.ErrConflict, "a")
	t.lacks("a")
}

func swapsRace(t *trial) {
	const writers, times = 8, 10
	increment := func() error {
		for {
			entry, err := t.Store.Get(t.ctx, "counter")
			if err != nil && !errors.Is(err, state.ErrNotFound) {
				return err
			}
			n, _ := strconv.Atoi(string(entry.Value))
			next := []byte(strconv.Itoa(n + 1))
			_, err = t.Store.CompareAndSwap(t.ctx, "counter", entry.Version, next, 0)
			if !errors.Is(err, state.ErrConflict) {
				return err
			}
		}
	}
	t.wait(inParallel(writers, func(int) error {
		for range times {
			if err := increment(); err != nil {
				return err
			}
		}
		return nil
	}), writers)
	t.has("counter", strconv.Itoa(writers*times))
}

func secretIsMadeOnce(t *trial) {
	var mu sync.Mutex
	seen := map[string]bool{}
	t.wait(inParallel(8, func(int) error {
		secret, err := t.Store.Secret(t.ctx, "cookie")
		if err != nil || len(secret) != 32 {
			return fmt.Errorf("a secret of %d bytes, %w", len(secret), err)
		}
		mu.Lock()
		defer mu.Unlock()
		seen[string(secret)] = true
		return nil
	}), 8)
	if len(seen) != 1 {
		t.Errorf("%d secrets, want one", len(seen))
	}
	t.lists("secret/", "secret/cookie")
	other, err := t.Store.Secret(t.ctx, "other")
	if err != nil || seen[string(other)] || bytes.Equal(other, make([]byte, 32)) {
		t.Errorf("Secret of another name = %x, %v", other, err)
	}
}

func wrongSecret(t *trial) {
	t.set("secret/short", "too short", 0)
	_, err := t.Store.Secret(t.ctx, "short")
	t.wantError(err, state.ErrInvalid, "secret/short")
	_, err = t.Store.Secret(t.ctx, "")
	t.wantError(err, state.ErrInvalid, "secret/")
}

func expiryTests() []test {
	return []test{
		{"expired entry is absent at once", expiredIsAbsent},
		{"expired entry does not guard", expiredDoesNotGuard},
		{"writing again sets the time to live anew", ttlIsSetAnew},
	}
}

func expiredIsAbsent(t *trial) {
	t.set("b/short", "x", 50*time.Millisecond)
	t.set("b/long", "x", time.Hour)
	t.set("b/ever", "x", 0)
	t.lists("b/", "b/ever", "b/long", "b/short")
	if entry := t.has("b/long", "x"); entry.Expires.IsZero() {
		t.Errorf("Expires is zero")
	}
	t.Advance(50 * time.Millisecond)
	t.lacks("b/short")
	t.lists("b/", "b/ever", "b/long")
	t.Advance(time.Hour)
	t.lacks("b/long")
	t.lists("b/", "b/ever")
	t.has("b/ever", "x")
}

func expiredDoesNotGuard(t *trial) {
	old := t.set("a", "old", 50*time.Millisecond)
	t.Advance(51 * time.Millisecond)
	_, err := t.Store.CompareAndSwap(t.ctx, "a", old, []byte("late"), 0)
	t.wantError(err, state.ErrConflict, "a")
	if _, err := t.Store.CompareAndSwap(t.ctx, "a", 0, []byte("new"), 0); err != nil {
		t.Fatalf("create in the place of an expired entry = %v", err)
	}
	t.Advance(time.Hour)
	t.has("a", "new")
}

func ttlIsSetAnew(t *trial) {
	t.set("a", "1", 100*time.Millisecond)
	t.Advance(60 * time.Millisecond)
	t.set("a", "2", 100*time.Millisecond)
	t.Advance(60 * time.Millisecond)
	t.has("a", "2")
	t.set("a", "3", 0)
	t.Advance(time.Hour)
	t.has("a", "3")
	t.set("a", "4", time.Millisecond)
	t.Advance(time.Millisecond)
	t.lacks("a")
}

// inParallel runs n goroutines and returns where their errors come.
func inParallel(n int, work func(i int) error) <-chan error {
	done := make(chan error, n)
	for i := range n {
		go func() { done <- work(i) }()
	}
	return done
}
