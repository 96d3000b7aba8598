package backend_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"doorward/proxy/backend"
)

// reloaded swaps b for a backend of other options.
func reloaded(t testing.TB, b *backend.Backend, o backend.Options) *backend.Backend {
	t.Helper()
	next, err := backend.New(o, b)
	if err != nil {
		t.Fatal(err)
	}
	next.Start()
	b.Retire(next)
	t.Cleanup(func() { next.Retire(nil) })
	return next
}

func TestReloadSharesUnchangedServers(t *testing.T) {
	certs := newAuthority(t)
	ca := certs.file(t)
	base := func() backend.Options {
		o := at("http://192.0.2.1", "https://192.0.2.2")
		o.TLS = &backend.TLSOptions{Verify: true, CAFile: ca}
		return o
	}
	none := func(*backend.Options) {}
	both, first, second := [2]bool{true, true}, [2]bool{true, false}, [2]bool{false, true}
	for name, c := range map[string]struct {
		change func(o *backend.Options)
		same   [2]bool
	}{
		"nothing":    {none, both},
		"spelling":   {func(o *backend.Options) { o.Servers[0].URL = "HTTP://192.0.2.1:80/" }, both},
		"weight":     {func(o *backend.Options) { o.Servers[0].Weight = 9 }, both},
		"limit":      {func(o *backend.Options) { o.Servers[0].MaxConnections = 9 }, both},
		"timeouts":   {func(o *backend.Options) { o.Timeouts.Connect = time.Second }, both},
		"order":      {func(o *backend.Options) { slices.Reverse(o.Servers) }, both},
		"URL":        {func(o *backend.Options) { o.Servers[0].URL = "http://192.0.2.9" }, second},
		"name":       {func(o *backend.Options) { o.Servers[1].Name = "other" }, first},
		"keep-alive": {func(o *backend.Options) { o.KeepAlive = false }, [2]bool{}},
		"TLS":        {func(o *backend.Options) { o.TLS.ServerName = "x" }, first},
		"CA file":    {func(*backend.Options) { newAuthority(t).write(t, ca) }, first},
	} {
		t.Run(name, func(t *testing.T) {
			certs.write(t, ca)
			b := started(t, base())
			o := base()
			c.change(&o)
			next := reloaded(t, b, o)
			for i, s := range b.Servers() {
				same := next.Servers()[0] == s || next.Servers()[1] == s
				if same != c.same[i] {
					t.Errorf("%s lives on: %v, want %v", s.Name(), same, c.same[i])
				}
			}
		})
	}
}

func TestReloadCarriesConnectionsAndClaims(t *testing.T) {
	p, q := plain(t), plain(t)
	b := started(t, at(p.url(), q.url()))
	var idle []*backend.Conn
	for _, s := range b.Servers() {
		idle = append(idle, connect(t, s, false))
		s.Keep(idle[len(idle)-1])
	}
	stays, goes := claimed(t, b, nil), claimed(t, b, nil)
	busy := connect(t, goes, true)

	next := reloaded(t, b, at(p.url()))
	if next.Active() != 1 || next.Servers()[0].Counters().Connections != 1 {
		t.Errorf("%d active, %+v: the counters were lost", next.Active(), stays.Counters())
	}
	if c := connect(t, next.Servers()[0], false); c != idle[0] {
		t.Error("the idle connection of an unchanged server was not carried over")
	} else {
		stays.Keep(c)
	}
	if !within(5*time.Second, func() bool { return q.open.Load() == 1 }) {
		t.Errorf("%d connections to the dropped server, want the busy one", q.open.Load())
	}
	if err := exchange(busy); err != nil {
		t.Errorf("the request in flight broke: %v", err)
	}
	goes.Keep(busy)
	if !within(5*time.Second, func() bool { return q.open.Load() == 0 }) {
		t.Error("a connection to the dropped server was kept")
	}
	c := connect(t, goes, false)
	goes.Keep(c)
	goes.Release()
	stays.Release()
	if b.Active() != 0 || next.Active() != 0 {
		t.Errorf("%d and %d active, want none", b.Active(), next.Active())
	}
}

func TestNewThatFailsDisturbsNothing(t *testing.T) {
	p := plain(t)
	o := at(p.url())
	b := started(t, o)
	s := b.Servers()[0]
	c := connect(t, s, false)
	s.Keep(c)
	bad := at(p.url(), "nonsense", "http://host/path")
	bad.Servers[0].MaxConnections = 1
	_, err := backend.New(bad, b)
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) || len(joined.Unwrap()) != 2 {
		t.Errorf("error %v, want both faults", err)
	}
	o.Servers[0].MaxConnections = 1
	if _, err := backend.New(o, b); err != nil {
		t.Fatal(err)
	}
	if s.MaxConnections() != 0 || connect(t, s, false) != c {
		t.Error("the running server was touched before Start")
	}
	_ = c.Close()
}

// The queue outlives reloads: who waits with the old configuration gets the
// place that a request of the new one frees, and a limit that was raised is in
// force for both.
func TestReloadKeepsTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := at(nowhere(1)...)
		o.Servers[0].MaxConnections = 1
		b := started(t, o)
		claimed(t, b, nil)
		served := 0
		for range 3 {
			go func() { claimed(t, b, nil); served++ }()
		}
		synctest.Wait()
		next := reloaded(t, b, o)
		if next.Waiting() != 3 {
			t.Errorf("%d wait after the reload, want 3", next.Waiting())
		}
		next.Servers()[0].Release()
		synctest.Wait()
		if served != 1 {
			t.Errorf("%d served after a release, want 1", served)
		}
		o.Servers[0].MaxConnections = 2
		next = reloaded(t, next, o)
		synctest.Wait()
		if served != 2 {
			t.Errorf("%d served after the limit went from 1 to 2, want 2", served)
		}
		o.Servers[0].MaxConnections = 1
		next = reloaded(t, next, o)
		s := next.Servers()[0]
		if s.Release(); next.Active() != 1 || next.Waiting() != 1 {
			t.Errorf("%d active, %d waiting after the limit went down to 1", next.Active(), next.Waiting())
		}
		s.Release()
		synctest.Wait()
		s.Release()
		if served != 3 || next.Active() != 0 {
			t.Errorf("%d served, %d active at the end; want 3, 0", served, next.Active())
		}
	})
}

func TestReloadUnderLoad(t *testing.T) {
	p := plain(t)
	options := func(i int) backend.Options {
		o := at(p.url(), p.url(), p.url())
		o.Servers = o.Servers[:2+i%2]
		o.Servers[0].MaxConnections = 1 + i%3
		o.KeepAlive = i%5 != 0
		return o
	}
	var mu sync.Mutex
	b := started(t, options(0))
	current := func() *backend.Backend { mu.Lock(); defer mu.Unlock(); return b }
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				s := claimed(t, current(), nil)
				c := connect(t, s, true)
				s.Keep(c)
				s.Release()
			}
		})
	}
	var old []*backend.Backend
	for i := range 50 {
		next, err := backend.New(options(i), b)
		if err != nil {
			t.Fatal(err)
		}
		next.Start()
		mu.Lock()
		previous := b
		b = next
		mu.Unlock()
		previous.Retire(next)
		old = append(old, previous)
	}
	close(stop)
	all.Wait()
	b.Retire(nil)
	for _, o := range append(old, b) {
		if o.Active() != 0 || o.Waiting() != 0 {
			t.Fatalf("%d active, %d waiting at the end", o.Active(), o.Waiting())
		}
	}
	if !within(5*time.Second, func() bool { return p.open.Load() == 0 }) {
		t.Errorf("%d connections are left", p.open.Load())
	}
}

func TestSecurityReload(t *testing.T) {
	t.Run("BE-03_missing_or_empty_CA_file", func(t *testing.T) {
		dir := t.TempDir()
		empty := filepath.Join(dir, "empty.pem")
		wrong := filepath.Join(dir, "wrong.pem")
		broken := filepath.Join(dir, "broken.pem")
		for name, text := range map[string]string{
			empty:  "",
			wrong:  "not a certificate\n",
			broken: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{filepath.Join(dir, "missing.pem"), empty, wrong, broken} {
			o := at("https://192.0.2.1")
			o.TLS = &backend.TLSOptions{Verify: true, CAFile: name}
			wantError(t, o, name)
		}
	})
	t.Run("BE-03_missing_client_certificate", func(t *testing.T) {
		o := at("https://192.0.2.1")
		o.TLS = &backend.TLSOptions{Verify: true, Certificate: "/nowhere/client.pem"}
		wantError(t, o, "/nowhere/client.pem")
	})
}
