package statetest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"doorward/state"
)

func logTests() []test {
	return []test{
		{"log counts from one without gaps", logCounts},
		{"log keeps the order of concurrent appends", logKeepsOrder},
		{"follow waits for what comes", followWaits},
		{"follow says what was trimmed", followAcrossTrims},
		{"follow refuses a position that never was", followFuture},
		{"follow ends with its context", followEnds},
		{"logs are apart from each other and from entries", logsAreApart},
	}
}

// read returns n events after the position.
func (t *trial) read(log *state.Log, after uint64, n int) []string {
	t.Helper()
	var got []string
	for event, err := range log.Follow(t.ctx, after) {
		if err != nil {
			t.Fatalf("Follow(%d) = %v after %q", after, err, got)
		}
		after++
		if event.Position != after {
			t.Fatalf("position %d in the place of %d", event.Position, after)
		}
		if got = append(got, string(event.Data)); len(got) == n {
			break
		}
	}
	return got
}

func logCounts(t *trial) {
	log := t.Store.Log("log", 100)
	if newest, err := log.Newest(t.ctx); err != nil || newest != 0 {
		t.Errorf("Newest of an empty log = %d, %v", newest, err)
	}
	for i, event := range []string{"a", "", "c"} {
		t.append(log, event, uint64(i+1))
	}
	if newest, err := log.Newest(t.ctx); err != nil || newest != 3 {
		t.Errorf("Newest = %d, %v, want 3", newest, err)
	}
	if got := t.read(log, 0, 3); !slices.Equal(got, []string{"a", "", "c"}) {
		t.Errorf("events = %q", got)
	}
	if got := t.read(log, 2, 1); !slices.Equal(got, []string{"c"}) {
		t.Errorf("events after 2 = %q", got)
	}
}

// logKeepsOrder has several follow what several append: all see the same, and
// the events of each writer in the order that it wrote them.
func logKeepsOrder(t *trial) {
	const writers, readers, times = 4, 3, 40
	log := t.Store.Log("log", 1000)
	seen := make([][]string, readers)
	reading := inParallel(readers, func(reader int) error {
		next := make([]int, writers)
		for event, err := range log.Follow(t.ctx, 0) {
			if err != nil {
				return err
			}
			var writer, i int
			if _, err := fmt.Sscan(string(event.Data), &writer, &i); err != nil {
				return err
			}
			if i != next[writer] || event.Position != uint64(len(seen[reader])+1) {
				return fmt.Errorf("event %q at %d, want number %d", event.Data, event.Position,
					next[writer])
			}
			next[writer]++
			seen[reader] = append(seen[reader], string(event.Data))
			if len(seen[reader]) == writers*times {
				break
			}
		}
		return nil
	})
	t.wait(inParallel(writers, func(writer int) error {
		for i := range times {
			if _, err := log.Append(t.ctx, fmt.Append(nil, writer, " ", i)); err != nil {
				return err
			}
		}
		return nil
	}), writers)
	t.wait(reading, readers)
	for _, other := range seen[1:] {
		if !slices.Equal(other, seen[0]) {
			t.Error("two readers saw two orders")
		}
	}
}

func followWaits(t *trial) {
	log := t.Store.Log("log", 10)
	t.append(log, "old", 1)
	got := make(chan string)
	done := inParallel(1, func(int) error {
		for event, err := range log.Follow(t.ctx, 0) {
			if err != nil {
				return err
			}
			got <- string(event.Data)
			if event.Position == 3 {
				break
			}
		}
		return nil
	})
	for i, want := range []string{"old", "new", "newer"} {
		if i > 0 {
			t.append(log, want, uint64(i+1))
		}
		select {
		case event := <-got:
			if event != want {
				t.Fatalf("event %q, want %q", event, want)
			}
		case <-t.ctx.Done():
			t.Fatalf("%q never came", want)
		}
	}
	t.wait(done, 1)
}

func followAcrossTrims(t *trial) {
	const keep, all = 10, 400
	log := t.Store.Log("log", keep)
	for i := range all {
		t.append(log, fmt.Sprint(i), uint64(i+1))
	}
	for _, err := range log.Follow(t.ctx, 3) {
		t.wantError(err, state.ErrTrimmed, "log")
	}
	if got := t.read(log, all-keep, keep); got[0] != fmt.Sprint(all-keep) {
		t.Errorf("the events that stay begin with %q", got[0])
	}
	newest, err := log.Newest(t.ctx)
	if err != nil || newest != all {
		t.Fatalf("Newest = %d, %v, want %d", newest, err, all)
	}
	t.append(log, "next", all+1)
	if got := t.read(log, newest, 1); got[0] != "next" {
		t.Errorf("events after the newest = %q", got)
	}
	shorter := t.Store.Log("log", 1)
	for i := range all {
		t.append(shorter, "", uint64(all+2+i))
	}
	for _, err := range shorter.Follow(t.ctx, all+1) {
		t.wantError(err, state.ErrTrimmed, "log")
	}
}

func followFuture(t *trial) {
	log := t.Store.Log("log", 10)
	for _, err := range log.Follow(t.ctx, 1) {
		t.wantError(err, state.ErrTrimmed, "log")
	}
	t.append(log, "a", 1)
	for _, err := range log.Follow(t.ctx, 2) {
		t.wantError(err, state.ErrTrimmed, "log")
	}
}

func followEnds(t *trial) {
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	log := t.Store.Log("log", 10)
	t.append(log, "a", 1)
	var last error
	for event, err := range log.Follow(ctx, 0) {
		if last = err; event.Position == 1 {
			cancel()
		}
	}
	t.wantError(last, context.Canceled, "log")
	if !errors.Is(last, context.Canceled) {
		t.Errorf("Follow ended with %v", last)
	}
}

func logsAreApart(t *trial) {
	t.set("name", "value", 0)
	one, other := t.Store.Log("name", 10), t.Store.Log("name/2", 10)
	t.append(one, "a", 1)
	t.append(one, "b", 2)
	t.append(other, "c", 1)
	t.has("name", "value")
	t.lists("", "name")
	if err := t.Store.Delete(t.ctx, "name"); err != nil {
		t.Fatal(err)
	}
	if got := t.read(one, 0, 2); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("events = %q", got)
	}
}
