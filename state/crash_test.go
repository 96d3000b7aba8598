package state_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"doorward/state"
)

const (
	crashWriters = 3
	// crashesVariable is for more rounds than a test run has the time for.
	crashesVariable = "STATE_TEST_CRASHES"
)

// content is a value that shows when a part of it is not its own.
func content(writer, n int) []byte {
	word := fmt.Appendf(nil, "%d-%d.", writer, n)
	value := binary.BigEndian.AppendUint64(nil, uint64(n))
	return append(value, bytes.Repeat(word, 1+n*7919%1500)...)
}

// number is the opposite of content.
func number(writer int, value []byte) (int, error) {
	if len(value) < 8 {
		return 0, fmt.Errorf("a value of %d bytes", len(value))
	}
	n := int(binary.BigEndian.Uint64(value))
	if !bytes.Equal(value, content(writer, n)) {
		return 0, fmt.Errorf("value %d of writer %d is not whole", n, writer)
	}
	return n, nil
}

// crashed is what the store has of one writer: two entries and its events, written
// together. It is an error when they do not fit.
func crashed(ctx context.Context, store *state.Store, writer int) (int, error) {
	var have [2]int
	for i, name := range []string{"a/", "b/"} {
		entry, err := store.Get(ctx, name+strconv.Itoa(writer))
		if errors.Is(err, state.ErrNotFound) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if have[i], err = number(writer, entry.Value); err != nil {
			return 0, err
		}
	}
	newest, err := store.Log(strconv.Itoa(writer), 20).Newest(ctx)
	if err != nil {
		return 0, err
	}
	if have[0] != have[1] || uint64(have[0]) != newest {
		return 0, fmt.Errorf("writer %d: entries %v and %d events", writer, have, newest)
	}
	return have[0], nil
}

// writeForEver is the process that is killed. It says what it has written.
func writeForEver(folder string) error {
	store, err := state.Open("file:"+folder, state.Options{})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for writer := range crashWriters {
		go func() { failed <- writeOn(store, writer) }()
	}
	return <-failed
}

func writeOn(store *state.Store, writer int) error {
	ctx, name := context.Background(), strconv.Itoa(writer)
	n, err := crashed(ctx, store, writer)
	if err != nil {
		return err
	}
	log := store.Log(name, 20)
	for {
		n++
		value := content(writer, n)
		if _, err := store.Write(ctx, state.Put("a/"+name, value, 0),
			log.Appending(value), state.Put("b/"+name, value, 0)); err != nil {
			return err
		}
		if _, err := fmt.Printf("%d %d\n", writer, n); err != nil {
			return err
		}
	}
}

func killedAtAnyMoment(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	if more, err := strconv.Atoi(os.Getenv(crashesVariable)); err == nil {
		rounds = more
	}
	var folder string
	var safe [crashWriters]int // what each writer has written for certain
	for round := range rounds {
		fresh := round%5 == 0
		if fresh {
			folder, safe = filepath.Join(t.TempDir(), "state"), [crashWriters]int{}
		}
		runAndKill(t, folder, fresh, &safe)
		store := open(t, "file:"+folder, state.Options{})
		for writer, last := range safe {
			have, err := crashed(t.Context(), store, writer)
			if err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			if have != last && have != last+1 {
				t.Fatalf("round %d: writer %d had written %d, the file has %d", round, writer,
					last, have)
			}
			safe[writer] = have
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// runAndKill lets the writers write until a random moment, and notes what they
// know to be safe. In a fresh folder the end may come while the file is made.
func runAndKill(t *testing.T, folder string, fresh bool, safe *[crashWriters]int) {
	t.Helper()
	cmd := child(t, "write", folder)
	lines := start(t, cmd)
	note := func() {
		var writer, n int
		if _, err := fmt.Sscan(lines.Text(), &writer, &n); err != nil {
			t.Fatalf("the writers say %q", lines.Text())
		}
		safe[writer] = n
	}
	if !fresh {
		if !lines.Scan() {
			t.Fatal("the writers did not begin")
		}
		note()
	}
	time.AfterFunc(rand.N(30*time.Millisecond), func() { _ = cmd.Process.Kill() })
	for lines.Scan() {
		note()
	}
	_ = cmd.Wait()
}
