package netio

import (
	"errors"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// SeesLeaving tells whether WaitLeft can do its work here.
func (c *Conn) SeesLeaving() bool { return c.raw != nil }

// WaitLeft waits for the peer to go away, and tells whether it did: it has ended its
// half of the connection or reset it, or we closed ours or called Abort. What it sent
// before that stays unread. WakeWaiting with the same over ends the wait; nobody may
// read meanwhile.
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
		err := c.raw.Read(hasLeft)
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

// hasLeft looks for the end behind whatever has arrived; new bytes make the poller
// call it again.
func hasLeft(fd uintptr) bool {
	look := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(look, 0)
	return err == nil && n > 0
}
