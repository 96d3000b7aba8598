// Package entratest runs a provider that imitates Microsoft Entra ID, so that
// signing in is tested against its habits without leaving this machine: one TLS
// server on loopback that is login and Graph at once.
//
//	entra := entratest.Start(t, entratest.Options{
//		Apps:  []entratest.App{{ClientID: "gate", Secrets: []string{"secret"},
//			RedirectURIs: []string{callback}}},
//		Users: []entratest.User{{Username: "ann@example.com", Name: "Ann"}},
//	})
//	provider, err := oidc.NewProvider(ctx, entra.Authority(entratest.TenantID))
//	...
//	back := entra.Browser(t).SignIn(config.AuthCodeURL(state), "ann@example.com")
//
// What it says about itself follows the Host it is asked by. So the client of
// [Server.Client], which leads every host here, sees login.microsoftonline.com
// with Graph on graph.microsoft.com, and the national clouds as well.
//
// It is strict where Entra is, and odd where Entra is. Users, apps, keys, faults
// and the clock may be changed at any time and by any goroutine. What was asked
// of it is kept and counted.
//
// It is for tests: nothing that ships imports it.
package entratest

import (
	"crypto/tls"
	"crypto/x509"

	"net/http"
	"sync"
	"testing"
	"time"
)

// Tenants that every server knows.
const (
	// TenantID is that of the first tenant, unless Options name others.
	TenantID = "5d1f2c1e-8b4a-4c63-9e0b-6a1d3f5b7c90"
	// Domain is the verified domain of that tenant.
	Domain = "contoso.example"
	// ConsumersID is the tenant of personal accounts, as it is at Microsoft.
	ConsumersID = "9188040d-6c67-4c5b-b112-36a304b66dad"
)

// Patience is how long anything may take that must happen. It is generous, since
// it is only spent by tests that fail.
const Patience = 10 * time.Second

// Options says what is there at the start. The zero value is one tenant without
// apps and users.
type Options struct {
	// Tenants are the directories; none: TenantID with Domain.
	Tenants []Tenant
	// Apps are the app registrations.
	Apps []App
	// Users are the accounts.
	Users []User
	// Groups are the display names of groups by their ids.
	Groups map[string]string
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Server is a running provider.
type Server struct {
	// URL is where it listens: "https://127.0.0.1:PORT", for login and Graph.
	URL string
	// CAFile is its root in PEM.
	CAFile string

	clock        func() time.Time
	roots        *x509.CertPool
	address      string
	server       *http.Server
	certificates []tls.Certificate
	ended        chan struct{}

	log requestLog

	mu       sync.Mutex
	offset   time.Duration
	tenants  []Tenant
	apps     []*App
	users    []*account
	groups   map[string]string
	keys     *keyring
	keysPath string
	metadata func(document map[string]any)
	present  string
	faults   map[Part]*Fault
	seen     map[string]bool // the ids of client assertions
	flows    map[string]*flow
	sessions map[string]*session
	codes    map[string]*grant
	refresh  map[string]*grant
	access   map[string]*grant
}

// Start starts one that ends with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{
		clock: o.Now, tenants: o.Tenants, groups: o.Groups, keys: newKeyring(),
		faults: map[Part]*Fault{}, seen: map[string]bool{}, flows: map[string]*flow{},
		sessions: map[string]*session{}, codes: map[string]*grant{},
		refresh: map[string]*grant{}, access: map[string]*grant{},
		keysPath: "/discovery/v2.0/keys", address: "127.0.0.1:0",
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if len(s.tenants) == 0 {
		s.tenants = []Tenant{{ID: TenantID, Domain: Domain}}
	}
	for _, a := range o.Apps {
		s.AddApp(t, a)
	}
	for _, u := range o.Users {
		s.AddUser(t, u)
	}
	s.listen(t)
	t.Cleanup(s.Stop)
	return s
}

// Stop ends the provider as a crash does: connections break, the port is free.
// A second Stop does nothing.
func (s *Server) Stop() {
	s.mu.Lock()
	server, ended := s.server, s.ended
	s.server = nil
	s.mu.Unlock()
	if server == nil {
		return
	}
	close(ended)
	_ = server.Close()
}

// Again starts a provider that was stopped, at the same address and with all
// that it knew.
func (s *Server) Again(t testing.TB) {
	t.Helper()
	s.listen(t)
}

// Authority is what comes before /.well-known/openid-configuration, for a tenant
// by id, domain or as "organizations", "common" or "consumers". For an id it is
// the issuer too.
func (s *Server) Authority(tenant string) string { return issuer(s.URL, tenant) }

func issuer(base, tenant string) string { return base + "/" + tenant + "/v2.0" }

// Advance moves the provider's clock on.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
}

// Now is the time at the provider.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// now is Now for those who hold the lock.
func (s *Server) now() time.Time { return s.clock().Add(s.offset) }
