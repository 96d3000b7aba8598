package backend

import (
	"sync"
	"sync/atomic"

	"doorward/internal/tally"
)

// group is what the generations of one backend share.
type group struct {
	// version counts the changes of servers' states; see rotation.
	version atomic.Uint64
	queue   queue
	// rotating is held while a rotation is made.
	rotating sync.Mutex
	tally    *tally.Tally
	// newest is the generation that was started last.
	newest atomic.Pointer[Backend]
	// activeMost is the highest number that Active gave.
	activeMost atomic.Int64
}

func newGroup() *group {
	g := &group{tally: tally.New()}
	g.version.Store(1)
	return g
}

// changed is called after the state of servers has: places that are there now are
// given to those who wait, and those who wait for a server that is not go
// elsewhere.
func (g *group) changed(servers ...*Server) {
	g.version.Add(1)
	if g.queue.waiting.Load() > 0 {
		g.queue.settle(servers)
	}
}

// settle finds out for everybody in the queue what a change of some servers means
// to him.
func (q *queue) settle(servers []*Server) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range servers {
		q.unbind(s)
	}
	for _, s := range servers {
		q.serve(s)
	}
	q.reconsider()
}

// unbind sends those who wait for s, and may do so no longer, to the general line,
// where each keeps its turn.
func (q *queue) unbind(s *Server) {
	for w := s.line.tail; w != nil; {
		before := w.prev
		if !w.faithful() {
			s.line.remove(w)
			w.bound = nil
			q.line.join(w)
			q.general.Add(1)
			s.queued.Add(-1)
		}
		w = before
	}
}

// faithful tells whether w may go on waiting for the server that it is bound to.
func (w *waiter) faithful() bool {
	if w.wish.Prefer == w.bound {
		return w.wish.belongs()
	}
	at, ok := w.backend.index[w.bound]
	return ok && w.backend.current().takes(at, false)
}

// reconsider looks for a place for everybody in the general line.
func (q *queue) reconsider() {
	var full *rotation
	var next *waiter
	for w := q.line.head; w != nil; w = next {
		next = w.next
		r := w.backend.current()
		if r.err != nil {
			q.grant(w, nil, r.err)
			continue
		}
		if r == full && w.plain() {
			continue
		}
		switch s, taken := r.balance.pick(r.but(w.wish.Avoid), w.wish.Hash); {
		case taken:
			q.grant(w, s, nil)
		case s != nil:
			q.bind(w, s)
		case w.plain():
			full = r
		}
	}
}

// bind sends w from the general line to that of s, where it keeps its turn.
func (q *queue) bind(w *waiter, s *Server) {
	q.line.remove(w)
	w.bound = s
	s.line.join(w)
	raise(&s.queuedMost, s.queued.Add(1))
	q.general.Add(-1)
}
