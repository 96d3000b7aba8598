package netio

import (
	"errors"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// SeesLeaving tells whether WaitLeft can do its work here.
func (c *Conn) SeesLeaving() bool { return c.raw != nil }

// WaitLeft waits for the peer to go away, and tells whether it did: it has reset the
// connection, or ended its half of it with nothing left to read but the goodbye of
// TLS, or we closed ours or called Abort. A peer that sent something and then ended
// its half may want an answer, and has not left. Nothing is read. WakeWaiting with
// the same over ends the wait; nobody may read meanwhile.
func (c *Conn) WaitLeft(over *atomic.Bool) bool {
	for {
		c.setRead(0)
		// Looked at behind the line above: who sets it moves the deadline afterwards.
		switch {
		case over.Load():
			return false
		case c.aborted.Load():
			return true
		}
		err := c.raw.Read(c.hasLeft)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return true
		}
	}
}

// WakeWaiting makes WaitLeft return, or not begin. Reads after that go on as before.
func (c *Conn) WakeWaiting(over *atomic.Bool) {
	over.Store(true)
	_ = c.sock.SetReadDeadline(base)
}

// hasLeft looks for the end of the connection. The poller calls it again whenever
// something has arrived.
func (c *Conn) hasLeft(fd uintptr) bool {
	look := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	if n, err := unix.Poll(look, 0); err != nil || n == 0 {
		return false
	}
	if look[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0 {
		return true
	}
	var b [64]byte
	n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err != nil || n == 0 || c.tls != nil && isGoodbye(b[:n])
}

// isGoodbye tells whether all that is there is one TLS record with an alert. TLS 1.3
// hides what a record is, but not that there is room for no more than an alert (RFC
// 8446, section 5.2).
func isGoodbye(b []byte) bool {
	const (
		header, alert, data = 5, 21, 23
		hidden              = 2 + 1 + 16 // alert, type and tag
	)
	if len(b) < header {
		return false
	}
	length := int(b[3])<<8 | int(b[4])
	return len(b) == header+length && (b[0] == alert || b[0] == data && length <= hidden)
}
