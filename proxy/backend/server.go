package backend

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Server is one member of a backend. All methods may be called by many
// goroutines.
type Server struct {
	name      string
	address   address
	keepAlive bool
	http2     bool
	tls       *tls.Config // nil for plain servers
	identity  identity
	group     *group
	named     *named
	places    *places
	log       *zap.Logger
	resolver  Resolver
	// seed is where the server's points on a ring begin.
	seed uint64

	live atomic.Pointer[settings]
	// limit is live.limit as far as slow start allows, maxActive for none; most is
	// the most places that were taken at one time.
	limit, most atomic.Int64
	// queued is how many wait for this very server, line is who they are, which the
	// queue guards.
	queued, queuedMost atomic.Int64
	line               line
	// down is one for all generations of a server with this name and URL, since its
	// check may still speak of the one before.
	down *atomic.Bool
	// share is the percentage of slow start, which began at since; changing guards
	// since, and the two that follow from it.
	share    atomic.Int64
	changing sync.Mutex
	since    time.Time
	// due is the part of its round that passes before the server's next turn, once
	// it has been in a rotation of round robin; the group's rotating guards it.
	due     float64
	rotated bool
	watcher atomic.Pointer[Watcher]
	// load is where a leastConn sees that a request has left; nil if there is none.
	load atomic.Pointer[load]

	_ [64]byte // what follows is written by every request
	// addresses is nil until the first lookup has ended, which closes resolved.
	addresses atomic.Pointer[addresses]
	resolved  chan struct{}
	pool      pool
	trunks    trunks
	failures  atomic.Int64

	// life ends with retire; lifeMu guards running.
	life    context.Context
	end     context.CancelFunc
	lifeMu  sync.Mutex
	running bool
	// soon asks for a lookup before its time, warming for the steps of slow start.
	soon, warming chan struct{}
	// trouble is the error of the last lookup, so that it is logged once. It
	// belongs to the goroutine of tend.
	trouble string
}

// identity is what makes two servers of two configurations the same one.
type identity struct {
	name, url string
	keepAlive bool
	http2     bool
	tls       [sha256.Size]byte
}

// settings may change while a server lives on.
type settings struct {
	timeouts   Timeouts
	maxIdle    int
	weight     int
	limit      int64
	queueLimit int64
	backup     bool
	cookie     string
	slowStart  time.Duration
}

// settings are those of one server in this backend.
func (b *Backend) settings(o *ServerOptions) settings {
	return settings{
		timeouts:   b.options.Timeouts,
		maxIdle:    b.options.MaxIdle,
		weight:     o.Weight,
		limit:      int64(o.MaxConnections),
		queueLimit: int64(o.QueueLimit),
		backup:     o.Backup,
		cookie:     o.Cookie,
		slowStart:  b.options.SlowStart,
	}
}

// Counters are what a server has seen since its name was first configured.
type Counters struct {
	// Claims is how many places were taken.
	Claims int64
	// Connections is how many connections were opened, Reused how often an idle
	// one was used again, or one of HTTP/2 for another request, Failures how often
	// there was none to be had.
	Connections, Reused, Failures int64
	// Idle is how many connections serve no request now.
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
		group:     b.group,
		resolver:  b.options.Resolver,
		down:      new(atomic.Bool),
		resolved:  make(chan struct{}),
		soon:      make(chan struct{}, 1),
		warming:   make(chan struct{}, 1),
	}
	s.life, s.end = context.WithCancel(context.Background())
	if s.name == "" {
		s.name = a.authority()
	}
	s.seed = seedOf(s.name)
	s.log = b.log.With(zap.String("server", s.name))
	if s.http2, err = b.speaksHTTP2(a); err != nil {
		return nil, err
	}
	s.identity = identity{
		name: s.name, url: a.String(), keepAlive: s.keepAlive, http2: s.http2,
	}
	if a.scheme == "https" {
		if s.tls, err = material.clientConfig(a); err != nil {
			return nil, err
		}
		if s.http2 {
			s.tls.NextProtos = []string{"h2"}
		}
		s.identity.tls = material.digest
	}
	if !a.named() {
		s.addresses.Store(a.literal())
		close(s.resolved)
	}
	return s, nil
}

// takeOver gives a new server what goes by its name, from the one that had it
// before or from the beginning.
func (s *Server) takeOver(old *Server, live *settings) {
	if old == nil {
		s.named = newNamed(live.weight)
	} else {
		s.named = old.named
		if old.identity.url == s.identity.url {
			s.down = old.down
		}
	}
	s.apply(live)
}

// apply puts settings in force that do not go by name.
func (s *Server) apply(live *settings) {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.live.Store(live)
	s.warm()
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

// MaxConnections is the most requests at a time, 0 for no limit. Slow start may
// allow less.
func (s *Server) MaxConnections() int { return int(s.live.Load().limit) }

// Active is how many places are taken.
func (s *Server) Active() int64 { return s.places.active() }

// ActiveMax is the most places that were taken at one time.
func (s *Server) ActiveMax() int64 { return s.most.Load() }

// Queued is how many requests wait for this very server.
func (s *Server) Queued() int64 { return s.queued.Load() }

// QueuedMax is the most that waited for it at one time.
func (s *Server) QueuedMax() int64 { return s.queuedMost.Load() }

// Counters reads the counters, each by itself: their sum need not fit.
func (s *Server) Counters() Counters {
	c, n := s.own(), s.named
	c.Claims += n.claims.Load()
	c.Connections += n.connections.Load()
	c.Reused += n.reused.Load()
	c.Failures += n.failures.Load()
	return c
}

// own are the counters without those of others that had the name before.
func (s *Server) own() Counters {
	c := s.pool.counters()
	s.trunks.count(&c)
	c.Claims = s.places.claims()
	c.Failures = s.failures.Load()
	return c
}

// unverified tells whether anybody could pass for this server.
func (s *Server) unverified() bool {
	return s.tls != nil && s.tls.InsecureSkipVerify && s.tls.VerifyConnection == nil
}
