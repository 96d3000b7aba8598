package netset_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"doorward/internal/alloctest"
	"doorward/internal/netset"
)

func set(networks ...string) *netset.Set {
	prefixes := make([]netip.Prefix, 0, len(networks))
	for _, n := range networks {
		prefixes = append(prefixes, netip.MustParsePrefix(n))
	}
	return netset.New(prefixes)
}

func TestContains(t *testing.T) {
	mixed := set("10.0.0.0/8", "192.168.1.77/24", "2001:db8::/32", "10.1.0.0/16")
	tests := []struct {
		name string
		set  *netset.Set
		addr string
		want bool
	}{
		{"nil set", nil, "10.0.0.1", false},
		{"empty set", set(), "10.0.0.1", false},
		{"first address", mixed, "10.0.0.0", true},
		{"last address", mixed, "10.255.255.255", true},
		{"below", mixed, "9.255.255.255", false},
		{"above", mixed, "11.0.0.0", false},
		{"host bits ignored", mixed, "192.168.1.1", true},
		{"IPv6", mixed, "2001:db8:ffff::1", true},
		{"IPv6 outside", mixed, "2001:db9::", false},
		{"IPv6 zone ignored", mixed, "2001:db8::1%eth0", true},
		{"mapped address is IPv4", mixed, "::ffff:10.2.3.4", true},
		{"mapped network is IPv4", set("::ffff:172.16.0.0/108"), "172.31.0.1", true},
		{"all of IPv4", set("0.0.0.0/0"), "255.255.255.255", true},
		{"all of IPv4 is not IPv6", set("0.0.0.0/0"), "::1", false},
		{"all of IPv6 is not IPv4", set("::/0"), "127.0.0.1", false},
		{"one address", set("127.0.0.1/32"), "127.0.0.1", true},
		{"neighbour of one address", set("127.0.0.1/32"), "127.0.0.2", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.set.Contains(netip.MustParseAddr(tt.addr)); got != tt.want {
				t.Errorf("Contains(%s) = %v, want %v", tt.addr, got, tt.want)
			}
		})
	}
}

func TestInvalidValuesAreNowhere(t *testing.T) {
	s := netset.New([]netip.Prefix{{}, netip.MustParsePrefix("0.0.0.0/0")})
	if s.Contains(netip.Addr{}) {
		t.Error("the zero address is in the set")
	}
	if !s.Contains(netip.MustParseAddr("1.2.3.4")) {
		t.Error("an invalid prefix took the valid one with it")
	}
}

func TestCovers(t *testing.T) {
	tests := []struct {
		name       string
		big, small *netset.Set
		want       bool
	}{
		{"nothing in nil", nil, set(), true},
		{"nil in nil", nil, nil, true},
		{"something in nil", nil, set("10.0.0.0/8"), false},
		{"itself", set("10.0.0.0/8"), set("10.0.0.0/8"), true},
		{"inside", set("10.0.0.0/8"), set("10.4.0.0/16", "10.9.9.9/32"), true},
		{"one outside", set("10.0.0.0/8"), set("10.4.0.0/16", "11.0.0.0/8"), false},
		{"halves make a whole", set("10.128.0.0/9", "10.0.0.0/9"), set("10.0.0.0/8"), true},
		{"a gap", set("10.0.0.0/9", "10.192.0.0/10"), set("10.0.0.0/8"), false},
		{"other family", set("0.0.0.0/0"), set("::/0"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.big.Covers(tt.small); got != tt.want {
				t.Errorf("Covers = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestContainsAgreesWithPrefixes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	address := func() netip.Addr {
		if rng.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte{10, byte(rng.IntN(4)), byte(rng.IntN(4)), 0})
		}
		return netip.AddrFrom16([16]byte{0x20, byte(rng.IntN(4)), byte(rng.IntN(4))})
	}
	for range 500 {
		prefixes := make([]netip.Prefix, rng.IntN(12))
		for i := range prefixes {
			prefixes[i] = netip.PrefixFrom(address(), rng.IntN(33))
		}
		s := netset.New(prefixes)
		for range 50 {
			addr, want := address(), false
			for _, p := range prefixes {
				want = want || p.Contains(addr)
			}
			if got := s.Contains(addr); got != want {
				t.Fatalf("%v: Contains(%s) = %v, want %v", prefixes, addr, got, want)
			}
		}
	}
}

func TestContainsDoesNotAllocate(t *testing.T) {
	s, a := set("10.0.0.0/8", "2001:db8::/32"), netip.MustParseAddr("::ffff:10.1.1.1")
	if n := alloctest.PerRun(100, func() { s.Contains(a) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkContains(b *testing.B) {
	prefixes := make([]netip.Prefix, 10_000)
	for i := range prefixes {
		prefixes[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 25)
	}
	s, a := netset.New(prefixes), netip.MustParseAddr("10.20.30.40")
	for b.Loop() {
		s.Contains(a)
	}
}
