package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/netip"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"doorward/internal/safe"
	"doorward/proxy/backend"
	"doorward/proxy/h1"
	"doorward/proxy/netio"
)

// conn is one client connection.
type conn struct {
	e    *Engine
	l    *Listener
	io   *netio.Conn
	peer netip.AddrPort
	// shard is the part of the registry that knows the connection, and of every
	// tally the cell that it counts in.
	shard  int
	opened time.Time

	tlsVersion, tlsCipher uint16
	// client is what the handshake told of the client's certificate; nil is nothing.
	client *clientCert

	// x is the exchange at work, and holds bytes read ahead between requests; nil
	// while the connection idles, so that it holds no buffer.
	x *exchange
	// requests counts those that were answered here.
	requests atomic.Int64
	// state says whether the connection waits for a request; see wakeIdle.
	state atomic.Int32
	// route is that of the request at work, or of the last one.
	route atomic.Pointer[Route]
	// many serves the connection once it is known to carry many requests at a time.
	many atomic.Pointer[multiplexed]
	// tunnels are what upgraded requests go through.
	tunnels tunnelSet
	// to and trip are what is at work for a client of HTTP/1, for cut; severed says that
	// it has come.
	to      atomic.Pointer[backend.Conn]
	trip    atomic.Pointer[trip]
	severed atomic.Bool
	// pinned is a server connection that belongs to this client alone.
	pinned    *pinned
	wasPinned bool
	// outdated says that the handshake was made under rules that are not in force any
	// more.
	outdated atomic.Bool
	// counted is the address under which perClient counts this connection.
	counted netip.Addr

	// take and give are made once, so that waiting allocates nothing.
	take func() []byte
	give func()
}

// The states of a connection.
const (
	busy int32 = iota
	idle
	woken
)

// lastCall is how long a connection that may not stay waits for a request: one
// that is here already, or as good as, is still served.
const lastCall = 100 * time.Millisecond

// Lingering: how long, and for how many bytes, a client may go on sending after
// an answer that ends the connection, so that it sees the answer and not a
// reset.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 1 << 20
)

// serve runs the connection: what comes before HTTP, then one request after the
// other.
func (c *conn) serve() {
	s := c.e.snapshot.Load()
	if s == nil || !c.begin(s) {
		return
	}
	switch c.protocol() {
	case "h2":
		c.serveHTTP2(c.e.snapshot.Load())
		return
	case "acme-tls/1": // the handshake was the answer (RFC 8737, section 3)
		return
	}
	c.take, c.give = c.takeBuffer, c.giveBuffer
	for c.next() && c.request() {
	}
	if c.x != nil {
		c.dropBuffers()
	}
}

// begin reads the PROXY header and does the TLS handshake.
func (c *conn) begin(s *Snapshot) bool {
	if s.ProxyProtocol.Contains(c.peer.Addr()) {
		if err := c.readProxyHeader(s.Timeouts.ProxyHeader); err != nil {
			c.e.log.Warn("connection closed: PROXY header expected",
				zap.Stringer("peer", c.peer), zap.Error(err))
			return false
		}
	}
	if most := s.Limits.ConnectionsPerClient; most > 0 && !c.join(most) {
		return false
	}
	c.io.WriteIdle = s.Timeouts.Client
	if !c.l.TLS {
		return true
	}
	if err := c.handshake(s); err != nil {
		c.e.counters.Handshakes.Add(1)
		c.e.log.Debug("TLS handshake failed", zap.Stringer("peer", c.peer), zap.Error(err))
		return false
	}
	return true
}

func (c *conn) join(most int) bool {
	a := subscriber(c.peer.Addr())
	if !c.e.clients.join(a, most) {
		c.e.counters.Refused.Add(1)
		return false
	}
	c.counted = a
	return true
}

func (c *conn) leave() {
	if c.counted.IsValid() {
		c.e.clients.leave(c.counted)
	}
}

func (c *conn) handshake(s *Snapshot) error {
	c.io.StartServer(s.TLS)
	// A handshake needs several times the stack that requests do. In a goroutine of
	// its own that is given back at once, and not held for the connection's life.
	result := make(chan error, 1)
	safe.Go(c.e.log, "handshake", func() {
		err := errPanicked
		defer func() { result <- err }()
		err = c.io.Handshake(s.Timeouts.Handshake, s.turns)
	})
	if err := <-result; err != nil {
		return err
	}
	state := c.io.TLS().ConnectionState()
	c.tlsVersion, c.tlsCipher = state.Version, state.CipherSuite
	c.client = newClientCert(s, &state)
	return nil
}

// protocol is the one that the handshake chose, "" for none.
func (c *conn) protocol() string {
	if t := c.io.TLS(); t != nil {
		return t.ConnectionState().NegotiatedProtocol
	}
	return ""
}

// tlsState is what the handshake agreed on, nil without one.
func (c *conn) tlsState() *tls.ConnectionState {
	if c.io != nil {
		if q, ok := c.io.Socket().(quicSocket); ok {
			return q.tlsState()
		}
	}
	if c.io == nil || c.io.TLS() == nil {
		return nil
	}
	state := c.io.TLS().ConnectionState()
	return &state
}

// next waits for the first bytes of a request.
func (c *conn) next() bool {
	s := c.e.snapshot.Load()
	if c.x != nil && c.x.in.len() > 0 {
		c.x.began = netio.Now()
		return true
	}
	if c.x != nil {
		c.dropBuffers()
	}
	c.io.ReadIdle, c.io.ReadUntil = s.Timeouts.KeepAlive, 0
	c.state.Store(idle)
	if c.leaving() && c.state.CompareAndSwap(idle, busy) {
		c.io.ReadIdle = lastCall
	}
	// How a client goes away between requests is no event.
	n, _ := c.io.ReadLazy(c.take, c.give)
	if c.state.CompareAndSwap(idle, busy); c.state.Load() != busy || n == 0 {
		return false
	}
	c.x.in.w += n
	c.x.began = netio.Now()
	return true
}

// leaving tells whether no further request may begin here.
func (c *conn) leaving() bool {
	return c.e.draining.Load() || c.l.closing.Load()
}

// ending tells whether the request at work is the last one.
func (c *conn) ending() bool { return c.leaving() || c.outdated.Load() }

// takeBuffer gives the connection the exchange for its next request.
func (c *conn) takeBuffer() []byte {
	if c.x == nil {
		c.x = c.e.exchanges.Get().(*exchange)
		c.x.c, c.x.e = c, c.e
	}
	return c.x.in.free()
}

// giveBuffer takes it back because there was nothing to read yet.
func (c *conn) giveBuffer() {
	if c.x != nil && c.x.in.len() == 0 {
		c.dropBuffers()
	}
}

func (c *conn) dropBuffers() {
	x := c.x
	c.x = nil
	x.clear()
	c.e.exchanges.Put(x)
}

// readHead completes the head whose first bytes are in the buffer and parses
// it.
func (c *conn) readHead(x *exchange) error {
	seen := 0
	limited := false
	for {
		fresh := x.in.b[x.in.r+seen : x.in.w]
		if seen == 0 || bytes.IndexByte(fresh, '\n') >= 0 || x.in.len() >= x.snap.Limits.HeadBytes {
			n, err := x.snap.parser.Parse(x.in.bytes(), x.req)
			if err != h1.ErrIncomplete {
				x.head, x.headAt = n, x.began
				if limited {
					x.headAt = netio.Now()
				}
				return err
			}
		}
		seen = x.in.len()
		if !limited {
			limited = true
			c.io.ReadIdle, c.io.ReadUntil = 0, x.began+int64(x.snap.Timeouts.RequestHead)
		}
		if err := c.more(x); err != nil {
			x.headAt = netio.Now()
			return err
		}
	}
}

// more reads more of a head, in a larger buffer where the first was too small.
func (c *conn) more(x *exchange) error {
	if x.in.full() {
		x.in.grow(x.snap.Limits.HeadBytes)
	}
	n, err := c.io.Read(x.in.free())
	x.in.w += n
	if n > 0 {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// request serves the request whose first bytes are in the buffer, and tells
// whether another may follow on the connection.
func (c *conn) request() bool {
	x := c.x
	x.snap = c.e.snapshot.Load()
	x.start()
	err := c.readHead(x)
	x.snap = c.e.snapshot.Load() // that of now: a head may take its time
	if err != nil {
		x.refuse(err)
	} else {
		x.serve()
	}
	x.finish()
	if !x.keep {
		if x.linger {
			c.lingerClose()
		}
		return false
	}
	x.in.discard()
	return true
}

// lingerClose lets the client see an answer that ends the connection although
// it is still sending.
func (c *conn) lingerClose() {
	b := c.e.bulk.Get().(*[bulkBytes]byte)
	c.io.Linger(lingerTime, lingerBytes, b[:])
	c.e.bulk.Put(b)
}

// wakeIdle ends the connection if it waits for a request. The state decides
// races with a request that arrives: either it is served whole, or not begun.
func (c *conn) wakeIdle() {
	if many := c.many.Load(); many != nil {
		many.Drain()
		return
	}
	if c.state.CompareAndSwap(idle, woken) {
		c.io.Abort()
	}
}

// cut ends the connection whatever it does: when a drain has no more time, or when who
// it speaks for may not go on.
func (c *conn) cut() {
	c.severed.Store(true)
	c.tunnels.each((*tunnel).cut)
	if to := c.to.Load(); to != nil {
		_ = to.Socket().Close()
	}
	if t := c.trip.Load(); t != nil {
		t.cancel(errClientGone)
	}
	if many := c.many.Load(); many != nil {
		many.Abort()
	}
	c.io.Abort()
	_ = c.io.Socket().Close()
}
