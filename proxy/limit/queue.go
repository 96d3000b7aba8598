package limit

import (
	"slices"
	"sync"
	"time"

	"doorward/internal/table"
)

// queue holds the requests that wait, in one line for each key. Only the first of
// a line looks for room.
//
// The rule that makes it sound: a request is counted in the record before it joins
// the line and looks for room once more after it, and a place is given back before
// the one who does so looks whether somebody waits. So one of the two sees the
// other.
type queue struct {
	mu    sync.Mutex
	lines map[table.Ref][]*waiter
	total int
}

// waiter is one request in a line.
type waiter struct {
	// turn says that it is the first, or that there may be room for the first.
	turn chan struct{}
}

func newQueue() *queue { return &queue{lines: map[table.Ref][]*waiter{}} }

// join appends a request to the line of a key, unless most are waiting in all.
func (q *queue) join(ref table.Ref, most int) (*waiter, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.total >= most {
		return nil, false
	}
	w := &waiter{turn: make(chan struct{}, 1)}
	q.lines[ref] = append(q.lines[ref], w)
	q.total++
	if len(q.lines[ref]) == 1 {
		w.call()
	}
	return w, true
}

// leave takes a request out of its line. Whoever is the first then has a look.
func (q *queue) leave(ref table.Ref, w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	line := q.lines[ref]
	at := slices.Index(line, w)
	line = slices.Delete(line, at, at+1)
	q.total--
	if len(line) == 0 {
		delete(q.lines, ref)
		return
	}
	q.lines[ref] = line
	line[0].call()
}

// wake calls the first in the line of a key.
func (q *queue) wake(ref table.Ref) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if line := q.lines[ref]; len(line) > 0 {
		line[0].call()
	}
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.total
}

func (w *waiter) call() {
	select {
	case w.turn <- struct{}{}:
	default:
	}
}

// wait waits for the turn of a request that is counted as waiting.
func (l *Limiter) wait(
	key []byte, ref table.Ref, leaves func() <-chan struct{},
) (Ticket, Verdict) {
	w, ok := l.queue.join(ref, l.options.MaxQueue)
	if !ok {
		return l.conclude(key, ref, l.look(ref, false, true), false)
	}
	defer l.queue.leave(ref, w)
	l.counts.add(ref, queued)
	var gone <-chan struct{}
	if leaves != nil {
		gone = leaves()
	}
	deadline := time.Now().Add(l.options.Queue)
	timer := time.NewTimer(l.options.Queue)
	defer timer.Stop()
	for first := false; ; {
		select {
		case <-w.turn:
			first = true
		case <-timer.C:
		case <-gone:
			l.forget(ref)
			return Ticket{}, Verdict{Outcome: Left, Waited: true}
		}
		left := time.Until(deadline)
		a := answer{}
		if first || left <= 0 {
			if a = l.look(ref, first, left <= 0); !a.queued {
				return l.conclude(key, ref, a, true)
			}
		}
		if a.wait > 0 {
			left = min(left, a.wait)
		}
		timer.Reset(left)
	}
}

// look lets a request that waits pass if it may. At the last look it does not
// wait any longer, and one that is not the first only passes if there is room for
// all before it. The answer says whether the request still is queued.
func (l *Limiter) look(ref table.Ref, first, last bool) answer {
	a := answer{outcome: Left} // of nothing: the record was evicted
	now := time.Now()
	l.keys.Revisit(ref, now, func(r *record) table.Stay {
		before := int(r.waiting) - 1
		if first {
			before = 0
		}
		a = l.judge(r, now, before)
		if a.outcome == Passed {
			l.admit(r)
		}
		if a.outcome == Passed || last {
			r.waiting--
		} else {
			a.queued = true
		}
		return l.stay(r)
	})
	return a
}

// conclude turns the last look into a verdict.
func (l *Limiter) conclude(key []byte, ref table.Ref, a answer, waited bool) (Ticket, Verdict) {
	if a.outcome == Left {
		// Nothing is held against a key whose record is gone.
		ref, a = l.try(key, time.Now(), false)
	}
	if a.outcome == Passed {
		return l.passed(ref, waited)
	}
	return l.refused(ref, a, waited)
}

// forget counts a request that waited no more.
func (l *Limiter) forget(ref table.Ref) {
	l.keys.Revisit(ref, time.Now(), func(r *record) table.Stay {
		r.waiting--
		return l.stay(r)
	})
}
