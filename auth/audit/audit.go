// Package audit records who did what: sign-ins and those that failed, changes of
// users, tokens and sessions, refused access.
//
// An event goes to the process log at once, as one line "audit", and to the
// store's log "audit", where the newest are kept for whoever wants to look at them.
// Writing to the store is done aside: a request does not wait for it, and lives on
// when it cannot be done. What is lost that way is counted and said.
//
// No event has a secret: passwords, tokens, codes and cookies are nobody's to
// record.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"doorward/internal/safe"
	"doorward/state"
)

const (
	logName     = "audit"
	defaultKeep = 10_000
	queueSize   = 1024
	batch       = 100
	// patience is how long an event waits for room in the queue.
	patience = 20 * time.Millisecond
	// failedRate is how many failures a second the store is told of, beyond a burst of
	// failedBurst: anybody can fail, and must not push out what others have done.
	failedRate  = 0.1
	failedBurst = 1000
	// retryEvery is how often a write that went wrong is done again.
	retryEvery = time.Second
	// closeWithin bounds the last writes.
	closeWithin = 5 * time.Second
)

// Options is what a recorder is made of.
type Options struct {
	Store *state.Store     // where events are kept; not closed
	Log   *zap.Logger      // nil: silent
	Keep  int              // how many events the store keeps; 0: 10,000
	Now   func() time.Time // nil: time.Now
}

// Recorder records events. Its methods may be called by many goroutines.
type Recorder struct {
	store   *state.Store
	events  *state.Log
	keep    int
	log     *zap.Logger
	now     func() time.Time
	queue   chan Event
	failed  *rate.Limiter
	dropped atomic.Uint64
	counts  map[Kind]*atomic.Uint64 // of the kinds; never written

	closing sync.Once
	closed  chan struct{} // no more events are taken
	done    chan struct{} // all are written, or given up
}

// New makes a Recorder, which has to be closed.
func New(o Options) *Recorder {
	if o.Keep <= 0 {
		o.Keep = defaultKeep
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Recorder{
		store: o.Store, events: o.Store.Log(logName, o.Keep), keep: o.Keep,
		log: o.Log, now: o.Now, queue: make(chan Event, queueSize),
		closed: make(chan struct{}), done: make(chan struct{}),
		failed: rate.NewLimiter(failedRate, min(failedBurst, o.Keep/10+1)),
		counts: map[Kind]*atomic.Uint64{},
	}
	for _, kind := range kinds() {
		r.counts[kind] = new(atomic.Uint64)
	}
	safe.Go(r.log, "audit: write", r.run)
	return r
}

// Record records an event. It returns at once, or after a moment when the store is
// slow; an event that there is no room for then is in the process log alone.
func (r *Recorder) Record(ctx context.Context, e Event) {
	if e.At.IsZero() {
		e.At = r.now()
	}
	e = e.clean()
	r.line(e)
	if n := r.counts[e.Kind]; n != nil {
		n.Add(1)
	}
	if e.Kind == SignInFailed && !r.failed.AllowN(r.now(), 1) {
		r.drop()
		return
	}
	select {
	case <-r.closed:
		r.drop()
		return
	default:
	}
	select {
	case r.queue <- e:
		return
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case r.queue <- e:
	case <-r.closed:
		r.drop()
	case <-timer.C:
		r.drop()
	case <-ctx.Done():
		r.drop()
	}
}

// drop counts an event that the store will not have, and says so now and then.
func (r *Recorder) drop() {
	if n := r.dropped.Add(1); n&(n-1) == 0 {
		r.log.Error("events are in this log alone: the store is slow or away",
			zap.Uint64("events", n))
	}
}

// Counts is how many events of each kind this process has recorded, also those that
// the store does not have.
func (r *Recorder) Counts() map[Kind]uint64 {
	counts := make(map[Kind]uint64, len(r.counts))
	for kind, n := range r.counts {
		counts[kind] = n.Load()
	}
	return counts
}

// Dropped is how many events did not come into the store.
func (r *Recorder) Dropped() uint64 { return r.dropped.Load() }

func (r *Recorder) line(e Event) {
	fields := []zap.Field{zap.Time("at", e.At), zap.String("kind", string(e.Kind))}
	for _, f := range []struct{ key, value string }{
		{"user", e.User}, {"by", e.By}, {"client", e.Client},
		{"provider", e.Provider}, {"detail", e.Detail},
	} {
		if f.value != "" {
			fields = append(fields, zap.String(f.key, f.value))
		}
	}
	r.log.Info("audit", fields...)
}

// run writes what is queued, many at once when there are many, until the end.
func (r *Recorder) run() {
	defer close(r.done)
	for {
		select {
		case e := <-r.queue:
			r.write(r.collect(e))
		case <-r.closed:
			select {
			case e := <-r.queue:
				r.write(r.collect(e))
			default:
				return
			}
		}
	}
}

func (r *Recorder) collect(first Event) []state.Change {
	changes := []state.Change{r.change(first)}
	for len(changes) < batch {
		select {
		case e := <-r.queue:
			changes = append(changes, r.change(e))
		default:
			return changes
		}
	}
	return changes
}

func (r *Recorder) change(e Event) state.Change {
	data, _ := json.Marshal(e) // strings and a time of now always have a form in JSON
	return r.events.Appending(data)
}

// write does not give up as long as the recorder is open: the queue behind it fills
// meanwhile.
func (r *Recorder) write(changes []state.Change) {
	defer safe.Recover(r.log, "audit: write")
	for {
		ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
		_, err := r.store.Write(ctx, changes...)
		cancel()
		if err == nil {
			return
		}
		retry := time.NewTimer(retryEvery)
		select {
		case <-retry.C:
			if !errors.Is(err, state.ErrClosed) {
				continue
			}
		case <-r.closed:
			retry.Stop()
		}
		for range changes {
			r.drop()
		}
		r.log.Error("events are in this log alone", zap.Error(err))
		return
	}
}

// Last returns the newest events, at most n and at most as many as are kept, in the
// order in which they were written. One that was recorded just now may not be there
// yet.
func (r *Recorder) Last(ctx context.Context, n int) ([]Event, error) {
	newest, err := r.events.Newest(ctx)
	if err != nil || newest == 0 || n <= 0 {
		return nil, err
	}
	after := newest - min(newest, uint64(min(n, r.keep)))
	list, err := r.between(ctx, after, newest)
	for errors.Is(err, state.ErrTrimmed) && after < newest {
		// Fewer were kept once, or others have written a lot meanwhile.
		if after, err = r.oldest(ctx, after, newest); err == nil {
			list, err = r.between(ctx, after, newest)
		}
	}
	return list, err
}

// oldest is the first position behind after whose next event is there, at most
// last.
func (r *Recorder) oldest(ctx context.Context, after, last uint64) (uint64, error) {
	low, high := after+1, last
	for low < high {
		middle := low + (high-low)/2
		_, err := r.between(ctx, middle, middle+1)
		switch {
		case err == nil:
			high = middle
		case errors.Is(err, state.ErrTrimmed):
			low = middle + 1
		default:
			return 0, err
		}
	}
	return low, nil
}

func (r *Recorder) between(ctx context.Context, after, last uint64) ([]Event, error) {
	var list []Event
	if after >= last {
		return nil, nil
	}
	for event, err := range r.events.Follow(ctx, after) {
		if err != nil {
			return nil, err
		}
		var e Event
		if err := json.Unmarshal(event.Data, &e); err == nil {
			list = append(list, e)
		}
		if event.Position >= last {
			break
		}
	}
	return list, nil
}

// Close writes what is queued, if the store lets it, and ends the recorder. Events
// that come later are in the process log alone.
func (r *Recorder) Close() error {
	r.closing.Do(func() { close(r.closed) })
	<-r.done
	return nil
}
