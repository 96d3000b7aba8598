package backend_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"doorward/internal/porttest"
	"doorward/proxy/backend"
)

// dialled opens a connection for a check, proves that it works and tells the times.
func dialled(t testing.TB, s *backend.Server, to backend.DialTo) backend.DialTimes {
	t.Helper()
	c, times, err := s.Dial(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("hello\n")); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(c).ReadString('\n'); line != "ok\n" {
		t.Fatalf("answer %q, %v", line, err)
	}
	return times
}

func TestDialGoesWhereRequestsGo(t *testing.T) {
	ca := newAuthority(t)
	p, safe := plain(t), secure(t, ca.leaf(t, time.Hour, "127.0.0.1"))
	path := filepath.Join(t.TempDir(), "s")
	serve(t, listen(t, "unix", path))
	verify := &backend.TLSOptions{Verify: true, CAFile: ca.file(t)}
	for url, address := range map[string]string{
		p.url():                           p.Addr().String(),
		"https://" + safe.Addr().String(): safe.Addr().String(),
		"unix://" + path:                  path,
	} {
		o := at(url)
		o.TLS = verify
		s := started(t, o).Servers()[0]
		times := dialled(t, s, backend.DialTo{})
		if times.Address != address || times.Connect <= 0 ||
			(times.TLS > 0) != strings.HasPrefix(url, "https") {
			t.Errorf("%s: %+v", url, times)
		}
		if c := s.Counters(); c != (backend.Counters{}) || s.Active() != 0 {
			t.Errorf("%s: a check is counted: %+v", url, c)
		}
	}
}

// A check is over before TCP's own probes would begin, and there are many of them.
func TestChecksHaveNoProbes(t *testing.T) {
	s := started(t, at(plain(t).url())).Servers()[0]
	conn, _, err := s.Dial(t.Context(), backend.DialTo{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) {
		on, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE)
		if on != 0 || err != nil {
			t.Errorf("keep-alive of the connection of a check: %d, %v", on, err)
		}
	})
}

// An address of its own, or another port, changes where a check goes and nothing
// about TLS.
func TestDialElsewhere(t *testing.T) {
	ca := newAuthority(t)
	good := secure(t, ca.leaf(t, time.Hour, "web.test"))
	wrong := secure(t, ca.leaf(t, time.Hour, "127.0.0.1"))
	p := plain(t)
	n := &names{}
	n.say(nil, "127.0.0.1")
	o := at(fmt.Sprintf("https://web.test:%d", p.port()))
	o.Resolver, o.TLS = n, &backend.TLSOptions{Verify: true, CAFile: ca.file(t)}
	s := started(t, o).Servers()[0]
	for name, c := range map[string]struct {
		to   backend.DialTo
		want error
	}{
		"a port":     {backend.DialTo{Port: good.port()}, nil},
		"an address": {backend.DialTo{Address: good.Addr().String()}, nil},
		"a name": {
			backend.DialTo{Address: fmt.Sprintf("web.test:%d", good.port())}, nil},
		"a port without TLS": {backend.DialTo{Port: p.port(), Plain: true}, nil},
		"an address without TLS": {
			backend.DialTo{Address: p.Addr().String(), Plain: true}, nil},
		"another server's":                {backend.DialTo{Address: wrong.Addr().String()}, errTLS},
		"without TLS, to one that has it": {backend.DialTo{Port: p.port()}, errTLS},
	} {
		conn, times, err := s.Dial(t.Context(), c.to)
		switch {
		case c.want == nil && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != nil && connectError(t, err).Reason != backend.TLS:
			t.Errorf("%s: %v, want an error of TLS", name, err)
		}
		if times.Connect <= 0 || (times.TLS > 0) != !c.to.Plain {
			t.Errorf("%s: %+v", name, times)
		}
		if conn != nil {
			_, isTLS := conn.(*tls.Conn)
			if isTLS == c.to.Plain {
				t.Errorf("%s: TLS is spoken: %v", name, isTLS)
			}
			_ = conn.Close()
		}
	}
}

var errTLS = errors.New("an error of TLS")

func TestDialFails(t *testing.T) {
	n := &names{}
	n.say(nil, "127.0.0.1")
	refused := porttest.Free(t)
	s := started(t, named(n, refused)).Servers()[0]
	hangs := mute(t)
	safe := started(t, at("https://"+hangs)).Servers()[0]
	short, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	over, cut := context.WithCancel(t.Context())
	cut()
	ctx := t.Context()
	to := func(address string) backend.DialTo { return backend.DialTo{Address: address} }
	for name, c := range map[string]struct {
		s    *backend.Server
		ctx  context.Context
		to   backend.DialTo
		want backend.Reason
	}{
		"nobody listens":              {s, ctx, to(""), backend.Dial},
		"nobody listens there":        {s, ctx, to(fmt.Sprintf("127.0.0.1:%d", refused)), backend.Dial},
		"no port":                     {s, ctx, to("127.0.0.1"), backend.Resolve},
		"a port that is none":         {s, ctx, to("127.0.0.1:http"), backend.Resolve},
		"a name nobody knows":         {s, ctx, to("other.test:80"), backend.Resolve},
		"a handshake that hangs":      {safe, short, to(""), backend.Timeout},
		"a check that was called off": {safe, over, to(""), backend.Dial},
	} {
		conn, _, err := c.s.Dial(c.ctx, c.to)
		if e := connectError(t, err); e.Reason != c.want || conn != nil {
			t.Errorf("%s: %v is about %s, want %s", name, e, e.Reason, c.want)
		}
	}
}

func TestDialTellsWhereItWasLast(t *testing.T) {
	n := &names{}
	n.say(nil, "127.0.0.1", "::1")
	port := porttest.Free(t)
	s := started(t, named(n, port)).Servers()[0]
	_, times, err := s.Dial(t.Context(), backend.DialTo{})
	if want := fmt.Sprintf("[::1]:%d", port); times.Address != want {
		t.Errorf("%s was dialled last, want %s: %v", times.Address, want, err)
	}
}

// A check goes no further than requests do: a name may not lead to where clouds
// keep credentials.
func TestSecurityCheckAddress(t *testing.T) {
	t.Run("BE-13_name_of_a_check_leads_to_link_local", func(t *testing.T) {
		n := &names{}
		n.say(nil, "127.0.0.1")
		s := started(t, named(n, 80)).Servers()[0]
		if !within(patience, func() bool { return n.count() > 0 }) {
			t.Fatal("not looked up")
		}
		n.say(nil, "169.254.169.254")
		_, _, err := s.Dial(t.Context(), backend.DialTo{Address: "web.test:80"})
		if e := connectError(t, err); e.Reason != backend.Resolve {
			t.Errorf("%v is about %s, want resolve", e, e.Reason)
		}
	})
}
