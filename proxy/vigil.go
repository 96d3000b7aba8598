package proxy

import (
	"sync/atomic"
	"time"

	"doorward/internal/safe"
)

// vigil looks whether the client is still there while its request waits: for a place
// on a server, for its turn under a rate limit, for another try, for a slow answer. A
// client that has left gives up its place in the line, and no server works for it.
type vigil struct {
	over atomic.Bool
	gone chan struct{} // closed when the client is no longer there
	done chan struct{} // closed when nobody looks any more
}

// watchClient begins a vigil and returns what is closed when the client has left, or
// a drain has no more time. A client that ends its half of the connection has left,
// unless it sent more before than this request. Not looked at is one that is still
// sending the body, or wants another protocol, which may have its own use for halves.
func (x *exchange) watchClient() <-chan struct{} {
	if x.stream != nil { // a drain without time ends the connection, and so the stream
		return x.presence.channel()
	}
	if !x.watchable() {
		return x.e.cutting
	}
	return x.keepVigil(func() {})
}

// watchable tells whether it is a client of HTTP/1 that has nothing more to say than this
// request.
func (x *exchange) watchable() bool {
	return x.stream == nil && !x.up.waiting && x.in.len() <= x.up.consumed() && x.req.Upgrade == nil &&
		x.c.io.SeesLeaving()
}

// keepVigil calls left, and closes the channel that it returns, when the client leaves.
func (x *exchange) keepVigil(left func()) <-chan struct{} {
	v := &vigil{gone: make(chan struct{}), done: make(chan struct{})}
	x.vigil = v
	socket := x.c.io
	safe.Go(x.e.log, "vigil", func() {
		defer close(v.done)
		if socket.WaitLeft(&v.over) { // which cut brings about too
			close(v.gone)
			left()
		}
	})
	return v.gone
}

// endVigil ends the vigil, if there is one. It comes before anything else that is
// read from the client.
func (x *exchange) endVigil() {
	if v := x.vigil; v != nil {
		x.vigil = nil
		x.c.io.WakeWaiting(&v.over)
		<-v.done
	}
}

// pause waits, and tells whether that was to the end.
func (x *exchange) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	defer x.endVigil()
	select {
	case <-t.C:
		return true
	case <-x.watchClient():
		return false
	}
}

// clientLeft ends the exchange with a client that went away while it waited.
func (x *exchange) clientLeft(phase byte) {
	x.end('C', phase)
	x.rec.Err = errClientGone
	x.keep, x.linger = false, false
}
