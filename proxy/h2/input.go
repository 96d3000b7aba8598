package h2

import (
	"errors"
	"io"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// inputBytes is how much is read at a time: a TLS record, or a frame with its first
// bytes.
const inputBytes = 16<<10 + 512

//house:allow global a pool that all connections share, so that idle ones hold no buffer
var inputs = sync.Pool{New: func() any { return new([inputBytes]byte) }}

var (
	errIdle     = errors.New("no stream for too long")
	errFinished = errors.New("drained")
	errLate     = errors.New("a frame, or the preface, did not arrive in time")
)

// input is what the frames are read from. While it waits it holds no buffer.
type input struct {
	c     *Conn
	first []byte
	buf   *[inputBytes]byte
	r, w  int
	// within says that a part of a frame, or of the preface, was read; since is when more
	// of it was waited for first, and limit how long all of it may take.
	within bool
	since  time.Time
	limit  time.Duration
}

// next makes it ready for the first bytes of a frame.
func (in *input) next(limit time.Duration) {
	in.within, in.since, in.limit = false, time.Time{}, limit
}

// Read implements io.Reader for the framer.
func (in *input) Read(p []byte) (int, error) {
	if len(in.first) > 0 {
		n := copy(p, in.first)
		in.first, in.within = in.first[n:], true
		return n, nil
	}
	for in.r == in.w {
		in.give()
		if err := in.bound(); err != nil {
			return 0, err
		}
		n, err := in.c.t.ReadLazy(in.take, in.give)
		in.r, in.w = 0, n
		switch {
		case n > 0:
		case err == nil:
			return 0, io.ErrUnexpectedEOF
		case !isTimeout(err):
			return 0, err
		default:
			if err := in.c.expired(in.within); err != nil {
				return 0, err
			}
		}
	}
	in.within = true
	n := copy(p, in.buf[in.r:in.w])
	in.r += n
	return n, nil
}

// bound limits the wait for more.
func (in *input) bound() error {
	c := in.c
	began, limit := in.since, in.limit
	switch {
	case c.block.open:
		began, limit = c.block.since, c.o.Head
	case !in.within:
		c.o.Bound(c.o.KeepAlive)
		return nil
	case began.IsZero():
		began = time.Now()
		in.since = began
	}
	if limit <= 0 {
		c.o.Bound(0)
		return nil
	}
	left := limit - time.Since(began)
	if left <= 0 {
		return errLate
	}
	c.o.Bound(left)
	return nil
}

func (in *input) take() []byte {
	if in.buf == nil {
		in.buf = inputs.Get().(*[inputBytes]byte)
	}
	return in.buf[:]
}

func (in *input) give() {
	if in.buf != nil {
		inputs.Put(in.buf)
		in.buf = nil
	}
}

// expired decides what the end of a wait means: within a frame, a head or the preface
// the client is too slow, else it only has nothing to say, which it may while there
// are streams.
func (c *Conn) expired(within bool) error {
	if within || c.block.open {
		return errLate
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == 0 && c.active == 0 && time.Since(c.idleSince) >= c.o.KeepAlive {
		return errIdle
	}
	return nil
}

// readPreface reads the client's first bytes (RFC 9113, section 3.4).
func (c *Conn) readPreface() error {
	c.in.within, c.in.limit = true, c.o.Head
	var b [len(http2.ClientPreface)]byte
	if _, err := io.ReadFull(&c.in, b[:]); err != nil {
		return err
	}
	if string(b[:]) != http2.ClientPreface {
		return &connError{http2.ErrCodeProtocol, "no HTTP/2 preface"}
	}
	return nil
}
