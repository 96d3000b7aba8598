package proxy

import (
	"errors"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"doorward/proxy/backend"
	"doorward/proxy/h1"
	"doorward/proxy/netio"
)

// stream is the client's side of one request on a connection that carries many at
// a time: HTTP/2's, HTTP/3's. HTTP/1 has none of it; there the connection itself is
// the client's side.
type stream interface {
	streamBody
	streamAnswer
	streamLife
}

// streamBody is the body of the request, free of framing.
type streamBody interface {
	// Read ends with io.EOF, and with a net.Error that is a timeout when the client
	// was silent for too long. A Read of no bytes waits until there are some, so that
	// who waits needs no buffer.
	io.Reader
	// Trailers are those of the request, known after io.EOF.
	Trailers() []h1.Field
	// Discard makes the pending and every later Read fail; what the client still
	// sends is thrown away. It may be called from any goroutine.
	Discard()
}

// streamAnswer takes the answer. A slice may be used again when its call returned.
type streamAnswer interface {
	// Answer sends a head as HTTP/1 writes it, and the first part of the body with
	// it. Heads of 1xx may come before the final one.
	Answer(head, data []byte, end bool) error
	// Write sends more of the body, and waits while the client takes no more.
	Write(data []byte, end bool) error
	// End sends the trailers that end the body.
	End(trailers []h1.Field) error
}

// streamLife is how the stream ends, other than by an answer.
type streamLife interface {
	// Watch calls gone once, from any goroutine, when the client has given the stream
	// up or its connection ended; at once when that has happened already. After
	// Watch(nil) has returned gone is not called any more.
	Watch(gone func())
	// Reset breaks the stream off with one of HTTP/2's error codes (RFC 9113, section
	// 7).
	Reset(code uint32)
	// Idle bounds the client's silence while it is read from and written to.
	Idle(read, write time.Duration)
}

// Error codes of HTTP/2 (RFC 9113, section 7) that say why we break off.
const (
	resetInternal = 0x2 // the answer is not whole
	resetCancel   = 0x8 // nobody is interested any more
)

// presence knows whether the client of a stream is still there. What waits for a
// server on its behalf is woken when it leaves: the work for a client that has gone
// would be done for nobody (security case H2-20).
type presence struct {
	mu   sync.Mutex
	left bool
	gone chan struct{} // made when first asked for
	to   *backend.Conn // is cut when the client goes
}

// leave notes that the client has gone. The server is let go here and now: the goroutine
// of the stream may be writing, to a connection from which nobody reads any more.
func (p *presence) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left {
		return
	}
	p.left = true
	if p.gone != nil {
		close(p.gone)
	}
	if p.to != nil {
		p.to.Abort()
		_ = p.to.Socket().Close()
	}
}

// channel is closed when the client has gone.
func (p *presence) channel() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone == nil {
		p.gone = make(chan struct{})
		if p.left {
			close(p.gone)
		}
	}
	return p.gone
}

// hold has the server's connection cut when the client goes; nil lets go of it. It tells
// whether the client is still there: if it is not, the connection held before may have
// been cut, and a new one is as it was.
func (p *presence) hold(to *backend.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = to
	return !p.left
}

// departed tells whether the client of a stream has gone, or the client's connection was
// cut. That to the server was cut with it: what comes of that is no fault of the
// server's, and no reason to ask again.
func (x *exchange) departed() bool {
	return x.c.severed.Load() || x.stream != nil && x.presence.departed()
}

func (p *presence) departed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left
}

// reset makes it ready for the next stream. Nobody watches the one before any more.
func (p *presence) reset() { p.left, p.gone, p.to = false, nil, nil }

// serveStream answers the request of one stream, in a goroutine of its own. A panic
// ends the stream and nothing else.
// Refusal is why the request cannot be served, nil for one that can be.
func (c *conn) serveStream(s stream, req *h1.Request, refusal error, protocol string) {
	x := c.e.exchanges.Get().(*exchange)
	x.c, x.e, x.stream, x.req, x.protocol = c, c.e, s, req, protocol
	defer x.endStream()
	x.snap = c.e.snapshot.Load()
	x.start()
	x.began = netio.Now()
	x.headAt = x.began
	s.Watch(x.leave)
	if refusal != nil {
		x.up.prepare(x)
		x.refuse(refusal)
	} else {
		x.serve()
	}
	x.finish()
	if !x.answered {
		s.Reset(resetInternal)
	}
}

// endStream gives the exchange back, unless it panicked: then somebody may still
// write to its buffers.
func (x *exchange) endStream() {
	p := recover()
	x.stream.Watch(nil)
	if p == nil {
		e := x.e
		x.clear()
		e.exchanges.Put(x)
		return
	}
	x.e.counters.Panics.Add(1)
	x.e.log.Error("panic while serving a stream", zap.Any("panic", p),
		zap.ByteString("stack", debug.Stack()))
	if !x.abandon() {
		x.stream.Reset(resetInternal)
	}
}

// answer sends a final head with the first part of the body.
func (x *exchange) answer(head, data []byte, end bool) bool {
	return x.sent(len(head)+len(data), x.stream.Answer(head, data, end))
}

// more sends more of the body.
func (x *exchange) more(data []byte, end bool) bool {
	return x.sent(len(data), x.stream.Write(data, end))
}

// sent counts what went to the client, or notes why it did not.
func (x *exchange) sent(n int, err error) bool {
	if err != nil {
		x.clientFailed(err)
		return false
	}
	x.rec.BytesOut += int64(n)
	return true
}

// isTimeout tells whether a wait has come to its limit, on whatever kind of
// connection.
func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, netio.ErrTimeout) || errors.As(err, &ne) && ne.Timeout()
}
