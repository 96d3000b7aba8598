package backend_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"doorward/proxy/backend"
)

// claimed takes a place that has to be free.
func claimed(t testing.TB, b *backend.Backend, avoid *backend.Server) *backend.Server {
	t.Helper()
	s, err := b.Claim(backend.Wish{Avoid: avoid})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// claimedBy takes a place for a key.
func claimedBy(t testing.TB, b *backend.Backend, key uint64) *backend.Server {
	t.Helper()
	s, err := b.Claim(backend.Wish{Hash: key})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestClaimSkipsFullServers(t *testing.T) {
	o := at(nowhere(3)...)
	o.Servers[0].MaxConnections = 1
	o.Servers[1].MaxConnections = 2
	b := started(t, o)
	for range 30 {
		claimed(t, b, nil)
	}
	for i, want := range []int64{1, 2, 27} {
		if s := b.Servers()[i]; s.Active() != want || s.Counters().Claims != want {
			t.Errorf("%s has %d requests after %d claims, want %d",
				s.Name(), s.Active(), s.Counters().Claims, want)
		}
	}
	if b.Active() != 30 {
		t.Errorf("Active() = %d, want 30", b.Active())
	}
}

func TestClaimAvoids(t *testing.T) {
	b := started(t, at(nowhere(3)...))
	bad := b.Servers()[1]
	for range 30 {
		if s := claimed(t, b, bad); s == bad {
			t.Fatal("the server to avoid was chosen")
		}
	}
	sole := at(nowhere(2)...)
	sole.Servers[0].Weight = 0
	b = started(t, sole)
	if s := claimed(t, b, b.Servers()[1]); s != b.Servers()[1] {
		t.Errorf("claimed %s, want the only one with a share", s.Name())
	}
}

// Two claims avoid a server that is idle and wait for one that is full.
func TestClaimThatAvoidsWaitsForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := at(nowhere(2)...)
		o.Servers[1].MaxConnections = 1
		b := started(t, o)
		idle, full := b.Servers()[0], b.Servers()[1]
		claimed(t, b, idle)
		var got *backend.Server
		go func() { got, _ = b.Claim(backend.Wish{Avoid: idle}) }()
		synctest.Wait()
		if b.Waiting() != 1 {
			t.Fatalf("%d wait, want 1", b.Waiting())
		}
		if s := claimed(t, b, nil); s != idle {
			t.Errorf("a claim without wishes got %s, want %s at once", s.Name(), idle.Name())
		}
		full.Release()
		synctest.Wait()
		if got != full {
			t.Errorf("the claim that avoids got %v, want %s", got, full.Name())
		}
	})
}

func TestClaimWithoutServers(t *testing.T) {
	idle := at(nowhere(1)...)
	idle.Servers[0].Weight = 0
	for name, o := range map[string]backend.Options{"none": at(), "no share": idle} {
		b := started(t, o)
		if _, err := b.Claim(backend.Wish{}); !errors.Is(err, backend.ErrNoServer) {
			t.Errorf("%s: error %v, want ErrNoServer", name, err)
		}
	}
	b := started(t, idle)
	s, err := b.Claim(backend.Wish{Prefer: b.Servers()[0], Only: true})
	if err != nil || s != b.Servers()[0] {
		t.Errorf("a server without a share, claimed by name: %v, %v", s, err)
	}
}

// single is a backend with one place.
func single(t testing.TB) *backend.Backend {
	o := at(nowhere(1)...)
	o.Servers[0].MaxConnections = 1
	o.Timeouts.Queue = 3 * time.Second
	return started(t, o)
}

func TestQueueIsFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := single(t)
		s := claimed(t, b, nil)
		var order []int
		for i := range 5 {
			go func() {
				claimed(t, b, nil)
				order = append(order, i)
			}()
			synctest.Wait()
		}
		for range 5 {
			s.Release()
			// A newcomer finds the place given away, though nobody has run yet.
			late := make(chan struct{})
			close(late)
			if _, err := b.Claim(backend.Wish{Gone: when(late)}); !errors.Is(err, backend.ErrGone) {
				t.Fatalf("a newcomer got %v, want to wait", err)
			}
			synctest.Wait()
		}
		for i, got := range order {
			if i != got {
				t.Fatalf("served in the order %v", order)
			}
		}
		if len(order) != 5 || b.Waiting() != 0 || b.Active() != 1 {
			t.Errorf("%d served, %d waiting, %d active; want 5, 0, 1",
				len(order), b.Waiting(), b.Active())
		}
	})
}

func TestQueueTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := single(t)
		s := claimed(t, b, nil)
		start := time.Now()
		_, err := b.Claim(backend.Wish{})
		if took := time.Since(start); !errors.Is(err, backend.ErrQueueTimeout) || took != 3*time.Second {
			t.Errorf("error %v after %v, want ErrQueueTimeout after 3s", err, took)
		}
		s.Release()
		if claimed(t, b, nil); b.Active() != 1 || b.Waiting() != 0 {
			t.Errorf("%d active, %d waiting; want 1, 0", b.Active(), b.Waiting())
		}
	})
}

func TestQueueForgetsClientsThatLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := single(t)
		s := claimed(t, b, nil)
		gone := make(chan struct{})
		var err error
		go func() { _, err = b.Claim(backend.Wish{Gone: when(gone)}) }()
		synctest.Wait()
		close(gone)
		synctest.Wait()
		if !errors.Is(err, backend.ErrGone) || b.Waiting() != 0 {
			t.Errorf("error %v and %d waiting, want ErrGone and 0", err, b.Waiting())
		}
		s.Release()
		if b.Active() != 0 {
			t.Errorf("%d active, want 0", b.Active())
		}
	})
}

func TestClaimServerWaitsForThatServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := at(nowhere(2)...)
		o.Servers[0].MaxConnections = 1
		o.Servers[1].MaxConnections = 1
		b := started(t, o)
		a, z := b.Servers()[0], b.Servers()[1]
		claimed(t, b, nil)
		claimed(t, b, nil)
		var mine, any *backend.Server
		go func() { mine, _ = b.Claim(backend.Wish{Prefer: z, Only: true}) }()
		synctest.Wait()
		go func() { any, _ = b.Claim(backend.Wish{}) }()
		synctest.Wait()
		a.Release()
		synctest.Wait()
		if mine != nil || any != a {
			t.Fatalf("the place on %s went to %v, %v", a.Name(), mine, any)
		}
		z.Release()
		synctest.Wait()
		if mine != z {
			t.Errorf("the claim of %s got %v", z.Name(), mine)
		}
	})
}

// Clients leave at the very moment their turn comes, over and over: no place may
// be lost, and none invented.
func TestPlacesAreNotLost(t *testing.T) {
	o := at(nowhere(2)...)
	o.Servers[0].MaxConnections = 1
	o.Servers[1].MaxConnections = 2
	b := started(t, o)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 2000 {
				gone := make(chan struct{})
				if n%3 == i%3 {
					go close(gone)
				}
				var avoid *backend.Server
				if n%5 == 0 {
					avoid = b.Servers()[n%2]
				}
				if s, err := b.Claim(backend.Wish{Avoid: avoid, Gone: when(gone)}); err == nil {
					s.Release()
				}
			}
		})
	}
	all.Wait()
	if b.Active() != 0 || b.Waiting() != 0 {
		t.Errorf("%d active, %d waiting; want none", b.Active(), b.Waiting())
	}
}
