package backend_test

import (
	"fmt"
	"testing"

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

func TestRoundAllocatesNothing(t *testing.T) {
	b := pooled(t, 3, 10)
	if n := testing.AllocsPerRun(1000, func() {
		if err := round(b); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations for each request, want 0", n)
	}
}
