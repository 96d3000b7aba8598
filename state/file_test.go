package state_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"doorward/state"
)

// inside opens the file as the database it is.
func inside(t *testing.T, folder string, look func(*bbolt.Tx)) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(folder, "doorward.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(func(tx *bbolt.Tx) error { look(tx); return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestExpiredEntriesLeaveTheFile(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	const stay, expire = 5500, 2500 // more than one sweep looks at
	synctest.Test(t, func(t *testing.T) {
		store := open(t, "file:"+folder, state.Options{})
		fill(t, store, "k/%05d/stay", stay, 0)
		fill(t, store, "k/%05d/expire", expire, time.Minute)
		fill(t, store, "k/%05d/later", 10, 24*time.Hour)
		<-time.After(2 * time.Minute)
		synctest.Wait()
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	})
	inside(t, folder, func(tx *bbolt.Tx) {
		if n := tx.Bucket([]byte("entries")).Stats().KeyN; n != stay+10 {
			t.Errorf("the file has %d entries, want %d", n, stay+10)
		}
	})
}

// fill writes n entries.
func fill(t *testing.T, store *state.Store, format string, n int, ttl time.Duration) {
	t.Helper()
	for i := 0; i < n; {
		var changes []state.Change
		for ; i < n && len(changes) < state.MaxChanges; i++ {
			changes = append(changes, state.Put(fmt.Sprintf(format, i), nil, ttl))
		}
		if _, err := store.Write(t.Context(), changes...); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWritersShareTheWait(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	store := open(t, "file:"+folder, state.Options{})
	const writers, times = 64, 10
	var group sync.WaitGroup
	for writer := range writers {
		group.Go(func() {
			for i := range times {
				if _, err := store.Set(t.Context(), fmt.Sprint(writer, i), nil, 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	inside(t, folder, func(tx *bbolt.Tx) {
		if n := tx.ID(); n > writers*times/2 {
			t.Errorf("%d writes of %d writers took %d transactions", writers*times, writers, n)
		}
		if n := tx.Bucket([]byte("entries")).Stats().KeyN; n != writers*times {
			t.Errorf("%d entries, want %d", n, writers*times)
		}
	})
}

func TestConflictsDoNotWaitForTheDisk(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	store := open(t, "file:"+folder, state.Options{})
	for range 50 {
		_, _ = store.CompareAndSwap(t.Context(), "a", 7, nil, 0)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	inside(t, folder, func(tx *bbolt.Tx) {
		if n := tx.ID(); n > 5 {
			t.Errorf("50 conflicts took %d transactions", n)
		}
	})
}

func TestLogShrinksInTheFile(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	store := open(t, "file:"+folder, state.Options{})
	for _, keep := range []int{100, 5} {
		for range 50 {
			if _, err := store.Log("log", keep).Append(t.Context(), []byte("e")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	inside(t, folder, func(tx *bbolt.Tx) {
		if n := tx.Bucket([]byte("logs")).Bucket([]byte("log")).Stats().KeyN; n != 5 {
			t.Errorf("the log has %d events, want 5", n)
		}
	})
}
