// Package backend knows the servers behind the edge: which of them a request
// goes to, how many requests each may have at a time, who waits for a place and
// how long, and the connections, idle ones included, that lead to them.
//
// A [Backend] is a named set of [Server]s as one configuration describes it. It
// lives as long as that configuration; its servers live longer. [New] takes over
// from the previous backend of the same name every server whose identity (name,
// URL, keep-alive mode, TLS settings and the content of their files) has not
// changed, and with it the pooled connections, the counters and the claims of
// requests in flight. The order at a reload is
//
//	next, err := backend.New(options, previous)  // may fail, disturbs nothing
//	next.Start()                                 // after the swap, cannot fail
//	previous.Retire(next)
//
// A request takes these steps:
//
//	s, err := b.Claim(wish)       // one place on one server, perhaps after a wait
//	c, err := s.Connect(false)    // the connection used last, or a new one
//	...                           // request and answer, by package proxy
//	s.Keep(c)                     // or c.Close()
//	s.Release()                   // exactly once for each claim
//
// A retry on the same server keeps its claim. One that moves on releases it and
// claims again, with the server to avoid in its [Wish].
//
// Who takes requests is a [Server]'s state: what its checks found (SetUp), what
// people decided (SetAdmin, SetWeight), and slow start. All of it may change at any
// time, and every generation of the backend sees it at its next claim: the usable
// servers and what the algorithm knows of them are a rotation, which is made anew
// when something has changed. Requests that wait are given places, sent to other
// servers or told that there is none, at once.
//
// What travels over a connection, and what is retried, is package proxy's; which
// servers are well is package health's.
package backend

import (
	"cmp"
	"errors"
	"fmt"
	"sync/atomic"

	"go.uber.org/zap"

	"doorward/internal/tally"
)

const (
	defaultMaxIdle    = 512
	defaultQueueLimit = 10_000
)

// Backend is a named set of servers and how to balance over them. All methods
// may be called by many goroutines; Start and Retire are called once.
type Backend struct {
	options Options
	servers []*Server
	// index is the place in servers, byName the server of that name.
	index  map[*Server]int
	byName map[string]*Server
	// wanted are the settings of each server, live from Start on.
	wanted []settings
	group  *group
	log    *zap.Logger
	// rotation may be stale, see current. Previous is where the first one goes on.
	rotation atomic.Pointer[rotation]
	previous *Backend
	// circle is the one of the last rotation that had one; the group's rotating
	// guards it.
	circle *circle
}

// New makes a backend. It loads the files that the TLS options name and checks
// what can be checked without the network. Servers of previous, which may be
// nil, are shared when they are the same; nothing about them changes before
// Start, so a backend that is never started can be dropped.
func New(o Options, previous *Backend) (*Backend, error) {
	o.Timeouts = o.Timeouts.orDefaults()
	o.MaxIdle = cmp.Or(o.MaxIdle, defaultMaxIdle)
	o.QueueLimit = cmp.Or(o.QueueLimit, defaultQueueLimit)
	b := &Backend{options: o, log: o.Log, previous: previous}
	if b.log == nil {
		b.log = zap.NewNop()
	}
	b.log = b.log.With(zap.String("backend", o.Name))
	known := map[string]*Server{}
	if previous != nil {
		b.group, known = previous.group, previous.byName
	} else {
		b.group = newGroup()
	}
	if err := b.addServers(known); err != nil {
		return nil, fmt.Errorf("backend %s: %w", o.Name, err)
	}
	b.rotation.Store(&rotation{})
	return b, nil
}

// addServers makes the servers of the options, or finds them among the known.
func (b *Backend) addServers(known map[string]*Server) error {
	material, err := loadTLS(b.options.TLS)
	if err != nil {
		return err
	}
	b.index, b.byName = map[*Server]int{}, map[string]*Server{}
	var fresh []*Server
	var errs []error
	for _, o := range b.options.Servers {
		s, err := b.newServer(o, material)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if b.byName[s.name] != nil {
			errs = append(errs, fmt.Errorf("two servers with the name %s", s.name))
		}
		live := b.settings(&o)
		if old := known[s.name]; old != nil && old.identity == s.identity {
			s = old
		} else {
			s.takeOver(old, &live)
			fresh = append(fresh, s)
		}
		b.index[s], b.byName[s.name] = len(b.servers), s
		b.servers = append(b.servers, s)
		b.wanted = append(b.wanted, live)
	}
	for i, p := range newPlaces(len(fresh)) {
		fresh[i].places = p
	}
	return errors.Join(errs...)
}

// Start puts the settings of this backend in force on the servers it shares with
// its predecessor, and sets new servers to work: names are resolved in the
// background, idle connections are looked after. It cannot fail.
func (b *Backend) Start() {
	unverified := false
	for i, s := range b.servers {
		s.apply(&b.wanted[i])
		s.named.configure(b.wanted[i].weight)
		fresh := s.start()
		unverified = unverified || fresh && s.unverified()
	}
	if unverified {
		b.log.Warn("certificates of servers are not verified (tls.verify = false, no pin_sha256)")
	}
	b.group.newest.Store(b)
	b.group.changed(b.servers...)
	b.current() // lets go of the previous backend
}

// Retire ends what next does not go on with: no new connections are pooled, idle
// ones are closed, names are no longer resolved. Claims in flight, and those of
// requests that still hold this backend, work to their end. Next may be nil.
func (b *Backend) Retire(next *Backend) {
	for _, s := range b.servers {
		if next != nil && next.has(s) {
			continue
		}
		s.retire()
		if next != nil && next.byName[s.name] != nil {
			s.named.inherit(s.own())
		}
	}
}

func (b *Backend) has(s *Server) bool {
	_, ok := b.index[s]
	return ok
}

// Name is the backend's name.
func (b *Backend) Name() string { return b.options.Name }

// Description is the line for people, often empty.
func (b *Backend) Description() string { return b.options.Description }

// Timeouts are the timeouts in force; none is zero.
func (b *Backend) Timeouts() Timeouts { return b.options.Timeouts }

// Retries is how often a request may be tried again.
func (b *Backend) Retries() int { return b.options.Retries }

// RetryOn is what is worth another try. It is not to be changed.
func (b *Backend) RetryOn() *RetryOn { return &b.options.RetryOn }

// Redispatch tells whether retries go to another server.
func (b *Backend) Redispatch() bool { return b.options.Redispatch }

// KeepAlive tells whether connections to servers serve more than one request.
func (b *Backend) KeepAlive() bool { return b.options.KeepAlive }

// Servers are the members in the order of the file, those without a share
// included. The slice is not to be changed.
func (b *Backend) Servers() []*Server { return b.servers }

// Server is the member of that name, nil if there is none.
func (b *Backend) Server(name string) *Server { return b.byName[name] }

// Waiting is how many requests wait for a place.
func (b *Backend) Waiting() int64 { return b.group.queue.waiting.Load() }

// QueueMax is the most that waited at one time.
func (b *Backend) QueueMax() int64 { return b.group.queue.most.Load() }

// Active is how many places are taken on all servers.
func (b *Backend) Active() int64 {
	sum := int64(0)
	for _, s := range b.servers {
		sum += s.Active()
	}
	raise(&b.group.activeMost, sum)
	return sum
}

// ActiveMax is the highest number that Active has given: claims do not pay for a
// counter that they would all write to.
func (b *Backend) ActiveMax() int64 { return b.group.activeMost.Load() }

// Tally counts the backend's requests; it lives as long as the backend's name.
func (b *Backend) Tally() *tally.Tally { return b.group.tally }
