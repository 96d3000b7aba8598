package h3

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
	"go.uber.org/zap"

	"doorward/internal/safe"
	"doorward/proxy/h1"
)

// Config makes of c, which says how a connection is bounded, one that streams count
// against until their handler has ended, whatever the client resets meanwhile, and that
// accepts nothing which could be a replay.
func Config(c *quic.Config) *quic.Config {
	c = c.Clone()
	c.RequireStreamCreditRelease = true
	c.MaxIncomingUniStreams = mostUni
	c.Allow0RTT, c.EnableDatagrams = false, false
	return c
}

// mostUni is how many streams of one direction a client may open, ever: it needs three,
// and some open one that means nothing.
const mostUni = 8

// Conn is one connection. Its exported methods may be called from any goroutine.
type Conn struct {
	q       *quic.Conn
	o       Options
	handler Handler
	parser  h1.Parser
	control *quic.SendStream
	atWork  sync.WaitGroup

	mu sync.Mutex
	// The following is guarded by mu.

	// next is the first stream that was not opened yet, running how many handlers are at
	// work, opened how many streams there were.
	next      quic.StreamID
	running   int
	opened    int
	idleSince time.Time
	idle      *time.Timer
	draining  drainState
	resets    purse
	frames    purse
	seen      [4]bool // streams of one direction, by type
}

// drainState is how far the end of a connection in good order has come.
type drainState uint8

const (
	notDraining drainState = iota
	warned                 // the client was told that the end is near
	drained                // and which stream was the last
)

// New makes a Conn of a connection whose configuration is of Config and whose handshake
// is done. It serves nothing before Serve.
func New(q *quic.Conn, o Options, h Handler) *Conn {
	if o.Report == nil {
		o.Report = func(Event) {}
	}
	return &Conn{
		q: q, o: o, handler: h, parser: h1.Parser{Limits: o.Limits}, idleSince: time.Now(),
		resets: newPurse(resetBurst, resetRate), frames: newPurse(frameBurst, frameRate),
	}
}

// Serve serves the connection until it ends. When it returns no handler is at work any
// more. How a connection ends in good order is no error.
func (c *Conn) Serve() error {
	if err := c.openControl(); err != nil {
		return err
	}
	c.mu.Lock()
	if c.o.KeepAlive > 0 {
		c.idle = time.AfterFunc(c.o.KeepAlive, c.expire)
		defer c.idle.Stop()
	}
	c.mu.Unlock()
	c.atWork.Add(1)
	safe.Go(c.o.Log, "stream of one direction", func() {
		defer c.atWork.Done()
		c.acceptUni()
	})
	var err error
	for err == nil {
		var q *quic.Stream
		if q, err = c.q.AcceptStream(context.Background()); err == nil {
			c.accept(q)
		}
	}
	c.atWork.Wait()
	return asFault(err)
}

// asFault is the error of a connection that did not end in good order.
func asFault(err error) error {
	var app *quic.ApplicationError
	var idle *quic.IdleTimeoutError
	switch {
	case errors.As(err, &idle):
		return nil
	case errors.As(err, &app) && (app.ErrorCode == codeNoError || app.ErrorCode == 0):
		return nil
	}
	return err
}

// Settings (RFC 9114, section 7.2.4.1, and RFC 9220, section 3).
const (
	settingMaxFieldSection = 0x6
	settingExtendedConnect = 0x8
)

// openControl says what we are ready for. What is so short never waits for the client.
func (c *Conn) openControl() error {
	control, err := c.q.OpenUniStream()
	if err != nil {
		return err
	}
	var settings []byte
	for _, v := range []uint64{
		settingMaxFieldSection, uint64(c.o.Limits.HeadBytes), settingExtendedConnect, 1,
	} {
		settings = quicvarint.Append(settings, v)
	}
	if _, err = control.Write(appendFrame([]byte{uniControl}, frameSettings, settings)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.control = control
	if c.draining == warned {
		c.warn()
	}
	return nil
}

// accept begins a stream, unless the last one was begun before.
func (c *Conn) accept(q *quic.Stream) {
	c.mu.Lock()
	c.opened++
	if c.draining == drained {
		c.mu.Unlock()
		q.CancelWrite(codeRequestRejected)
		q.CancelRead(codeRequestRejected)
		q.ReleaseStreamCredit()
		return
	}
	c.next = q.StreamID() + 4
	c.running++
	c.frames.earn(2)
	c.mu.Unlock()
	c.atWork.Add(1)
	safe.Go(c.o.Log, "stream", func() {
		defer c.atWork.Done()
		c.serveStream(q)
	})
}

func (c *Conn) serveStream(q *quic.Stream) {
	s := c.newStream(q)
	defer c.release(s)
	s.boundRead(c.o.Head)
	var ofConn *connError
	var ofStream *streamError
	switch err := s.readHead(); {
	case err == nil:
		c.handler(s)
	case errors.As(err, &ofConn):
		c.fail(ofConn)
	case errors.As(err, &ofStream):
		s.fault(ofStream)
	case isTimeout(err):
		s.fault(&streamError{codeRequestIncomplete, "head too slow"})
	}
}

// release ends a stream whose handler has returned, after a panic too.
func (c *Conn) release(s *Stream) {
	wasGiven := s.givenUp()
	whole := s.finish()
	c.mu.Lock()
	c.running--
	if c.running == 0 {
		c.idleSince = time.Now()
		if c.idle != nil {
			c.idle.Reset(c.o.KeepAlive)
		}
	}
	over := c.running == 0 && c.draining == drained
	if whole {
		c.resets.earn(0.5)
	}
	spent := (wasGiven || s.broken.Load()) && !c.resets.spend(time.Now())
	opened := c.opened
	c.mu.Unlock()
	if spent {
		c.overdone("resets", opened)
	}
	if over {
		c.closeSoon()
	}
}

// overdone ends a connection that is used for nothing but work for us.
func (c *Conn) overdone(budget string, streams int) {
	if c.q.Context().Err() != nil {
		return
	}
	c.fail(&connError{codeExcessiveLoad, "too many " + budget})
	c.o.Report(Event{Budget: budget, Streams: streams})
}

// fail ends the connection for a fault of the client.
func (c *Conn) fail(e *connError) {
	_ = c.q.CloseWithError(quic.ApplicationErrorCode(e.code), e.reason)
}

// expire ends the connection when it has been idle for long enough.
func (c *Conn) expire() {
	c.mu.Lock()
	left := c.o.KeepAlive - time.Since(c.idleSince)
	over := c.running == 0 && left <= 0
	if c.running == 0 && !over {
		c.idle.Reset(left)
	}
	c.mu.Unlock()
	if over {
		_ = c.q.CloseWithError(codeNoError, "idle")
	}
}

// Abort ends the connection at once, and all that it does.
func (c *Conn) Abort() { _ = c.q.CloseWithError(codeInternalError, "stopped") }

// Streams is how many streams are open.
func (c *Conn) Streams() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running
}

// How long a client that was warned may still ask for something, and how long the last
// bytes of an answer may take to be acknowledged: by the time of a round trip, within
// bounds.
const (
	shortPatience, longPatience = 50 * time.Millisecond, time.Second
	patienceTrips               = 4
)

func (c *Conn) patience() time.Duration {
	trip := c.q.ConnectionStats().SmoothedRTT
	return min(max(patienceTrips*trip, shortPatience), longPatience)
}

// Drain ends the connection in good order (RFC 9114, section 5.2): the client is told,
// what it asked for until it knows is served, and then the connection closes. Called
// again it does nothing.
func (c *Conn) Drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining == notDraining {
		c.draining = warned
		c.warn()
	}
}

// warn tells the client that the end is near, which has to wait until there is a way to.
// It is called with the lock held.
func (c *Conn) warn() {
	if c.control == nil {
		return
	}
	c.goAway(1<<62 - 4)
	time.AfterFunc(c.patience(), c.lastCall)
}

// lastCall says which stream was the last.
func (c *Conn) lastCall() {
	c.mu.Lock()
	c.draining = drained
	c.goAway(c.next)
	over := c.running == 0
	c.mu.Unlock()
	if over {
		c.closeSoon()
	}
}

// goAway tells the client the first stream that is not served any more. It is called
// with the lock held: what is so short never waits for the client.
func (c *Conn) goAway(id quic.StreamID) {
	b := quicvarint.Append(nil, uint64(id))
	if _, err := c.control.Write(appendFrame(nil, frameGoAway, b)); err != nil && c.o.Log != nil {
		c.o.Log.Debug("GOAWAY was not sent", zap.Error(err))
	}
}

// closeSoon ends the connection when what was written last had the time to arrive. Most
// clients close it before.
func (c *Conn) closeSoon() {
	c.mu.Lock()
	left := c.patience() - time.Since(c.idleSince)
	c.mu.Unlock()
	end := func() { _ = c.q.CloseWithError(codeNoError, "") }
	if left <= 0 {
		end()
		return
	}
	time.AfterFunc(left, end)
}
