package backend

import (
	"sync"
	"time"

	"doorward/proxy/netio"
)

// Conn is a connection to a server, for one request at a time. Its WriteIdle is
// Timeouts.Server; the limits for reads are the user's.
type Conn struct {
	*netio.Conn

	reused  bool
	took    time.Duration
	address *addresses
	at      int
	kept    int64
}

// Reused tells whether the connection has served a request before, so that it
// may have been closed by the server in the meantime.
func (c *Conn) Reused() bool { return c.reused }

// ConnectTime is how long it took to open the connection, 0 for a reused one.
func (c *Conn) ConnectTime() time.Duration {
	if c.reused {
		return 0
	}
	return c.took
}

// idleSweeps is how many sweeps an idle connection survives: they come four
// times per Timeouts.Idle.
const idleSweeps = 4

// pool holds the idle connections of one server, the one used last on top.
type pool struct {
	mu     sync.Mutex
	idle   []*Conn
	closed bool
	// sweeps counts the sweeps: a clock that costs nothing to read.
	sweeps         int64
	opened, reused int64
}

// get takes the connection used last, nil if there is none.
func (p *pool) get() *Conn {
	p.mu.Lock()
	n := len(p.idle)
	if n == 0 {
		p.mu.Unlock()
		return nil
	}
	c := p.idle[n-1]
	p.idle[n-1] = nil
	p.idle = p.idle[:n-1]
	p.reused++
	p.mu.Unlock()
	return c
}

// put keeps c, or tells that it does not.
func (p *pool) put(c *Conn, limit int) bool {
	p.mu.Lock()
	if p.closed || len(p.idle) >= limit {
		p.mu.Unlock()
		return false
	}
	c.kept = p.sweeps
	p.idle = append(p.idle, c)
	p.mu.Unlock()
	return true
}

// drop closes the idle connections that gone picks.
func (p *pool) drop(gone func(*Conn) bool) {
	for _, c := range p.remove(gone) {
		_ = c.Close()
	}
}

func (p *pool) remove(gone func(*Conn) bool) (out []*Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.idle[:0]
	for _, c := range p.idle {
		if gone(c) {
			out = append(out, c)
		} else {
			kept = append(kept, c)
		}
	}
	clear(p.idle[len(kept):])
	p.idle = kept
	return out
}

func (p *pool) nextSweep() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweeps++
	return p.sweeps
}

// close closes what is idle and whatever is put from now on.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.drop(func(*Conn) bool { return true })
}

func (p *pool) countOpened() {
	p.mu.Lock()
	p.opened++
	p.mu.Unlock()
}

func (p *pool) counters() Counters {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Counters{Connections: p.opened, Reused: p.reused, Idle: len(p.idle)}
}
