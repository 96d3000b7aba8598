package alert

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"doorward/internal/safe"
)

const (
	maxWaiting = 1000
	tries      = 3
	firstPause = 5 * time.Second
	pauseGrows = 6 // each pause is so many times the one before
)

// batch is what is told in one message.
type batch struct {
	events  []Event // in the order that they came in
	dropped int     // how many before them are missing
}

// attempt sends a message that is ready. It may be called again after an error
// that is no lastingError.
type attempt func(context.Context) error

// lastingError marks what another attempt would not change. Temporary methods
// along the chain do not say so: those of package net call it lasting when nobody
// listens.
type lastingError struct{ error }

func (e lastingError) Unwrap() error { return e.error }

// outlet is one way of telling, with the queue for it.
type outlet struct {
	name     string
	prepare  func(batch) attempt
	delay    time.Duration
	stopping <-chan struct{}
	lost     *atomic.Uint64
	log      *zap.Logger
	wake     chan struct{} // holds one when something came in
	done     chan struct{} // closed when run is over

	mu      sync.Mutex
	waiting batch
	since   time.Time // when the first of waiting came in
	closed  bool
}

func (o *outlet) put(e Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w := &o.waiting
	switch {
	case o.closed:
		o.lost.Add(1)
		return
	case len(w.events) == 0:
		o.since = time.Now()
	case len(w.events) == maxWaiting:
		w.events = w.events[1:]
		w.dropped++
		o.lost.Add(1)
	}
	w.events = append(w.events, e)
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outlet) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}

// run tells batch after batch until the alerter stops and nothing waits.
func (o *outlet) run(ctx context.Context) {
	defer close(o.done)
	for stopped := false; !stopped; {
		select {
		case <-o.wake:
			due, ok := o.due()
			if !ok { // the batch before had it
				continue
			}
			o.pause(ctx, time.Until(due))
		case <-o.stopping:
			stopped = true // and closed before, so nothing comes after this batch
		}
		if b := o.take(); len(b.events) > 0 {
			o.deliver(ctx, b)
		}
	}
}

// due is when the events that wait are told; false: there are none.
func (o *outlet) due() (time.Time, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.since.Add(o.delay), len(o.waiting.events) > 0
}

func (o *outlet) take() batch {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.waiting
	o.waiting = batch{}
	return b
}

// pause waits, but no longer than until the alerter stops.
func (o *outlet) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-o.stopping:
	case <-ctx.Done():
	}
}

// deliver ends with the batch told or lost, and in the log. A panic on the way
// costs this batch alone.
func (o *outlet) deliver(ctx context.Context, b batch) {
	log := o.log.With(zap.Int("changes", len(b.events)))
	told := false
	defer func() {
		if !told {
			o.lost.Add(uint64(len(b.events)))
		}
	}()
	defer safe.Recover(log, "alerts by "+o.name)
	if b.dropped > 0 {
		log.Warn("too many changes of servers at once, the oldest are not told",
			zap.Int("dropped", b.dropped))
	}
	send, pause := o.prepare(b), firstPause
	for try := 1; ; try++ {
		err := send(ctx)
		_, lasting := errors.AsType[lastingError](err)
		switch {
		case err == nil:
			told = true
			log.Debug("changes of servers told", zap.Int("tries", try))
			return
		case try == tries, lasting, ctx.Err() != nil:
			log.Error("changes of servers could not be told, they are lost",
				zap.Int("tries", try), zap.Error(err))
			return
		}
		log.Warn("changes of servers are not told yet", zap.Int("tries", try), zap.Error(err))
		o.pause(ctx, pause)
		pause *= pauseGrows
	}
}
