package backend_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"doorward/proxy/backend"
)

// names is a resolver for one name, whose answer a test may change.
type names struct {
	mu    sync.Mutex
	asked int
	found []netip.Addr
	err   error
}

func (n *names) say(err error, found ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.found, n.err = nil, err
	for _, text := range found {
		n.found = append(n.found, netip.MustParseAddr(text))
	}
}

func (n *names) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

func (n *names) LookupNetIP(_ context.Context, network, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	if network != "ip" || host != "web.test" {
		return nil, fmt.Errorf("asked for %s of %s", network, host)
	}
	if n.err != nil {
		return nil, &net.DNSError{Err: n.err.Error(), Name: host}
	}
	return n.found, nil
}

var errDown = errors.New("resolver is down")

// named are options for a server web.test on a port, resolved by n.
func named(n *names, port int) backend.Options {
	o := at(fmt.Sprintf("http://web.test:%d", port))
	o.Resolver = n
	return o
}

// reaches tells which address a new connection of s goes to.
func reaches(t testing.TB, s *backend.Server) string {
	t.Helper()
	c := connect(t, s, true)
	defer c.Close()
	return c.Socket().RemoteAddr().(*net.TCPAddr).IP.String()
}

// twoPeers are peers on one port of two addresses.
func twoPeers(t testing.TB) (a, b *peer) {
	a = plain(t)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.2:%d", a.port()))
	if err != nil {
		t.Skip("no second loopback address here: ", err)
	}
	return a, serve(t, l)
}

func TestNamesAreLookedUpAgain(t *testing.T) {
	first, second := twoPeers(t)
	synctest.Test(t, func(t *testing.T) {
		n := &names{}
		n.say(nil, "127.0.0.1")
		s := started(t, named(n, first.port())).Servers()[0]
		synctest.Wait()
		if got := reaches(t, s); got != "127.0.0.1" {
			t.Fatalf("connected to %s", got)
		}
		busy, idle := connect(t, s, true), connect(t, s, true)
		s.Keep(idle)
		n.say(nil, "127.0.0.2")
		<-time.After(34 * time.Second)
		synctest.Wait()
		if got := reaches(t, s); got != "127.0.0.2" || n.count() != 2 {
			t.Errorf("after 34s and %d lookups connected to %s", n.count(), got)
		}
		if err := exchange(busy); err != nil {
			t.Errorf("the connection in use broke: %v", err)
		}
		if s.Keep(busy); s.Counters().Idle != 0 {
			t.Errorf("%d idle connections to the old address", s.Counters().Idle)
		}
		s.Keep(connect(t, s, true))
		n.say(nil, "127.0.0.1", "127.0.0.2")
		<-time.After(34 * time.Second)
		synctest.Wait()
		if got := s.Counters().Idle; got != 1 {
			t.Errorf("%d idle connections, want the one whose address stays", got)
		}
		n.say(errDown)
		<-time.After(34 * time.Second)
		if got := reaches(t, s); n.count() < 4 || got == "" {
			t.Errorf("%d lookups, connected to %s", n.count(), got)
		}
	})
	if !within(5*time.Second, func() bool { return first.open.Load()+second.open.Load() == 0 }) {
		t.Error("connections are left")
	}
}

func TestUnresolvableNameDoesNotStopTheStart(t *testing.T) {
	p := plain(t)
	synctest.Test(t, func(t *testing.T) {
		n := &names{}
		n.say(errDown)
		core, logged := observer.New(zap.WarnLevel)
		o := named(n, p.port())
		o.Log = zap.New(core)
		s := started(t, o).Servers()[0]
		synctest.Wait()
		for range 3 {
			_, err := s.Connect(false)
			if e := connectError(t, err); e.Reason != backend.Resolve ||
				!strings.Contains(e.Error(), "web.test") || !strings.Contains(e.Error(), "is down") {
				t.Errorf("error %v, want one about resolving web.test", e)
			}
		}
		n.say(nil, "127.0.0.1")
		<-time.After(1100 * time.Millisecond)
		if got := reaches(t, s); got != "127.0.0.1" || n.count() != 2 {
			t.Errorf("connected to %s after %d lookups: want a second one soon", got, n.count())
		}
		if logged.Len() != 1 {
			t.Errorf("%d lines of log about the trouble, want 1", logged.Len())
		}
	})
}

func TestConnectWaitsForTheFirstLookup(t *testing.T) {
	p := plain(t)
	slow := make(gate)
	o := at(fmt.Sprintf("http://web.test:%d", p.port()))
	o.Resolver = slow
	o.Timeouts.Connect = 20 * time.Millisecond
	s := started(t, o).Servers()[0]
	_, err := s.Connect(false)
	if e := connectError(t, err); e.Reason != backend.Timeout ||
		!strings.Contains(e.Error(), "web.test") {
		t.Errorf("error %v, want a timeout of looking up web.test", e)
	}
	close(slow)
	if !within(5*time.Second, func() bool { _, err = s.Connect(true); return err == nil }) {
		t.Errorf("not connected after the lookup: %v", err)
	}
}

// gate is a resolver that answers once it is closed.
type gate chan struct{}

func (g gate) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	select {
	case <-g:
		return []netip.Addr{netip.MustParseAddr("::ffff:127.0.0.1")}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A lookup that hangs ends with the server: TestMain would see it.
func TestRetireEndsALookup(t *testing.T) {
	o := at("http://web.test")
	o.Resolver = make(gate)
	started(t, o)
}

func TestAddressesAreTriedInTurn(t *testing.T) {
	p := plain(t)
	synctest.Test(t, func(t *testing.T) {
		n := &names{}
		n.say(nil, "127.0.0.3", "127.0.0.1")
		s := started(t, named(n, p.port())).Servers()[0]
		for range 2 {
			if got := reaches(t, s); got != "127.0.0.1" {
				t.Errorf("connected to %s", got)
			}
		}
		if s.Counters().Failures != 0 {
			t.Error("an address that was passed over counts as a failure")
		}
		n.say(nil, "127.0.0.3", "127.0.0.4")
		<-time.After(34 * time.Second)
		synctest.Wait()
		_, err := s.Connect(false)
		if e := connectError(t, err); e.Reason != backend.Dial ||
			!strings.Contains(e.Error(), "127.0.0.3") || !strings.Contains(e.Error(), "127.0.0.4") {
			t.Errorf("error %v, want one that names both addresses", e)
		}
		before := n.count()
		<-time.After(1100 * time.Millisecond)
		synctest.Wait()
		if n.count() != before+1 {
			t.Errorf("%d lookups a second after a connection failed, want 1", n.count()-before)
		}
	})
}

func TestSecurityRebinding(t *testing.T) {
	p := plain(t)
	for name, to := range map[string]string{
		"BE-13_link_local":        "169.254.169.254",
		"BE-13_mapped_link_local": "::ffff:169.254.169.254",
		"BE-13_NAT64_link_local":  "64:ff9b::a9fe:a9fe",
		"BE-13_link_local_IPv6":   "fe80::1",
		"BE-13_unspecified":       "0.0.0.0",
		"BE-13_this_network":      "0.1.2.3",
		"BE-13_unspecified_IPv6":  "::",
		"BE-13_multicast":         "224.0.0.1",
		"BE-13_multicast_IPv6":    "ff02::1",
		"BE-13_broadcast":         "255.255.255.255",
		"BE-13_nothing":           "",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &names{}
				var answer []string
				if to != "" {
					answer = append(answer, to)
				}
				n.say(nil, answer...)
				s := started(t, named(n, p.port())).Servers()[0]
				_, err := s.Connect(false)
				if e := connectError(t, err); e.Reason != backend.Resolve ||
					!strings.Contains(e.Error(), "web.test") {
					t.Errorf("error %v, want one about web.test", e)
				}
				n.say(nil, append(answer, "127.0.0.1")...)
				<-time.After(6 * time.Second)
				if got := reaches(t, s); got != "127.0.0.1" {
					t.Errorf("connected to %s, want the address that is allowed", got)
				}
				s.Keep(connect(t, s, true))
				n.say(nil, answer...)
				<-time.After(34 * time.Second)
				synctest.Wait()
				if got := reaches(t, s); got != "127.0.0.1" || s.Counters().Idle != 1 {
					t.Errorf("connected to %s with %d idle, want what was known",
						got, s.Counters().Idle)
				}
			})
		})
	}
	t.Run("BE-13_literal_is_allowed", func(t *testing.T) {
		if _, err := backend.New(at("http://169.254.169.254"), nil); err != nil {
			t.Error(err)
		}
	})
}

// bomb is a resolver that panics at first.
type bomb struct{ names }

func (b *bomb) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if found, err := b.names.LookupNetIP(ctx, network, host); b.count() > 1 {
		return found, err
	}
	panic("boom")
}

func TestSecurityPanicInResolver(t *testing.T) {
	t.Run("CRASH-02_lookups_go_on", func(t *testing.T) {
		p := plain(t)
		synctest.Test(t, func(t *testing.T) {
			b := &bomb{}
			b.say(nil, "127.0.0.1")
			core, logged := observer.New(zap.ErrorLevel)
			o := named(&b.names, p.port())
			o.Resolver, o.Log = b, zap.New(core)
			o.Timeouts.Connect = 10 * time.Second
			s := started(t, o).Servers()[0]
			if got := reaches(t, s); got != "127.0.0.1" || logged.Len() != 1 {
				t.Errorf("connected to %s after %d reports of panics", got, logged.Len())
			}
		})
	})
}
