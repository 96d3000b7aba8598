package limit

import (
	"sync/atomic"

	"doorward/internal/table"
)

// Counters are sums over the life of a limiter, reloads included.
type Counters struct {
	Passed  int64 // requests that passed because they might
	Refused int64 // requests that were refused, at once or after a wait
	Queued  int64 // requests that had to wait, whatever became of them
	Spared  int64 // requests that only LogOnly let pass
	Waiting int64 // requests that wait at this moment
}

const (
	passed = iota
	refused
	queued
	spared
	kinds

	// stripes is how many copies of the counters there are, so that processors
	// seldom write to the same one.
	stripes = 16
)

type counts [stripes]struct {
	sums [kinds]atomic.Int64
	_    [96]byte
}

func (c *counts) add(ref table.Ref, kind int) { c[ref.Shard()%stripes].sums[kind].Add(1) }

func (c *counts) sum(kind int) int64 {
	var sum int64
	for i := range c {
		sum += c[i].sums[kind].Load()
	}
	return sum
}

// Counters returns the sums.
func (l *Limiter) Counters() Counters {
	return Counters{
		Passed:  l.counts.sum(passed),
		Refused: l.counts.sum(refused),
		Queued:  l.counts.sum(queued),
		Spared:  l.counts.sum(spared),
		Waiting: int64(l.queue.len()),
	}
}
