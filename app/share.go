package app

import (
	"context"
	"errors"
	"net"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// listen opens one address. Where a listener stands in the way that this reload
// will close, as ":443" does for "10.0.0.1:443", both share the port until then.
func (a *App) listen(address string, wanted []string) (net.Listener, error) {
	sock, err := net.Listen("tcp", address)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return sock, err
	}
	_, port, _ := net.SplitHostPort(address)
	shared := false
	for _, l := range a.listeners {
		_, used, _ := net.SplitHostPort(l.address)
		if used != port || slices.Contains(wanted, l.address) {
			continue
		}
		if old, ok := l.sock.(syscall.Conn); ok && sharePort(old, true) == nil {
			// Shared for no longer than it takes: a second instance must find the
			// port in use.
			defer func() { _ = sharePort(old, false) }()
			shared = true
		}
	}
	if !shared {
		return nil, err
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return setSharing(c, true)
	}}
	beside, besideErr := config.Listen(context.Background(), "tcp", address)
	if besideErr != nil {
		return nil, err
	}
	if c, ok := beside.(syscall.Conn); ok {
		_ = sharePort(c, false)
	}
	return beside, nil
}

func sharePort(c syscall.Conn, on bool) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return setSharing(raw, on)
}

func setSharing(c syscall.RawConn, on bool) error {
	value := 0
	if on {
		value = 1
	}
	var err error
	controlErr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, value)
	})
	return errors.Join(controlErr, err)
}
