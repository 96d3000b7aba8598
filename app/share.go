package app

import (
	"context"
	"errors"
	"net"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"doorward/config"
)

// socket is one that is open, under its address in the configuration.
type socket struct {
	address string
	sock    net.Listener
}

// leavingSockets are those that the configuration has no more.
func (a *App) leavingSockets(cfg *config.Config) (list []socket) {
	wanted, sides := addresses(cfg), a.sideHandlers(cfg)
	for _, l := range a.listeners {
		if !slices.Contains(wanted, l.address) {
			list = append(list, socket{l.address, l.sock})
		}
	}
	for _, s := range a.sides {
		if sides[s.address] == nil {
			list = append(list, socket{s.address, s.sock})
		}
	}
	return list
}

// listen opens one address. Where a socket stands in the way that this reload will
// close, as ":443" does for "10.0.0.1:443", both share the port until then.
func listen(address string, leaving []socket) (net.Listener, error) {
	sock, err := net.Listen("tcp", address)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return sock, err
	}
	_, port, _ := net.SplitHostPort(address)
	shared := false
	for _, l := range leaving {
		if _, used, _ := net.SplitHostPort(l.address); used != port {
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
	sharing := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return setSharing(c, true)
	}}
	beside, besideErr := sharing.Listen(context.Background(), "tcp", address)
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
