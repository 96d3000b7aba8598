package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"doorward/config"
)

// TestMain lets the test binary be its own load generator, as the benchmark is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == loadCommand {
		exit(load(os.Args[2:], os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// open starts the servers and some proxies.
func open(t *testing.T, only string) *lab {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.NumCPU() < 2 {
		t.Skip("the benchmark needs Linux and two cores")
	}
	l, err := openLab(options{only: only})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	if err := l.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestEveryLoadRunsOnAProxyThatPassesTheProbe(t *testing.T) {
	l := open(t, "haproxy,nginx")
	for _, p := range l.proxies {
		if err := l.probe(p); err != nil {
			t.Errorf("probe of %s: %v", p.name, err)
		}
		if !p.http2 {
			t.Errorf("%s does not speak HTTP/2", p.name)
		}
	}
	for _, r := range rows() {
		t.Run(r.name, func(t *testing.T) {
			p := l.proxies[0]
			p.cookie = "k=v"
			r.conns, r.names = min(r.conns, 64), min(r.names, 20)
			if r.kind == "idle" {
				held := false
				err := l.hold(t.Context(), r, p, func() error { held = true; return nil })
				if err != nil || !held {
					t.Errorf("hold = %v, the connections were held: %v", err, held)
				}
				return
			}
			s, err := l.turnOf(r)(t.Context(), r, p, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if s.Requests == 0 || s.CPU <= 0 || s.Resident < 1<<20 || s.P99 < s.P50 || s.P50 <= 0 {
				t.Errorf("a turn measured %+v", s)
			}
			if (s.Alone > 0 && s.Start > 0) != (r.kind == "certs") {
				t.Errorf("a turn measured %+v, what only the row of certificates does", s)
			}
		})
	}
}

// The servers themselves set no headers: a proxy that does as little must not
// come to be measured.
func TestProbeRefusesAProxyThatSkipsTheWork(t *testing.T) {
	l := open(t, "haproxy")
	lazy := &proxy{name: "lazy", http: l.setting.Servers[0], https: l.proxies[0].https}
	if err := l.probe(lazy); err == nil {
		t.Error("the probe passes servers without a proxy")
	}
	if err := lacksServer(l.setting.Servers[0], l.host()); err == nil {
		t.Error("the probe does not see the Server field of nginx")
	}
}

// The files of the others are read by the others, in the tests above.
func TestDoorwardReadsItsFileWithoutAWarning(t *testing.T) {
	s := setting{
		Dir: t.TempDir(), HTTP: "127.0.0.1:8080", HTTPS: "127.0.0.1:8443",
		Servers: []string{"127.0.0.1:8001", "127.0.0.1:8002"},
		Hosts:   []string{"app1.bench.test", "app2.bench.test"},
		Headers: map[string]string{"X-Frame-Options": "DENY"},
	}
	s.Certificate = filepath.Join(s.Dir, "edge.pem")
	if err := writeCertificate(s.Certificate, s.Hosts); err != nil {
		t.Fatal(err)
	}
	file, err := s.render("doorward.toml")
	if err != nil {
		t.Fatal(err)
	}
	if _, said := config.Load(file, os.LookupEnv); len(said) > 0 {
		t.Errorf("config.Load: %v", said)
	}
}

func TestRunSaysWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		o    options
		want string
	}{
		"unknown row":   {options{rows: "sideways", only: "nginx"}, "sideways"},
		"unknown proxy": {options{only: "nginx,squid"}, "squid"},
		"not built":     {options{only: "doorward", binary: filepath.Join(t.TempDir(), "absent")}, "make build"},
		"ends at once":  {options{only: "doorward", binary: "/bin/false"}, "ended at once"},
	} {
		c.o.limit = time.Minute
		err := run(context.Background(), c.o, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: run = %v, want an error with %q", name, err, c.want)
		}
	}
}

func TestLoadRefusesNonsense(t *testing.T) {
	for _, args := range [][]string{
		{"-kind", "sideways"},
		{"-no-such-flag"},
		{"-kind", "fresh", "-certificate", "/does/not/exist"},
		{"-kind", "fresh", "-certificate", os.DevNull},
	} {
		if err := load(args, strings.NewReader(""), io.Discard); err == nil {
			t.Errorf("load(%q) gives no error", args)
		}
	}
}
