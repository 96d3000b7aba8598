package backend_test

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"doorward/internal/alloctest"
	"doorward/proxy/backend"
)

// Whatever is changed meanwhile, no server ever has more requests than it may.
func TestSecurityLimits(t *testing.T) {
	for _, balance := range balances() {
		t.Run("BE-15_thousand_requests_at_ten_places/"+balance, func(t *testing.T) {
			o := at(nowhere(3)...)
			o.Balance, _ = backend.ParseBalance(balance)
			o.Timeouts.Queue = time.Minute
			limits := []int64{10, 3, 1}
			for i, n := range limits {
				o.Servers[i].MaxConnections = int(n)
			}
			o.Servers[1].Weight, o.Servers[1].QueueLimit = 5, 20
			b := started(t, o)
			at := map[*backend.Server]int{}
			for i, s := range b.Servers() {
				at[s] = i
			}
			var seen [3]atomic.Int64
			var left atomic.Int64
			var all sync.WaitGroup
			left.Store(1000)
			for i := range 1000 {
				all.Go(func() {
					defer left.Add(-1)
					for n := range 5 {
						w := backend.Wish{Hash: uint64(i + n)}
						if i%4 == 0 {
							w.Prefer = b.Servers()[i%3]
						}
						s, err := b.Claim(w)
						if err != nil {
							t.Error(err)
							return
						}
						if n := seen[at[s]].Add(1); n > limits[at[s]] {
							t.Errorf("%d requests on %s", n, s.Name())
						}
						runtime.Gosched()
						seen[at[s]].Add(-1)
						s.Release()
					}
				})
			}
			for left.Load() > 0 { // one is always there, so that nobody is refused
				s := b.Servers()[1+rand.IntN(2)]
				s.SetWeight(rand.IntN(20))
				s.SetUp(!s.Up(), false)
				runtime.Gosched()
			}
			all.Wait()
			if b.Active() != 0 || b.Waiting() != 0 {
				t.Errorf("%d active, %d waiting in the end", b.Active(), b.Waiting())
			}
			for i, s := range b.Servers() {
				if s.ActiveMax() > limits[i] {
					t.Errorf("%s had %d requests", s.Name(), s.ActiveMax())
				}
			}
		})
	}
}

func TestSecurityQueue(t *testing.T) {
	t.Run("DOS-17_queue_is_bounded_and_times_out", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o := at(nowhere(1)...)
			o.Servers[0].MaxConnections = 1
			o.QueueLimit = 100
			o.Timeouts.Queue = 5 * time.Second
			b := started(t, o)
			s := claimed(t, b, nil)
			var timeouts atomic.Int64
			for range 100 {
				go func() {
					if _, err := b.Claim(backend.Wish{}); errors.Is(err, backend.ErrQueueTimeout) {
						timeouts.Add(1)
					}
				}()
			}
			synctest.Wait()
			if _, err := b.Claim(backend.Wish{}); !errors.Is(err, backend.ErrQueueFull) {
				t.Errorf("claim 101 of a queue of 100: %v, want ErrQueueFull", err)
			}
			<-time.After(5*time.Second + time.Millisecond)
			if timeouts.Load() != 100 || b.Waiting() != 0 {
				t.Errorf("%d timed out, %d wait; want 100, 0", timeouts.Load(), b.Waiting())
			}
			s.Release()
		})
	})
	t.Run("DOS-17_queue_reuses_its_memory", func(t *testing.T) {
		b := single(t)
		claimed(t, b, nil)
		gone := make(chan struct{})
		close(gone)
		w := backend.Wish{Gone: when(gone)}
		if n := alloctest.PerRun(1000, func() { _, _ = b.Claim(w) }); n > 0 {
			t.Errorf("%v allocations for each wait in the queue, want 0", n)
		}
	})
	t.Run("DOS-17_queue_is_fair", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o := at(nowhere(2)...)
			o.Servers[0].MaxConnections, o.Servers[1].MaxConnections = 1, 1
			b := started(t, o)
			held := []*backend.Server{claimed(t, b, nil), claimed(t, b, nil)}
			var order []int
			for i := range 200 {
				w := backend.Wish{}
				if i%3 == 0 {
					w.Prefer = held[0]
				}
				go func() {
					s, err := b.Claim(w)
					if err == nil {
						order = append(order, i)
						s.Release()
					}
				}()
				synctest.Wait()
			}
			held[0].Release()
			synctest.Wait()
			held[1].Release()
			for i, n := range order {
				if i != n {
					t.Fatalf("number %d was served as number %d", n, i)
				}
			}
			if len(order) != 200 {
				t.Errorf("%d of 200 were served", len(order))
			}
		})
	})
	t.Run("DOS-17_queue_frees_its_memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := single(t)
			s := claimed(t, b, nil)
			flood := func() uint64 {
				for range 5000 {
					go func() { _, _ = b.Claim(backend.Wish{}) }()
				}
				<-time.After(10 * time.Second)
				synctest.Wait()
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return m.HeapInuse
			}
			first := flood()
			for range 4 {
				flood()
			}
			if last := flood(); last > first+first/2 {
				t.Errorf("%d bytes in use after six floods, %d after the first", last, first)
			}
			s.Release()
		})
	})
}
