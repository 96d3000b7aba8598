package limit

import (
	"time"

	"doorward/internal/table"
)

// record is what is known of a key.
type record struct {
	window  window
	active  uint32 // requests under way, when their number is limited
	waiting uint32 // requests that wait, or are about to
}

// answer is what a look at a record came to.
type answer struct {
	outcome Outcome
	// queued says that the request is counted as waiting.
	queued bool
	// wait is when another try is of use, 0 for nobody knows.
	wait time.Duration
}

// try lets a request pass if there is room for it and for all that wait, or counts
// it among these.
func (l *Limiter) try(key []byte, now time.Time, join bool) (table.Ref, answer) {
	var a answer
	ref, _ := l.keys.Update(table.KeyOf(key), now, func(r *record, _ bool) table.Stay {
		a = l.judge(r, now, int(r.waiting))
		switch {
		case a.outcome == Passed:
			l.admit(r)
		case join && l.mayWait(r, a):
			r.waiting++
			a.queued = true
		}
		return l.stay(r)
	})
	return ref, a
}

// judge says whether one more request fits, behind some that wait.
func (l *Limiter) judge(r *record, now time.Time, before int) answer {
	var a answer
	if most := l.options.Requests; most > 0 {
		r.window.advance(l.clock.span(now))
		if span := r.window.room(most, before); span > r.window.last {
			a = answer{outcome: TooMany, wait: l.clock.until(span, now)}
		}
	}
	if most := l.options.Concurrent; most > 0 && int(r.active)+before >= most {
		if a.outcome == Passed {
			a.outcome = TooManyAtOnce
		}
	}
	return a
}

// mayWait tells whether there is room in the queue, and a chance that the turn of
// the request comes in time.
func (l *Limiter) mayWait(r *record, a answer) bool {
	return l.options.Queue > 0 && !l.options.LogOnly &&
		int(r.waiting) < l.options.MaxQueueKey && a.wait <= l.options.Queue
}

func (l *Limiter) admit(r *record) {
	if l.options.Requests > 0 {
		r.window.add()
	}
	if l.options.Concurrent > 0 {
		r.active++
	}
}

// stay is how firmly a record keeps its place.
func (l *Limiter) stay(r *record) table.Stay {
	switch {
	case r.active > 0 || r.waiting > 0:
		return table.Pinned
	case l.options.Requests > 0 && int(r.window.sum) >= l.options.Requests:
		return table.Protected
	}
	return table.Plain
}
