package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Who may talk to an instance may reload it, so the socket is for the owner and
// the group of the process, and a folder made for it is closed to others too.
const (
	socketMode = 0o660
	folderMode = 0o750
)

// maxSocketPath is the longest name every system takes, the smaller one of Linux
// (107) and macOS (103).
const maxSocketPath = 103

// Reasons why there is no control socket.
var (
	errInstance  = errors.New("another instance answers there: stop it, or choose another path")
	errNoSocket  = errors.New("something else is there, and it is not a socket: remove it")
	errLongPath  = fmt.Errorf("the path is longer than %d bytes", maxSocketPath)
	errForbidden = errors.New(`name one in a folder of this user, or none: control = ""`)
)

// socketError says why the control socket cannot be had.
type socketError struct {
	path string
	err  error
}

func (e *socketError) Error() string {
	text := fmt.Sprintf("listen.control: %s: %v", e.path, e.err)
	if errors.Is(e.err, fs.ErrPermission) {
		text += fmt.Sprintf(" (%v)", errForbidden)
	}
	return text
}

func (e *socketError) Unwrap() error { return e.err }

// listenSocket listens at path. A socket that nobody answers on any more is
// replaced; everything else that may be there is left alone, links too.
func listenSocket(path string) (*net.UnixListener, os.FileInfo, error) {
	if len(path) > maxSocketPath {
		return nil, nil, errLongPath
	}
	if err := os.Mkdir(filepath.Dir(path), folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, nil, err
	}
	if err := vacant(path); err != nil {
		return nil, nil, err
	}
	return bindSocket(path)
}

// vacant reports what forbids to take path.
func vacant(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errNoSocket
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
		return errInstance
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// A full queue, for one: somebody is there, if slow.
	return err
}

// bindSocket makes the socket in a private folder and moves it to path when its
// mode is right. Bound in place it would be open to everybody for a moment, or,
// with a umask against that, all files that others make meanwhile would be shut.
func bindSocket(path string) (_ *net.UnixListener, info os.FileInfo, err error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "s")
	sock, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, nil, err
	}
	sock.SetUnlinkOnClose(false)
	if err = os.Chmod(name, socketMode); err == nil {
		err = os.Rename(name, path)
	}
	if err == nil {
		info, err = os.Lstat(path)
	}
	if err != nil {
		_ = sock.Close()
		return nil, nil, err
	}
	return sock, info, nil
}
