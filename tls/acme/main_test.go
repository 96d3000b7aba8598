package acme_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"doorward/internal/pebbletest"
	"doorward/state"
	doortls "doorward/tls"
	"doorward/tls/acme"
)

// quick is the pace of tests.
func quick() acme.Timing {
	return acme.Timing{
		Tick: 10 * time.Millisecond, Retry: 50 * time.Millisecond,
		Longest: 500 * time.Millisecond, Order: 20 * time.Second, Lease: 3 * time.Second,
		Info: 50 * time.Millisecond, Look: 100 * time.Millisecond,
	}
}

// edge is what answers challenges: the listeners that a Manager has none of.
type edge struct {
	httpPort, tlsPort int
	manager           atomic.Pointer[acme.Manager]
	certs             atomic.Pointer[doortls.Manager]

	mu        sync.Mutex
	protocols []string // of the handshakes that came to an end
}

func newEdge(t testing.TB) *edge {
	t.Helper()
	e := &edge{}
	plain, secure := listen(t), listen(t)
	e.httpPort, e.tlsPort = port(plain), port(secure)
	server := &http.Server{Handler: http.HandlerFunc(e.answer), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(plain) }()
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		for {
			c, err := secure.Accept()
			if err != nil {
				return
			}
			go e.meet(c)
		}
	}()
	return e
}

func (e *edge) answer(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if m := e.manager.Load(); m != nil {
		if body, ok := m.HTTPChallenge(host, r.URL.Path); ok {
			_, _ = w.Write([]byte(body))
			return
		}
	}
	http.NotFound(w, r)
}

func (e *edge) meet(c net.Conn) {
	defer func() { _ = c.Close() }()
	certs := e.certs.Load()
	if certs == nil {
		return
	}
	server := tls.Server(c, certs.ServerConfig())
	if server.Handshake() == nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.protocols = append(e.protocols, server.ConnectionState().NegotiatedProtocol)
	}
}

// spoken are the protocols of the handshakes so far.
func (e *edge) spoken() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.protocols)
}

// serve makes the edge answer for a Manager and its names.
func (e *edge) serve(t testing.TB, m *acme.Manager, names ...string) {
	t.Helper()
	certs, _, err := doortls.Load(doortls.Options{Managed: m, ManagedNames: names}, nil)
	if err != nil {
		t.Fatal(err)
	}
	e.certs.Store(certs)
	e.manager.Store(m)
	m.Manage(certs.ManagedNames())
}

func (e *edge) pebble(t testing.TB, o pebbletest.Options) *pebbletest.Pebble {
	t.Helper()
	o.HTTPPort, o.TLSPort = e.httpPort, e.tlsPort
	return pebbletest.Start(t, o)
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// memory is a store that ends with the test.
func memory(t testing.TB) *state.Store {
	t.Helper()
	return store(t, "memory:")
}

func store(t testing.TB, url string) *state.Store {
	t.Helper()
	s, err := state.Open(url, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// optionsFor are those to order of an authority.
func optionsFor(p *pebbletest.Pebble, s *state.Store) acme.Options {
	return acme.Options{
		Store: s, Timing: quick(), Email: "it@edge.test",
		CA: acme.CA{Directory: p.Directory, CAFile: p.CAFile},
	}
}

// open opens a Manager that ends with the test, and before its store.
func open(t testing.TB, o acme.Options) *acme.Manager {
	t.Helper()
	m, err := acme.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// watched is a log that tests look at.
func watched(o *acme.Options) *observer.ObservedLogs {
	core, logs := observer.New(zap.DebugLevel)
	o.Log = zap.New(core)
	return logs
}

// wait returns when done says so.
func wait(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.NewTimer(pebbletest.Patience)
	defer deadline.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !done() {
		select {
		case <-deadline.C:
			t.Fatalf("%s: never", what)
		case <-look.C:
		}
	}
}

// issued waits for a certificate for the name.
func issued(t testing.TB, m *acme.Manager, name string) *x509.Certificate {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("status: %+v", m.Status())
		}
	}()
	wait(t, "certificate for "+name, func() bool { return m.Certificate(name) != nil })
	return m.Certificate(name).Leaf
}

// another waits for a certificate that is not the one before.
func another(
	t testing.TB, m *acme.Manager, name string, before *x509.Certificate,
) *x509.Certificate {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("status: %+v", m.Status())
		}
	}()
	wait(t, "another certificate for "+name, func() bool {
		c := m.Certificate(name)
		return c != nil && !c.Leaf.Equal(before)
	})
	return m.Certificate(name).Leaf
}

// statusOf is how it stands with a name.
func statusOf(t testing.TB, m *acme.Manager, name string) acme.Status {
	t.Helper()
	for _, s := range m.Status() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no status of %s in %+v", name, m.Status())
	return acme.Status{}
}

// failing waits until a try for the name has failed, and returns how.
func failing(t testing.TB, m *acme.Manager, name string) acme.Status {
	t.Helper()
	wait(t, "failure of "+name, func() bool { return statusOf(t, m, name).State == acme.Failing })
	return statusOf(t, m, name)
}

// front stands before an authority, sees its requests and may answer itself.
type front struct {
	server *httptest.Server
	caFile string
	orders atomic.Int64
	infos  atomic.Int64 // questions for a renewal window
	before atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

const newOrder = "/order-plz"

func newFront(t testing.TB, p *pebbletest.Pebble) *front {
	t.Helper()
	target, err := url.Parse(p.Directory)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{caFile: filepath.Join(t.TempDir(), "front.pem")}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "https", target.Host, r.In.Host
		},
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: rootsIn(t, p.CAFile)}},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusBadGateway)
		},
		ModifyResponse: func(r *http.Response) error {
			if r.Request.URL.Path == newOrder && r.StatusCode == http.StatusCreated {
				f.orders.Add(1)
			}
			if strings.Contains(r.Request.URL.Path, "renewalInfo") {
				f.infos.Add(1)
				r.Header.Set("Retry-After", "1") // Pebble says hours
			}
			return nil
		},
	}
	f.server = httptest.NewTLSServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if before := f.before.Load(); before == nil || !(*before)(w, r) {
				forward.ServeHTTP(w, r)
			}
		}))
	t.Cleanup(f.server.Close)
	f.trust(t)
	return f
}

// trust writes what the front's own certificate is trusted by.
func (f *front) trust(t testing.TB) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{
		Type: "CERTIFICATE", Bytes: f.server.Certificate().Raw,
	})
	if err := os.WriteFile(f.caFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// byAge makes the authority suggest nothing that makes sense, so that the age of
// certificates tells when they are renewed. Pebble suggests any time of a short life.
func (f *front) byAge() {
	f.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "renewalInfo") {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"suggestedWindow":{` +
			`"start":"2001-01-01T00:00:00Z","end":"2999-01-01T00:00:00Z"}}`))
		return true
	})
}

// ca is the authority as it is seen through the front.
func (f *front) ca() acme.CA {
	return acme.CA{Directory: f.server.URL + "/dir", CAFile: f.caFile}
}

// answer lets hook answer requests; it returns false for those to go on.
func (f *front) answer(hook func(http.ResponseWriter, *http.Request) bool) {
	f.before.Store(&hook)
}

func rootsIn(t testing.TB, file string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

// trusting is a client that trusts the roots in a file.
func trusting(t testing.TB, file string) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: rootsIn(t, file)}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func wantText(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
}
