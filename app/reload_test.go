package app_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"doorward/app"
)

func timeout(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

func TestReloadKeepsOpenConnections(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	first := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			arrived <- struct{}{}
			<-release
		}
		fmt.Fprint(w, "first")
	})
	e := start(t, site(first, ""))
	idle, busy, secure := dial(t, e.plain()), dial(t, e.plain()), e.dialTLS(e.Root())
	idle.get("first")
	secure.get("first")
	busy.send("/slow")
	<-arrived

	e.mustReload(site(server(t, "second"), ""))
	idle.get("second")
	secure.get("second")
	close(release)
	if _, body, err := busy.answer(); err != nil || body != "first" {
		t.Errorf("the request that was under way got %q, %v", body, err)
	}
	busy.get("second")
}

func TestSecurity(t *testing.T) {
	t.Run("RLD-03 bad config", testRefusedReload)
}

// testRefusedReload breaks the configuration in every way there is and looks
// that nothing at all became of it.
func testRefusedReload(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	url := server(t, "old")
	good := site(url, "")
	other := site(server(t, "new"), "")
	for name, test := range map[string]struct{ config, want string }{
		"syntax":      {other + "[backends", "doorward.toml:"},
		"unknown key": {other + "colour = 1\n", "colour"},
		"no file":     {"", "cannot be read"},
		"certificate": {
			strings.Replace(other, "[tls]", `[tls]
certificates = ["missing.pem"]`, 1), "missing.pem",
		},
		"CA file": {other + "tls = { ca_file = \"missing-ca.pem\" }\n", "missing-ca.pem"},
		"port in use": {
			strings.Replace(other, `http = ["127.0.0.1:0"]`,
				fmt.Sprintf("http = [%q]", taken.Addr()), 1), "address already in use",
		},
		"log": {
			strings.Replace(other, `output = "log"`, `output = "missing/log"`, 1), "missing/log",
		},
		"control socket": {
			strings.Replace(other, `control = ""`, `control = "no/such/folder/sock"`, 1), "no/such",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, good)
			c := dial(t, e.plain())
			c.get("old")
			before := e.plain() + " " + e.secure()
			e.write(test.config)
			if name == "no file" {
				if err := os.Remove(e.config); err != nil {
					t.Fatal(err)
				}
			}
			report, err := e.Reload()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("Reload: %v, %v; want an error with %q", report, err, test.want)
			}
			c.get("old")
			dial(t, e.plain()).get("old")
			if after := e.plain() + " " + e.secure(); after != before {
				t.Errorf("listeners were %s, are %s", before, after)
			}
			if got := e.lines("reload refused, the old configuration stays in force"); len(got) != 1 {
				t.Errorf("%d lines about it in the log: %v", len(got), got)
			}
			if got := e.mustReload(good); len(got.Changes) != 0 {
				t.Errorf("going back changed %q", got.Changes)
			}
		})
	}
}

// keyPair writes a certificate for app.test and further names, with a serial number, to
// a file.
func keyPair(t *testing.T, file string, serial int64, names ...string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: append(names, "app.test"),
		NotBefore: time.Now().Add(-time.Hour),
		NotAfter:  time.Now().Add(time.Duration(100+serial) * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// serial is that of the certificate shown to a new client.
func (e *edge) serial() int64 {
	e.t.Helper()
	conn, err := tls.Dial("tcp", e.secure(), &tls.Config{
		ServerName: "app.test", InsecureSkipVerify: true,
	})
	if err != nil {
		e.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestReloadTakesChangedCertificatesAndKeepsOldOnesOnFailure(t *testing.T) {
	config := strings.Replace(site(server(t, "app"), ""),
		`internal = ["*.test"]`, `certificates = ["app.pem"]`, 1)
	dir := t.TempDir()
	file := dir + "/app.pem"
	keyPair(t, file, 1)
	config = strings.Replace(config, "app.pem", file, 1)
	e := start(t, config)
	if got := e.serial(); got != 1 {
		t.Fatalf("certificate %d is served, want 1", got)
	}
	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Reload(); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("Reload: %v, want an error that names %s", err, file)
	}
	if got := e.serial(); got != 1 {
		t.Errorf("after a refused reload certificate %d is served, want 1", got)
	}
	keyPair(t, file, 2)
	report := e.mustReload(config)
	if got := e.serial(); got != 2 {
		t.Errorf("after a reload certificate %d is served, want 2", got)
	}
	if want := "certificates changed: " + file; len(report.Changes) != 1 || report.Changes[0] != want {
		t.Errorf("the report says %q, want %q", report.Changes, want)
	}
}

func TestReloadAfterStopIsRefused(t *testing.T) {
	e := start(t, site(server(t, "app"), ""))
	ctx, cancel := timeout(patience)
	defer cancel()
	if err := e.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Reload(); err != app.ErrStopped {
		t.Errorf("Reload: %v, want %v", err, app.ErrStopped)
	}
}

func TestReloadsAtTheSameTimeLoseNoRequest(t *testing.T) {
	e := start(t, site(server(t, "app"), ""))
	var reloads, clients sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c := dial(t, e.plain())
				c.get("app")
				c.get("app")
				_ = c.conn.Close()
			}
		})
	}
	for range 2 {
		reloads.Go(func() {
			for range 25 {
				if _, err := e.Reload(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	reloads.Wait()
	close(stop)
	clients.Wait()
}

func TestReloadTurnsLogs(t *testing.T) {
	url := server(t, "app")
	config := strings.Replace(site(url, ""), `access = "off"`, `access = "json"`, 1)
	e := start(t, config)
	c := dial(t, e.plain())
	c.get("app")
	eventually(t, "a line about the request", func() bool { return len(e.lines("request")) == 1 })

	rotated := e.log + ".1"
	if err := os.Rename(e.log, rotated); err != nil {
		t.Fatal(err)
	}
	e.mustReload(config)
	c.get("app")
	eventually(t, "a line in the new file", func() bool { return len(e.lines("request")) == 1 })

	if err := os.Rename(e.log, rotated); err != nil {
		t.Fatal(err)
	}
	e.ReopenLogs()
	c.get("app")
	eventually(t, "a line in the next file", func() bool { return len(e.lines("request")) == 1 })

	e.mustReload(strings.Replace(config, `output = "log"`, `output = "other"`, 1))
	e.log = e.file("other")
	c.get("app")
	eventually(t, "a line in the other file", func() bool { return len(e.lines("request")) == 1 })
	if got := len(e.lines("reloaded")); got != 1 {
		t.Errorf("%d lines about the reload in the other file, want 1", got)
	}

	e.mustReload(strings.Replace(site(url, ""), `output = "log"`, `output = "other"`, 1))
	c.get("app")
	ctx, cancel := timeout(patience)
	defer cancel()
	if err := e.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if got := len(e.lines("request")); got != 1 {
		t.Errorf("%d requests in the log after it was turned off, want 1", got)
	}
}

func TestReloadReports(t *testing.T) {
	url, other := server(t, "app"), server(t, "other")
	old := site(url, "")
	for name, test := range map[string]struct {
		config string
		want   string
	}{
		"nothing":        {old, ""},
		"a comment":      {"# a comment\n" + old, ""},
		"timeouts":       {old + "[timeouts]\nclient = \"7s\"\n", "settings changed: timeouts"},
		"another server": {site(other, ""), "servers added: app/127*; servers removed: app/127*"},
		"the backend":    {old + "retries = 1\n", "backends changed: app"},
		"another listener": {
			strings.Replace(old, `https = ["localhost:0"]`, `https = ["[::1]:0"]`, 1),
			"listeners added: [::1]:0; listeners removed: localhost:0",
		},
		"kind of a listener": {
			strings.Replace(old, `http_redirect = false`, `http_redirect = true`, 1),
			"listeners changed: 127.0.0.1:0",
		},
		"another route": {
			old + "[[route]]\nname = \"b\"\nhosts = [\"b.test\"]\nredirect = \"https://app.test\"\n",
			"routes added: b",
		},
		"the route": {
			strings.Replace(old, `name = "app"`, `name = "app"
body_bytes = 7`, 1),
			"routes changed: app",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, old)
			got := strings.Join(e.mustReload(test.config).Changes, "; ")
			if !matches(test.want, got) {
				t.Errorf("the report says %q, want %q", got, test.want)
			}
		})
	}
}

// matches compares with a pattern in which each * stands for anything.
func matches(pattern, text string) bool {
	first, rest, more := strings.Cut(pattern, "*")
	if !more {
		return pattern == text
	}
	after, ok := strings.CutPrefix(text, first)
	for ok && !matches(rest, after) {
		if after == "" {
			return false
		}
		after = after[1:]
	}
	return ok
}

func TestReloadReportsWarnings(t *testing.T) {
	e := start(t, site(server(t, "app"), ""))
	report := e.mustReload(site(server(t, "app"), `
[[route]]
name = "never"
hosts = ["app.test"]
backend = "app"
`))
	want := `*doorward.toml:*warning: *route "never" can never match*`
	if len(report.Warnings) != 1 || !matches(want, report.Warnings[0]) {
		t.Errorf("warnings %q, want %s", report.Warnings, want)
	}
	if got := len(e.lines("configuration")); got != 1 {
		t.Errorf("%d warnings in the log, want 1", got)
	}
}
