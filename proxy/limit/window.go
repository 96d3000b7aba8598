package limit

import "time"

// spans is how many counters a window has: one for the span that is running, and
// fifteen that together are as long as the window.
const spans = 16

// clock divides time into spans.
type clock struct {
	epoch time.Time
	width time.Duration
}

func newClock(per time.Duration) clock {
	return clock{time.Now(), (per + spans - 2) / (spans - 1)}
}

// span is the number of the span that a moment is in. The first one is spans, so
// that a zero window is one that has long passed.
func (c clock) span(now time.Time) int64 {
	return int64(max(now.Sub(c.epoch), 0)/c.width) + spans
}

// until is how long it takes until a span begins.
func (c clock) until(span int64, now time.Time) time.Duration {
	return time.Duration(span-spans)*c.width - now.Sub(c.epoch)
}

// memory is how long the past matters.
func (c clock) memory() time.Duration { return spans * c.width }

// window counts the requests that passed in each of the last spans. The zero
// window is empty.
type window struct {
	last   int64 // the span that is running
	counts [spans]uint32
	sum    uint32
}

// advance forgets what is too old at a span. A span in the past changes nothing:
// goroutines that read the clock do not arrive in the same order.
func (w *window) advance(span int64) {
	if span-w.last >= spans {
		*w = window{last: span}
		return
	}
	for w.last < span {
		w.last++
		at := &w.counts[w.last%spans]
		w.sum -= *at
		*at = 0
	}
}

func (w *window) add() {
	w.counts[w.last%spans]++
	w.sum++
}

// room is the first span in which another request fits, when so many are allowed
// and some others come before it. As many as are allowed of these pass together,
// and leave the window together.
func (w *window) room(allowed, before int) int64 {
	span := w.last + int64(before/allowed)*spans
	excess := int(w.sum) + before%allowed + 1 - allowed
	for i := int64(1); excess > 0 && i <= spans; i++ {
		excess -= int(w.counts[(w.last+i)%spans])
		span++
	}
	return span
}
