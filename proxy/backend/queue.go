package backend

import (
	"sync"
	"sync/atomic"
	"time"
)

// maxSpare is how many waiters are kept for reuse.
const maxSpare = 256

// queue holds the requests that wait for a place. All generations of a backend
// share one, since they share servers.
//
// Some wait for one server, because they belong to it, and stand in its own line;
// the others take any place and stand in the general line. A place goes to the
// head of either line that came first.
//
// The rule that makes it sound: a request counts as waiting before it looks for
// a free place for the last time, and a place is freed, and the state of a server
// changed, before the one who does it looks whether somebody waits. So one of the
// two sees the other.
type queue struct {
	// waiting counts all, general those who do not wait for one server.
	waiting, general atomic.Int64
	// most is the most that waited at one time.
	most atomic.Int64

	mu     sync.Mutex
	line   line
	number uint64
	spare  *waiter
	spares int
}

// waiter is one request in the queue.
type waiter struct {
	backend *Backend
	wish    Wish
	// bound is the server to wait for; nil is any.
	bound *Server
	// number is its turn: the lower one came first.
	number uint64

	// What came of it, once done.
	server *Server
	err    error
	done   bool

	ready      chan struct{}
	timer      *time.Timer
	prev, next *waiter
}

// plain tells whether any place of its backend would do, so that there is none
// while it waits.
func (w *waiter) plain() bool {
	return w.wish.Avoid == nil && w.backend.options.Balance.Algorithm != Hash
}

// wanted tells whether somebody might want a place on s.
func (q *queue) wanted(s *Server) bool { return s.queued.Load() > 0 || q.general.Load() > 0 }

// claim is the slow way to a place.
func (q *queue) claim(b *Backend, wish Wish) (*Server, error) {
	q.mu.Lock()
	full := q.waiting.Add(1) > int64(b.options.QueueLimit)
	s, taken, err := q.look(b, &wish)
	switch {
	case err == nil && !taken && !full:
		w := q.push(waiter{backend: b, wish: wish, bound: s})
		q.mu.Unlock()
		return q.wait(w)
	case err == nil && !taken:
		q.uncount(s)
		s, err = nil, ErrQueueFull
	}
	q.waiting.Add(-1)
	q.mu.Unlock()
	return s, err
}

// look counts the request in one of the lines and then looks for a place once
// more. It says which server to wait for, if it has to be that one; a request that
// need not wait is not counted after all.
func (q *queue) look(b *Backend, wish *Wish) (s *Server, taken bool, err error) {
	if p := wish.Prefer; p != nil && wish.belongs() && (wish.Only || p.mayQueue()) {
		return p, p.join(), nil
	}
	q.general.Add(1)
	r := b.current()
	switch last := q.line.tail; {
	case r.err != nil:
		err = r.err
	case last != nil && last.backend == b && last.plain():
		// Where one who would take any place waits, there is none to be had; and
		// looking for one all the same would be an expensive way to jump the queue.
	default:
		s, taken = r.balance.pick(r.but(wish.Avoid), wish.Hash)
		if s != nil && !taken {
			taken = s.join()
		}
	}
	if s != nil || err != nil {
		q.general.Add(-1)
	}
	return s, taken, err
}

// join counts one more who waits for s, unless there is a place for him.
func (s *Server) join() (taken bool) {
	if s.queued.Add(1) == 1 && s.take() {
		s.queued.Add(-1)
		return true
	}
	return false
}

func (q *queue) wait(w *waiter) (*Server, error) {
	w.timer.Reset(w.backend.options.Timeouts.Queue)
	var gone <-chan struct{}
	if w.wish.Gone != nil {
		gone = w.wish.Gone()
	}
	var err error
	select {
	case <-w.ready:
	case <-w.timer.C:
		err = ErrQueueTimeout
	case <-gone:
		err = ErrGone
	}
	w.timer.Stop()
	return q.leave(w, err)
}

// leave takes w out of the queue. One whose turn came at the moment it wanted to
// leave has its place.
func (q *queue) leave(w *waiter, err error) (*Server, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !w.done:
		q.remove(w)
	case err != nil:
		<-w.ready
		fallthrough
	default:
		err = w.err
	}
	s := w.server
	*w = waiter{ready: w.ready, timer: w.timer}
	if q.spares < maxSpare {
		w.next, q.spare = q.spare, w
		q.spares++
	}
	return s, err
}

// handOver gives the caller's place on s to the first that wants it.
func (q *queue) handOver(s *Server) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s.places.active() > s.limit.Load() {
		return false
	}
	w := q.first(s)
	if w == nil {
		return false
	}
	s.places.pass()
	q.grant(w, s, nil)
	return true
}

// offer gives free places on s to those who want them.
func (q *queue) offer(s *Server) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.serve(s)
}

func (q *queue) serve(s *Server) {
	for w := q.first(s); w != nil && s.take(); w = q.first(s) {
		q.grant(w, s, nil)
	}
}

// first is the one who came first of those who want a place on s.
func (q *queue) first(s *Server) *waiter {
	first := s.line.head
	if !s.Usable() {
		return first
	}
	var b *Backend
	var r *rotation
	at, ok := 0, false
	for w := q.line.head; w != nil && (first == nil || w.number < first.number); w = w.next {
		if w.backend != b {
			b, r = w.backend, w.backend.current()
			at, ok = b.index[s]
		}
		if ok && r.takes(at, w.wish.Avoid == s) {
			return w
		}
	}
	return first
}

// grant ends the wait of w, with a place or an error.
func (q *queue) grant(w *waiter, s *Server, err error) {
	q.remove(w)
	w.server, w.err, w.done = s, err, true
	w.ready <- struct{}{}
}

// push appends one who is counted by look.
func (q *queue) push(want waiter) *waiter {
	w := q.spare
	if w != nil {
		q.spare = w.next
		q.spares--
	} else {
		w = &waiter{ready: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
		w.timer.Stop()
	}
	want.ready, want.timer = w.ready, w.timer
	*w = want
	q.number++
	w.number = q.number
	q.lineOf(w).insert(w, q.lineOf(w).tail)
	raise(&q.most, q.waiting.Load())
	if s := w.bound; s != nil {
		raise(&s.queuedMost, s.queued.Load())
	}
	return w
}

func (q *queue) remove(w *waiter) {
	q.lineOf(w).remove(w)
	q.waiting.Add(-1)
	q.uncount(w.bound)
}

// uncount takes one back who was counted in the line of s, or in the general one.
func (q *queue) uncount(s *Server) {
	if s != nil {
		s.queued.Add(-1)
	} else {
		q.general.Add(-1)
	}
}

func (q *queue) lineOf(w *waiter) *line {
	if w.bound != nil {
		return &w.bound.line
	}
	return &q.line
}
