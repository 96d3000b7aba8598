package statetest

import (
	"bytes"
	"fmt"
	"slices"
	"sync/atomic"

	"doorward/state"
)

func listTests() []test {
	return []test{
		{"list is in the order of keys", listIsInOrder},
		{"list comes in pages", listComesInPages},
		{"list stays complete while others write", listWhileWriting},
		{"list of large values comes in several pages", listLargeValues},
		{"list ends where the reader stops", listStops},
	}
}

func listIsInOrder(t *trial) {
	for _, key := range []string{"b", "a/2", "a", "ä", "a/10", "a-", "A", "a/"} {
		t.set(key, key, 0)
	}
	t.lists("", "A", "a", "a-", "a/", "a/10", "a/2", "b", "ä")
	t.lists("a/", "a/", "a/10", "a/2")
	t.lists("a/2", "a/2")
	t.lists("c")
	if err := t.Store.Delete(t.ctx, "a/10"); err != nil {
		t.Fatal(err)
	}
	t.set("a/3", "", 0)
	t.set("a/10", "back", 0)
	t.lists("a/", "a/", "a/10", "a/2", "a/3")
}

func listComesInPages(t *trial) {
	for i := range 10 {
		t.set(fmt.Sprintf("k/%d", i), "", 0)
	}
	t.set("j", "", 0)
	t.set("l", "", 0)
	for _, c := range []struct {
		r    state.Range
		want []string
	}{
		{state.Range{Prefix: "k/", Limit: 3}, []string{"k/0", "k/1", "k/2"}},
		{state.Range{Prefix: "k/", After: "k/2", Limit: 2}, []string{"k/3", "k/4"}},
		{state.Range{Prefix: "k/", After: "k/75", Limit: 9}, []string{"k/8", "k/9"}},
		{state.Range{Prefix: "k/", After: "k/9"}, nil},
		{state.Range{Prefix: "k/", After: "a", Limit: 1}, []string{"k/0"}},
		{state.Range{Prefix: "k/", After: "z"}, nil},
		{state.Range{Prefix: "k/0", After: "k/0"}, nil},
		{state.Range{After: "k/8"}, []string{"k/9", "l"}},
	} {
		entries, err := t.Store.List(t.ctx, c.r)
		var got []string
		for _, entry := range entries {
			got = append(got, entry.Key)
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("List(%+v) = %q, %v, want %q", c.r, got, err, c.want)
		}
	}
}

// listWhileWriting lists keys that stay while others between them come and go.
func listWhileWriting(t *trial) {
	const keys, writers, rounds = 60, 3, 5
	var stay []string
	var fill []state.Change
	for i := range keys {
		stay = append(stay, fmt.Sprintf("k/%03d", i))
		fill = append(fill, state.Put(stay[i], nil, 0))
	}
	if _, err := t.Store.Write(t.ctx, fill...); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	done := inParallel(writers, func(writer int) error {
		for i := 0; !stop.Load(); i++ {
			key := fmt.Sprintf("k/%03d/%d", i%keys, writer)
			if _, err := t.Store.Set(t.ctx, key, nil, 0); err != nil {
				return err
			}
			if err := t.Store.Delete(t.ctx, key); err != nil {
				return err
			}
		}
		return nil
	})
	for range rounds {
		var got []string
		for r := (state.Range{Prefix: "k/", Limit: 7}); ; {
			entries, err := t.Store.List(t.ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) == 0 {
				break
			}
			for _, entry := range entries {
				if entry.Key <= r.After {
					t.Fatalf("%q comes after %q", entry.Key, r.After)
				}
				r.After = entry.Key
				if len(entry.Key) == len("k/000") {
					got = append(got, entry.Key)
				}
			}
		}
		if !slices.Equal(got, stay) {
			t.Errorf("the keys that stayed = %q", got)
		}
	}
	stop.Store(true)
	t.wait(done, writers)
}

func listLargeValues(t *trial) {
	large := bytes.Repeat([]byte("x"), state.MaxValue)
	var want []string
	for i := range 10 {
		want = append(want, fmt.Sprintf("k/%d", i))
		if _, err := t.Store.Set(t.ctx, want[i], large, 0); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := t.Store.List(t.ctx, state.Range{Prefix: "k/"})
	if err != nil || len(entries) == 0 || len(entries) == len(want) {
		t.Errorf("List = %d entries, %v, want some of them at once", len(entries), err)
	}
	t.lists("k/", want...)
	t.has("k/5", string(large))
}

func listStops(t *trial) {
	t.set("a", "", 0)
	t.set("b", "", 0)
	var got []string
	for entry := range t.Store.All(t.ctx, "") {
		got = append(got, entry.Key)
		break
	}
	if len(got) != 1 {
		t.Errorf("All went on to %q", got)
	}
}
