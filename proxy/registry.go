package proxy

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// registry knows the open connections, so that they can be drained. It is
// touched once when a connection begins and once when it ends.
type registry struct {
	open atomic.Int64
	// ended counts the requests of connections that have ended; each connection
	// counts its own, so that nothing is shared while requests are served.
	ended  atomic.Int64
	shards [16]registryShard
}

type registryShard struct {
	mu    sync.Mutex
	conns map[*conn]struct{}
	_     [40]byte // keep neighbours off one cache line
}

func (r *registry) shard(c *conn) *registryShard {
	return &r.shards[c.shard]
}

func (r *registry) add(c *conn) {
	r.open.Add(1)
	// The peer may become another one later, through a PROXY header.
	c.shard = int(c.peer.Port()) % len(r.shards)
	s := r.shard(c)
	s.mu.Lock()
	if s.conns == nil {
		s.conns = make(map[*conn]struct{})
	}
	s.conns[c] = struct{}{}
	s.mu.Unlock()
}

// rename gives a connection the peer that its PROXY header names. Others may look at
// it in that moment.
func (r *registry) rename(c *conn, peer netip.AddrPort) {
	s := r.shard(c)
	s.mu.Lock()
	c.peer = peer
	s.mu.Unlock()
}

func (r *registry) remove(c *conn) {
	s := r.shard(c)
	s.mu.Lock()
	delete(s.conns, c)
	r.ended.Add(c.requests.Load())
	s.mu.Unlock()
	r.open.Add(-1)
}

func (r *registry) each(f func(*conn)) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for c := range s.conns {
			f(c)
		}
		s.mu.Unlock()
	}
}

// wait waits until no connection is open, or ctx ends.
func (r *registry) wait(ctx context.Context) error {
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for r.open.Load() > 0 {
		select {
		case <-ctx.Done():
			return errDrain
		case <-tick.C:
			// A connection may have become idle in the moment Drain looked at it.
			r.each((*conn).wakeIdle)
		}
	}
	return nil
}

// perClient counts connections by client address; IPv6 clients by their /64,
// which one subscriber has for himself.
type perClient struct {
	mu sync.Mutex
	n  map[netip.Addr]int
}

// join counts one more connection of the address, unless it has most already.
func (p *perClient) join(a netip.Addr, most int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.n == nil {
		p.n = make(map[netip.Addr]int)
	}
	if p.n[a] >= most {
		return false
	}
	p.n[a]++
	return true
}

func (p *perClient) leave(a netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.n[a]--; p.n[a] <= 0 {
		delete(p.n, a)
	}
}

// subscriber is the address that connections are counted by.
func subscriber(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}
