//go:build !linux

package netio

import "sync/atomic"

// SeesLeaving tells whether WaitLeft can do its work here.
func (c *Conn) SeesLeaving() bool { return false }

// WaitLeft cannot see here whether the peer has gone away.
func (c *Conn) WaitLeft(*atomic.Bool) bool { return false }

// WakeWaiting has nobody to wake here.
func (c *Conn) WakeWaiting(over *atomic.Bool) { over.Store(true) }
