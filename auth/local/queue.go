package local

import (
	"context"
	"slices"
	"sync"
	"time"
)

// queue lets a few in at once. Of those who wait, known ones go first: so a flood
// of strangers does not keep them out.
type queue struct {
	mu       sync.Mutex
	patience time.Duration // how long one waits
	room     int           // how many of each kind wait
	most     int           // how many are let in
	// free is how many more may come in; less than none after a bound became tighter.
	free    int
	known   []chan struct{}
	unknown []chan struct{}
}

// do runs fn when it is its turn.
func (q *queue) do(ctx context.Context, known bool, fn func()) error {
	if err := q.enter(ctx, known); err != nil {
		return err
	}
	defer q.leave()
	fn()
	return nil
}

// enter waits for a place, which leave gives back. ErrBusy when too many wait, or
// it took too long.
func (q *queue) enter(ctx context.Context, known bool) error {
	q.mu.Lock()
	if q.free > 0 {
		q.free--
		q.mu.Unlock()
		return nil
	}
	line := q.line(known)
	if len(*line) >= q.room {
		q.mu.Unlock()
		return ErrBusy
	}
	turn := make(chan struct{})
	*line = append(*line, turn)
	wait := q.patience
	q.mu.Unlock()

	patience := time.NewTimer(wait)
	defer patience.Stop()
	select {
	case <-turn:
		return nil
	case <-patience.C:
		return q.giveUp(known, turn, ErrBusy)
	case <-ctx.Done():
		return q.giveUp(known, turn, ctx.Err())
	}
}

func (q *queue) line(known bool) *[]chan struct{} {
	if known {
		return &q.known
	}
	return &q.unknown
}

// giveUp leaves the line with err, or the place that came at the same moment.
func (q *queue) giveUp(known bool, turn chan struct{}, err error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	line := q.line(known)
	if i := slices.Index(*line, turn); i >= 0 {
		*line = slices.Delete(*line, i, i+1)
		return err
	}
	q.pass()
	return err
}

func (q *queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pass()
}

// bound changes how many are let in, and how many wait how long.
func (q *queue) bound(most, room int, patience time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	more := most - q.most
	q.most, q.room, q.patience = most, room, patience
	if more < 0 {
		q.free += more
	}
	for ; more > 0; more-- {
		q.pass()
	}
}

// pass gives a place to the next one, unless it is one too many.
func (q *queue) pass() {
	if q.free < 0 {
		q.free++
		return
	}
	for _, line := range []*[]chan struct{}{&q.known, &q.unknown} {
		if len(*line) > 0 {
			close((*line)[0])
			*line = slices.Delete(*line, 0, 1)
			return
		}
	}
	q.free++
}
