package h2

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"doorward/internal/safe"
	"doorward/proxy/h1"
)

// Conn is one connection. Its exported methods may be called from any goroutine.
type Conn struct {
	t       Transport
	o       Options
	handler Handler
	parser  h1.Parser

	// The following belongs to the goroutine that reads.
	in      input
	framer  *http2.Framer
	decoder *hpack.Decoder
	block   block
	purses  purses
	heard   bool // the client's settings came
	// sawEnds and sawData are the totals that earned budgets last.
	sawEnds, sawData int

	mu sync.Mutex
	// The following is guarded by mu.
	out     output
	encoder encoder
	streams map[uint32]*Stream
	// last is the highest number that the client has used, active how many streams are
	// open, running how many handlers are at work.
	last            uint32
	active, running int
	opened          int
	// window is how much more the client may send, credit what it was not told yet that
	// it may, send how much more we may.
	window, credit int
	send           int64
	// widened is when the client got more, having had less than a frame left.
	widened time.Time
	// queue are the streams that wait for their turn to send data, granted is how many
	// have a turn that they did not use yet.
	queue   []*Stream
	granted int
	// initial is the window of a new stream of the client's, frameSize its largest
	// frame.
	initial   int64
	frameSize int
	// resets are the streams that we reset last, in a circle: what is on its way on them
	// is no fault of the client.
	resets []uint32
	nreset int
	// ends counts whole answers, sentData frames with data, sentBytes what is in them.
	ends, sentData int
	sentBytes      int64
	idleSince      time.Time
	draining       drainState
	final          uint32      // once drained, the last stream that is served
	patient        *time.Timer // for the client's word that it knows of the drain
	done           bool        // the connection has ended
	// quiet tells that no handler is at work any more, or nobody writes; room that there
	// is less to write, or a stream has ended.
	quiet, room sync.Cond
}

// drainState is how far the end of a connection in good order has come.
type drainState uint8

const (
	notDraining drainState = iota
	warned                 // the client was told that the end is near
	drained                // and which stream was the last
)

// New makes a Conn, which serves nothing before Serve.
func New(t Transport, o Options, h Handler) *Conn {
	c := &Conn{t: t, o: o.complete(), handler: h, streams: make(map[uint32]*Stream)}
	c.parser = h1.Parser{Limits: c.o.Limits}
	c.in.init(c)
	c.framer = newFramer(&c.in)
	c.decoder = hpack.NewDecoder(tableBytes, c.block.take)
	c.decoder.SetMaxStringLength(gross * c.o.Limits.HeadBytes)
	c.block.c = c
	c.purses = newPurses(c.o.Budgets)
	c.encoder = newEncoder(c.o.Dictionary)
	c.window = c.o.ConnWindow
	c.send, c.initial, c.frameSize = defaultWindow, defaultWindow, smallestFrame
	c.idleSince = time.Now()
	c.quiet.L, c.room.L = &c.mu, &c.mu
	c.resets = make([]uint32, resetsPerStream*c.o.Streams)
	c.putSettings() // here, since a drain may come before Serve
	if extra := c.o.ConnWindow - defaultWindow; extra > 0 {
		c.putWindow(0, extra)
	}
	return c
}

const (
	// gross is by how many times a head may exceed the limits and still be refused with
	// an answer.
	gross = 2
	// resetsPerStream is how many streams that we reset are remembered, for each that
	// may be open.
	resetsPerStream = 2
)

// defaultWindow is every window before anybody says otherwise (RFC 9113, section
// 6.9.2).
const defaultWindow = 65535

func newFramer(r io.Reader) *http2.Framer {
	f := http2.NewFramer(nil, r)
	f.SetReuseFrames()
	f.SetMaxReadFrameSize(smallestFrame)
	return f
}

// Serve serves the connection until it ends, first being what was read of it already.
// When it returns no handler is at work any more, and nothing is left to write. How a
// connection ends in good order is no error. Whoever closes the transport should give
// the client time to read what was written last.
func (c *Conn) Serve(first []byte) error {
	c.in.first = first
	c.mu.Lock()
	c.flush()
	err := c.readPreface()
	for err == nil {
		err = c.readFrame()
	}
	return c.end(err)
}

// end ends everything, and says goodbye.
func (c *Conn) end(err error) error {
	code, reason := http2.ErrCodeNo, ""
	var fault *connError
	if errors.As(err, &fault) {
		code, reason = fault.code, fault.reason
	}
	c.mu.Lock()
	over := c.draining == drained && c.running == 0
	if over || errors.Is(err, errIdle) || errors.Is(err, io.EOF) {
		err = nil
	}
	if !c.done && (c.draining != drained || code != http2.ErrCodeNo) {
		last := c.last
		if c.draining == drained { // it may not grow any more (RFC 9113, section 6.8)
			last = c.final
		}
		c.putGoAway(last, code, reason)
	}
	c.flush()
	c.abandon()
	c.mu.Lock()
	for c.running > 0 || c.out.writing {
		c.quiet.Wait()
	}
	if c.patient != nil {
		c.patient.Stop()
	}
	c.out.err = ErrGone
	c.mu.Unlock()
	c.in.r = c.in.w
	c.in.giveBuffer()
	return err
}

// abandon ends all streams because the connection has ended.
func (c *Conn) abandon() {
	c.mu.Lock()
	c.done = true
	left := make([]*Stream, 0, len(c.streams))
	for _, s := range c.streams {
		left = append(left, s)
		s.fail(ErrGone)
	}
	c.mu.Unlock()
	for _, s := range left {
		s.leave()
	}
}

// Abort ends the connection at once, and all that it does. A write that is under way
// goes on until the transport ends it.
func (c *Conn) Abort() {
	c.mu.Lock()
	if c.out.err == nil {
		c.out.err = ErrGone
	}
	c.mu.Unlock()
	c.abandon()
	c.t.Abort()
}

// Streams is how many streams are open.
func (c *Conn) Streams() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.active
}

// drainPatience is how long a client that does not answer the warning is given.
const drainPatience = time.Second

// Drain ends the connection in good order (RFC 9113, section 6.8): the client is told,
// what it asked for until it knows is served, and then the connection ends.
func (c *Conn) Drain() {
	c.mu.Lock()
	if c.done || c.draining != notDraining {
		c.mu.Unlock()
		return
	}
	c.draining = warned
	c.putGoAway(maxWindow, http2.ErrCodeNo, "")
	c.putPing(false, drainPing())
	c.patient = time.AfterFunc(drainPatience, func() {
		defer safe.Recover(c.o.Crew.log, "drain")
		c.mu.Lock()
		c.lastCall()
	})
	c.flushAside()
}

// drainPing is the ping whose answer says that the client knows that we drain.
func drainPing() [8]byte { return [8]byte{'d', 'r', 'a', 'i', 'n'} }

// lastCall says which stream was the last. It is called with the lock held and returns
// without it.
func (c *Conn) lastCall() {
	if c.done || c.draining != warned {
		c.mu.Unlock()
		return
	}
	c.draining, c.final = drained, c.last
	c.patient.Stop()
	c.putGoAway(c.final, http2.ErrCodeNo, "")
	over := c.running == 0
	c.flushAside()
	if over {
		c.t.Abort()
	}
}

// handle lets the handler have a stream.
func (c *Conn) handle(s *Stream) {
	defer c.release(s)
	c.handler(s)
}

// release ends a stream whose handler has returned, after a panic too.
func (c *Conn) release(s *Stream) {
	c.mu.Lock()
	switch {
	case s.done:
	case !s.local:
		s.reset(http2.ErrCodeInternal, ErrGone)
	default: // the client need not send the rest (RFC 9113, section 8.1)
		s.reset(http2.ErrCodeNo, ErrGone)
	}
	if s.local {
		c.ends++
	}
	s.discard()
	c.running--
	if c.running == 0 {
		c.idleSince = time.Now()
		c.quiet.Broadcast()
	}
	over := c.running == 0 && c.draining == drained
	whole := s.err == nil // else somebody may be about to tell it that the client left
	c.flush()
	if whole {
		c.recycle(s)
	}
	if over {
		c.t.Abort()
	}
}

// closed takes a stream out of those that are open.
func (c *Conn) closed(s *Stream) {
	delete(c.streams, s.id)
	c.active--
}

// noteReset remembers that we reset a stream.
func (c *Conn) noteReset(id uint32) {
	c.resets[c.nreset%len(c.resets)] = id
	c.nreset++
}

func (c *Conn) wasReset(id uint32) bool {
	for _, r := range c.resets {
		if r == id {
			return true
		}
	}
	return false
}

// isTimeout tells whether a read has come to its limit.
func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
