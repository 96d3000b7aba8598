package h3

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"doorward/internal/safe"
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
	errBroken = errors.New("the client broke the rules of HTTP/3")
	// errEnded says that the answer had ended already.
	errEnded = errors.New("write behind the end of an answer")
)

type timeoutError struct{}

func (timeoutError) Error() string   { return "timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// isTimeout tells whether a limit of the stream was reached. The end of a connection
// that went silent is another thing, although its error is a timeout as well.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// inputBytes is the buffer of a stream: room for frame heads and most heads of requests.
const inputBytes = 1 << 10

// Stream is one request and its answer. Its methods may be called by the goroutine of
// its handler; Read and Trailers by another one beside it, and Discard, Watch and Reset
// by any. None of them may be called when the handler has returned.
type Stream struct {
	c       *Conn
	q       *quic.Stream
	req     h1.Request
	refusal error
	arena   []byte // what the fields stand in

	// The following belongs to whoever reads.
	in       input
	left     uint64 // of the data frame that is being read
	received uint64
	trailers []h1.Field
	trailed  bool // the trailers came
	over     bool // the end was read
	readErr  error

	// The following belongs to whoever writes.
	out   []byte
	ended bool

	readIdle, writeIdle time.Duration
	discarded           atomic.Bool
	broken              atomic.Bool // by the client, and reset for it

	watching sync.Mutex
	gone     func()
	hasLeft  bool
	unwatch  func() bool
}

func (c *Conn) newStream(q *quic.Stream) *Stream {
	s := &Stream{c: c, q: q, readIdle: c.o.Idle, writeIdle: c.o.Idle}
	s.in = input{from: q, b: make([]byte, inputBytes)}
	s.req.Length = -1
	return s
}

// Request is what the client asks for. It lives as long as the handler runs.
func (s *Stream) Request() *h1.Request { return &s.req }

// Refusal is why the request must be refused: an *h1.SyntaxError with the status that
// says so; nil for one that is in order. Requests that break the rules of HTTP/3 never
// get to a handler.
func (s *Stream) Refusal() error { return s.refusal }

// Idle bounds a Read, and a Write in which nothing moves. 0 is no bound.
func (s *Stream) Idle(read, write time.Duration) { s.readIdle, s.writeIdle = read, write }

// Read reads the body of the request; a Read of no bytes waits until there are some.
// The error is io.EOF at its end, ErrTimeout, ErrDiscarded, or why there will be no
// more.
func (s *Stream) Read(p []byte) (int, error) {
	switch {
	case s.readErr != nil:
		return 0, s.readErr
	case s.discarded.Load():
		return 0, ErrDiscarded
	}
	s.boundRead(s.readIdle)
	err := s.advance()
	if err != nil {
		return 0, s.readFailed(err)
	}
	if len(p) == 0 {
		if err := whole(s.in.fill()); err != nil {
			return 0, s.readFailed(err)
		}
		return 0, nil
	}
	n, err := s.in.Read(p[:min(uint64(len(p)), s.left)])
	s.left -= uint64(n)
	if n == 0 {
		return 0, s.readFailed(whole(err))
	}
	return n, nil
}

func (s *Stream) boundRead(d time.Duration) {
	var until time.Time
	if d > 0 {
		until = time.Now().Add(d)
	}
	_ = s.q.SetReadDeadline(until) // has no way to fail
}

// advance comes to the next byte of the body. It is io.EOF at its end.
func (s *Stream) advance() error {
	for s.left == 0 {
		if s.over {
			return io.EOF
		}
		kind, length, err := s.in.frame()
		switch {
		case err == io.EOF:
			return s.endBody()
		case err != nil:
			return err
		case !onRequests(kind), s.trailed && (kind == frameData || kind == frameHeaders):
			return &connError{codeFrameUnexpected, "a frame that has no place in a request"}
		case kind == frameData:
			err = s.beginData(length)
		case kind == frameHeaders && s.req.Upgrade != nil:
			return &connError{codeFrameUnexpected, "trailers in a tunnel"}
		case kind == frameHeaders:
			s.trailed = true
			err = s.readTrailers(length)
		default:
			err = s.in.skip(length)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Stream) beginData(length uint64) error {
	s.left = length
	s.received += length
	if s.req.Length >= 0 && s.received > uint64(s.req.Length) {
		return malformed("a body longer than its length")
	}
	return nil
}

func (s *Stream) endBody() error {
	s.over = true
	if s.req.Length >= 0 && s.received != uint64(s.req.Length) {
		return malformed("a body shorter than its length")
	}
	return io.EOF
}

// readFailed is what a Read returns for an error. Faults of the client end the stream,
// or the connection.
func (s *Stream) readFailed(err error) error {
	var ofConn *connError
	var ofStream *streamError
	switch {
	case err == io.EOF:
		return err
	case s.discarded.Load():
		err = ErrDiscarded
	case isTimeout(err):
		return ErrTimeout
	case errors.As(err, &ofConn):
		s.c.fail(ofConn)
		err = errBroken
	case errors.As(err, &ofStream):
		s.fault(ofStream)
		err = errBroken
	default:
		err = ErrGone
	}
	s.readErr = err
	return err
}

// fault resets the stream because the client broke the rules on it.
func (s *Stream) fault(e *streamError) {
	s.broken.Store(true)
	s.cancel(e.code)
}

// Trailers are the fields behind the body, once Read has returned io.EOF.
func (s *Stream) Trailers() []h1.Field { return s.trailers }

// Discard makes the pending and every later Read fail. What the client still sends is
// thrown away.
func (s *Stream) Discard() {
	s.discarded.Store(true)
	s.q.CancelRead(codeNoError)
}

// Watch calls gone once, from any goroutine, when the client gives the stream up or
// its connection ends; at once when that has happened. After Watch(nil) has returned
// it is not called any more.
func (s *Stream) Watch(gone func()) {
	s.watching.Lock()
	defer s.watching.Unlock()
	s.gone = gone
	switch {
	case gone == nil:
		if s.unwatch != nil {
			s.unwatch()
		}
	case s.hasLeft:
		gone()
	case s.unwatch == nil:
		s.unwatch = context.AfterFunc(s.q.Context(), s.leave)
	}
}

// leave tells who watches that the client has gone. It is called when we may send no
// more, which may be our own doing.
func (s *Stream) leave() {
	defer safe.Recover(s.c.o.Log, "stream")
	if !s.givenUp() {
		return
	}
	s.watching.Lock()
	defer s.watching.Unlock()
	if s.hasLeft {
		return
	}
	s.hasLeft = true
	if s.gone != nil {
		s.gone()
	}
}

// givenUp tells whether the client has ended the stream, or the connection has.
func (s *Stream) givenUp() bool {
	cause := context.Cause(s.q.Context())
	var e *quic.StreamError
	switch {
	case cause == nil, errors.Is(cause, quic.ErrStreamClosed):
		return false
	case errors.As(cause, &e):
		return e.Remote
	}
	return true
}

// Reset breaks the stream off, with the code of HTTP/3 that stands for one of HTTP/2's.
func (s *Stream) Reset(code uint32) {
	switch code {
	case 0x2: // INTERNAL_ERROR
		s.cancel(codeInternalError)
	case 0x7: // REFUSED_STREAM
		s.cancel(codeRequestRejected)
	default:
		s.cancel(codeRequestCancelled)
	}
}

func (s *Stream) cancel(code uint64) {
	s.q.CancelWrite(quic.StreamErrorCode(code))
	s.q.CancelRead(quic.StreamErrorCode(code))
}

// finish ends the stream after its handler, and tells whether it was answered whole.
func (s *Stream) finish() bool {
	if !s.ended {
		s.q.CancelWrite(codeInternalError)
	}
	// What the client has not sent yet it need not send (RFC 9114, section 4.1).
	s.q.CancelRead(codeNoError)
	s.q.ReleaseStreamCredit()
	return s.ended && !s.broken.Load()
}
