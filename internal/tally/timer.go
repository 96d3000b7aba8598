package tally

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Timer is one of the times that are measured for each request.
type Timer uint8

// The timers, HAProxy's by meaning.
const (
	// Queue is the wait for a place on a server.
	Queue Timer = iota
	// Connect is connecting to the server, retries included. A connection that was
	// there already takes none.
	Connect
	// Response is from the connection to the head of the answer.
	Response
	// Total is from the first byte of the request to the last of the answer.
	Total

	// Timers is how many there are.
	Timers
)

// Buckets is how many classes of durations a histogram has; the last one has no
// upper bound.
const Buckets = 18

// Bound is the longest duration that bucket i holds; each is twice the one before.
func Bound(i int) time.Duration { return 250 * time.Microsecond << i }

// histogram counts durations by class, and adds them up.
type histogram struct {
	counts [Buckets]atomic.Int64
	sum    atomic.Int64
}

// Took adds a duration to a timer; one below zero did not happen and is left out.
func (c *Cell) Took(t Timer, d time.Duration) {
	if c == nil || d < 0 {
		return
	}
	h := &c.timers[t]
	h.counts[bucket(d)].Add(1)
	if d > 0 {
		h.sum.Add(int64(d))
	}
}

func bucket(d time.Duration) int {
	if d <= Bound(0) {
		return 0
	}
	return min(bits.Len64(uint64(d-1)/uint64(Bound(0))), Buckets-1)
}
