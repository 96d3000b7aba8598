package netio

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// TransferMin is the least number of bytes for which Transfer is worth its
// preparations.
const TransferMin = 128 << 10

// transferStep bounds one call of the kernel's short way, and so how much may
// be under way unseen by the caller.
const transferStep = 1 << 20

// Transfer moves n bytes from one connection to the other without taking them
// into this process (splice on Linux), when both are plain TCP sockets; else it
// moves nothing. It returns how many were moved, and after an error whether it
// came from the reading side. After an error bytes may be lost between the two,
// so both are good for nothing but Close.
//
// The limits of both sides hold: each is about progress, as in Read and Write.
func Transfer(to, from *Conn, n int64) (moved int64, reading bool, err error) {
	dst, ok1 := to.sock.(*net.TCPConn)
	src, ok2 := from.sock.(*net.TCPConn)
	if !ok1 || !ok2 || to.tls != nil || from.tls != nil || len(from.pre) > 0 || !canWatch {
		return 0, false, nil
	}
	w := watch(to, from)
	defer w.end()
	for moved < n {
		step := min(n-moved, transferStep)
		k, err := dst.ReadFrom(&io.LimitedReader{R: src, N: step})
		moved += k
		switch {
		case err != nil:
			return moved, w.blames(), from.reason(err)
		case k < step:
			return moved, true, io.ErrUnexpectedEOF
		}
	}
	return moved, false, nil
}

// watcher replaces deadlines while bytes move inside the kernel, where a fired
// deadline would lose them: it looks from time to time whether both sides still
// make progress, and ends the transfer when one does not.
type watcher struct {
	to, from *Conn
	timer    *time.Timer
	period   time.Duration

	sent, received uint64
	still          [2]time.Duration // how long sending and receiving stood still
	begun          [2]uint64        // sent and received at the beginning
	waited         [2]time.Duration // for the peer of to, and of from

	mu      sync.Mutex
	over    bool // the transfer has ended
	fired   bool // a side was late
	reading bool // and it was the reading one
}

// watchShare is how many looks there are in the shorter of the two timeouts.
const watchShare = 4

func watch(to, from *Conn) *watcher {
	w := &watcher{to: to, from: from}
	to.writeArmed = 0
	_ = to.sock.SetWriteDeadline(time.Time{})
	from.setRead(0)
	limit := to.WriteIdle
	if limit == 0 || from.ReadIdle > 0 && from.ReadIdle < limit {
		limit = from.ReadIdle
	}
	if limit > 0 {
		w.period = max(limit/watchShare, time.Millisecond)
		w.sent, w.received = progress(to, from)
		w.begun = [2]uint64{w.sent, w.received}
		w.mu.Lock()
		w.timer = time.AfterFunc(w.period, w.look)
		w.mu.Unlock()
	}
	return w
}

// look runs in a goroutine of the timer. A direction that has nothing to do
// because of the other is not late: bytes that arrived and were not sent on are
// the reader's fault, else the sender's.
func (w *watcher) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	sent, received := progress(w.to, w.from)
	if sent != w.sent || received != w.received {
		w.still = [2]time.Duration{}
	} else {
		w.still[0] += w.period
		w.still[1] += w.period
	}
	w.sent, w.received = sent, received
	if unsent(w.to) {
		w.waited[0] += w.period
		late := w.to.WriteIdle > 0 && w.still[0] >= w.to.WriteIdle
		w.judge(false, late || TooSlow(int(sent-w.begun[0]), int64(w.waited[0])))
		return
	}
	w.waited[1] += w.period
	late := w.from.ReadIdle > 0 && w.still[1] >= w.from.ReadIdle
	w.judge(true, late || TooSlow(int(received-w.begun[1]), int64(w.waited[1])))
}

// judge ends the transfer when a side was late, or looks again later.
func (w *watcher) judge(reading, late bool) {
	if late {
		w.stop(reading)
		return
	}
	w.timer.Reset(w.period)
}

func (w *watcher) stop(reading bool) {
	w.fired, w.reading = true, reading
	_ = w.to.sock.SetWriteDeadline(base)
	_ = w.from.sock.SetReadDeadline(base)
}

// end makes sure that no deadline is touched any more.
func (w *watcher) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

// blames tells whether the reading side caused the error. The error of a splice
// does not say.
func (w *watcher) blames() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fired {
		return w.reading
	}
	return w.from.aborted.Load() || ended(w.from)
}

// reason tells what a fired deadline of a transfer means.
func (c *Conn) reason(err error) error {
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case c.aborted.Load():
		return ErrAborted
	}
	return ErrTimeout
}
