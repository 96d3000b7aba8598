package health

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"doorward/internal/safe"
	"doorward/proxy/backend"
)

// watch is one server under watch. What stands below state belongs to the
// goroutine of run.
type watch struct {
	place   place
	name    string
	options Options
	crew    *crew
	epoch   time.Time // of the monitor
	log     *zap.Logger
	life    context.Context
	end     context.CancelFunc
	done    chan struct{}   // closed when run has ended
	before  <-chan struct{} // the same of the watch that this one follows

	results  chan Result
	poke     chan struct{} // something of what follows has changed
	wanted   atomic.Bool   // maintenance is
	running  atomic.Bool   // a check is
	public   atomic.Pointer[Status]
	observed *observed // nil: requests tell nothing

	mu      sync.Mutex // for what peers are told
	to      Target
	up      bool
	retired bool

	state  Status
	failed bool               // was down once, so that it comes back slowly
	calls  context.Context    // of checks, until they are called off
	abort  context.CancelFunc // calls them off
	void   bool               // the result of the one that is running does not count
	timer  *time.Timer
	due    time.Time
}

func newWatch(m *Monitor, t Target, before *watch) *watch {
	log := m.options.Log.With(zap.String("backend", t.Backend), zap.String("server", t.Server))
	w := &watch{
		place:   place{t.Backend, t.Server},
		name:    "check of " + t.Backend + "/" + t.Server,
		options: m.options,
		crew:    &m.crew,
		epoch:   m.epoch,
		log:     log,
		done:    make(chan struct{}),
		results: make(chan Result, 1),
		poke:    make(chan struct{}, 1),
		to:      t,
	}
	w.life, w.end = context.WithCancel(m.life)
	w.observed = newObserved(t.Check.passive, w.poke)
	if before != nil {
		w.before = before.done
	}
	w.wanted.Store(t.Maintained)
	w.state = begun(t.Check.start, t.Maintained, time.Now())
	w.publish()
	return w
}

// target is the newest one.
func (w *watch) target() Target {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to
}

// interval is the time until the next check, before jitter.
func (w *watch) interval() time.Duration {
	return w.target().Check.timing.Next(w.state.Counter)
}

func (w *watch) publish() {
	now := w.state
	w.public.Store(&now)
}

func (w *watch) status() Status {
	s := w.public.Load().at(time.Now())
	s.Running = w.running.Load()
	return s
}

// enter tells the peer where it begins.
func (w *watch) enter() {
	w.up = w.state.Up()
	w.atPeer(w.introduce)
}

// introduce tells a peer that is new to the watch what it is, and listens to it.
func (w *watch) introduce(p Peer) {
	p.SetUp(w.up, false)
	if w.observed == nil {
		p.Observe(nil)
		return
	}
	p.Observe(w.observed)
}

// renew goes on with a target of the same key.
func (w *watch) renew(t Target) {
	same := w.target().Peer == t.Peer
	w.mu.Lock()
	w.to = t
	w.mu.Unlock()
	if !same {
		w.atPeer(w.introduce)
	}
	w.maintain(t.Maintained)
}

// retire ends the watch. Its server counts as up from here on, for whoever goes
// on with it unwatched.
func (w *watch) retire() {
	w.atPeer(func(p Peer) {
		w.retired = true
		p.Observe(nil)
		p.SetUp(true, false)
	})
	w.end()
}

// setUp tells the peer what became of it.
func (w *watch) setUp(up, slow bool) {
	w.atPeer(func(p Peer) {
		w.up = up
		p.SetUp(up, slow)
	})
}

// atPeer keeps calls to the peer apart, so that the last word on a server is that
// of the watch in charge. A panic of the peer is the peer's alone.
func (w *watch) atPeer(tell func(Peer)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer safe.Recover(w.log, w.name)
	if !w.retired {
		tell(w.to.Peer)
	}
}

func (w *watch) maintain(on bool) {
	w.wanted.Store(on)
	nudge(w.poke)
}

// run is the goroutine of the server, until its watch ends. A server is not
// checked twice at a time, not even by two watches.
func (w *watch) run(wait time.Duration) {
	defer close(w.done)
	if w.before != nil {
		<-w.before
		w.before = nil
	}
	w.timer = time.NewTimer(wait)
	defer w.timer.Stop()
	w.due = time.Now().Add(wait)
	for w.life.Err() == nil {
		w.next()
	}
	if w.running.Load() {
		<-w.results
	}
}

// next deals with one event. A panic of whoever is told of it costs no more than
// the rest of that.
func (w *watch) next() {
	defer safe.Recover(w.log, w.name)
	select {
	case <-w.life.Done():
	case <-w.timer.C:
		w.begin()
	case r := <-w.results:
		w.ended(r)
	case <-w.poke:
		w.obey()
		w.punish()
	}
}

// begin starts a check, which others do so that what happens meanwhile is dealt
// with at once.
func (w *watch) begin() {
	if w.running.Load() || w.state.Maintained {
		return
	}
	w.running.Store(true)
	if w.calls == nil || w.calls.Err() != nil {
		w.calls, w.abort = context.WithCancel(w.life)
	}
	w.crew.do(task{w, w.calls, w.target()})
}

// schedule sets the time of the next check.
func (w *watch) schedule(in time.Duration) {
	w.due = time.Now().Add(in)
	w.timer.Reset(in)
}

// ended deals with the result of a check.
func (w *watch) ended(r Result) {
	w.running.Store(false)
	if w.life.Err() != nil {
		return // called off, which says nothing about the server
	}
	if w.void {
		w.void = false
		w.schedule(0)
		return
	}
	check := w.target().Check
	defer func() {
		every := w.interval()
		now := time.Since(w.epoch)
		w.schedule(together(now+check.timing.vary(every, rand.Float64()), every) - now)
	}()
	now := w.state.Counter.Fail()
	if r.Outcome.OK() {
		now = w.state.Counter.Pass()
		if w.observed != nil {
			w.observed.forgive()
		}
	}
	w.become(now, r)
}

// punish deals with too many bad requests in a row.
func (w *watch) punish() {
	if w.observed == nil {
		return
	}
	strikes := w.observed.strikes.Swap(0)
	if strikes == 0 || w.state.Maintained {
		return
	}
	check := w.target().Check
	text := fmt.Sprintf("%d bad requests in a row, the last: %s",
		check.passive.Limit, backend.Event(w.observed.last.Load()))
	for range strikes {
		w.state.Observed++
		if how := check.passive.OnError; how != FastChecks {
			r := Result{Outcome: Analyzed, Description: text, At: time.Now()}
			w.become(w.state.Counter.Punish(how), r)
		}
	}
	w.hurry(check.timing.Fast)
	w.publish()
}

// hurry makes the next check come soon, if it would come later.
func (w *watch) hurry(fast time.Duration) {
	if fast > 0 && !w.running.Load() && time.Now().Add(fast).Before(w.due) {
		w.schedule(fast)
	}
}

// become takes a result and what it makes of the counter.
func (w *watch) become(now Counter, r Result) {
	was := w.state
	if !r.Outcome.OK() && was.Value > 0 {
		w.state.Fails++
	}
	w.state.Counter, w.state.Last = now, r
	if now.Up() != was.Up() {
		w.turn(r.String(), was)
		return
	}
	w.publish()
	if changed := now != was.Counter || r.Outcome != was.Last.Outcome; changed &&
		!w.target().Check.quiet {
		w.note(r)
	}
}

// turn makes a server that was down go up, or the other way round.
func (w *watch) turn(reason string, was Status) {
	up := w.state.Up()
	w.state.LastChange = time.Now()
	w.state = w.state.clocked(w.state.LastChange)
	if !up {
		w.state.Downs++
		w.failed = true
	}
	w.publish()
	w.setUp(up, up && w.failed)
	w.tell(up, reason, was)
}

// obey begins or ends maintenance.
func (w *watch) obey() {
	on := w.wanted.Load()
	if on == w.state.Maintained {
		return
	}
	was := w.state
	w.state.Maintained = on
	w.state.LastChange = time.Now()
	if on {
		if w.running.Load() {
			w.void = true
			w.abort()
		}
		w.state = w.state.clocked(w.state.LastChange)
		w.publish()
		return
	}
	// Whatever was done to the server in maintenance, it is a new one.
	w.state.Counter = w.target().Check.start
	w.state.Last = Result{Outcome: Starting}
	w.failed = true
	w.schedule(0)
	if w.state.Up() != was.Up() {
		w.turn("out of maintenance", was)
		return
	}
	w.state = w.state.clocked(w.state.LastChange)
	w.publish()
	w.setUp(w.state.Up(), w.state.Up())
}
