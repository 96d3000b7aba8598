package backend_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"doorward/proxy/backend"
)

// balancing is a started backend with an algorithm and weights.
func balancing(t testing.TB, balance string, weights ...int) *backend.Backend {
	t.Helper()
	o := weighted(weights...)
	var ok bool
	if o.Balance, ok = backend.ParseBalance(balance); !ok {
		t.Fatal(balance)
	}
	return started(t, o)
}

func TestParseBalance(t *testing.T) {
	for text, want := range map[string]backend.Balance{
		"roundrobin": {},
		"leastconn":  {Algorithm: backend.LeastConn},
		"random":     {Algorithm: backend.Random},
		"first":      {Algorithm: backend.First},
		"source":     {Algorithm: backend.Hash, Key: backend.HashSource},
		"uri":        {Algorithm: backend.Hash, Key: backend.HashURI},
		"user":       {Algorithm: backend.Hash, Key: backend.HashUser},
		"header:X-Y": {Algorithm: backend.Hash, Key: backend.HashHeader, Header: "X-Y"},
	} {
		got, ok := backend.ParseBalance(text)
		if !ok || got != want {
			t.Errorf("%s is %+v, %v; want %+v", text, got, ok, want)
		}
		kind, name := balancing(t, text, 1).HashOn()
		if kind != want.Key || name != want.Header {
			t.Errorf("%s hashes on %v %q", text, kind, name)
		}
	}
	for _, text := range []string{"", "static-rr", "header:", "Source"} {
		if _, ok := backend.ParseBalance(text); ok {
			t.Errorf("%q was accepted", text)
		}
	}
}

// Requests that stay and requests that leave at once are shared by weight, as
// evenly as each algorithm promises.
func TestFairness(t *testing.T) {
	for _, c := range []struct {
		balance string
		stay    bool
		off     float64 // the most that a share may be off, of itself
	}{
		{"roundrobin", false, 0.001}, {"roundrobin", true, 0.001},
		{"leastconn", true, 0.005},
		{"random", false, 0.1}, {"random", true, 0.02},
		{"source", false, 0.3}, {"uri", true, 0.3}, {"user", true, 0.3}, {"header:X", true, 0.3},
	} {
		for _, weights := range [][]int{
			{1, 1}, {1, 1, 1}, {3, 2, 1}, {100, 50, 25}, {256, 200}, {10, 0, 10, 20}, {7},
		} {
			t.Run(fmt.Sprintf("%s/%v/stay=%v", c.balance, weights, c.stay), func(t *testing.T) {
				b := balancing(t, c.balance, weights...)
				sum := 0
				for _, w := range weights {
					sum += w
				}
				n := sum * (1 + 20_000/sum)
				for i := range n {
					if s := claimedBy(t, b, uint64(i)); !c.stay {
						s.Release()
					}
				}
				for i, s := range b.Servers() {
					got, want := float64(s.Counters().Claims), float64(n*weights[i])/float64(sum)
					if math.Abs(got-want) > c.off*want {
						t.Errorf("weight %d of %d: %v of %d requests, want %v",
							weights[i], sum, got, n, want)
					}
				}
			})
		}
	}
}

// What full servers cannot take goes to the others, and only when all are full
// does anybody wait.
func TestFullServersArePassedOver(t *testing.T) {
	for _, balance := range []string{"roundrobin", "leastconn", "random", "first"} {
		o := weighted(1, 5, 1, 2)
		o.Balance, _ = backend.ParseBalance(balance)
		limits := []int{1, 3, 5, 7}
		for i, n := range limits {
			o.Servers[i].MaxConnections = n
		}
		b := started(t, o)
		for range 16 {
			claimed(t, b, nil)
		}
		for i, s := range b.Servers() {
			if s.Active() != int64(limits[i]) || s.ActiveMax() != s.Active() {
				t.Errorf("%s: %d at %s, most %d; want %d",
					balance, s.Active(), s.Name(), s.ActiveMax(), limits[i])
			}
		}
		if _, err := b.Claim(backend.Wish{Gone: when(gone())}); err != backend.ErrGone {
			t.Errorf("%s: one more got %v, want to wait", balance, err)
		}
		b.Servers()[2].Release()
		if s := claimed(t, b, nil); s != b.Servers()[2] {
			t.Errorf("%s: the only free place is at s3, claimed %s", balance, s.Name())
		}
	}
}

// gone is what a client that has left closes.
func gone() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// No algorithm gives a request back to the server that it failed on.
func TestAllAvoid(t *testing.T) {
	for _, balance := range balances() {
		b := balancing(t, balance, 1, 1, 3)
		for i := range 60 {
			bad := b.Servers()[i%3]
			s, err := b.Claim(backend.Wish{Avoid: bad, Hash: uint64(i)})
			if err != nil || s == bad {
				t.Fatalf("%s: claimed %v, %v; to avoid was %s", balance, s, err, bad.Name())
			}
		}
	}
}

func TestLeastConnTakesTheLeastLoaded(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 9, 16, 33, 100} {
		r := rand.New(rand.NewPCG(1, uint64(n)))
		weights := make([]int, n)
		for i := range weights {
			weights[i] = 1 << r.IntN(3)
		}
		b := balancing(t, "leastconn", weights...)
		load := func(s *backend.Server) float64 { return float64(s.Active()) / float64(s.Weight()) }
		var held []*backend.Server
		for i := range 5000 {
			if k := r.IntN(len(held) + 1); k < len(held) && r.IntN(200) < len(held) {
				held[k].Release()
				held = slices.Delete(held, k, k+1)
				continue
			}
			if i%7 == 0 { // a client that belongs to a server
				s, _ := b.Claim(backend.Wish{Prefer: b.Servers()[r.IntN(n)]})
				held = append(held, s)
				continue
			}
			least := math.Inf(1)
			for _, s := range b.Servers() {
				least = min(least, load(s))
			}
			s := claimed(t, b, nil)
			if before := load(s) - 1/float64(s.Weight()); before > least {
				t.Fatalf("%d servers, claim %d: took one with %v when another had %v",
					n, i, before, least)
			}
			held = append(held, s)
		}
	}
}

func TestLeastConnGoesRoundAmongEquals(t *testing.T) {
	b := balancing(t, "leastconn", 1, 1, 1, 1, 1, 1, 1)
	got := ""
	for i := range 14 {
		s := claimed(t, b, nil)
		got += s.Name()[1:]
		s.Release()
		if i == 8 { // the round goes on when the rotation is another
			b.Server("s7").SetWeight(0)
		}
	}
	if got != "12345671234561" {
		t.Errorf("order %s", got)
	}
	held := []*backend.Server{b.Server("s1"), b.Server("s4")}
	for _, s := range held {
		_, _ = b.Claim(backend.Wish{Prefer: s})
	}
	got = ""
	for range 8 {
		s := claimed(t, b, nil)
		got += s.Name()[1:]
		s.Release()
	}
	if got != "23562356" {
		t.Errorf("order %s among those that are idle", got)
	}
}

func TestFirstFillsInOrder(t *testing.T) {
	o := weighted(1, 0, 9, 1)
	o.Balance.Algorithm = backend.First
	for i := range o.Servers {
		o.Servers[i].MaxConnections = 2
	}
	b := started(t, o)
	got := ""
	for range 6 {
		got += claimed(t, b, nil).Name()[1:]
	}
	b.Server("s1").Release()
	got += claimed(t, b, nil).Name()[1:]
	if got != "1133441" {
		t.Errorf("order %s, want 1133441", got)
	}
}

// Two draws are better than one: nobody has many more than the others.
func TestRandomEvensOut(t *testing.T) {
	b := balancing(t, "random", slices.Repeat([]int{1}, 100)...)
	for range 10_000 {
		claimed(t, b, nil)
	}
	for _, s := range b.Servers() {
		if n := s.Active(); n < 90 || n > 110 {
			t.Errorf("%s has %d of 10,000 requests, want about 100", s.Name(), n)
		}
	}
}
