package backend_test

import (
	"fmt"
	"testing"

	"doorward/internal/alloctest"
	"doorward/proxy/backend"
)

// round is what every request does on the way to a server and back.
func round(b *backend.Backend) error {
	s, err := b.Claim(backend.Wish{})
	if err != nil {
		return err
	}
	c, err := s.Connect(false)
	if err != nil {
		return err
	}
	s.Keep(c)
	s.Release()
	return nil
}

// pooled is a backend of n servers with idle connections to each of them.
func pooled(t testing.TB, n, limit int) *backend.Backend {
	p := plain(t)
	urls := make([]string, n)
	for i := range urls {
		urls[i] = p.url()
	}
	o := at(urls...)
	for i := range o.Servers {
		o.Servers[i].MaxConnections = limit
	}
	b := started(t, o)
	for _, s := range b.Servers() {
		var conns []*backend.Conn
		for range 4 {
			c, err := s.Connect(true)
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
		}
		for _, c := range conns {
			s.Keep(c)
		}
	}
	return b
}

func BenchmarkRound(b *testing.B) {
	for _, c := range []struct{ servers, limit int }{{2, 0}, {2, 50}, {100, 50}} {
		name := fmt.Sprintf("servers=%d/limit=%d", c.servers, c.limit)
		b.Run(name, func(b *testing.B) {
			back := pooled(b, c.servers, c.limit)
			b.ReportAllocs()
			for b.Loop() {
				if err := round(back); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			back := pooled(b, c.servers, c.limit)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := round(back); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func BenchmarkClaim(b *testing.B) {
	for _, n := range []int{2, 100} {
		b.Run(fmt.Sprintf("servers=%d", n), func(b *testing.B) {
			back := started(b, at(nowhere(n)...))
			for b.Loop() {
				s, err := back.Claim(backend.Wish{})
				if err != nil {
					b.Fatal(err)
				}
				s.Release()
			}
		})
	}
}

func TestPicksAllocateNothing(t *testing.T) {
	for _, balance := range balances() {
		b := busy(t, balance, 100)
		for i, w := range []backend.Wish{
			{}, {Hash: 99}, {Avoid: b.Servers()[3]}, {Prefer: b.Servers()[7]},
		} {
			if n := alloctest.PerRun(100, func() {
				s, err := b.Claim(w)
				if err != nil {
					t.Fatal(err)
				}
				s.Release()
			}); n > 0 {
				t.Errorf("%s: %v allocations for wish %d", balance, n, i)
			}
		}
	}
}

func TestRoundAllocatesNothing(t *testing.T) {
	b := pooled(t, 3, 10)
	if n := alloctest.PerRun(1000, func() {
		if err := round(b); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations for each request, want 0", n)
	}
}

// busy is a backend whose servers have some requests each.
func busy(t testing.TB, balance string, servers int) *backend.Backend {
	o := at(nowhere(servers)...)
	var ok bool
	if o.Balance, ok = backend.ParseBalance(balance); !ok {
		t.Fatal(balance)
	}
	for i := range o.Servers {
		o.Servers[i].MaxConnections = 1000
		o.Servers[i].Weight = 1 + i%3
	}
	b := started(t, o)
	for i, s := range b.Servers() {
		for range 3 + i%2 {
			if _, err := b.Claim(backend.Wish{Prefer: s}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b
}

func balances() []string {
	return []string{"roundrobin", "leastconn", "random", "first", "source"}
}

// pick takes a place and gives it back.
func pick(b *testing.B, back *backend.Backend, key uint64) {
	s, err := back.Claim(backend.Wish{Hash: key})
	if err != nil {
		b.Error(err)
		return
	}
	s.Release()
}

// BenchmarkPick is a claim and a release among 100 servers that are at work.
func BenchmarkPick(b *testing.B) {
	for _, balance := range balances() {
		b.Run(balance, func(b *testing.B) {
			back := busy(b, balance, 100)
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i++ {
				pick(b, back, i)
			}
		})
		b.Run(balance+"/parallel", func(b *testing.B) {
			back := busy(b, balance, 100)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := uint64(0); pb.Next(); i++ {
					pick(b, back, i)
				}
			})
		})
	}
}

// BenchmarkPickAmongFull is the same where only the last of the servers has a
// place.
func BenchmarkPickAmongFull(b *testing.B) {
	for _, balance := range balances()[:4] { // with a hash they wait for a full server
		b.Run(balance, func(b *testing.B) {
			o := at(nowhere(100)...)
			o.Balance, _ = backend.ParseBalance(balance)
			for i := range o.Servers[:99] {
				o.Servers[i].MaxConnections, o.Servers[i].QueueLimit = 1, 1
			}
			back := started(b, o)
			for _, s := range back.Servers()[:99] {
				if _, err := back.Claim(backend.Wish{Prefer: s}); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				pick(b, back, 0)
			}
		})
	}
}

// BenchmarkChange is the change of one server among 1,000 and the claim after it,
// which has to work everything out again.
func BenchmarkChange(b *testing.B) {
	for _, balance := range balances() {
		b.Run(balance, func(b *testing.B) {
			back := busy(b, balance, 1000)
			s := back.Servers()[500]
			for i := 0; b.Loop(); i++ {
				s.SetUp(i%2 == 1, false)
				pick(b, back, uint64(i))
			}
		})
	}
}
