package backend_test

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"

	"doorward/proxy/backend"
)

const keys = 20_000

// owners is whom each key belongs to.
func owners(t testing.TB, b *backend.Backend) []string {
	t.Helper()
	list := make([]string, keys)
	for i := range list {
		s := claimedBy(t, b, uint64(i))
		list[i] = s.Name()
		s.Release()
	}
	return list
}

// moved counts the keys that changed owners, and those of them that neither came
// from nor went to a server.
func moved(before, after []string, server string) (all, astray int) {
	for i := range before {
		if before[i] != after[i] {
			all++
			if before[i] != server && after[i] != server {
				astray++
			}
		}
	}
	return all, astray
}

func TestOnlyTheKeysOfOneServerMove(t *testing.T) {
	weights := []int{10, 20, 10, 10, 10, 10, 10, 10, 10, 10}
	for name, c := range map[string]struct {
		change   func(s *backend.Server)
		min, max float64 // of the keys that are the server's share
	}{
		"goes down":       {func(s *backend.Server) { s.SetUp(false, false) }, 1, 1},
		"drains":          {func(s *backend.Server) { s.SetAdmin(backend.Drain) }, 1, 1},
		"weight 0":        {func(s *backend.Server) { s.SetWeight(0) }, 1, 1},
		"half the weight": {func(s *backend.Server) { s.SetWeight(10) }, 0.35, 0.65},
		"more weight":     {func(s *backend.Server) { s.SetWeight(40) }, 0.5, 1.2},
		"a little less":   {func(s *backend.Server) { s.SetWeight(19) }, 0.01, 0.15},
		"nothing":         {func(*backend.Server) {}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := balancing(t, "source", weights...)
			before := owners(t, b)
			s := b.Server("s2")
			share := 0
			for _, owner := range before {
				if owner == "s2" {
					share++
				}
			}
			c.change(s)
			after := owners(t, b)
			all, astray := moved(before, after, "s2")
			if astray != 0 {
				t.Errorf("%d keys moved between other servers", astray)
			}
			if got := float64(all) / float64(share); got < c.min || got > c.max {
				t.Errorf("%.2f of its keys moved, want %v to %v", got, c.min, c.max)
			}
			s.SetUp(true, false)
			s.SetAdmin(backend.Ready)
			s.SetWeight(20)
			if !slices.Equal(owners(t, b), before) {
				t.Error("not all keys came back with the server")
			}
		})
	}
}

// A hundred servers of one weight: their shares are off by six percent of a share,
// as a circle with 256 points of each makes them, and none by more than a fourth.
func TestSharesOfManyServers(t *testing.T) {
	const many = 100
	b := balancing(t, "source", slices.Repeat([]int{3}, many)...)
	counts := map[string]float64{}
	for i := range uint64(10 * keys) {
		s := claimedBy(t, b, i)
		counts[s.Name()]++
		s.Release()
	}
	sum := 0.0
	for name, n := range counts {
		off := n*many/(10*keys) - 1
		if sum += off * off; math.Abs(off) > 0.25 {
			t.Errorf("the share of %s is off by %.2f", name, off)
		}
	}
	if off := math.Sqrt(sum / many); len(counts) != many || off > 0.08 {
		t.Errorf("%d servers, whose shares are off by %.3f", len(counts), off)
	}
}

// A weight far above those in the file is worth what it says.
func TestSharesOfALargeWeight(t *testing.T) {
	b := balancing(t, "source", 1, 1, 1)
	before := owners(t, b)
	b.Server("s2").SetWeight(256)
	n := 0
	for _, owner := range owners(t, b) {
		if owner == "s2" {
			n++
		}
	}
	if share := float64(n) / keys; share < 0.985 || n == keys {
		t.Errorf("a weight of 256 beside 1 and 1 has %.3f of the keys, want 0.992", share)
	}
	b.Server("s2").SetWeight(1)
	if !slices.Equal(owners(t, b), before) {
		t.Error("not all keys came back with the weight")
	}
}

func TestKeysStayOverReloads(t *testing.T) {
	o := weighted(1, 1, 1, 1, 1)
	o.Balance, _ = backend.ParseBalance("uri")
	b := started(t, o)
	before := owners(t, b)
	less := o
	less.Servers = slices.Delete(slices.Clone(o.Servers), 2, 3)
	b = reloaded(t, b, less)
	all, astray := moved(before, owners(t, b), "s3")
	if all == 0 || astray != 0 {
		t.Errorf("%d keys moved when s3 left, %d of them between others", all, astray)
	}
	// In another order, at other addresses, with nothing to take over from.
	slices.Reverse(o.Servers)
	for i := range o.Servers {
		o.Servers[i].URL = "http://192.0.2.200"
	}
	if !slices.Equal(owners(t, started(t, o)), before) {
		t.Error("another process gives keys to other servers")
	}
}

// The owners of some keys are written down here, so that a change of the ring is
// not made by accident: it would move every client of every installation.
func TestOwnersNeverChange(t *testing.T) {
	b := balancing(t, "source", 1, 2, 3)
	got := ""
	for i := range uint64(40) {
		s := claimedBy(t, b, i<<32)
		got += s.Name()[1:]
		s.Release()
	}
	if want := "2112122312121122333221232331331313223332"; got != want {
		t.Errorf("owners %s, want %s", got, want)
	}
}

func TestHashedRequestsWaitForTheirServer(t *testing.T) {
	o := weighted(1, 1, 1)
	o.Balance, _ = backend.ParseBalance("source")
	for i := range o.Servers {
		o.Servers[i].MaxConnections, o.Servers[i].QueueLimit = 1, 2
	}
	b := started(t, o)
	const key = 12345
	s := claimedBy(t, b, key)
	got := make(chan *backend.Server)
	wait := func() { // one more who waits
		go func() {
			s, _ := b.Claim(backend.Wish{Hash: key})
			got <- s
		}()
	}
	wait()
	wait()
	if !within(patience, func() bool { return s.Queued() == 2 }) {
		t.Fatalf("%d wait for %s, want 2", s.Queued(), s.Name())
	}
	// Its queue is full: the next on the ring stands in, always the same.
	next := claimedBy(t, b, key)
	next.Release()
	if again := claimedBy(t, b, key); next == s || again != next {
		t.Errorf("%s and then %s stood in for %s", next.Name(), again.Name(), s.Name())
	}
	s.Release()
	if first := <-got; first != s {
		t.Errorf("the first who waited got %v", first)
	}
	// It goes away: who waits for it moves on along the ring.
	wait()
	if !within(patience, func() bool { return s.Queued() == 2 }) {
		t.Fatalf("%d wait for %s, want 2", s.Queued(), s.Name())
	}
	s.SetAdmin(backend.Drain)
	if next.Queued() != 2 || s.Queued() != 0 {
		t.Errorf("%d wait for the next, %d for the one that left", next.Queued(), s.Queued())
	}
	next.Release()
	next.Release()
	if a, b := <-got, <-got; a != next || b != next {
		t.Errorf("served by %v and %v, want %s", a, b, next.Name())
	}
}

// Who moves to the line of another server takes the place there that his turn is.
func TestHashedRequestsKeepTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := weighted(1, 1)
		o.Balance, _ = backend.ParseBalance("source")
		o.Servers[0].MaxConnections, o.Servers[1].MaxConnections = 1, 1
		b := started(t, o)
		const key = 7
		s := claimedBy(t, b, key)
		other := b.Servers()[0]
		if other == s {
			other = b.Servers()[1]
		}
		if _, err := b.Claim(backend.Wish{Prefer: other}); err != nil {
			t.Fatal(err)
		}
		order := []*waits{
			wait(b, backend.Wish{Hash: key}), wait(b, backend.Wish{Prefer: other}),
			wait(b, backend.Wish{Hash: key}), wait(b, backend.Wish{Prefer: other}),
		}
		s.SetUp(false, false)
		for i, w := range order {
			other.Release()
			synctest.Wait()
			if w.server != other || i+1 < len(order) && order[i+1].done {
				t.Errorf("place %d: %v, %v", i+1, w.server, w.err)
			}
		}
	})
}
