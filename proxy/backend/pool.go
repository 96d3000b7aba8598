package backend

import (
	"slices"
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

// MarkReused says that the connection has served a request, for a user that keeps
// it himself.
func (c *Conn) MarkReused() { c.reused = true }

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
	for at, more := 0, true; more; {
		var out []*Conn
		out, at, more = p.remove(at, gone)
		for _, c := range out {
			_ = c.Close()
		}
	}
}

// looks is how many connections are looked at while the pool is locked: each
// look is a system call, and requests wait for the lock.
const looks = 16

// remove takes out what gone picks of the next few connections from the bottom,
// and tells where to go on. Requests take from the top, so that nothing moves
// meanwhile.
func (p *pool) remove(at int, gone func(*Conn) bool) (out []*Conn, next int, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	end := min(at+looks, len(p.idle))
	kept := at
	for ; at < end; at++ {
		if c := p.idle[at]; gone(c) {
			out = append(out, c)
		} else {
			p.idle[kept] = c
			kept++
		}
	}
	if len(out) > 0 {
		p.idle = slices.Delete(p.idle, kept, end)
	}
	return out, kept, kept < len(p.idle)
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
