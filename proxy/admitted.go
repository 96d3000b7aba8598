package proxy

import (
	"sync"
	"sync/atomic"

	"doorward/internal/gate"
)

// admitted knows the requests that a gate let pass for somebody, so that they can be
// ended when that somebody may not go on: a request may last for hours. It is a list
// through the exchanges themselves, in shards, because every such request is entered
// and left.
type admitted struct {
	shards [16]admittedShard
	// reviews is how many reviews have begun: who enters the list looks at it before and
	// after.
	reviews atomic.Uint64
}

type admittedShard struct {
	mu    sync.Mutex
	first *exchange
	_     [48]byte // keep neighbours off one cache line
}

// admittedLinks are an exchange's neighbours in its shard.
type admittedLinks struct{ before, after *exchange }

func (a *admitted) shard(x *exchange) *admittedShard { return &a.shards[x.c.shard] }

func (a *admitted) add(x *exchange) {
	s := a.shard(x)
	s.mu.Lock()
	x.links = admittedLinks{after: s.first}
	if s.first != nil {
		s.first.links.before = x
	}
	s.first = x
	s.mu.Unlock()
}

func (a *admitted) remove(x *exchange) {
	s := a.shard(x)
	s.mu.Lock()
	if x.links.before != nil {
		x.links.before.links.after = x.links.after
	} else {
		s.first = x.links.after
	}
	if x.links.after != nil {
		x.links.after.links.before = x.links.before
	}
	x.links = admittedLinks{}
	s.mu.Unlock()
}

// each calls f for every request that is at work. None can end meanwhile.
func (a *admitted) each(f func(*exchange)) {
	for i := range a.shards {
		a.shards[i].each(f)
	}
}

func (s *admittedShard) each(f func(*exchange)) {
	s.mu.Lock()
	defer s.mu.Unlock() // after a panic too, or nobody would pass a gate any more
	for x := s.first; x != nil; x = x.links.after {
		f(x)
	}
}

// Review ends the requests, streams and tunnels of those who may not go on any more:
// whose session is over, or to whom the gate that the route has now is shut. It tells
// how many there were.
func (e *Engine) Review() (n int) {
	e.admitted.reviews.Add(1)
	e.admitted.each(func(x *exchange) {
		if !x.holds() {
			x.expel()
			n++
		}
	})
	return n
}

// gateOf is the gate that stands in front of a route now: that of the route of the
// same name, as a reload may have changed it. Without one the old gate decides.
func (s *Snapshot) gateOf(r *Route) gate.Gate {
	if now := s.named[r.Name]; now != nil && now.Gate != nil {
		return now.Gate
	}
	return r.Gate
}

// expel ends the request from another goroutine, while it is in the list.
func (x *exchange) expel() {
	if x.stream != nil {
		x.stream.Reset(resetCancel)
		x.presence.leave()
		return
	}
	x.c.cut()
}
