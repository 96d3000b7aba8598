// Package netio is the byte stream under every connection of the data plane: a
// socket, or TLS over one, with timeouts that cost nothing while they do not
// fire, writes that can be gathered, and the one system-call trick that the
// request path lives on (Ask).
//
// It knows nothing of HTTP. A Conn is used by one reader and one writer at a
// time; Abort and Close may come from any goroutine.
package netio

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	// ErrTimeout says that the time limit in force passed without progress. It
	// is a net.Error whose Timeout is true.
	ErrTimeout net.Error = timeoutError{}
	// ErrAborted says that Abort was called.
	ErrAborted = errors.New("connection aborted")
	// ErrStale says that a reused connection was found closed, or with bytes on
	// it that nobody asked for, before anything was written.
	ErrStale = errors.New("connection went stale while idle")
)

type timeoutError struct{}

func (timeoutError) Error() string   { return "timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// base is the origin of Now; only differences of Now are meaningful.
var base = time.Now()

// Now reads the monotonic clock: nanoseconds since the process began.
func Now() int64 { return int64(time.Since(base)) }

// At converts a reading of Now into a time.
func At(now int64) time.Time { return base.Add(time.Duration(now)) }

// MinRate is the least pace, in bytes a second, that a peer may keep once
// RateGrace has passed; below it a transfer counts as timed out although bytes
// still trickle (security case SLOW-04).
const MinRate = 240

// RateGrace is how long a transfer may be slower than MinRate.
const RateGrace = 10 * time.Second

// Conn is one connection. The zero value is not usable; see New.
//
// Timeouts are lazy: the deadline set on the socket is never later than the one
// in force, and when it fires early it is moved and the call goes on. So a
// connection that is busy touches the runtime's timers once per timeout period,
// not once per request.
type Conn struct {
	// ReadIdle bounds every single Read, 0 is no bound. It belongs to the
	// reading goroutine.
	ReadIdle time.Duration
	// ReadUntil is an absolute bound for reads as a reading of Now, 0 is none.
	ReadUntil int64
	// WriteIdle bounds the time a Write may stay without progress, 0 is none.
	WriteIdle time.Duration

	sock net.Conn
	raw  syscall.RawConn
	tls  *tls.Conn
	pre  []byte
	ask  ask
	put  put

	corkMu sync.Mutex
	cork   *gather

	// turns is the bound on handshakes while one runs here, turn whether it is ours.
	turns chan struct{}
	turn  bool

	readArmed  int64
	writeArmed int64
	aborted    atomic.Bool
	leaving    atomic.Bool
	one        [1]byte
	instant    bool // the TLS layer may not wait for the socket
}

// New makes a Conn of a connected socket. Anything that is a net.Conn will do;
// what offers no file descriptor takes the plain ways.
func New(sock net.Conn) *Conn {
	c := &Conn{sock: sock}
	if s, ok := sock.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			c.raw = raw
		}
	}
	c.ask.init(c)
	c.put.init()
	return c
}

// Unread puts bytes that were already taken from the socket, by a PROXY
// protocol parser for example, in front of what Read returns.
func (c *Conn) Unread(p []byte) { c.pre = p }

// Socket is the connection that New was given.
func (c *Conn) Socket() net.Conn { return c.sock }

// TLS is the TLS layer, nil on a plain connection.
func (c *Conn) TLS() *tls.Conn { return c.tls }

// StartServer puts TLS as the server over the connection. The handshake runs
// with the first Read or with Handshake.
func (c *Conn) StartServer(cfg *tls.Config) { c.tls = tls.Server(under{c}, cfg) }

// StartClient puts TLS as the client over the connection.
func (c *Conn) StartClient(cfg *tls.Config) { c.tls = tls.Client(under{c}, cfg) }

// Handshake runs the TLS handshake within d, which bounds it as a whole. A turn
// is taken from turns, by a send, while the handshake computes, and given back
// while it waits for the peer: so a bound on handshakes at work cannot be used up
// by peers that say nothing. Nil is no bound.
func (c *Conn) Handshake(d time.Duration, turns chan struct{}) error {
	idle, until := c.ReadIdle, c.ReadUntil
	c.ReadIdle, c.ReadUntil = 0, Now()+int64(d)
	c.turns = turns
	defer func() { // after a panic too: the turn is not ours to keep
		c.giveTurn()
		c.turns = nil
		c.ReadIdle, c.ReadUntil = idle, until
	}()
	c.takeTurn()
	return c.tls.Handshake()
}

func (c *Conn) takeTurn() {
	if c.turns != nil {
		c.turns <- struct{}{}
		c.turn = true
	}
}

func (c *Conn) giveTurn() {
	if c.turn {
		c.turn = false
		<-c.turns
	}
}

// Read reads what is there, waiting for it within the limits in force.
func (c *Conn) Read(p []byte) (int, error) {
	if c.tls != nil {
		return c.tls.Read(p)
	}
	return c.readSocket(p)
}

// Write writes all of p. The records of a TLS connection leave with one system
// call for the lot instead of one each.
func (c *Conn) Write(p []byte) (int, error) {
	if c.tls == nil {
		return c.writeSocket(p)
	}
	if len(p) <= recordBytes {
		return c.tls.Write(p)
	}
	return c.writeGathered(p)
}

// CloseWrite ends our half: FIN, on TLS after a close_notify.
func (c *Conn) CloseWrite() error {
	if c.tls != nil {
		if err := c.tls.CloseWrite(); err != nil {
			return err
		}
	}
	if s, ok := c.sock.(interface{ CloseWrite() error }); ok {
		return s.CloseWrite()
	}
	return nil
}

// Close closes the connection. A TLS peer is told with a close_notify when that
// does not have to wait.
func (c *Conn) Close() error {
	if c.tls != nil {
		c.leaving.Store(true)
		return c.tls.Close()
	}
	return c.sock.Close()
}

// Reset closes the connection so that the peer sees an abort, not an end: for
// answers that broke off and must not be taken for whole.
func (c *Conn) Reset() error {
	if s, ok := c.sock.(interface{ SetLinger(int) error }); ok {
		_ = s.SetLinger(0)
	}
	return c.sock.Close()
}

// Linger ends our half and throws away what the peer still sends, for at most d
// and at most so many bytes, into scratch. Closing at once would make the kernel
// reset the connection, and the peer lose what we wrote last.
func (c *Conn) Linger(d time.Duration, most int, scratch []byte) {
	if c.CloseWrite() != nil {
		return
	}
	_ = c.sock.SetReadDeadline(time.Now().Add(d))
	for most > 0 {
		n, err := c.sock.Read(scratch)
		if err != nil {
			return
		}
		most -= n
	}
}

// Abort makes the pending and every later Read fail with ErrAborted. Writes go
// on. It may be called from any goroutine, more than once.
func (c *Conn) Abort() {
	c.aborted.Store(true)
	_ = c.sock.SetReadDeadline(base)
}

// Aborted tells whether Abort is in force.
func (c *Conn) Aborted() bool { return c.aborted.Load() }

func (c *Conn) readSocket(p []byte) (int, error) {
	if len(c.pre) > 0 {
		n := copy(p, c.pre)
		c.pre = c.pre[n:]
		return n, nil
	}
	limit := c.armRead()
	for {
		n, err := c.sockRead(p)
		if err == nil || n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if err := c.early(limit); err != nil {
			return 0, err
		}
	}
}

// armRead makes sure that the socket's read deadline is not later than the
// limit in force, and returns that limit, 0 for none.
func (c *Conn) armRead() int64 {
	limit := c.ReadUntil
	if c.ReadIdle > 0 {
		if idle := Now() + int64(c.ReadIdle); limit == 0 || idle < limit {
			limit = idle
		}
	}
	if limit != 0 && (c.readArmed == 0 || c.readArmed > limit) {
		c.setRead(limit)
	}
	return limit
}

// early decides what a fired deadline means: an abort, the end of the limit, or
// only an older deadline, which is then moved.
func (c *Conn) early(limit int64) error {
	if c.aborted.Load() {
		return ErrAborted
	}
	if limit != 0 && Now() >= limit {
		return ErrTimeout
	}
	c.setRead(limit)
	return nil
}

func (c *Conn) setRead(limit int64) {
	c.readArmed = limit
	if limit == 0 {
		_ = c.sock.SetReadDeadline(time.Time{})
	} else {
		_ = c.sock.SetReadDeadline(At(limit))
	}
	// An Abort between the two lines above must not be lost.
	if c.aborted.Load() {
		_ = c.sock.SetReadDeadline(base)
	}
}

func (c *Conn) writeSocket(p []byte) (int, error) {
	start := int64(0)
	if c.WriteIdle > 0 && !c.leaving.Load() {
		start = Now()
		if limit := start + int64(c.WriteIdle); c.writeArmed == 0 || c.writeArmed > limit {
			c.setWrite(limit)
		}
	}
	done := 0
	since := start
	for {
		n, err := c.sockWrite(p[done:])
		done += n
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return done, err
		}
		if c.leaving.Load() {
			return done, ErrTimeout
		}
		now := Now()
		if n > 0 {
			since = now
		}
		if c.WriteIdle > 0 && (now-since >= int64(c.WriteIdle) || TooSlow(done, now-start)) {
			return done, ErrTimeout
		}
		c.setWrite(since + int64(c.WriteIdle))
	}
}

func (c *Conn) setWrite(limit int64) {
	c.writeArmed = limit
	if c.WriteIdle <= 0 {
		c.writeArmed = 0
		_ = c.sock.SetWriteDeadline(time.Time{})
		return
	}
	_ = c.sock.SetWriteDeadline(At(limit))
}

// TooSlow tells whether n bytes in the given nanoseconds are below MinRate,
// after RateGrace.
func TooSlow(n int, took int64) bool {
	over := took - int64(RateGrace)
	return over > 0 && int64(n) < over/int64(time.Second)*MinRate
}

// under is the socket as crypto/tls sees it: reads and writes with our limits.
type under struct{ c *Conn }

func (u under) Read(p []byte) (int, error) {
	if u.c.instant {
		return u.c.readInstant(p)
	}
	u.c.giveTurn()
	n, err := u.c.readSocket(p)
	u.c.takeTurn()
	return n, err
}

func (u under) Write(p []byte) (int, error) { return u.c.writeUnder(p) }

func (u under) Close() error         { return u.c.sock.Close() }
func (u under) LocalAddr() net.Addr  { return u.c.sock.LocalAddr() }
func (u under) RemoteAddr() net.Addr { return u.c.sock.RemoteAddr() }

// The limits are ours; deadlines set from outside would fight with them.
func (u under) SetDeadline(time.Time) error     { return nil }
func (u under) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is only called by crypto/tls when it is about to say goodbye.
// In Close that must not wait for a peer that does not read; in CloseWrite it is
// a write like any other.
func (u under) SetWriteDeadline(t time.Time) error {
	if !u.c.leaving.Load() {
		return nil
	}
	if limit := time.Now().Add(goodbye); t.After(limit) {
		t = limit
	}
	return u.c.sock.SetWriteDeadline(t)
}

// goodbye is how long Close may wait for the peer to make room.
const goodbye = 50 * time.Millisecond

var _ io.ReadWriteCloser = (*Conn)(nil)
