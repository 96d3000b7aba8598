package test_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"doorward/internal/edgetest"
)

// website is a server whose answers say its name, the path, and which header
// X-Gen it got.
func website(t testing.TB, name string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Server", name)
		fmt.Fprintf(w, "%s %s %s", name, r.Header.Get("X-Gen"), r.URL.Path)
	}))
	t.Cleanup(s.Close)
	return s
}

// load is clients that ask without a pause until they are stopped. A request
// that gets no answer, or not its own, is a failure: these clients repeat none.
type load struct {
	stop     chan struct{}
	all      sync.WaitGroup
	requests atomic.Int64
	mu       sync.Mutex
	failures []error
}

// visitor is one client: over TLS or not, on one connection for all requests or
// on a new one for each.
type visitor struct {
	address    string
	tls, fresh bool
	check      func(*http.Response, string) error

	conn net.Conn
	in   *bufio.Reader
	sent int
}

// startLoad starts clients of every kind. Check sees every answer with its body.
func startLoad(edge *edgetest.Edge, check func(*http.Response, string) error) *load {
	l := &load{stop: make(chan struct{})}
	for _, v := range []visitor{
		{address: edge.HTTP}, {address: edge.HTTP}, {address: edge.HTTP, fresh: true},
		{address: edge.HTTP, fresh: true}, {address: edge.HTTPS, tls: true},
		{address: edge.HTTPS, tls: true}, {address: edge.HTTPS, tls: true, fresh: true},
	} {
		v.check = check
		l.all.Go(func() { l.run(&v) })
	}
	return l
}

func (l *load) run(v *visitor) {
	defer v.close()
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		if err := v.ask(); err != nil {
			l.mu.Lock()
			l.failures = append(l.failures, err)
			l.mu.Unlock()
			return
		}
		l.requests.Add(1)
	}
}

// end stops the clients and fails the test for every request that failed.
func (l *load) end(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.all.Wait()
	for _, err := range l.failures {
		t.Errorf("a request failed after %d that did not: %v", l.requests.Load(), err)
	}
	t.Logf("%d requests", l.requests.Load())
}

// wait waits for so many further requests.
func (l *load) wait(n int64) bool {
	until := l.requests.Load() + n
	return edgetest.Until(func() bool { return l.requests.Load() >= until })
}

func (v *visitor) ask() error {
	if v.conn == nil {
		if err := v.dial(); err != nil {
			return err
		}
	}
	v.sent++
	path := fmt.Sprintf("/%d", v.sent)
	if _, err := io.WriteString(v.conn, edgetest.Bytes(get(path))); err != nil {
		return err
	}
	r, err := http.ReadResponse(v.in, nil)
	if err != nil {
		return fmt.Errorf("request %d, TLS %v, new connection %v: %w", v.sent, v.tls, v.fresh, err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if r.StatusCode != 200 {
		return fmt.Errorf("status %s, body %.300q", r.Status, body)
	}
	if v.fresh || r.Close {
		v.close()
	}
	return v.check(r, string(body))
}

func (v *visitor) dial() error {
	conn, err := net.DialTimeout("tcp", v.address, edgetest.Patience)
	if err != nil {
		return err
	}
	if v.tls {
		conn = tls.Client(conn, &tls.Config{ServerName: "app.example", InsecureSkipVerify: true})
	}
	v.conn, v.in = conn, bufio.NewReader(conn)
	return nil
}

func (v *visitor) close() {
	if v.conn != nil {
		_ = v.conn.Close()
		v.conn = nil
	}
}
