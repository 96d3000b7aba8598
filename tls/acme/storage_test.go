package acme_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"doorward/state"
	"doorward/tls/acme"
)

// storages runs a test over both engines.
func storages(t *testing.T, test func(t *testing.T, s *acme.Storage)) {
	t.Helper()
	for name, url := range map[string]string{"memory": "memory:", "file": "file:" + t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			test(t, acme.NewStorage(store(t, url), time.Minute, zap.NewNop()))
		})
	}
}

func put(t testing.TB, s *acme.Storage, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := s.Store(t.Context(), key, []byte("of "+key)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStorage_files(t *testing.T) {
	storages(t, func(t *testing.T, s *acme.Storage) {
		ctx := t.Context()
		_, err := s.Load(ctx, "a/b")
		wantErr(t, err, fs.ErrNotExist)
		_, err = s.Stat(ctx, "a/b")
		wantErr(t, err, fs.ErrNotExist)
		put(t, s, "a/b", "a/b") // the second writes over the first
		got, err := s.Load(ctx, "a/b")
		if err != nil || string(got) != "of a/b" {
			t.Errorf("Load = %q, %v", got, err)
		}
		info, err := s.Stat(ctx, "a/b")
		if want := (certmagic.KeyInfo{Key: "a/b", Size: 6, IsTerminal: true}); err != nil ||
			info != want {
			t.Errorf("Stat = %+v, %v, want %+v", info, err, want)
		}
		if !s.Exists(ctx, "a/b") || !s.Exists(ctx, "a") || s.Exists(ctx, "a/") ||
			s.Exists(ctx, "b") {
			t.Error("Exists is wrong")
		}
		wantErr(t, s.Store(ctx, "big", make([]byte, state.MaxValue+1)), state.ErrTooLarge)
		wantErr(t, s.Store(ctx, strings.Repeat("k", state.MaxKey), nil), state.ErrTooLarge)
		if err := s.Delete(ctx, "a/b"); err != nil || s.Exists(ctx, "a/b") {
			t.Errorf("Delete = %v", err)
		}
		if err := s.Delete(ctx, "a/b"); err != nil {
			t.Errorf("second Delete = %v", err)
		}
	})
}

func TestStorage_folders(t *testing.T) {
	storages(t, func(t *testing.T, s *acme.Storage) {
		ctx := t.Context()
		put(t, s, "f/a", "f/b/one", "f/b/two", "fa", "g")
		for _, c := range []struct {
			folder    string
			recursive bool
			want      []string
		}{
			{"", false, []string{"f", "fa", "g"}},
			{"f", false, []string{"f/a", "f/b"}},
			{"f", true, []string{"f/a", "f/b/one", "f/b/two"}},
			{"f/b", false, []string{"f/b/one", "f/b/two"}},
		} {
			got, err := s.List(ctx, c.folder, c.recursive)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("List(%q, %v) = %q, %v", c.folder, c.recursive, got, err)
			}
		}
		_, err := s.List(ctx, "h", true)
		wantErr(t, err, fs.ErrNotExist)
		if info, err := s.Stat(ctx, "f"); err != nil || info.IsTerminal {
			t.Errorf("Stat of a folder = %+v, %v", info, err)
		}
		if err := s.Delete(ctx, "f"); err != nil {
			t.Fatal(err)
		}
		if got, _ := s.List(ctx, "", true); !slices.Equal(got, []string{"fa", "g"}) {
			t.Errorf("left after Delete: %q", got)
		}
	})
}

func TestStorage_deletes_more_than_one_write_takes(t *testing.T) {
	s := acme.NewStorage(memory(t), time.Minute, zap.NewNop())
	for n := range state.MaxChanges + 5 {
		put(t, s, "f/"+time.Unix(int64(n), 0).UTC().Format("150405"))
	}
	if err := s.Delete(t.Context(), "f"); err != nil || s.Exists(t.Context(), "f") {
		t.Errorf("Delete = %v", err)
	}
}

func TestLock_has_one_holder(t *testing.T) {
	storages(t, func(t *testing.T, s *acme.Storage) {
		var inside, wrong atomic.Int64
		var work sync.WaitGroup
		for range 4 {
			work.Go(func() {
				for range 2 {
					if err := s.Lock(t.Context(), "a"); err != nil {
						t.Error(err)
						return
					}
					if inside.Add(1) != 1 {
						wrong.Add(1)
					}
					inside.Add(-1)
					if err := s.Unlock(t.Context(), "a"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		if err := s.Lock(t.Context(), "b"); err != nil {
			t.Errorf("another lock: %v", err)
		}
		work.Wait()
		if wrong.Load() != 0 {
			t.Errorf("%d times two held it", wrong.Load())
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		wantErr(t, s.Lock(ctx, "b"), context.DeadlineExceeded)
		if err := s.Unlock(t.Context(), "b"); err != nil {
			t.Error(err)
		}
		if err := s.Unlock(t.Context(), "b"); err == nil {
			t.Error("unlocked what nobody held")
		}
	})
}

func TestLock_is_kept_while_the_holder_lives_and_ends_when_it_died(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := state.Open("memory:", state.Options{})
		if err != nil {
			t.Fatal(err)
		}
		const lease = 30 * time.Second
		alive := acme.NewStorage(s, lease, zap.NewNop())
		if err := alive.Lock(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		other := acme.NewStorage(s, lease, zap.NewNop())
		ctx, cancel := context.WithTimeout(t.Context(), 10*lease)
		defer cancel()
		wantErr(t, other.Lock(ctx, "a"), context.DeadlineExceeded)
		if err := alive.Unlock(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}

		// Who dies renews no more: an entry that nobody writes again.
		_, err = s.CompareAndSwap(t.Context(), "acme/lock/a", 0, []byte("dead"), lease)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if err := other.Lock(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < lease-time.Second || took > lease+time.Second {
			t.Errorf("free after %v, want %v", took, lease)
		}
		// A holder whose lock was taken away is told so.
		entry, err := s.Get(t.Context(), "acme/lock/a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Set(t.Context(), entry.Key, []byte("thief"), 0); err != nil {
			t.Fatal(err)
		}
		if err := other.Unlock(t.Context(), "a"); err == nil {
			t.Error("gave back the lock of a thief")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestLock_that_was_lost_is_given_back_before_another_has_it(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := state.Open("memory:", state.Options{})
		if err != nil {
			t.Fatal(err)
		}
		locks := acme.NewStorage(s, 30*time.Second, zap.NewNop())
		if err := locks.Lock(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), "acme/lock/a"); err != nil { // as the lease does
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		wantErr(t, locks.Lock(ctx, "a"), context.DeadlineExceeded)
		if err := locks.Unlock(t.Context(), "a"); err == nil {
			t.Error("gave back what was lost")
		}
		if err := locks.Lock(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		if err := locks.Unlock(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestStorage_says_what_the_store_says(t *testing.T) {
	kept := memory(t)
	s := acme.NewStorage(kept, time.Minute, zap.NewNop())
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, load := s.Load(ctx, "a")
	_, list := s.List(ctx, "a", true)
	_, stat := s.Stat(ctx, "a")
	for name, err := range map[string]error{
		"Load": load, "List": list, "Stat": stat, "Store": s.Store(ctx, "a", nil),
		"Delete": s.Delete(ctx, "a"), "Lock": s.Lock(ctx, "a"),
	} {
		if !errors.Is(err, state.ErrClosed) {
			t.Errorf("%s = %v", name, err)
		}
	}
}

func TestSecurity_keys_in_the_file(t *testing.T) {
	t.Run("ACME-12 only the owner reads them", func(t *testing.T) {
		folder := t.TempDir()
		s := acme.NewStorage(store(t, "file:"+folder), time.Minute, zap.NewNop())
		put(t, s, "certificates/ca/a.test/a.test.key")
		found := 0
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			found++
			if info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %v", path, info.Mode())
			}
			return nil
		})
		if err != nil || found == 0 {
			t.Errorf("%d files, %v", found, err)
		}
	})
}
