package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// prepareFolder makes the folder if it is absent. It refuses one in which others
// could put a file of theirs in the place of ours. Its group may be able to
// write, as is usual for volumes of containers.
func prepareFolder(folder string) error {
	info, err := os.Lstat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("%w: make the folder, or name another in [state] url", err)
		}
		info, err = os.Lstat(folder)
	}
	switch {
	case err != nil:
		return err
	case info.Mode().Type() == fs.ModeSymlink:
		return fmt.Errorf("%s is a symbolic link: name the folder itself", folder)
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", folder)
	case info.Mode().Perm()&0o002 != 0:
		return fmt.Errorf("everybody may write to the folder %s: chmod o-w %s, or take"+
			" one of its own in it", folder, folder)
	}
	return nil
}

// inspectFile refuses a file that others can read, or have put there. There is
// fs.ErrNotExist for none.
func inspectFile(path string) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file: move it away", path)
	case info.Mode().Perm()&0o007 != 0:
		return fmt.Errorf("others may use %s, which holds secrets: chmod o= %s", path, path)
	case info.Size() == 0:
		// Ours appears with its content, so an empty one has lost it.
		return damaged(path, "it is empty")
	}
	return nil
}

// openExisting is how the database opens its file: bbolt would make one that is
// absent and follow a link, and by now neither can be right.
func openExisting(path string, flag int, mode fs.FileMode) (*os.File, error) {
	return os.OpenFile(path, flag&^os.O_CREATE|syscall.O_NOFOLLOW, mode)
}

// publish gives a finished file its name, unless there is one of that name, and
// makes sure that it keeps it when the power fails.
func publish(made, path string) error {
	if err := os.Link(made, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// release lets go of the file of a database that cannot be closed any more. The
// lock has to go by itself: what is mapped of the file would keep it.
func release(handle *os.File) error {
	return errors.Join(syscall.Flock(int(handle.Fd()), syscall.LOCK_UN), handle.Close())
}
