package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"doorward/state"
)

// runChild runs a process to its end, and fails the test when it does not go well.
func runChild(t *testing.T, name, folder string) {
	t.Helper()
	if out, err := child(t, name, folder).Output(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func fileMayNotGrow(t *testing.T) {
	runChild(t, "limited", filepath.Join(t.TempDir(), "state"))
}

// fillLimited has a limit on the size of files, which is what a full disk is like
// to those who may not make one.
func fillLimited(folder string) error {
	limit := func(bytes uint64) error {
		var have syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &have); err != nil {
			return err
		}
		have.Cur = bytes
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &have)
	}
	if err := limit(8 << 10); err != nil {
		return err
	}
	if err := noHalfFile(folder); err != nil {
		return err
	}
	if err := limit(1 << 20); err != nil {
		return err
	}
	return fillUp(folder, func() error { return limit(8 << 20) })
}

// noHalfFile begins where not even an empty store fits.
func noHalfFile(folder string) error {
	if store, err := state.Open("file:"+folder, state.Options{}); err == nil {
		return errors.Join(errors.New("opened in no space"), store.Close())
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 0 {
		return fmt.Errorf("what did not fit left %v, %w", left, err)
	}
	return nil
}

// fillUp writes until nothing more fits, and looks whether all is well then, and
// after more makes room, and after opening again.
func fillUp(folder string, more func() error) error {
	ctx := context.Background()
	store, err := state.Open("file:"+folder, state.Options{})
	if err != nil {
		return err
	}
	secret, err := store.Secret(ctx, "cookie")
	if err != nil {
		return err
	}
	f := filler{ctx: ctx, store: store}
	if err := f.fill(); err != nil {
		return err
	}
	if err := f.whole(); err != nil {
		return fmt.Errorf("when full: %w", err)
	}
	if again, err := store.Secret(ctx, "cookie"); err != nil || !bytes.Equal(again, secret) {
		return fmt.Errorf("the secret when full = %x, %w", again, err)
	}
	if err := more(); err != nil {
		return err
	}
	if err := f.add(); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	if err := store.Close(); err != nil {
		return err
	}
	if f.store, err = state.Open("file:"+folder, state.Options{}); err != nil {
		return err
	}
	defer f.store.Close()
	return f.whole()
}

// filler writes numbered values.
type filler struct {
	ctx   context.Context
	store *state.Store
	n     int
}

// add writes a pair of entries and an event.
func (f *filler) add() error {
	value := content(0, f.n)
	_, err := f.store.Write(f.ctx, state.Put(fmt.Sprint("a/", f.n), value, 0),
		state.Append("log", value, 1<<20), state.Put(fmt.Sprint("b/", f.n), value, 0))
	if err == nil {
		f.n++
	}
	return err
}

// fill adds until there are errors, and some more.
func (f *filler) fill() error {
	refused := 0
	for refused < 20 {
		err := f.add()
		switch {
		case err == nil && f.n > 10000:
			return errors.New("the disk never gets full")
		case errors.Is(err, state.ErrDamaged), errors.Is(err, state.ErrClosed):
			return err
		case err != nil:
			refused++
		}
	}
	if f.n == 0 {
		return errors.New("nothing fitted at all")
	}
	return nil
}

// whole looks for all that was added, and for nothing else.
func (f *filler) whole() error {
	for _, name := range []string{"a/", "b/"} {
		count := 0
		for entry, err := range f.store.All(f.ctx, name) {
			if err != nil {
				return err
			}
			if _, err := number(0, entry.Value); err != nil {
				return err
			}
			count++
		}
		if count != f.n {
			return fmt.Errorf("%d entries, want %d", count, f.n)
		}
	}
	newest, err := f.store.Log("log", 1<<20).Newest(f.ctx)
	if err != nil || newest != uint64(f.n) {
		return fmt.Errorf("%d events, want %d: %w", newest, f.n, err)
	}
	return nil
}
