package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"doorward/internal/safe"
)

// ErrUnknown means a name that is not kept.
var ErrUnknown = errors.New("not among the names that certificates are ordered for")

const (
	workers   = 4                          // orders at once
	closeTime = time.Second                // that Close waits for them
	never     = 100 * 365 * 24 * time.Hour // for the clocks of certmagic that we do not use
)

// Manager keeps the certificates of the names it was given. Its methods may be
// called by many goroutines.
type Manager struct {
	o       Options
	storage *Storage
	pending *pending
	issuers []*issuer
	config  *certmagic.Config
	cache   *certmagic.Cache

	names atomic.Pointer[names]
	mu    sync.Mutex // of the entries, and of who replaces names

	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{}
	slots  chan struct{} // one for each worker
	work   sync.WaitGroup
}

// names are the entries as handshakes look for them.
type names struct {
	exact map[string]*entry
	wild  map[string]*entry // by what follows "*."
}

// Open makes a Manager. It reads no more than Options and files, and asks nobody.
// When Options change, another Manager with the same Store takes its place: it
// finds everything there. The old one is closed when nobody asks it any more.
func Open(o Options) (*Manager, error) {
	o.settle()
	m := &Manager{
		o:       o,
		storage: NewStorage(o.Store, o.Timing.Lease, o.Log),
		pending: newPending(o.Store, o.Timing.Order),
		wake:    make(chan struct{}, 1),
		slots:   make(chan struct{}, workers),
	}
	var err error
	if m.issuers, err = o.issuers(m.storage, m.pending); err != nil {
		return nil, fmt.Errorf("acme: %w", err)
	}
	keys, err := o.keySource()
	if err != nil {
		return nil, fmt.Errorf("acme: %w", err)
	}
	m.configure(keys)
	m.names.Store(&names{})
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.work.Add(1)
	safe.Go(o.Log, "acme", func() {
		defer m.work.Done()
		m.run()
	})
	return m, nil
}

// configure sets up certmagic for single steps: it makes keys, asks the issuers
// in turn, writes what they issue and staples OCSP. When that happens is ours to
// say, for its own loop tells nobody what it waits for.
func (m *Manager) configure(keys certmagic.KeyGenerator) {
	quiet := zap.NewNop()
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) {
			return m.config, nil
		},
		RenewCheckInterval: never, OCSPCheckInterval: never, Logger: quiet,
	})
	list := make([]certmagic.Issuer, len(m.issuers))
	for n, i := range m.issuers {
		list[n] = i
	}
	m.config = certmagic.New(m.cache, certmagic.Config{
		Storage: m.storage, Issuers: list, KeySource: keys, Logger: quiet,
		// That the proxy is named makes certmagic set a timeout, too.
		OCSP: certmagic.OCSPConfig{HTTPProxy: http.ProxyFromEnvironment},
	})
}

// Manage makes list, and nothing else, the names that are kept. Certificates that
// the store has are there when it returns; the others are ordered later. A name is
// a host name, or "*." and one. Those that left are not renewed any more, and
// stay in the store.
func (m *Manager) Manage(list []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.names.Load()
	next := &names{exact: map[string]*entry{}, wild: map[string]*entry{}}
	for _, name := range list {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		where, key, old := next.exact, name, before.exact[name]
		if parent, ok := strings.CutPrefix(name, "*."); ok {
			where, key, old = next.wild, parent, before.wild[parent]
		}
		if where[key] != nil {
			continue
		}
		if old == nil {
			old = m.newEntry(name)
		}
		where[key] = old
	}
	m.names.Store(next)
	m.kick()
}

// find is the entry of a name as it was given to Manage, nil for none.
func (m *Manager) find(name string) *entry {
	if parent, ok := strings.CutPrefix(name, "*."); ok {
		return m.names.Load().wild[parent]
	}
	return m.names.Load().exact[name]
}

// entries are all, in the order of their names.
func (m *Manager) entries() []*entry {
	n := m.names.Load()
	all := slices.AppendSeq(slices.Collect(maps.Values(n.exact)), maps.Values(n.wild))
	slices.SortFunc(all, func(a, b *entry) int { return strings.Compare(a.name, b.name) })
	return all
}

// Certificate is the certificate for a host name in lower case, its own or that
// of a wildcard; nil: there is none. It takes no lock.
func (m *Manager) Certificate(name string) *tls.Certificate {
	n := m.names.Load()
	if e := n.exact[name]; e != nil {
		if c := e.pair.Load(); c != nil {
			return c
		}
	}
	if label, parent, ok := strings.Cut(name, "."); ok && label != "" {
		if e := n.wild[parent]; e != nil {
			return e.pair.Load()
		}
	}
	return nil
}

// Challenge is the certificate that answers a pending TLS-ALPN-01 challenge for
// the name (RFC 8737); nil: none is pending. It may read the store.
func (m *Manager) Challenge(name string) *tls.Certificate {
	if m.names.Load().exact[name] == nil {
		return nil
	}
	return m.pending.handshake(name)
}

// HTTPChallenge is the body that answers a pending HTTP-01 challenge: 200,
// text/plain. The host is in lower case without a port. It may read the store.
func (m *Manager) HTTPChallenge(host, path string) (body string, ok bool) {
	if m.names.Load().exact[host] == nil {
		return "", false
	}
	return m.pending.answer(host, path)
}

// Close ends the work: orders that run are given up. Certificates stay usable.
// It takes a second at most, and comes before the end of the store.
func (m *Manager) Close() {
	m.cancel()
	done := make(chan struct{})
	safe.Go(m.o.Log, "acme close", func() {
		defer close(done)
		m.cache.Stop()
		m.work.Wait()
	})
	select {
	case <-done:
	case <-time.After(closeTime):
	}
	for _, i := range m.issuers {
		i.http.CloseIdleConnections()
	}
}

// kick makes the loop look now.
func (m *Manager) kick() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}
