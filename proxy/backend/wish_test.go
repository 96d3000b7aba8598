package backend_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"doorward/proxy/backend"
)

// pair is a backend of two servers with one place each, both taken.
func pair(t testing.TB, change ...func(*backend.Options)) (
	b *backend.Backend, one, two *backend.Server) {
	o := at(nowhere(2)...)
	o.Servers[0].MaxConnections, o.Servers[1].MaxConnections = 1, 1
	o.Timeouts.Queue = 3 * time.Second
	for _, f := range change {
		f(&o)
	}
	b = started(t, o)
	claimed(t, b, nil)
	claimed(t, b, nil)
	return b, b.Servers()[0], b.Servers()[1]
}

// waits begins a claim that has to wait and tells what becomes of it.
type waits struct {
	server *backend.Server
	err    error
	done   bool
}

func wait(b *backend.Backend, w backend.Wish) *waits {
	x := &waits{}
	go func() {
		x.server, x.err = b.Claim(w)
		x.done = true
	}()
	synctest.Wait()
	return x
}

func TestPreferredServerIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, one, two := pair(t)
		mine := wait(b, backend.Wish{Prefer: two})
		if two.Queued() != 1 || one.Queued() != 0 || b.Waiting() != 1 {
			t.Errorf("%d, %d and %d wait", one.Queued(), two.Queued(), b.Waiting())
		}
		one.Release()
		synctest.Wait()
		if mine.done {
			t.Fatalf("got %v, %v from another server", mine.server, mine.err)
		}
		// The place on one is there for those who have no preference.
		if s := claimed(t, b, nil); s != one {
			t.Errorf("claimed %s", s.Name())
		}
		two.Release()
		synctest.Wait()
		if mine.server != two || two.QueuedMax() != 1 || b.QueueMax() != 1 {
			t.Errorf("got %v, %v; at most %d waited", mine.server, mine.err, two.QueuedMax())
		}
	})
}

// Places go to whoever came first, whether he waits for this server or for any.
func TestLinesAreServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, one, _ := pair(t)
		var order []*waits
		for i := range 6 {
			w := backend.Wish{}
			if i%2 == 0 {
				w.Prefer = one
			}
			order = append(order, wait(b, w))
		}
		for i := range order {
			one.Release()
			synctest.Wait()
			for k, w := range order {
				if w.done != (k <= i) {
					t.Fatalf("after %d places: number %d is done: %v", i+1, k+1, w.done)
				}
			}
		}
	})
}

func TestQueueLimitOfAServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, one, two := pair(t, func(o *backend.Options) { o.Servers[0].QueueLimit = 2 })
		bound := []*waits{wait(b, backend.Wish{Prefer: one}), wait(b, backend.Wish{Prefer: one})}
		any := wait(b, backend.Wish{Prefer: one})
		only := wait(b, backend.Wish{Prefer: one, Only: true})
		if one.Queued() != 3 || b.Waiting() != 4 {
			t.Errorf("%d wait for the server, %d in all; want 3, 4", one.Queued(), b.Waiting())
		}
		two.Release()
		synctest.Wait()
		if any.server != two || bound[0].done || bound[1].done || only.done {
			t.Errorf("the one over the limit got %v", any.server)
		}
		for range 3 {
			one.Release()
			synctest.Wait()
		}
		if bound[0].server != one || bound[1].server != one || only.server != one {
			t.Error("not all were served by their server")
		}
	})
}

func TestWaitersOfAServerThatGoesAway(t *testing.T) {
	for name, c := range map[string]struct {
		leave func(*backend.Server)
		moves bool
	}{
		"down":     {func(s *backend.Server) { s.SetUp(false, false) }, true},
		"maint":    {func(s *backend.Server) { s.SetAdmin(backend.Maint) }, true},
		"drain":    {func(s *backend.Server) { s.SetAdmin(backend.Drain) }, false},
		"weight 0": {func(s *backend.Server) { s.SetWeight(0) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, one, two := pair(t)
				first := wait(b, backend.Wish{Prefer: one})
				only := wait(b, backend.Wish{Prefer: one, Only: true})
				second := wait(b, backend.Wish{})
				third := wait(b, backend.Wish{Prefer: one})
				c.leave(one)
				order := []*waits{first, second, third}
				if !c.moves {
					order = []*waits{second}
				}
				for i, w := range order {
					two.Release()
					synctest.Wait()
					if w.server != two {
						t.Errorf("place %d: %v, %v", i+1, w.server, w.err)
					}
				}
				one.Release()
				synctest.Wait()
				if !c.moves && first.server != one || c.moves && only.server != one {
					t.Errorf("a place at the server: %v, %v", first.server, only.server)
				}
				<-time.After(4 * time.Second)
			})
		})
	}
}

func TestPreferredServerThatIsNotThere(t *testing.T) {
	b := started(t, at(nowhere(2)...))
	one, two := b.Servers()[0], b.Servers()[1]
	if s, err := b.Claim(backend.Wish{Prefer: one, Avoid: one}); s != two || err != nil {
		t.Errorf("a try after the preferred server failed: %v, %v", s, err)
	}
	one.SetAdmin(backend.Maint)
	if s, err := b.Claim(backend.Wish{Prefer: one}); s != two || err != nil {
		t.Errorf("in maintenance: %v, %v", s, err)
	}
	if s, err := b.Claim(backend.Wish{Prefer: one, Only: true}); s != one || err != nil {
		t.Errorf("nothing but the one in maintenance: %v, %v", s, err)
	}
	two.SetUp(false, false)
	if s, err := b.Claim(backend.Wish{Prefer: two}); !errors.Is(err, backend.ErrNoServer) {
		t.Errorf("nobody there: %v, %v", s, err)
	}
}

// Those who wait with the configuration from before are not in the way of those
// who come with the new one, which has another server.
func TestOldWaitersDoNotBlockNewServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, one, _ := pair(t)
		old := wait(b, backend.Wish{})
		o := at(nowhere(3)...)
		o.Servers[0].MaxConnections, o.Servers[1].MaxConnections = 1, 1
		next := reloaded(t, b, o)
		x := wait(next, backend.Wish{})
		if x.server != next.Server("s3") {
			t.Errorf("got %v, %v while s3 is idle", x.server, x.err)
		}
		one.Release()
		synctest.Wait()
		if old.server != one {
			t.Errorf("who waits with the old configuration got %v, %v", old.server, old.err)
		}
	})
}

// With limits that go up, more are served at once.
func TestSlackOfLimitsReachesThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, one, _ := pair(t)
		bound, any := wait(b, backend.Wish{Prefer: one}), wait(b, backend.Wish{})
		o := at(nowhere(2)...)
		o.Servers[0].MaxConnections, o.Servers[1].MaxConnections = 2, 2
		reloaded(t, b, o)
		synctest.Wait()
		if bound.server != one || any.server == nil {
			t.Errorf("%v and %v after the limits were raised", bound.server, any.server)
		}
	})
}

// Who waits for other servers keeps nobody from a place that is there.
func TestFullQueueIsNoWayRoundFreePlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, one, two := pair(t, func(o *backend.Options) { o.QueueLimit = 1 })
		w := wait(b, backend.Wish{Avoid: one})
		one.Release()
		if s, err := b.Claim(backend.Wish{}); s != one {
			t.Errorf("claimed %v, %v while s1 has a place", s, err)
		}
		for _, w := range []backend.Wish{{}, {Prefer: two}, {Prefer: one, Only: true}} {
			if s, err := b.Claim(w); s != nil || !errors.Is(err, backend.ErrQueueFull) {
				t.Errorf("%+v: claimed %v, %v of a queue that is full", w, s, err)
			}
		}
		if one.Queued() != 0 || two.Queued() != 0 || b.Waiting() != 1 {
			t.Errorf("%d and %d wait for one server, %d in all; want 0, 0, 1",
				one.Queued(), two.Queued(), b.Waiting())
		}
		two.Release()
		synctest.Wait()
		if w.server != two {
			t.Errorf("the one who waited got %v, %v", w.server, w.err)
		}
	})
}
