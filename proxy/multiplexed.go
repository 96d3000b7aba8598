package proxy

import (
	"time"

	"go.uber.org/zap"

	"doorward/proxy/h2"
	"doorward/proxy/netio"
)

// HTTP2 says how connections with HTTP/2 are served. The zero value has the engine's
// defaults.
type HTTP2 struct {
	// Streams is how many requests a connection may have open, 0 the default.
	Streams int
}

// multiplexed is the engine of a connection that carries many requests at a time.
type multiplexed struct{ multiplexer }

// multiplexer is what HTTP/2 and HTTP/3 have in common for whoever ends connections.
type multiplexer interface {
	// Drain ends the connection in good order, Abort at once.
	Drain()
	Abort()
	// Streams is how many requests are at work.
	Streams() int
}

// serveHTTP2 serves a connection whose handshake chose HTTP/2.
func (c *conn) serveHTTP2(s *Snapshot) {
	engine := h2.New(c.io, h2.Options{
		Crew:            c.e.crew,
		Limits:          s.Limits.Limits,
		Streams:         s.HTTP2.Streams,
		Head:            s.Timeouts.RequestHead,
		Frame:           s.Timeouts.Client,
		KeepAlive:       s.Timeouts.KeepAlive,
		Bound:           c.boundRead,
		Secure:          c.l.TLS,
		ExtendedConnect: true,
		Dictionary:      c.e.dictionary,
		Report:          c.reportAbuse,
	}, c.serveHTTP2Stream)
	c.many.Store(&multiplexed{engine})
	if c.ending() { // looked at behind the line above, as by those who end it
		engine.Drain()
	}
	if err := engine.Serve(nil); err != nil {
		c.e.log.Debug("HTTP/2 connection ended", zap.Stringer("peer", c.peer), zap.Error(err))
	}
	// What the client sent before it knew would make the kernel reset the connection,
	// and our last words be lost.
	c.lingerClose()
}

// boundRead limits the next read.
func (c *conn) boundRead(d time.Duration) {
	c.io.ReadIdle, c.io.ReadUntil = 0, 0
	if d > 0 {
		c.io.ReadUntil = netio.Now() + int64(d)
	}
}

func (c *conn) serveHTTP2Stream(s *h2.Stream) {
	c.serveStream(s, s.Request(), s.Refusal(), "HTTP/2.0")
	if c.ending() {
		c.many.Load().Drain()
	}
}

// reportAbuse tells that a connection ends because its client kept us busy with what
// leads to nothing.
func (c *conn) reportAbuse(e h2.Event) {
	c.e.counters.Abuses.Add(1)
	c.e.log.Warn("HTTP/2 connection closed: its client asks for too much that leads to nothing",
		zap.Stringer("peer", c.peer), zap.String("too_many", e.Budget),
		zap.Int("streams", e.Streams), zap.Duration("age", time.Since(c.opened)))
}
