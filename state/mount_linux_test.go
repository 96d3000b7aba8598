package state_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"doorward/state"
)

// The tests of this file mount file systems. Their processes do that in a
// namespace of their own, which needs no privilege and leaves nothing behind.

func noSpaceLeft(t *testing.T) { runMounting(t, "tmpfs") }

func readOnly(t *testing.T) { runMounting(t, "read-only") }

func runMounting(t *testing.T, name string) {
	t.Helper()
	cmd := child(t, name, t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.Output()
	var status interface{ ExitCode() int }
	switch {
	case errors.As(err, &status) && strings.HasPrefix(string(out), errNoMount.Error()):
		t.Skip(string(out))
	case errors.As(err, &status):
		t.Errorf("%v\n%s", err, out)
	case err != nil:
		t.Skip(err) // no namespaces for us
	}
}

var errNoMount = errors.New("no mounting here")

func mount(folder string, flags uintptr, options string) error {
	if err := syscall.Mount("tmpfs", folder, "tmpfs", flags, options); err != nil {
		return fmt.Errorf("%w: %w", errNoMount, err)
	}
	return nil
}

func fillMounted(folder string) error {
	if err := mount(folder, 0, "size=1m,mode=700"); err != nil {
		return err
	}
	return fillUp(filepath.Join(folder, "state"), func() error {
		return mount(folder, syscall.MS_REMOUNT, "size=32m")
	})
}

func openReadOnly(folder string) error {
	if err := mount(folder, 0, "size=1m,mode=700"); err != nil {
		return err
	}
	store, err := state.Open("file:"+folder, state.Options{})
	if err != nil {
		return err
	}
	if _, err := store.Set(context.Background(), "a", []byte("x"), 0); err != nil {
		return err
	}
	if err := store.Close(); err != nil {
		return err
	}
	if err := mount(folder, syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		return err
	}
	for _, url := range []string{"file:" + folder, "file:" + folder + "/new"} {
		_, err := state.Open(url, state.Options{})
		if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), folder) {
			return fmt.Errorf("Open(%q) on a read-only disk = %w", url, err)
		}
	}
	return nil
}
