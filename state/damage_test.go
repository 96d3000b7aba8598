package state_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"doorward/state"
)

// filled makes a store with something in all its parts and returns its folder and
// its file.
func filled(t *testing.T) (folder, path string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "state")
	store := open(t, "file:"+folder, state.Options{})
	for i := range 20 {
		var changes []state.Change
		for k := range 50 {
			changes = append(changes, state.Put(fmt.Sprintf("key/%d/%d", i, k),
				bytes.Repeat([]byte{byte(k)}, 100+k), 0))
		}
		changes = append(changes, state.Append("log", bytes.Repeat([]byte("e"), 500), 1000))
		if _, err := store.Write(t.Context(), changes...); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return folder, filepath.Join(folder, "doorward.db")
}

// edit changes the file as nobody should.
func edit(t *testing.T, path string, change func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedFileIsRefusedAndLeft(t *testing.T) {
	put := func(bucket, key string, value []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			edit(t, path, func(tx *bbolt.Tx) error {
				return tx.Bucket([]byte(bucket)).Put([]byte(key), value)
			})
		}
	}
	drop := func(bucket string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			edit(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(bucket)) })
		}
	}
	truncate := func(part int64) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			info, err := os.Stat(path)
			if err = errors.Join(err, os.Truncate(path, info.Size()*part/100)); err != nil {
				t.Fatal(err)
			}
		}
	}
	overwrite := func(from, to int64) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			file, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = file.WriteAt(bytes.Repeat([]byte{0x5a}, int(to-from)), from)
			if err := errors.Join(err, file.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name   string
		damage func(*testing.T, string)
		want   string // beside the place; empty: that of damage
	}{
		{"empty", truncate(0), ""},
		{"cut to a few bytes", func(t *testing.T, path string) { _ = os.Truncate(path, 100) }, ""},
		{"cut to the root pages", func(t *testing.T, path string) {
			_ = os.Truncate(path, 2*int64(os.Getpagesize()))
		}, ""},
		{"cut in the middle", truncate(30), ""},
		{"root pages overwritten", overwrite(0, 2*int64(os.Getpagesize())), ""},
		{"all but the root pages overwritten", overwrite(2*int64(os.Getpagesize()), 100_000), ""},
		{"some other file", func(t *testing.T, path string) {
			_ = os.WriteFile(path, bytes.Repeat([]byte("text\n"), 10_000), 0o600)
		}, ""},
		{"not ours", drop("doorward"), "not written by doorward"},
		{"no entries", drop("entries"), ""},
		{"no logs", drop("logs"), ""},
		{"no version", put("doorward", "schema", nil), ""},
		{"newer", put("doorward", "schema", binary.BigEndian.AppendUint32(nil, 2)),
			"newer doorward (format 2, this one knows 1)"},
		{"short record", put("entries", "key", []byte("short")), ""},
		{"impossible key", put("entries", "\x00", make([]byte, 16)), ""},
		{"event without position", func(t *testing.T, path string) {
			edit(t, path, func(tx *bbolt.Tx) error {
				return tx.Bucket([]byte("logs")).Bucket([]byte("log")).Put([]byte("x"), nil)
			})
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder, path := filled(t)
			c.damage(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			store, err := state.Open("file:"+folder, state.Options{})
			if err == nil {
				_ = store.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want the place and %q", err, c.want)
			}
			if newer := c.name == "newer"; errors.Is(err, state.ErrDamaged) == newer {
				t.Errorf("error %q, ErrDamaged: %t", err, !newer)
			}
			after, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(before, after) {
				t.Errorf("the file was changed, %v", err)
			}
			if again, err := state.Open("file:"+folder, state.Options{}); err == nil ||
				errors.Is(err, state.ErrLocked) {
				t.Errorf("a second try gives %v, %v", again, err)
			}
		})
	}
}

// A page that goes bad is an error, at the start or when it is read, and never the
// end of the process.
func TestRandomDamageEndsNothing(t *testing.T) {
	folder, path := filled(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	refused := 0
	for round := range 100 {
		random := rand.New(rand.NewPCG(1, uint64(round)))
		bad := bytes.Clone(whole)
		at := random.IntN(len(bad)/page) * page
		for i := range page {
			bad[at+i] = byte(random.Uint32() * uint32(round%2)) // or zeros
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		store, err := state.Open("file:"+folder, state.Options{})
		if err != nil {
			refused++
			if !errors.Is(err, state.ErrDamaged) {
				t.Errorf("page %d: %v", at/page, err)
			}
			continue
		}
		for _, err := range store.All(t.Context(), "") {
			if err != nil {
				t.Errorf("page %d: found good and then %v", at/page, err)
			}
		}
		if err := store.Close(); err != nil {
			t.Errorf("page %d: Close = %v", at/page, err)
		}
	}
	if refused == 0 {
		t.Error("no damage was noticed")
	}
}

// The disk loses what the process has open. Reading finds out first, or writing.
func TestDamageWhileOpenIsAnError(t *testing.T) {
	for _, writing := range []bool{false, true} {
		folder, path := filled(t)
		store := open(t, "file:"+folder, state.Options{})
		if err := os.Truncate(path, 2*int64(os.Getpagesize())); err != nil {
			t.Fatal(err)
		}
		calls := []func() error{
			func() error { _, err := store.List(t.Context(), state.Range{}); return err },
			func() error { _, err := store.Set(t.Context(), "a", nil, 0); return err },
		}
		if writing {
			slices.Reverse(calls)
		}
		for _, call := range calls {
			err := call()
			if !errors.Is(err, state.ErrDamaged) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want ErrDamaged with the place", err)
			}
		}
		if err := store.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
		if _, err := state.Open("file:"+folder, state.Options{}); !errors.Is(err, state.ErrDamaged) {
			t.Errorf("Open = %v, want ErrDamaged and no lock that stayed", err)
		}
	}
}

// What is read belongs to the reader, and is no part of the mapped file.
func TestValuesAreNoPartOfTheFile(t *testing.T) {
	folder, _ := filled(t)
	store := open(t, "file:"+folder, state.Options{})
	for range 2 {
		entry, err := store.Get(t.Context(), "key/1/1")
		if err != nil || entry.Value[0] != 1 {
			t.Fatalf("Get = %v, %v", entry, err)
		}
		entry.Value[0] = 99
		entries, err := store.List(t.Context(), state.Range{Prefix: "key/1/1", Limit: 1})
		if err != nil || entries[0].Value[0] != 1 {
			t.Fatalf("List = %v, %v", entries, err)
		}
		entries[0].Value[0] = 99
		for event, err := range store.Log("log", 1).Follow(t.Context(), 5) {
			if err != nil || event.Data[0] != 'e' {
				t.Fatalf("Follow = %v, %v", event, err)
			}
			event.Data[0] = 99
			break
		}
	}
}
