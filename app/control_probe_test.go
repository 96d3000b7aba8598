package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

func TestProbeDoesTheConfiguredCheck(t *testing.T) {
	status := atomic.Int64{}
	status.Store(200)
	var asked atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/probe" {
			asked.Add(1)
			w.WriteHeader(int(status.Load()))
		}
	})
	s := steer(t, fmt.Sprintf(`[backends.checked]
[[backends.checked.server]]
name = "a"
url = %q
[backends.checked.check]
path = "/probe"
interval = "1h"
timeout = "5s"
`, url))
	eventually(t, "the first check has been done", func() bool { return asked.Load() == 1 })
	good, err := s.Probe(s.ctx, "checked")
	if err != nil || !good.OK || len(good.Servers) != 1 {
		t.Fatalf("Probe: %+v, %v", good, err)
	}
	a := good.Servers[0]
	if a.Server != "a" || "http://"+a.Address != url || a.Check != "http" || !a.Configured ||
		a.Status != "L7OK" || a.Code != 200 || a.Connect <= 0 || a.FirstByte <= 0 ||
		a.Total < a.Connect+a.FirstByte || a.TLS != 0 {
		t.Errorf("Probe: %+v", a)
	}
	status.Store(500)
	for range 5 {
		bad, err := s.Probe(s.ctx, "checked")
		if err != nil || bad.OK || bad.Servers[0].Status != "L7STS" || bad.Servers[0].Code != 500 ||
			bad.Servers[0].Description == "" {
			t.Errorf("Probe: %+v, %v", bad, err)
		}
	}
	list, err := s.Servers(s.ctx, "checked")
	if err != nil {
		t.Fatal(err)
	}
	if now := list.Backends[0].Servers[0]; now.Status != "UP" || now.Check.Fails != 0 ||
		now.Check.Code != 200 || now.Errors != 0 {
		t.Errorf("five failed probes made %+v of the server, check %+v", now, now.Check)
	}
	if asked.Load() != 7 {
		t.Errorf("the server was asked %d times, want 7", asked.Load())
	}
}

func TestProbeConnectsWhereThereIsNoCheck(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	s := steer(t, fmt.Sprintf(`[backends.secure]
tls = { verify = false }
servers = [%q]
`, secure.URL))
	if _, err := s.SetState(s.ctx, web("web1"), "maint"); err != nil {
		t.Fatal(err)
	}
	plain, err := s.Probe(s.ctx, "app")
	if err != nil || plain.OK || len(plain.Servers) != 3 {
		t.Fatalf("Probe: %+v, %v", plain, err)
	}
	for i, want := range []string{"web1 tcp L4OK true", "web2 tcp L4OK true", "gone tcp L4CON false"} {
		p := plain.Servers[i]
		got := fmt.Sprint(p.Server, " ", p.Check, " ", p.Status, " ", p.OK)
		if got != want || p.Configured {
			t.Errorf("server %d: %+v, want %s", i, p, want)
		}
	}
	one, err := s.Probe(s.ctx, "secure")
	if err != nil || !one.OK || one.Servers[0].Check != "tls" || one.Servers[0].Status != "L6OK" ||
		one.Servers[0].TLS <= 0 {
		t.Errorf("Probe: %+v, %v", one, err)
	}
}

func TestProbeInJSON(t *testing.T) {
	s := steer(t, "")
	_, text := s.ask(t, "POST", "/backends/app/probe", "")
	server := `{"server":"web1","address":"127.0.0.1:*","check":"tcp","configured":false,"ok":true,` +
		`"status":"L4OK","description":"Layer4 check passed","resolve_seconds":*,` +
		`"connect_seconds":*,"tls_seconds":0,"first_byte_seconds":0,"total_seconds":*},*`
	if want := `{"backend":"app","ok":false,"servers":[` + server; !matches(want, text) {
		t.Errorf("got %s, want %s", text, want)
	}
}

// A backend with many servers is not stormed.
func TestProbesAreBounded(t *testing.T) {
	var now, most atomic.Int64
	release := make(chan struct{})
	url := serve(t, func(http.ResponseWriter, *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-release
		now.Add(-1)
	})
	config := "[backends.many]\n[backends.many.check]\ninterval = \"1h\"\n"
	for i := range 40 {
		config += fmt.Sprintf("[[backends.many.server]]\nname = \"s%d\"\nurl = %q\n", i, url)
	}
	s := steer(t, config)
	// The first of the servers is checked at the start, the others much later.
	eventually(t, "the first check is there", func() bool { return now.Load() == 1 })
	done := make(chan error, 1)
	go func() {
		found, err := s.Probe(s.ctx, "many")
		if err == nil && (!found.OK || len(found.Servers) != 40) {
			err = fmt.Errorf("found %+v", found)
		}
		done <- err
	}()
	eventually(t, "sixteen probes are there", func() bool { return now.Load() == 1+16 })
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if most.Load() > 1+16 {
		t.Errorf("%d checks at a time", most.Load())
	}
}
