package proxy_test

import (
	"net/netip"
	"sync"
	"testing"

	"doorward/proxy"
)

func TestClientsAreCountedBySubscriber(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":            "192.0.2.1",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::",
		"2001:db8:1:2::":       "2001:db8:1:2::",
		"fe80::1%eth0":         "fe80::",
	} {
		if got := proxy.Subscriber(netip.MustParseAddr(in)); got != netip.MustParseAddr(want) {
			t.Errorf("%s is counted as %s, want %s", in, got, want)
		}
	}
	if got := proxy.Subscriber(netip.Addr{}); got.IsValid() {
		t.Errorf("no address is counted as %s", got)
	}
}

func TestConnectionsPerClient(t *testing.T) {
	var p proxy.PerClient
	one, two := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for i, c := range []struct {
		a    netip.Addr
		want bool
	}{{one, true}, {one, true}, {one, false}, {two, true}} {
		if got := p.Join(c.a, 2); got != c.want {
			t.Errorf("connection %d of %s: %t", i, c.a, got)
		}
	}
	p.Leave(one)
	if !p.Join(one, 2) {
		t.Error("a place that was left is not free")
	}
	p.Leave(one)
	p.Leave(one)
	p.Leave(two)
	if n := p.Clients(); n != 0 {
		t.Errorf("%d clients are remembered without a connection", n)
	}
}

// However many come at once, no more than allowed get in, and nobody is left in
// the books.
func TestConnectionsPerClientAtOnce(t *testing.T) {
	const most, tries = 3, 200
	var p proxy.PerClient
	var all sync.WaitGroup
	inside := make(chan struct{}, tries)
	a := netip.MustParseAddr("192.0.2.1")
	for range tries {
		all.Go(func() {
			if !p.Join(a, most) {
				return
			}
			inside <- struct{}{}
			if len(inside) > most {
				t.Errorf("%d connections", len(inside))
			}
			<-inside
			p.Leave(a)
		})
	}
	all.Wait()
	if n := p.Clients(); n != 0 {
		t.Errorf("%d clients are remembered", n)
	}
}
