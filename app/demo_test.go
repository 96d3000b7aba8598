package app_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"doorward/app"
)

func startDemo(t *testing.T, dir string) *app.Demo {
	t.Helper()
	d, err := app.StartDemo(app.DemoOptions{HTTP: plainAddress, HTTPS: tlsAddress, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func stopDemo(t *testing.T, d *app.Demo) {
	t.Helper()
	ctx, cancel := timeout(patience)
	defer cancel()
	if err := d.Stop(ctx); err != nil {
		t.Error(err)
	}
	d.Close()
}

func TestDemoAnswersFromBothServers(t *testing.T) {
	d := startDemo(t, shortDir(t))
	defer stopDemo(t, d)
	root, err := os.ReadFile(d.Root)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: app.DemoHost},
	}
	defer transport.CloseIdleConnections()
	address := d.Addr(tlsAddress).String()
	_, port, _ := net.SplitHostPort(address)
	seen := map[string]int{}
	for range 4 {
		r, err := http.NewRequest(http.MethodGet, "https://"+address, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = net.JoinHostPort(app.DemoHost, port)
		answer, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			Server  string
			Headers http.Header
		}
		if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		seen[body.Server]++
		if got := body.Headers.Get("X-Forwarded-Proto"); got != "https" {
			t.Errorf("X-Forwarded-Proto %q", got)
		}
		if got := answer.Header.Get("Strict-Transport-Security"); got != "" {
			t.Errorf("a browser would remember %q for other demos", got)
		}
	}
	if seen["whoami-1"] != 2 || seen["whoami-2"] != 2 {
		t.Errorf("answers came from %v, want two from each", seen)
	}
}

func TestDemoKeepsItsCA(t *testing.T) {
	dir := shortDir(t)
	var roots []string
	for range 2 {
		d := startDemo(t, dir)
		roots = append(roots, string(d.App.Root()))
		stopDemo(t, d)
	}
	if roots[0] != roots[1] || roots[0] == "" {
		t.Error("the second demo has another CA: browsers would have to be told again")
	}
}

func TestDemoConfigurationIsUnremarkable(t *testing.T) {
	d := startDemo(t, shortDir(t))
	defer stopDemo(t, d)
	if found := app.Check(app.Options{Path: d.Config, Env: os.LookupEnv}); len(found) > 0 {
		t.Error(found)
	}
	if _, err := d.Reload(); err != nil {
		t.Error(err)
	}
}

func TestDemoThatCannotListenEndsItsServers(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	d, err := app.StartDemo(app.DemoOptions{
		HTTP: taken.Addr().String(), HTTPS: tlsAddress, Dir: shortDir(t),
	})
	if err == nil || d != nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("StartDemo: %v, %v", d, err)
	}
}
