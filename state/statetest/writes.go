package statetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"doorward/state"
)

func writeTests() []test {
	return []test{
		{"write is all or nothing", writeIsWhole},
		{"write is seen as a whole", writeIsSeenWhole},
		{"guards see what was before the write", guardsSeeBefore},
		{"write returns versions and positions", writeReturns},
		{"conflict of one is nothing to others", conflictOfOne},
	}
}

func writeIsWhole(t *trial) {
	version := t.set("a", "one", 0)
	log := t.Store.Log("log", 10)
	_, err := t.Store.Write(t.ctx,
		state.Put("b", []byte("new"), 0),
		state.Delete("a"),
		log.Appending([]byte("event")),
		state.Expect("a", version),
		state.Expect("c", 1),
	)
	t.wantError(err, state.ErrConflict, "c")
	t.has("a", "one")
	t.lacks("b")
	if newest, err := log.Newest(t.ctx); err != nil || newest != 0 {
		t.Errorf("Newest = %d, %v, want no event", newest, err)
	}
	if _, err := t.Store.Write(t.ctx); err != nil {
		t.Errorf("a write of nothing = %v", err)
	}
}

// writeIsSeenWhole has writers that keep two entries and a log equal.
func writeIsSeenWhole(t *trial) {
	const writers, times = 4, 25
	log := t.Store.Log("log", 1000)
	done := inParallel(writers, func(writer int) error {
		for i := range times {
			value := fmt.Append(nil, writer, i)
			_, err := t.Store.Write(t.ctx, state.Put("a", value, 0),
				log.Appending(value), state.Put("b", value, 0))
			if err != nil {
				return err
			}
		}
		return nil
	})
	for range 200 {
		entries, err := t.Store.List(t.ctx, state.Range{})
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != 0 && (len(entries) != 2 ||
			!bytes.Equal(entries[0].Value, entries[1].Value) ||
			entries[0].Version != entries[1].Version) {
			t.Fatalf("half a write: %+v", entries)
		}
	}
	t.wait(done, writers)
	last := t.has("a", string(t.mustGet("b")))
	for event, err := range log.Follow(t.ctx, writers*times-1) {
		if err != nil || !bytes.Equal(event.Data, last.Value) {
			t.Errorf("the last event = %q, %v, want %q", event.Data, err, last.Value)
		}
		break
	}
}

func (t *trial) mustGet(key string) []byte {
	t.Helper()
	entry, err := t.Store.Get(t.ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	return entry.Value
}

func guardsSeeBefore(t *trial) {
	if _, err := t.Store.Write(t.ctx,
		state.Put("a", []byte("1"), 0).If(0),
		state.Put("a", []byte("2"), 0).If(0),
	); err != nil {
		t.Fatalf("two guards on what was before = %v", err)
	}
	version := t.has("a", "2").Version
	if _, err := t.Store.Write(t.ctx, state.Delete("a").If(version+1)); !errors.Is(
		err, state.ErrConflict) {
		t.Errorf("Delete of another version = %v", err)
	}
	if _, err := t.Store.Write(t.ctx, state.Delete("a").If(version)); err != nil {
		t.Errorf("Delete of this version = %v", err)
	}
	t.lacks("a")
}

func writeReturns(t *trial) {
	t.set("gone", "", 0)
	log := t.Store.Log("log", 10)
	t.append(log, "first", 1)
	results, err := t.Store.Write(t.ctx,
		state.Expect("a", 0), state.Put("a", nil, 0), log.Appending(nil), state.Delete("gone"))
	if err != nil || len(results) != 4 {
		t.Fatalf("Write = %v, %v", results, err)
	}
	want := []uint64{0, t.has("a", "").Version, 2, 0}
	if !slices.Equal(results, want) {
		t.Errorf("Write = %v, want %v", results, want)
	}
}

func conflictOfOne(t *trial) {
	const writers, times = 8, 20
	t.wait(inParallel(writers, func(writer int) error {
		own, fails := fmt.Sprint("own/", writer), writer%2 == 0
		for range times {
			c := state.Put(own, nil, 0)
			if fails {
				c = c.If(1 << 60)
			}
			if _, err := t.Store.Write(t.ctx, c); errors.Is(err, state.ErrConflict) != fails {
				return fmt.Errorf("write of %s = %w", own, err)
			}
		}
		return nil
	}), writers)
	t.lists("own/", "own/1", "own/3", "own/5", "own/7")
}
