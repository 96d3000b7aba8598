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
// The rule that makes it sound: a request counts as waiting before it looks for
// a free place for the last time, and a place is freed before the one who frees
// it looks whether somebody waits. So one of the two sees the other.
type queue struct {
	waiting atomic.Int64

	mu sync.Mutex
	// head and tail are the ends of the list of waiters; choosy is how many of
	// them would not take just any place.
	head, tail *waiter
	choosy     int64
	spare      *waiter
	spares     int
}

// waiter is one request in the queue.
type waiter struct {
	backend *Backend
	// avoid is the server not to get, only the server it has to be; each may be
	// nil.
	avoid, only *Server

	server     *Server
	ready      chan struct{}
	timer      *time.Timer
	prev, next *waiter
}

func (w *waiter) choosy() bool { return w.avoid != nil || w.only != nil }

// wants tells whether a place on s is of use.
func (w *waiter) wants(s *Server) bool {
	if w.only != nil {
		return w.only == s
	}
	return w.avoid != s && w.backend.shares(s)
}

// pick takes a place if there is one.
func (w *waiter) pick() *Server {
	if w.only == nil {
		return w.backend.balance.pick(w.avoid)
	}
	if w.only.take() {
		return w.only
	}
	return nil
}

// shares tells whether s has a share of the requests of b.
func (b *Backend) shares(s *Server) bool {
	for i, have := range b.servers {
		if have == s {
			return b.wanted[i].weight > 0
		}
	}
	return false
}

// claim is the slow way to a place.
func (q *queue) claim(b *Backend, want waiter, gone <-chan struct{}) (*Server, error) {
	q.mu.Lock()
	if q.waiting.Load() >= int64(b.options.MaxQueue) {
		q.mu.Unlock()
		return nil, ErrQueueFull
	}
	q.waiting.Add(1)
	// Where one who would take any place waits, there is none to be had; and
	// looking for one all the same would be an expensive way to jump the queue.
	if q.waiting.Load()-1 == q.choosy {
		if s := want.pick(); s != nil {
			q.waiting.Add(-1)
			q.mu.Unlock()
			return s, nil
		}
	}
	w := q.push(want)
	q.mu.Unlock()
	return q.wait(w, b.options.Timeouts.Queue, gone)
}

func (q *queue) wait(w *waiter, d time.Duration, gone <-chan struct{}) (*Server, error) {
	w.timer.Reset(d)
	var err error
	select {
	case <-w.ready:
	case <-w.timer.C:
		err = ErrQueueTimeout
	case <-gone:
		err = ErrGone
	}
	w.timer.Stop()
	s := q.leave(w, err != nil)
	switch {
	case s == nil:
		return nil, err
	case err == ErrGone:
		s.Release()
		return nil, err
	}
	// A place that came at the last moment is as good as any.
	return s, nil
}

// leave takes w out of the queue and returns the server it was given, if any.
func (q *queue) leave(w *waiter, early bool) *Server {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := w.server
	if s == nil {
		q.remove(w)
	} else if early {
		<-w.ready
	}
	w.backend, w.avoid, w.only, w.server = nil, nil, nil, nil
	if q.spares < maxSpare {
		w.next, q.spare = q.spare, w
		q.spares++
	}
	return s
}

// handOver gives the caller's place on s to the first that wants it.
func (q *queue) handOver(s *Server) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if limit := s.limit.Load(); limit > 0 && s.active.Load() > limit {
		return false
	}
	w := q.first(s)
	if w == nil {
		return false
	}
	s.claims.Add(1)
	q.grant(w, s)
	return true
}

// offer gives free places on s to those who want them.
func (q *queue) offer(s *Server) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for w := q.first(s); w != nil && s.take(); w = q.first(s) {
		q.grant(w, s)
	}
}

func (q *queue) first(s *Server) *waiter {
	for w := q.head; w != nil; w = w.next {
		if w.wants(s) {
			return w
		}
	}
	return nil
}

func (q *queue) grant(w *waiter, s *Server) {
	q.remove(w)
	w.server = s
	w.ready <- struct{}{}
}

// push appends a waiter that is already counted.
func (q *queue) push(want waiter) *waiter {
	w := q.spare
	if w != nil {
		q.spare = w.next
		q.spares--
	} else {
		w = &waiter{ready: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
		w.timer.Stop()
	}
	w.backend, w.avoid, w.only = want.backend, want.avoid, want.only
	w.prev, w.next = q.tail, nil
	if q.tail == nil {
		q.head = w
	} else {
		q.tail.next = w
	}
	q.tail = w
	if w.choosy() {
		q.choosy++
	}
	return w
}

func (q *queue) remove(w *waiter) {
	if w.prev == nil {
		q.head = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.tail = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
	if w.choosy() {
		q.choosy--
	}
	q.waiting.Add(-1)
}
