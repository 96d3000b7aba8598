package local

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// hashTime is how long a hash takes in these tests.
const hashTime = 40 * time.Millisecond

// crowd runs n hashes at once and returns how they ended.
type crowd struct {
	all           sync.WaitGroup
	running, most atomic.Int32
	right, busy   atomic.Int32
}

func (c *crowd) add(h *Hasher, n int) {
	for range n {
		c.all.Go(func() {
			err := h.queue.do(context.Background(), false, func() {
				now := c.running.Add(1)
				for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); {
					most = c.most.Load()
				}
				<-time.After(hashTime)
				c.running.Add(-1)
			})
			switch {
			case err == nil:
				c.right.Add(1)
			case errors.Is(err, ErrBusy):
				c.busy.Add(1)
			}
		})
	}
}

func TestNoMoreHashesAreMadeAtOnceThanMayBe(t *testing.T) {
	for _, concurrent := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			h := NewHasher(HashOptions{Concurrent: concurrent})
			var flood crowd
			flood.add(h, 1000)
			flood.all.Wait()
			if most := int(flood.most.Load()); most != concurrent {
				t.Errorf("%d at once, want %d", most, concurrent)
			}
			// What does not get its turn within two seconds, or into the line, is told so.
			want := min(100, int(2*time.Second/hashTime)*concurrent) + concurrent
			if got := int(flood.right.Load()); got < want-1 || got > want {
				t.Errorf("%d hashes, want %d", got, want)
			}
			if flood.right.Load()+flood.busy.Load() != 1000 {
				t.Errorf("%d hashes and %d busy", flood.right.Load(), flood.busy.Load())
			}
			if h.queue.free != concurrent || len(h.queue.unknown) != 0 {
				t.Errorf("%d places free after all", h.queue.free)
			}
		})
	}
}

func TestFloodOfStrangersDoesNotKeepKnownBrowsersWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(HashOptions{Concurrent: 1})
		var flood crowd
		flood.add(h, 1000)
		synctest.Wait()
		for range 5 {
			began := time.Now()
			if err := h.queue.do(t.Context(), true, func() {}); err != nil {
				t.Fatalf("do = %v", err)
			}
			if waited := time.Since(began); waited > hashTime {
				t.Errorf("waited %s, longer than for one hash", waited)
			}
		}
		flood.all.Wait()
	})
}

func TestWhoGivesUpWaitingLosesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(HashOptions{Concurrent: 1})
		release := make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() { _ = h.queue.do(context.Background(), false, func() { <-release }) })
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		all.Go(func() {
			if err := h.queue.do(ctx, false, func() {}); !errors.Is(err, context.Canceled) {
				t.Errorf("do = %v", err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(release)
		all.Wait()
		// A turn that came at the same moment is passed on.
		if err := h.queue.enter(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if err := h.queue.giveUp(false, make(chan struct{}), ErrBusy); !errors.Is(err, ErrBusy) {
			t.Errorf("giveUp = %v", err)
		}
		if h.queue.free != 1 {
			t.Errorf("%d places free", h.queue.free)
		}
	})
}

func TestPanicInAHashGivesThePlaceBack(t *testing.T) {
	h := NewHasher(HashOptions{Concurrent: 1})
	func() {
		defer func() { _ = recover() }()
		_ = h.queue.do(t.Context(), false, func() { panic("the bomb") })
	}()
	if err := h.queue.do(t.Context(), false, func() {}); err != nil {
		t.Errorf("do = %v", err)
	}
}

// A bound that changes holds at once for those who come, and for who waits; what is
// under way goes on.
func TestTheBoundOfHashesMayChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(HashOptions{Concurrent: 3})
		var first, second, third crowd
		first.add(h, 3)
		synctest.Wait()
		h.Configure(HashOptions{Concurrent: 1})
		second.add(h, 6)
		first.all.Wait()
		second.all.Wait()
		if got := second.most.Load(); got != 1 || second.right.Load() != 6 {
			t.Errorf("%d at once, want 1; %d were made", got, second.right.Load())
		}
		third.add(h, 6)
		synctest.Wait()
		h.Configure(HashOptions{Concurrent: 4, Queue: 1, QueueTime: time.Millisecond})
		synctest.Wait()
		if got := third.running.Load(); got != 4 {
			t.Errorf("%d at once, want 4 of those who wait", got)
		}
		var late crowd
		late.add(h, 3)
		late.all.Wait()
		third.all.Wait()
		if third.right.Load() != 6 || late.busy.Load() != 3 {
			t.Errorf("%d were made, %d found no room", third.right.Load(), late.busy.Load())
		}
	})
}
