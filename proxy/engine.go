package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"doorward/internal/access"
	"doorward/proxy/h2"
	"doorward/proxy/netio"
)

// AccessLog takes the record of every finished request. Record must not block
// and must copy what it keeps.
type AccessLog interface {
	Record(*access.Record)
}

// Options are what an Engine needs for its whole life.
type Options struct {
	// Log takes what goes wrong; required.
	Log *zap.Logger
	// Access takes the records; nil is no access log.
	Access AccessLog
}

// Engine serves connections. All its methods may be called from any goroutine.
type Engine struct {
	log      *zap.Logger
	access   atomic.Pointer[AccessLog]
	snapshot atomic.Pointer[Snapshot]
	draining atomic.Bool
	// over is set, and cutting closed, when a drain has waited long enough.
	over      atomic.Bool
	cutting   chan struct{}
	exchanges sync.Pool
	bulk      sync.Pool
	// dictionary is what all HTTP/2 connections know of heads, crew who handles their
	// streams.
	dictionary *h2.Dictionary
	crew       *h2.Crew
	clients    perClient
	conns      registry
	admitted   admitted
	counters   Counters
}

// Counters are totals since the start. Read them with their Load methods.
type Counters struct {
	// Connections counts those accepted, Panics those that ended in one.
	Connections, Panics atomic.Int64
	// Refused counts connections over a client's limit, Handshakes those that
	// failed.
	Refused, Handshakes atomic.Int64
	// Abuses counts HTTP/2 connections that were ended for keeping us busy with what
	// does nothing.
	Abuses atomic.Int64
}

// New makes an Engine. It serves nothing before the first Swap.
func New(o Options) *Engine {
	e := &Engine{
		log: o.Log, cutting: make(chan struct{}), dictionary: h2.NewDictionary(),
		crew: h2.NewCrew(idleCrew, o.Log),
	}
	e.SetAccessLog(o.Access)
	e.exchanges.New = func() any { return newExchange() }
	e.bulk.New = func() any { return new([bulkBytes]byte) }
	return e
}

// SetAccessLog replaces the access log; nil is none.
func (e *Engine) SetAccessLog(l AccessLog) {
	if l == nil {
		e.access.Store(nil)
		return
	}
	e.access.Store(&l)
}

// Swap makes s, which was Prepared, what new requests meet. Tunnels end whose route it no
// longer has, or that let a stranger in where a gate now does not. Connections whose
// handshake would go another way now end in good order. It cannot fail. Swaps come one
// after the other.
func (e *Engine) Swap(s *Snapshot) {
	old := e.snapshot.Load()
	s.takeTurns(old)
	e.snapshot.Store(s)
	rules := old != nil && old.TLSRules != s.TLSRules
	e.conns.each(func(c *conn) {
		if rules && c.l.TLS {
			c.outdate()
		}
		c.tunnels.each(func(t *tunnel) {
			if !s.keeps(t) {
				t.cut()
			}
		})
	})
}

// outdate lets the connection end. One that carries a request at a time is not ended
// while it idles, or a request on its way might be lost: its next answer says that it
// was the last.
func (c *conn) outdate() {
	c.outdated.Store(true)
	if many := c.many.Load(); many != nil {
		many.Drain()
	}
}

// Counters gives access to the totals.
func (e *Engine) Counters() *Counters { return &e.counters }

// Requests is the number of requests that were answered since the start.
func (e *Engine) Requests() int64 {
	n := e.conns.ended.Load()
	e.conns.each(func(c *conn) { n += c.requests.Load() })
	return n
}

// Open is the number of client connections at present.
func (e *Engine) Open() int64 { return e.conns.open.Load() }

// Drain closes idle connections, lets those with a request finish it, and waits
// for them until ctx ends; what is left then is closed. New connections should
// not be handed in any more.
func (e *Engine) Drain(ctx context.Context) error {
	e.draining.Store(true)
	e.conns.each((*conn).wakeIdle)
	err := e.conns.wait(ctx)
	if e.over.CompareAndSwap(false, true) {
		close(e.cutting)
	}
	e.conns.each((*conn).cut)
	e.crew.Close()
	return err
}

// Listener is what the engine must know of the address a connection came in on.
type Listener struct {
	// Name stands in logs, as in the configuration (":443").
	Name string
	// TLS says that connections begin with a handshake.
	TLS bool
	// RedirectPort makes the listener answer every known host with a redirect to
	// HTTPS on that port; "" serves the routes.
	RedirectPort string
	// AltSvc is what the answers say about other ways to the same place (RFC 7838); "" is
	// nothing.
	AltSvc string
	// Counts takes what happens at the address; it may belong to several listeners
	// that follow each other there. Nil is nobody.
	Counts *ListenerCounts

	closing atomic.Bool
}

// Close tells the engine that the listener is gone: its connections end with
// the request they are at.
func (l *Listener) Close() { l.closing.Store(true) }

// ServeConn serves a connection until it ends, and closes it. A panic in it
// ends this connection and nothing else.
func (e *Engine) ServeConn(sock net.Conn, l *Listener) {
	c := &conn{e: e, l: l, io: netio.New(sock), opened: time.Now()}
	c.peer = addrPort(sock.RemoteAddr())
	e.counters.Connections.Add(1)
	e.conns.add(c)
	l.Counts.begin()
	defer c.end()
	c.serve()
}

// end closes the connection, after a panic too.
func (c *conn) end() {
	if p := recover(); p != nil {
		c.e.counters.Panics.Add(1)
		c.e.log.Error("panic while serving a connection", zap.Any("panic", p),
			zap.ByteString("stack", debug.Stack()))
		c.abandon()
	}
	_ = c.io.Close()
	c.dropPinned()
	c.leave()
	c.l.Counts.end()
	c.e.conns.remove(c)
}

// abandon gives up the request that panicked, if there is one.
func (c *conn) abandon() {
	x := c.x
	if x == nil {
		return
	}
	c.x = nil
	if x.abandon() {
		c.lingerClose()
	}
}

// abandon releases what a request held when it panicked, and answers it if there
// was no answer yet, which it tells. Its buffers are left to the garbage collector:
// somebody may still write to them.
func (x *exchange) abandon() (answered bool) {
	defer func() {
		if p := recover(); p != nil {
			x.e.log.Error("panic while cleaning up", zap.Any("panic", p))
		}
	}()
	x.endVigil()
	x.dropServer()
	x.endRepeats()
	x.leaveLimits()
	x.closeGate()
	if x.answered || x.snap == nil {
		return false
	}
	x.keep = false
	x.fail(http.StatusInternalServerError)
	return true
}

func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.TCPAddr:
		p := a.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	case interface{ AddrPort() netip.AddrPort }:
		return a.AddrPort()
	}
	return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
}

// errDrain is what Drain returns when connections were left.
var errDrain = errors.New("connections were still busy")

// idleCrew is how many goroutines may wait for streams to handle.
const idleCrew = 256

// drainPoll is how often a drain looks whether it is done.
const drainPoll = 20 * time.Millisecond
