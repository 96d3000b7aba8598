package app_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"doorward/app"
)

// patience is how long a test waits for what has to happen.
const patience = 10 * time.Second

// plainAddress and tlsAddress are configured with port 0; they differ because an
// instance tells its listeners apart by address.
const (
	plainAddress = "127.0.0.1:0"
	tlsAddress   = "localhost:0"
)

// edge is an instance under test with its files.
type edge struct {
	*app.App
	t       *testing.T
	options app.Options
	config  string
	log     string
}

// site is a configuration with one route to a server, and further lines.
func site(serverURL, more string) string {
	return fmt.Sprintf(`
[listen]
http = [%q]
http_redirect = false
https = [%q]
control = ""
[tls]
internal = ["*.test"]
[log]
output = "log"
access = "off"
[[route]]
name = "app"
hosts = ["app.test"]
backend = "app"
[backends.app]
servers = [%q]
`, plainAddress, tlsAddress, serverURL) + more
}

// newEdge makes an instance that has not been started.
func newEdge(t *testing.T, config string) *edge {
	t.Helper()
	dir := t.TempDir()
	e := &edge{t: t, config: filepath.Join(dir, "doorward.toml"), log: filepath.Join(dir, "log")}
	e.options = app.Options{Path: e.config, Env: os.LookupEnv, Version: "test"}
	e.write(config)
	a, err := app.New(e.options)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	e.App = a
	return e
}

// start makes and starts an instance, which is stopped when the test ends.
func start(t *testing.T, config string) *edge {
	t.Helper()
	e := newEdge(t, config)
	if err := e.Start(); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := timeout(patience)
		defer cancel()
		_ = e.Stop(ctx)
	})
	return e
}

func (e *edge) write(config string) {
	e.t.Helper()
	if err := os.WriteFile(e.config, []byte(config), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// file is a path in the folder of the configuration.
func (e *edge) file(name string) string { return filepath.Join(filepath.Dir(e.config), name) }

// mustReload reloads with a new configuration.
func (e *edge) mustReload(config string) app.Report {
	e.t.Helper()
	e.write(config)
	report, err := e.Reload()
	if err != nil {
		e.t.Fatalf("Reload: %v", err)
	}
	return report
}

// plain and secure are the addresses in use.
func (e *edge) plain() string  { return e.Addr(plainAddress).String() }
func (e *edge) secure() string { return e.Addr(tlsAddress).String() }

// lines are the entries of the log with a message, decoded.
func (e *edge) lines(message string) []map[string]any {
	e.t.Helper()
	text, err := os.ReadFile(e.log)
	if err != nil {
		e.t.Fatal(err)
	}
	var found []map[string]any
	for line := range strings.Lines(string(text)) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			e.t.Fatalf("log line %q: %v", line, err)
		}
		if entry["msg"] == message {
			found = append(found, entry)
		}
	}
	return found
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

// server answers with its name.
func server(t *testing.T, name string) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })
}

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

// client is one connection to an edge.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, address string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, conn)
}

// dialTLS connects and checks the certificate against the internal CA.
func (e *edge) dialTLS(root []byte) *client {
	e.t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	conn, err := tls.Dial("tcp", e.secure(), &tls.Config{RootCAs: roots, ServerName: "app.test"})
	if err != nil {
		e.t.Fatal(err)
	}
	return newClient(e.t, conn)
}

func newClient(t *testing.T, conn net.Conn) *client {
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return &client{t, conn, bufio.NewReader(conn)}
}

// send sends a request for the site.
func (c *client) send(target string) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: app.test\r\n\r\n", target); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads an answer whole.
func (c *client) answer() (*http.Response, string, error) {
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return r, string(body), err
}

// get asks for / and wants a body.
func (c *client) get(want string) {
	c.t.Helper()
	c.send("/")
	r, body, err := c.answer()
	if err != nil || r.StatusCode != http.StatusOK || body != want {
		c.t.Fatalf("GET /: %v, %q, %v; want 200, %q", r, body, err, want)
	}
}

// closed waits for the end of the connection.
func (c *client) closed() {
	c.t.Helper()
	if b, err := c.in.ReadByte(); err != io.EOF {
		c.t.Fatalf("read %q, %v; want the end of the connection", b, err)
	}
}
