package backend

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
)

// Server is one member of a backend. All methods may be called by many
// goroutines.
type Server struct {
	name      string
	address   address
	keepAlive bool
	tls       *tls.Config // nil for plain servers
	identity  identity
	queue     *queue
	log       *zap.Logger
	resolver  Resolver

	_ [64]byte
	// Written by every claim, so they keep a cache line to themselves; limit is
	// live.limit beside the places it limits, 0 for none.
	active atomic.Int64
	claims atomic.Int64
	limit  atomic.Int64
	_      [64]byte

	live atomic.Pointer[settings]
	// addresses is nil until the first lookup has ended, which closes resolved.
	addresses atomic.Pointer[addresses]
	resolved  chan struct{}
	pool      pool
	failures  atomic.Int64

	// life ends with retire; lifeMu guards running.
	life    context.Context
	end     context.CancelFunc
	lifeMu  sync.Mutex
	running bool
	// soon asks for a lookup before its time.
	soon chan struct{}
	// trouble is the error of the last lookup, so that it is logged once. It
	// belongs to the goroutine of tend.
	trouble string
}

// identity is what makes two servers of two configurations the same one.
type identity struct {
	name, url string
	keepAlive bool
	tls       [sha256.Size]byte
}

// settings may change while a server lives on.
type settings struct {
	timeouts Timeouts
	maxIdle  int
	weight   int
	limit    int64
}

// Counters are what a server has seen since it was first configured.
type Counters struct {
	// Claims is how many places were taken.
	Claims int64
	// Connections is how many connections were opened, Reused how often an idle
	// one was used again, Failures how often there was none to be had.
	Connections, Reused, Failures int64
	// Idle is how many connections wait in the pool now.
	Idle int
}

// newServer checks the options of one server and makes it, at rest.
func (b *Backend) newServer(o ServerOptions, material *tlsMaterial) (*Server, error) {
	a, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	s := &Server{
		name:      o.Name,
		address:   a,
		keepAlive: b.options.KeepAlive,
		queue:     b.queue,
		resolver:  b.options.Resolver,
		resolved:  make(chan struct{}),
		soon:      make(chan struct{}, 1),
	}
	s.life, s.end = context.WithCancel(context.Background())
	if s.name == "" {
		s.name = a.authority()
	}
	s.log = b.log.With(zap.String("server", s.name))
	s.identity = identity{name: s.name, url: a.String(), keepAlive: s.keepAlive}
	if a.scheme == "https" {
		if s.tls, err = material.clientConfig(a); err != nil {
			return nil, err
		}
		s.identity.tls = material.digest
	}
	if !a.named() {
		s.addresses.Store(a.literal())
		close(s.resolved)
	}
	s.apply(&settings{
		timeouts: b.options.Timeouts,
		maxIdle:  b.options.MaxIdle,
		weight:   o.Weight,
		limit:    int64(o.MaxConnections),
	})
	return s, nil
}

// apply puts settings in force.
func (s *Server) apply(live *settings) {
	s.live.Store(live)
	s.limit.Store(live.limit)
}

// Name is the server's name in logs and statistics.
func (s *Server) Name() string { return s.name }

// Address is "host:port" as configured, or the path of a unix socket.
func (s *Server) Address() string { return s.address.dial() }

// Scheme is "http" or "https".
func (s *Server) Scheme() string { return s.address.scheme }

// Authority is the host of the URL, with its port unless that is the scheme's
// own: a Host field for requests that have none. For unix sockets "localhost".
func (s *Server) Authority() string { return s.address.authority() }

// Weight is the server's share of the requests.
func (s *Server) Weight() int { return s.live.Load().weight }

// MaxConnections is the most requests at a time, 0 for no limit.
func (s *Server) MaxConnections() int { return int(s.limit.Load()) }

// Active is how many places are taken.
func (s *Server) Active() int64 { return s.active.Load() }

// Counters reads the counters, each by itself: their sum need not fit.
func (s *Server) Counters() Counters {
	c := s.pool.counters()
	c.Claims = s.claims.Load()
	c.Failures = s.failures.Load()
	return c
}

// unverified tells whether anybody could pass for this server.
func (s *Server) unverified() bool {
	return s.tls != nil && s.tls.InsecureSkipVerify && s.tls.VerifyConnection == nil
}
