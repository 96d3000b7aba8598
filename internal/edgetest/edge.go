package edgetest

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"doorward/app" //house:allow imports the harness of tests starts the whole instance
	"doorward/internal/porttest"
)

// Config is what an edge is started with. It has a plain and a TLS listener on
// free ports of 127.0.0.1, certificates of an internal authority for every host
// below .example, no control socket, and its log in a file of the test.
type Config struct {
	// Listen, TLS and Log are further keys of those tables; a key given here
	// replaces the one that Start would write.
	Listen, TLS, Log string
	// Text is the rest of the file: routes, backends and whatever else.
	Text string
}

// The listeners as configured. Both mean 127.0.0.1, in two spellings since the
// edge tells its listeners apart by what is written.
const (
	plainListener  = "127.0.0.1:0"
	secureListener = "[::ffff:127.0.0.1]:0"
)

// Edge is a running Doorward.
type Edge struct {
	// App is the instance, HTTP and HTTPS the addresses it listens on.
	App         *app.App
	HTTP, HTTPS string

	t      testing.TB
	dir    string
	secure string // the TLS listener as configured
	before census
	roots  *x509.CertPool
	stop   sync.Once
}

// Start starts an edge that ends with the test. It fails the test when the
// instance, once stopped, left goroutines or files behind. Servers of the test
// must be there before, since their listeners would count as left behind; edges
// of one process must not run in parallel tests.
func Start(t testing.TB, c Config) *Edge {
	t.Helper()
	e := &Edge{t: t, dir: t.TempDir(), secure: secureListener, before: takeCensus()}
	if hasKey(c.Listen, "http3") { // any port of TCP's may be somebody's over UDP
		e.secure = fmt.Sprintf("[::ffff:127.0.0.1]:%d", porttest.Free(t))
	}
	e.Write(c)
	a, err := app.New(app.Options{Path: e.path(), Env: os.LookupEnv, Version: "test"})
	if err != nil {
		t.Fatalf("edge: %v\n%s", err, c.file(e.dir, e.secure))
	}
	if err := a.Start(); err != nil {
		t.Fatalf("edge: %v", err)
	}
	e.App = a
	t.Cleanup(e.Stop)
	e.HTTP, e.HTTPS = e.address(plainListener), e.address(e.secure)
	e.roots = x509.NewCertPool()
	e.roots.AppendCertsFromPEM(a.Root())
	return e
}

// Reload puts another configuration in place of the one in force, and returns
// what the instance said to it.
func (e *Edge) Reload(c Config) error {
	e.Write(c)
	_, err := e.App.Reload()
	return err
}

// Stop stops the instance, which must end in good order, and looks for what it
// left behind. Later calls do nothing; the end of the test calls it.
func (e *Edge) Stop() {
	if err := e.StopWithin(Patience); err != nil {
		e.t.Errorf("stopping the edge: %v", err)
	}
}

// StopWithin is Stop for an instance that may not be ready within d: its error is
// returned.
func (e *Edge) StopWithin(d time.Duration) (err error) {
	e.stop.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		defer cancel()
		err = e.App.Stop(ctx)
		if err := e.before.settle(); err != nil {
			e.t.Errorf("after the edge stopped: %v", err)
		}
	})
	return err
}

// Log returns what the instance has logged so far, access log included.
func (e *Edge) Log() string {
	b, err := os.ReadFile(e.logFile())
	if err != nil && !os.IsNotExist(err) {
		e.t.Errorf("log: %v", err)
	}
	return string(b)
}

// Dir is a folder of the test, where the configuration file lies.
func (e *Edge) Dir() string { return e.dir }

func (e *Edge) path() string    { return filepath.Join(e.dir, "doorward.toml") }
func (e *Edge) logFile() string { return logFile(e.dir) }

func logFile(dir string) string { return filepath.Join(dir, "doorward.log") }

// Write puts another configuration file in place of the present one, whole, for
// whoever reads it just then.
func (e *Edge) Write(c Config) {
	e.t.Helper()
	fresh := e.path() + ".new"
	err := os.WriteFile(fresh, []byte(c.file(e.dir, e.secure)), 0o600)
	if err == nil {
		err = os.Rename(fresh, e.path())
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

// address is where a listener really listens, "" if the configuration has it
// not.
func (e *Edge) address(configured string) string {
	if a := e.App.Addr(configured); a != nil {
		return a.String()
	}
	return ""
}

// file is the whole configuration.
func (c Config) file(dir, secure string) string {
	var b strings.Builder
	table := func(name, given string, keys ...string) {
		fmt.Fprintf(&b, "[%s]\n%s\n", name, given)
		for _, line := range keys {
			key, _, _ := strings.Cut(line, " ")
			if !hasKey(given, key) {
				fmt.Fprintln(&b, line)
			}
		}
	}
	table("listen", c.Listen, `http_redirect = false`, `control = ""`,
		fmt.Sprintf(`http = [%q]`, plainListener), fmt.Sprintf(`https = [%q]`, secure))
	table("tls", c.TLS, `internal = ["*.example", "example"]`)
	table("log", c.Log, fmt.Sprintf(`output = %q`, logFile(dir)))
	return b.String() + c.Text + "\n"
}

func hasKey(lines, key string) bool {
	for line := range strings.Lines(lines) {
		name, _, _ := strings.Cut(line, "=")
		if strings.TrimSpace(name) == key {
			return true
		}
	}
	return false
}

// Roots is whom a client of the edge must trust.
func (e *Edge) Roots() *x509.CertPool { return e.roots }
