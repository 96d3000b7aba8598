package h2

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"

	"doorward/proxy/h1"
)

var (
	// ErrTimeout says that the client was silent, or took nothing, for too long. It is
	// a net.Error whose Timeout is true.
	ErrTimeout net.Error = timeoutError{}
	// ErrGone says that the client has given the stream up, or its connection ended.
	ErrGone = errors.New("the client has given up the stream")
	// ErrDiscarded says that Discard was called.
	ErrDiscarded = errors.New("the rest of the body is not wanted")
	// errBroken says that the client broke the rules on the stream.
	errBroken = errors.New("the client broke the rules of HTTP/2")
	// errEnded says that the answer had ended already.
	errEnded = errors.New("write behind the end of an answer")
)

type timeoutError struct{}

func (timeoutError) Error() string   { return "timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// Stream is one request and its answer. Its methods may be called by the goroutine of
// its handler; Read, Trailers and Discard by another one beside it, and Watch and
// Reset by any. None of them may be called when the handler has returned.
type Stream struct {
	c       *Conn
	id      uint32
	req     h1.Request
	refusal error
	arena   []byte // what the fields of the request stand in

	// The following is guarded by the connection's lock.

	body body
	// window is how much more the client may send, credit what it was not told yet
	// that it may, send how much more we may.
	window, credit int
	send           int64
	received       int64
	trailers       []h1.Field
	// remote and local say that a side has sent its end, done that the stream is no
	// longer open, discarded that nobody reads.
	remote, local, done, discarded bool
	// queued says that the stream waits for its turn, turn that it has it.
	queued, turn bool
	err          error // why the stream has ended early

	readIdle, writeIdle time.Duration
	reading, writing    clock
	// ready wakes who reads, room who writes.
	ready, room chan struct{}

	watching sync.Mutex
	gone     func()
	left     bool
}

// clock is a timer that is used again.
type clock struct{ t *time.Timer }

func (c *clock) start(d time.Duration) <-chan time.Time {
	if c.t == nil {
		c.t = time.NewTimer(d)
	} else {
		c.t.Reset(d)
	}
	return c.t.C
}

func (c *clock) stop() { c.t.Stop() }

// Request is what the client asks for. It lives as long as the handler runs.
func (s *Stream) Request() *h1.Request { return &s.req }

// Refusal is why the request must be refused: an *h1.SyntaxError with the status that
// says so; nil for one that is in order. Requests that break the rules of HTTP/2 never
// get to a handler.
func (s *Stream) Refusal() error { return s.refusal }

// ID is the number of the stream.
func (s *Stream) ID() uint32 { return s.id }

// Idle bounds a Read, and a Write in which nothing moves. 0 is no bound.
func (s *Stream) Idle(read, write time.Duration) { s.readIdle, s.writeIdle = read, write }

// Read reads the body of the request; a Read of no bytes waits until there are some.
// The error is io.EOF at its end, ErrTimeout, ErrDiscarded, or why there will be no
// more.
func (s *Stream) Read(p []byte) (int, error) {
	c := s.c
	var q silence
	defer q.end(s)
	for {
		c.mu.Lock()
		if s.body.length > 0 {
			if len(p) == 0 {
				c.mu.Unlock()
				return 0, nil
			}
			n := s.body.read(p)
			s.consumed(n)
			c.flush()
			return n, nil
		}
		err := s.readError()
		c.mu.Unlock()
		if err != nil {
			return 0, err
		}
		if err := q.wait(s); err != nil {
			return 0, err
		}
	}
}

// silence is that of a client whose body somebody reads.
type silence struct {
	expired <-chan time.Time
	since   time.Time
}

// wait waits until there may be something to read. Time in which the client could not
// send does not count: bodies that nobody reads may fill the connection's window.
func (q *silence) wait(s *Stream) error {
	for {
		if q.expired == nil && s.readIdle > 0 {
			q.since, q.expired = time.Now(), s.reading.start(s.readIdle)
		}
		select {
		case <-s.ready:
			return nil
		case <-q.expired:
		}
		if q.expired = nil; !s.c.heldBack(q.since) {
			return ErrTimeout
		}
	}
}

func (q *silence) end(s *Stream) {
	if q.expired != nil {
		s.reading.stop()
	}
}

// heldBack tells whether the client could not send a frame, now or since.
func (c *Conn) heldBack(since time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.window < smallestFrame || c.widened.After(since)
}

// readError is why there is nothing to read; nil while there may be something later.
func (s *Stream) readError() error {
	switch {
	case s.discarded:
		return ErrDiscarded
	case s.err != nil:
		return s.err
	case s.remote:
		return io.EOF
	}
	return nil
}

// consumed gives the client room for what was read, in steps of half a window.
func (s *Stream) consumed(n int) {
	c := s.c
	c.returnWindow(n)
	if s.remote || s.done {
		return
	}
	if s.credit += n; s.credit >= c.o.StreamWindow/2 {
		c.putWindow(s.id, s.credit)
		s.window += s.credit
		s.credit = 0
	}
}

// returnWindow lets the client send more on the connection, when it has less left than
// it would get: half a window, or what is left of one beside bodies that nobody reads.
func (c *Conn) returnWindow(n int) {
	if c.credit += n; c.credit >= c.window && n > 0 {
		if c.window < smallestFrame {
			c.widened = time.Now()
		}
		c.putWindow(0, c.credit)
		c.window += c.credit
		c.credit = 0
	}
}

// Trailers are the fields behind the body, once Read has returned io.EOF.
func (s *Stream) Trailers() []h1.Field { return s.trailers }

// Discard makes the pending and every later Read fail. What the client still sends is
// thrown away.
func (s *Stream) Discard() {
	c := s.c
	c.mu.Lock()
	s.discard()
	signal(s.ready)
	c.flush()
}

func (s *Stream) discard() {
	s.discarded = true
	s.c.returnWindow(s.body.length)
	s.body.clear()
}

// Watch calls gone once, from any goroutine, when the client gives the stream up or
// its connection ends; at once when that has happened. After Watch(nil) has returned
// it is not called any more.
func (s *Stream) Watch(gone func()) {
	s.watching.Lock()
	defer s.watching.Unlock()
	if s.gone = gone; s.left && gone != nil {
		gone()
	}
}

// leave tells who watches that the client has gone.
func (s *Stream) leave() {
	s.watching.Lock()
	defer s.watching.Unlock()
	if s.left {
		return
	}
	s.left = true
	if s.gone != nil {
		s.gone()
	}
}

// Reset breaks the stream off.
func (s *Stream) Reset(code uint32) {
	c := s.c
	c.mu.Lock()
	s.reset(http2.ErrCode(code), ErrGone)
	c.flushAside()
}

// reset ends the stream from our side.
func (s *Stream) reset(code http2.ErrCode, why error) {
	if s.done {
		return
	}
	s.c.putReset(s.id, code)
	s.c.noteReset(s.id)
	s.fail(why)
}

// fail ends the stream without a word.
func (s *Stream) fail(why error) {
	if s.done {
		return
	}
	s.err = why
	s.close()
	signal(s.ready)
	signal(s.room)
	s.c.room.Broadcast()
}

// close takes the stream out of those that are open.
func (s *Stream) close() {
	if s.done {
		return
	}
	s.done = true
	s.c.closed(s)
}
