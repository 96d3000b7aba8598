package tally

import "time"

// Totals are what a Tally had counted at one moment. Each counter is exact; two
// of them may be a request apart.
type Totals struct {
	// Requests is how many were finished, BytesIn and BytesOut what clients sent
	// and got, heads included.
	Requests, BytesIn, BytesOut int64
	// Classes counts statuses by their first digit; 0 is no status at all.
	Classes [6]int64
	// Events counts the events.
	Events [events]int64
	// Timers are the histograms of the timers.
	Timers [Timers]Histogram
}

// Histogram is a distribution of durations.
type Histogram struct {
	// Counts is how many fell into each bucket; see Bound.
	Counts [Buckets]int64
	// Sum is all of them together.
	Sum time.Duration
}

// Count is how many durations there are.
func (h *Histogram) Count() int64 {
	n := int64(0)
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Of is the number of one event.
func (t *Totals) Of(e Event) int64 { return t.Events[e] }

// Sum adds the cells up.
func (t *Tally) Sum() Totals {
	var sum Totals
	if t == nil {
		return sum
	}
	for i := range t.cells {
		t.cells[i].addTo(&sum)
	}
	return sum
}

func (c *Cell) addTo(sum *Totals) {
	sum.Requests += c.requests.Load()
	sum.BytesIn += c.bytesIn.Load()
	sum.BytesOut += c.bytesOut.Load()
	for i := range c.classes {
		sum.Classes[i] += c.classes[i].Load()
	}
	for i := range c.events {
		sum.Events[i] += c.events[i].Load()
	}
	for i := range c.timers {
		h, into := &c.timers[i], &sum.Timers[i]
		for j := range h.counts {
			into.Counts[j] += h.counts[j].Load()
		}
		into.Sum += time.Duration(h.sum.Load())
	}
}

// Add adds another's totals.
func (t *Totals) Add(o *Totals) { t.combine(o, 1) }

// Since takes away what had been counted before, so that what is left was counted
// since then.
func (t *Totals) Since(before *Totals) { t.combine(before, -1) }

func (t *Totals) combine(o *Totals, sign int64) {
	t.Requests += sign * o.Requests
	t.BytesIn += sign * o.BytesIn
	t.BytesOut += sign * o.BytesOut
	for i := range t.Classes {
		t.Classes[i] += sign * o.Classes[i]
	}
	for i := range t.Events {
		t.Events[i] += sign * o.Events[i]
	}
	for i := range t.Timers {
		h, other := &t.Timers[i], &o.Timers[i]
		for j := range h.Counts {
			h.Counts[j] += sign * other.Counts[j]
		}
		h.Sum += time.Duration(sign) * other.Sum
	}
}
