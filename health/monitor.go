package health

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"doorward/internal/safe"
)

// Options are what a Monitor needs to know.
type Options struct {
	// Log is told of changes; nil means nobody.
	Log *zap.Logger
	// Changed is called for each server that goes up or down, after its peer knows;
	// nil for nobody. It is called by the goroutine of that server, which checks
	// nothing until it returns, and holds no lock.
	Changed func(Change)
	// Left counts the servers of a backend that take requests, and the backup
	// servers; nil when nobody knows.
	Left func(backend string) (active, backups int)
}

// Target is one server to watch.
type Target struct {
	// Backend and Server name it.
	Backend, Server string
	// Key is its address and Check.Key: what is known of a server holds as long as
	// the key is the same.
	Key string
	// Check is what to do, Peer is the server.
	Check *Check
	Peer  Peer
	// Maintained says that it is in maintenance.
	Maintained bool
}

// Monitor watches servers. Its methods may be called from any goroutine.
type Monitor struct {
	options Options
	epoch   time.Time
	life    context.Context
	end     context.CancelFunc
	all     sync.WaitGroup
	crew    crew
	setting sync.Mutex // one Set at a time, and none after Stop
	watches atomic.Pointer[map[place]*watch]
}

// place is where a server is found.
type place struct{ backend, server string }

// New makes a Monitor that watches nothing yet.
func New(o Options) *Monitor {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	m := &Monitor{options: o, epoch: time.Now(), crew: crew{tasks: make(chan task)}}
	m.life, m.end = context.WithCancel(context.Background())
	m.watches.Store(&map[place]*watch{})
	return m
}

// Set says which servers are to be watched from now on. Those with the same place
// and key as before are kept with all that is known of them, at their new Peer.
// Others begin afresh: before Set returns, each peer knows whether it is up. Those
// left out are up as far as checks are concerned. After Stop it does nothing.
func (m *Monitor) Set(targets []Target) {
	m.setting.Lock()
	defer m.setting.Unlock()
	if m.life.Err() != nil {
		return
	}
	old, now := *m.watches.Load(), make(map[place]*watch, len(targets))
	var fresh []*watch
	for _, t := range targets {
		at := place{t.Backend, t.Server}
		if before := old[at]; before != nil && before.target().Key == t.Key {
			now[at] = before
			before.renew(t)
			continue
		}
		now[at] = newWatch(m, t, old[at])
		fresh = append(fresh, now[at])
	}
	m.watches.Store(&now)
	for at, before := range old {
		if now[at] != before {
			before.retire()
		}
	}
	m.start(fresh)
}

// start sets new watches to work, each at its own moment.
func (m *Monitor) start(fresh []*watch) {
	smallest := time.Duration(0)
	for _, w := range fresh {
		if own := w.interval(); smallest == 0 || own < smallest {
			smallest = own
		}
	}
	for i, w := range fresh {
		w.enter()
		wait := Offset(w.interval(), smallest, i, len(fresh))
		m.all.Add(1)
		safe.Go(w.log, w.name, func() {
			defer m.all.Done()
			w.run(wait)
		})
	}
}

// Status is what is known of a server, and whether it is watched. It takes no
// lock.
func (m *Monitor) Status(backend, server string) (Status, bool) {
	w := (*m.watches.Load())[place{backend, server}]
	if w == nil {
		return Status{}, false
	}
	return w.status(), true
}

// Maintain says that a server is in maintenance, or no more. In maintenance it is
// not checked. After that it begins as Initial says, with a check at once. Servers
// that are not watched are left alone.
func (m *Monitor) Maintain(backend, server string, on bool) {
	if w := (*m.watches.Load())[place{backend, server}]; w != nil {
		w.maintain(on)
	}
}

// Stop ends all checks and returns when they have ended. What the peers were told
// last stays as it is.
func (m *Monitor) Stop() {
	m.setting.Lock()
	m.end()
	m.setting.Unlock()
	m.all.Wait()
	m.crew.leave()
}
