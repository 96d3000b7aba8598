package state_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"doorward/state"
)

// TestSecurityState has the cases of group FS that concern the state folder.
func TestSecurityState(t *testing.T) {
	t.Run("FS-02_created_files_are_private", createdFilesArePrivate)
	t.Run("FS-03_killed_at_any_moment", killedAtAnyMoment)
	t.Run("FS-04_file_may_not_grow", fileMayNotGrow)
	t.Run("FS-04_no_space_left", noSpaceLeft)
	t.Run("FS-04_read_only", readOnly)
	t.Run("FS-05_links_and_open_folders", linksAndOpenFolders)
	t.Run("FS-07_two_instances", twoInstances)
}

func createdFilesArePrivate(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	parent := t.TempDir()
	folder := filepath.Join(parent, "new", "state")
	open(t, "file:"+folder, state.Options{})
	for path, want := range map[string]os.FileMode{
		filepath.Dir(folder):                 0o700 | os.ModeDir,
		folder:                               0o700 | os.ModeDir,
		filepath.Join(folder, "doorward.db"): 0o600,
	} {
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 {
		t.Errorf("the folder has %v, %v, want the file alone", left, err)
	}
}

func linksAndOpenFolders(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(folder string) error
		want    string
	}{
		{"folder is a link", func(folder string) error {
			return errors.Join(os.Mkdir(folder+".real", 0o700), os.Symlink(folder+".real", folder))
		}, "symbolic link"},
		{"folder is a dangling link", func(folder string) error {
			return os.Symlink(folder+".nowhere", folder)
		}, "symbolic link"},
		{"folder is a file", func(folder string) error {
			return os.WriteFile(folder, nil, 0o600)
		}, "not a folder"},
		{"folder is open to all", func(folder string) error {
			return errors.Join(os.Mkdir(folder, 0o700), os.Chmod(folder, 0o1777))
		}, "chmod o-w"},
		{"file is a link", func(folder string) error {
			real := folder + ".db"
			return errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(real, []byte("x"), 0o600),
				os.Symlink(real, filepath.Join(folder, "doorward.db")))
		}, "not a regular file"},
		{"file is a dangling link", func(folder string) error {
			return errors.Join(os.Mkdir(folder, 0o700),
				os.Symlink("/nowhere", filepath.Join(folder, "doorward.db")))
		}, "not a regular file"},
		{"file is a folder", func(folder string) error {
			return os.MkdirAll(filepath.Join(folder, "doorward.db"), 0o700)
		}, "not a regular file"},
		{"file is readable by all", func(folder string) error {
			path := filepath.Join(folder, "doorward.db")
			return errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(path, []byte("x"), 0o600),
				os.Chmod(path, 0o604))
		}, "chmod o="},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "state")
			if err := c.prepare(folder); err != nil {
				t.Fatal(err)
			}
			store, err := state.Open("file:"+folder, state.Options{})
			if err == nil {
				_ = store.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), folder) {
				t.Errorf("error %q, want %q and the place", err, c.want)
			}
		})
	}
}

// holdOpen is the process that has the file.
func holdOpen(folder string) error {
	store, err := state.Open("file:"+folder, state.Options{})
	if err != nil {
		return err
	}
	os.Stdout.WriteString("open\n")
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the end of the one who started this
	return store.Close()
}

func twoInstances(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	cmd := child(t, "hold", folder)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if lines := start(t, cmd); !lines.Scan() || lines.Text() != "open" {
		t.Fatalf("the first instance says %q", lines.Text())
	}
	_, err = state.Open("file:"+folder, state.Options{})
	if !errors.Is(err, state.ErrLocked) || !strings.Contains(err.Error(), "[state] url") ||
		!strings.Contains(err.Error(), folder) {
		t.Errorf("the second instance gets %v, want ErrLocked with place and mend", err)
	}
	_ = stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the first instance ended with %v", err)
	}
	store := open(t, "file:"+folder, state.Options{})
	if _, err := state.Open("file:"+folder, state.Options{}); !errors.Is(err, state.ErrLocked) {
		t.Errorf("a second store in the same process = %v, want ErrLocked", err)
	}
	if _, err := store.Set(t.Context(), "a", nil, 0); err != nil {
		t.Errorf("the refusal of the second harmed the first: %v", err)
	}
}
