package proxy

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"
	"go.uber.org/zap"

	"doorward/proxy/h3"
	"doorward/proxy/netio"
)

// QUIC makes of a configuration of QUIC one whose connections ServeQUIC takes.
func QUIC(c *quic.Config) *quic.Config { return h3.Config(c) }

// ServeQUIC serves a connection with HTTP/3 whose handshake is done, until it ends. It
// must come from a listener with a configuration of QUIC. A panic in it ends this
// connection and nothing else.
func (e *Engine) ServeQUIC(q *quic.Conn, l *Listener) {
	sock := quicSocket{q}
	c := &conn{e: e, l: l, io: netio.New(sock), peer: quicPeer(q), opened: time.Now()}
	state := sock.tlsState()
	c.tlsVersion, c.tlsCipher = state.Version, state.CipherSuite
	c.client = newClientCert(e.snapshot.Load(), state)
	e.counters.Connections.Add(1)
	e.conns.add(c)
	l.Counts.begin()
	defer c.end()
	c.serveHTTP3(sock)
}

// Retire closes the listener, and tells clients of its idle connections that they end.
func (e *Engine) Retire(l *Listener) {
	l.Close()
	e.conns.each(func(c *conn) {
		if c.l == l {
			c.wakeIdle()
		}
	})
}

func quicPeer(q *quic.Conn) netip.AddrPort {
	p := addrPort(q.RemoteAddr())
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// serveHTTP3 serves the requests of the connection.
func (c *conn) serveHTTP3(sock quicSocket) {
	s := c.e.snapshot.Load()
	if s == nil {
		return
	}
	if most := s.Limits.ConnectionsPerClient; most > 0 && !c.join(most) {
		return
	}
	engine := h3.New(sock.q, h3.Options{
		Log:       c.e.log,
		Limits:    s.Limits.Limits,
		Head:      s.Timeouts.RequestHead,
		KeepAlive: s.Timeouts.KeepAlive,
		Idle:      s.Timeouts.Client,
		Report:    c.reportAbuse3,
	}, c.serveHTTP3Stream)
	c.many.Store(&multiplexed{engine})
	if c.ending() { // looked at behind the line above, as by those who end it
		engine.Drain()
	}
	if err := engine.Serve(); err != nil {
		c.e.log.Debug("HTTP/3 connection ended", zap.Stringer("peer", c.peer), zap.Error(err))
	}
}

func (c *conn) serveHTTP3Stream(s *h3.Stream) {
	c.serveStream(s, s.Request(), s.Refusal(), "HTTP/3.0")
	if c.ending() {
		c.many.Load().Drain()
	}
}

// reportAbuse3 is reportAbuse for HTTP/3.
func (c *conn) reportAbuse3(e h3.Event) {
	c.e.counters.Abuses.Add(1)
	c.e.log.Warn("HTTP/3 connection closed: its client asks for too much that leads to nothing",
		zap.Stringer("peer", c.peer), zap.String("too_many", e.Budget),
		zap.Int("streams", e.Streams), zap.Duration("age", time.Since(c.opened)))
}

// quicSocket is a connection of QUIC where the engine has a socket. Nobody reads or
// writes it.
type quicSocket struct{ q *quic.Conn }

var errNoBytes = errors.New("a connection of QUIC is no stream of bytes")

// Read implements net.Conn.
func (quicSocket) Read([]byte) (int, error) { return 0, errNoBytes }

// Write implements net.Conn.
func (quicSocket) Write([]byte) (int, error) { return 0, errNoBytes }

// Close implements net.Conn. What ended in good order has been closed before.
func (s quicSocket) Close() error { return s.q.CloseWithError(0x102, "") }

// LocalAddr implements net.Conn.
func (s quicSocket) LocalAddr() net.Addr { return s.q.LocalAddr() }

// RemoteAddr implements net.Conn.
func (s quicSocket) RemoteAddr() net.Addr { return s.q.RemoteAddr() }

// SetDeadline implements net.Conn.
func (quicSocket) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (quicSocket) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (quicSocket) SetWriteDeadline(time.Time) error { return nil }

// tlsState is what the handshake agreed on.
func (s quicSocket) tlsState() *tls.ConnectionState {
	state := s.q.ConnectionState().TLS
	return &state
}
