package backend_test

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"doorward/internal/porttest"
	"doorward/proxy/backend"
)

func TestConnectReusesTheConnectionUsedLast(t *testing.T) {
	p := plain(t)
	s := started(t, at(p.url())).Servers()[0]
	first, second := connect(t, s, false), connect(t, s, false)
	if first.Reused() || first.ConnectTime() <= 0 {
		t.Errorf("a new connection: reused %v, took %v", first.Reused(), first.ConnectTime())
	}
	s.Keep(second)
	s.Keep(first)
	if c := connect(t, s, false); c != first || !c.Reused() || c.ConnectTime() != 0 {
		t.Error("not the connection that was used last")
	}
	if c := connect(t, s, true); c.Reused() {
		t.Error("a fresh connection was asked for")
	} else {
		_ = c.Close()
	}
	if c := connect(t, s, false); c != second {
		t.Error("the other idle connection was forgotten")
	}
	got := s.Counters()
	if got.Connections != 3 || got.Reused != 2 || got.Idle != 0 || p.accepted.Load() != 3 {
		t.Errorf("counters %+v, want 3 connections, 2 reused, 0 idle", got)
	}
	s.Keep(first)
	s.Keep(second)
}

func TestKeepClosesWhatItMayNotKeep(t *testing.T) {
	for name, c := range map[string]struct {
		keepAlive bool
		idle      time.Duration
		abort     bool
		want      int
	}{
		"kept":               {true, time.Minute, false, 1},
		"aborted":            {true, time.Minute, true, 0},
		"no keep-alive":      {false, time.Minute, false, 0},
		"longer than it may": {true, 4 * time.Millisecond, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := plain(t)
			o := at(p.url())
			o.KeepAlive, o.Timeouts.Idle = c.keepAlive, c.idle
			s := started(t, o).Servers()[0]
			conn := connect(t, s, false)
			if c.abort {
				conn.Abort()
			}
			s.Keep(conn)
			if c.want == 0 && !within(5*time.Second, func() bool { return p.open.Load() == 0 }) {
				t.Error("the server still sees the connection")
			}
			if got := s.Counters().Idle; got != c.want {
				t.Errorf("%d idle connections, want %d", got, c.want)
			}
		})
	}
}

func TestKeepIsBounded(t *testing.T) {
	p := plain(t)
	o := at(p.url())
	o.MaxIdle = 2
	s := started(t, o).Servers()[0]
	var conns []*backend.Conn
	for range 5 {
		conns = append(conns, connect(t, s, true))
	}
	for _, c := range conns {
		s.Keep(c)
	}
	if got := s.Counters().Idle; got != 2 {
		t.Errorf("%d idle connections, want 2", got)
	}
	if !within(5*time.Second, func() bool { return p.open.Load() == 2 }) {
		t.Errorf("the server sees %d connections, want 2", p.open.Load())
	}
}

// Connections that the server has closed do not wait for their turn to be found.
func TestSweepClosesWhatTheServerClosed(t *testing.T) {
	p, good := plain(t), plain(t)
	o := at(p.url(), good.url())
	o.Timeouts.Idle = time.Second
	b := started(t, o)
	s := b.Servers()[0]
	for _, s := range b.Servers() {
		var conns []*backend.Conn
		for range 50 {
			conns = append(conns, connect(t, s, true))
		}
		for _, c := range conns {
			s.Keep(c)
		}
	}
	p.hangUp()
	start := time.Now()
	if !within(5*time.Second, func() bool { return s.Counters().Idle == 0 }) {
		t.Fatal("dead connections are kept")
	}
	if n := b.Servers()[1].Counters().Idle; n != 50 {
		t.Errorf("%d of 50 connections of another server are left", n)
	}
	if took := time.Since(start); took > 900*time.Millisecond {
		t.Errorf("swept after %v: not because it was dead", took)
	}
}

func TestConnectUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := started(t, at("unix://"+path)).Servers()[0]
	_, err := s.Connect(false)
	if e := connectError(t, err); e.Reason != backend.Dial || e.Address != path {
		t.Errorf("%v is about %s at %s, want dial at %s", e, e.Reason, e.Address, path)
	}
	serve(t, listen(t, "unix", path))
	s.Keep(connect(t, s, false))
	if c := connect(t, s, false); !c.Reused() {
		t.Error("not reused")
	} else {
		_ = c.Close()
	}
}

func TestConnectIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here")
	}
	p := serve(t, l)
	_ = connect(t, started(t, at(p.url())).Servers()[0], false).Close()
}

// connectError demands that err is a ConnectError.
func connectError(t testing.TB, err error) *backend.ConnectError {
	t.Helper()
	var e *backend.ConnectError
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want a ConnectError", err)
	}
	return e
}

func TestConnectRefused(t *testing.T) {
	address := porttest.Address(t)
	s := started(t, at("http://"+address)).Servers()[0]
	_, err := s.Connect(false)
	e := connectError(t, err)
	if e.Reason != backend.Dial || e.Timeout() || s.Counters().Failures != 1 {
		t.Errorf("%v: reason %s, %d failures", e, e.Reason, s.Counters().Failures)
	}
	if text := e.Error(); !strings.Contains(text, "s1") || strings.Count(text, address) != 1 ||
		!strings.Contains(text, "connection refused") {
		t.Errorf("error %q: want server, address and cause, once each", text)
	}
}

// mute is a listener nobody accepts from: connections open, handshakes hang.
func mute(t testing.TB) string {
	l := listen(t, "tcp", "127.0.0.1:0")
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestConnectTimeoutCoversTheHandshake(t *testing.T) {
	o := at("https://" + mute(t))
	o.Timeouts.Connect = 30 * time.Millisecond
	s := started(t, o).Servers()[0]
	start := time.Now()
	_, err := s.Connect(false)
	e := connectError(t, err)
	if took := time.Since(start); e.Reason != backend.Timeout || !e.Timeout() ||
		took < 30*time.Millisecond || took > 5*time.Second {
		t.Errorf("%v after %v, want a timeout after 30ms", e, took)
	}
}

func TestWriteIdleIsTheServerTimeout(t *testing.T) {
	p := plain(t)
	o := at(p.url())
	o.Timeouts.Server = 7 * time.Second
	s := started(t, o).Servers()[0]
	for _, reused := range []bool{false, true} {
		c := connect(t, s, false)
		if c.WriteIdle != 7*time.Second || c.Reused() != reused {
			t.Errorf("WriteIdle %v, reused %v", c.WriteIdle, c.Reused())
		}
		c.WriteIdle = time.Hour
		s.Keep(c)
	}
}
