package app_test

import (
	"context"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// manager is a service manager's socket.
type manager struct {
	t    *testing.T
	sock *net.UnixConn
}

func newManager(t *testing.T) *manager {
	t.Helper()
	name := filepath.Join(t.TempDir(), "notify")
	sock, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sock.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	return &manager{t, sock}
}

// told wants the next message to be these assignments, as expressions.
func (m *manager) told(want ...string) {
	m.t.Helper()
	_ = m.sock.SetReadDeadline(time.Now().Add(patience))
	buffer := make([]byte, 4096)
	n, err := m.sock.Read(buffer)
	if err != nil {
		m.t.Fatalf("no message, want %q: %v", want, err)
	}
	got := strings.Split(string(buffer[:n]), "\n")
	for i, expr := range want {
		if i >= len(got) || !regexp.MustCompile("^"+expr+"$").MatchString(got[i]) {
			m.t.Fatalf("systemd was told %q, want %q", got, want)
		}
	}
	if len(got) != len(want) {
		m.t.Fatalf("systemd was told %q, want %q", got, want)
	}
}

func TestSystemdIsToldEveryState(t *testing.T) {
	m := newManager(t)
	config := site(server(t, "app"), "")
	e := start(t, config)
	m.told("READY=1", "STATUS=serving")

	e.mustReload(config)
	m.told("RELOADING=1", `MONOTONIC_USEC=\d+`, "STATUS=.*")
	m.told("READY=1", `STATUS=serving; reloaded at \d\d:\d\d:\d\d`)

	e.write(config + "colour = 1\nshape = 2\n")
	if _, err := e.Reload(); err == nil {
		t.Fatal("a broken configuration was taken")
	}
	m.told("RELOADING=1", `MONOTONIC_USEC=\d+`, "STATUS=.*")
	m.told("READY=1", `STATUS=serving; reload refused at .*colour.*`)

	if err := <-e.stop(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	m.told("STOPPING=1", `EXTEND_TIMEOUT_USEC=(29|28)\d{6}`, "STATUS=draining for up to .*")
}

// The delay before a drain is part of what systemd has to wait for.
func TestSystemdIsToldOfTheDelayBeforeADrain(t *testing.T) {
	m := newManager(t)
	e := start(t, site(server(t, "app"), "[timeouts]\ndrain_delay = \"1h\"\n"))
	m.told("READY=1", "STATUS=serving")
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	done := make(chan error, 1)
	go func() { done <- e.Stop(ctx) }()
	m.told("STOPPING=1", `EXTEND_TIMEOUT_USEC=36\d{8}`, "STATUS=draining for up to .*")
	dial(t, e.plain()).get("app")
	cancel()
	<-done
}

func TestSystemdIsNotToldOfAStartThatFails(t *testing.T) {
	m := newManager(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if err := newEdge(t, on(taken.Addr().String(), server(t, "app"))).Start(); err == nil {
		t.Fatal("it started on a port in use")
	}
	_ = m.sock.SetReadDeadline(time.Now())
	if n, err := m.sock.Read(make([]byte, 100)); err == nil {
		t.Errorf("a message of %d bytes", n)
	}
}

func TestAManagerThatIsGoneIsNoReasonNotToServe(t *testing.T) {
	m := newManager(t)
	m.sock.Close()
	e := start(t, site(server(t, "app"), ""))
	dial(t, e.plain()).get("app")
	if got := len(e.lines("systemd not told")); got != 1 {
		t.Errorf("%d lines in the log, want 1", got)
	}
}
