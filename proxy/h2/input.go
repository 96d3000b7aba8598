package h2

import (
	"errors"
	"io"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// inputBytes is how much is read at a time: the largest frame that we take, and the
// first bytes of others.
const inputBytes = smallestFrame + 512

//house:allow global a pool that all connections share, so that idle ones hold no buffer
var inputs = sync.Pool{New: func() any { return new([inputBytes]byte) }}

var (
	errIdle = errors.New("no stream for too long")
	errLate = errors.New("a frame, or the preface, did not arrive in time")
)

// input is what the frames are read from. While it waits for a frame it holds no
// buffer.
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
	// take and give are made once, so that waiting allocates nothing.
	take func() []byte
	give func()
}

func (in *input) init(c *Conn) {
	in.c = c
	in.take, in.give = in.takeBuffer, in.giveBuffer
}

// next makes it ready for the first bytes of a frame, which is to come within limit
// from then on.
func (in *input) next(limit time.Duration) {
	in.within, in.since, in.limit = false, time.Time{}, limit
}

// Read implements io.Reader for the framer.
func (in *input) Read(p []byte) (int, error) {
	if in.r == in.w {
		if err := in.fill(); err != nil {
			return 0, err
		}
	}
	in.within = true
	n := copy(p, in.buf[in.r:in.w])
	in.r += n
	return n, nil
}

// payload reads n bytes, which is a frame's length at most. They stand until more is
// read.
func (in *input) payload(n int) ([]byte, error) {
	in.within = true
	for in.w-in.r < n {
		if in.r+n > inputBytes {
			in.w = copy(in.buf[:], in.buf[in.r:in.w])
			in.r = 0
		}
		if err := in.fill(); err != nil {
			return nil, err
		}
	}
	if n == 0 {
		return nil, nil
	}
	in.r += n
	return in.buf[in.r-n : in.r], nil
}

// fill waits for more and takes what is there.
func (in *input) fill() error {
	in.giveBuffer()
	if len(in.first) > 0 {
		n := copy(in.takeBuffer(), in.first)
		in.first = in.first[n:]
		in.w += n
		return nil
	}
	wait, err := in.bound()
	for err == nil {
		in.c.o.Bound(wait)
		var n int
		n, err = in.c.t.ReadLazy(in.take, in.give)
		switch {
		case n > 0:
			in.w += n
			return nil
		case err == nil:
			err = io.ErrUnexpectedEOF
		case !isTimeout(err):
		case in.within || in.c.block.open:
			err = errLate
		default:
			wait, err = in.c.expired()
		}
	}
	return err
}

// bound is how long to wait for more, 0 is for ever.
func (in *input) bound() (time.Duration, error) {
	began, limit := in.since, in.limit
	switch {
	case in.c.block.open:
		began, limit = in.c.block.since, in.c.o.Head
	case !in.within:
		return in.c.o.KeepAlive, nil
	case began.IsZero():
		began = time.Now()
		in.since = began
	}
	if limit <= 0 {
		return 0, nil
	}
	left := limit - time.Since(began)
	if left <= 0 {
		return 0, errLate
	}
	return left, nil
}

func (in *input) takeBuffer() []byte {
	if in.buf == nil {
		in.buf = inputs.Get().(*[inputBytes]byte)
	}
	return in.buf[in.w:]
}

// giveBuffer gives the buffer back unless there is something in it.
func (in *input) giveBuffer() {
	if in.buf != nil && in.r == in.w {
		inputs.Put(in.buf)
		in.buf, in.r, in.w = nil, 0, 0
	}
}

// expired decides what the end of a wait for a frame means: a client may have nothing
// to say while there are streams, and for some time when there are none. It returns
// how long to wait now.
func (c *Conn) expired() (time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running > 0 || c.o.KeepAlive == 0 {
		return c.o.KeepAlive, nil
	}
	left := c.o.KeepAlive - time.Since(c.idleSince)
	if left <= 0 {
		return 0, errIdle
	}
	return left, nil
}

// readPreface reads the client's first bytes (RFC 9113, section 3.4).
func (c *Conn) readPreface() error {
	c.in.within, c.in.limit = true, c.o.Head
	b, err := c.in.payload(len(http2.ClientPreface))
	if err != nil {
		return err
	}
	if string(b) != http2.ClientPreface {
		return &connError{http2.ErrCodeProtocol, "no HTTP/2 preface"}
	}
	return nil
}
