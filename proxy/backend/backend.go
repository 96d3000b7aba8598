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
//	s, err := b.Claim(nil, gone)  // one place on one server, perhaps after a wait
//	c, err := s.Connect(false)    // the connection used last, or a new one
//	...                           // request and answer, by package proxy
//	s.Keep(c)                     // or c.Close()
//	s.Release()                   // exactly once for each claim
//
// A retry on the same server keeps its claim. One that moves on releases it and
// claims again, with the server to avoid.
//
// What travels over a connection, and what is retried, is package proxy's; which
// servers are well is package health's.
package backend

import (
	"cmp"
	"errors"
	"fmt"

	"go.uber.org/zap"
)

const (
	defaultMaxIdle  = 512
	defaultMaxQueue = 10_000
)

// Backend is a named set of servers and how to balance over them. All methods
// may be called by many goroutines; Start and Retire are called once.
type Backend struct {
	options Options
	servers []*Server
	// wanted are the settings of each server, live from Start on.
	wanted []settings
	// usable is how many servers have a share of the requests.
	usable  int
	balance balancer
	queue   *queue
	log     *zap.Logger
}

// New makes a backend. It loads the files that the TLS options name and checks
// what can be checked without the network. Servers of previous, which may be
// nil, are shared when they are the same; nothing about them changes before
// Start, so a backend that is never started can be dropped.
func New(o Options, previous *Backend) (*Backend, error) {
	o.Timeouts = o.Timeouts.orDefaults()
	o.MaxIdle = cmp.Or(o.MaxIdle, defaultMaxIdle)
	o.MaxQueue = cmp.Or(o.MaxQueue, defaultMaxQueue)
	b := &Backend{options: o, log: o.Log}
	if b.log == nil {
		b.log = zap.NewNop()
	}
	b.log = b.log.With(zap.String("backend", o.Name))
	known := map[string]*Server{}
	if previous != nil {
		b.queue = previous.queue
		for _, s := range previous.servers {
			known[s.name] = s
		}
	} else {
		b.queue = &queue{}
	}
	if err := b.addServers(known); err != nil {
		return nil, fmt.Errorf("backend %s: %w", o.Name, err)
	}
	b.balance = newRoundRobin(b.servers, b.wanted, previous)
	return b, nil
}

// addServers makes the servers of the options, or finds them among the known.
func (b *Backend) addServers(known map[string]*Server) error {
	material, err := loadTLS(b.options.TLS)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	var errs []error
	for _, o := range b.options.Servers {
		s, err := b.newServer(o, material)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if seen[s.name] {
			errs = append(errs, fmt.Errorf("two servers with the name %s", s.name))
		}
		seen[s.name] = true
		if old := known[s.name]; old != nil && old.identity == s.identity {
			s = old
		}
		b.servers = append(b.servers, s)
		b.wanted = append(b.wanted, settings{
			timeouts: b.options.Timeouts,
			maxIdle:  b.options.MaxIdle,
			weight:   o.Weight,
			limit:    int64(o.MaxConnections),
		})
		if o.Weight > 0 {
			b.usable++
		}
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
		fresh := s.start()
		unverified = unverified || fresh && s.unverified()
	}
	if unverified {
		b.log.Warn("certificates of servers are not verified (tls.verify = false, no pin_sha256)")
	}
	for _, s := range b.servers {
		b.queue.offer(s)
	}
}

// Retire ends what next does not go on with: no new connections are pooled, idle
// ones are closed, names are no longer resolved. Claims in flight, and those of
// requests that still hold this backend, work to their end. Next may be nil.
func (b *Backend) Retire(next *Backend) {
	for _, s := range b.servers {
		if next == nil || !next.has(s) {
			s.retire()
		}
	}
}

func (b *Backend) has(s *Server) bool {
	for _, have := range b.servers {
		if have == s {
			return true
		}
	}
	return false
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

// Waiting is how many requests wait for a place.
func (b *Backend) Waiting() int64 { return b.queue.waiting.Load() }

// Active is how many places are taken on all servers.
func (b *Backend) Active() int64 {
	sum := int64(0)
	for _, s := range b.servers {
		sum += s.Active()
	}
	return sum
}
