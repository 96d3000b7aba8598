package backend_test

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"doorward/proxy/backend"
)

// storm is requests with all kinds of wishes while everything about the servers
// changes.
type storm struct {
	t       *testing.T
	mu      sync.Mutex
	current *backend.Backend
	served  atomic.Int64
	refused atomic.Int64
}

func (x *storm) backend() *backend.Backend {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.current
}

// request claims a place and gives it back, and tells what went wrong.
func (x *storm) request(r *rand.Rand, hold time.Duration) error {
	b := x.backend()
	servers := b.Servers()
	some := servers[r.IntN(len(servers))]
	w := backend.Wish{Hash: r.Uint64()}
	switch r.IntN(6) {
	case 0:
		w.Prefer = some
	case 1:
		w.Prefer, w.Only = some, true
	case 2:
		w.Avoid = some
	case 3:
		gone := make(chan struct{})
		time.AfterFunc(r.N(hold), func() { close(gone) })
		w.Gone = when(gone)
	}
	s, err := b.Claim(w)
	switch {
	case err == nil:
	case errors.Is(err, backend.ErrNoServer), errors.Is(err, backend.ErrMaintenance),
		errors.Is(err, backend.ErrGone) && w.Gone != nil:
		x.refused.Add(1)
		return nil
	default:
		return err
	}
	if w.Only && s != w.Prefer {
		return errors.New("another server than the only one")
	}
	if r.IntN(3) == 0 {
		<-time.After(r.N(hold))
	}
	s.Release()
	x.served.Add(1)
	return nil
}

// change does one thing to one server, or reloads.
func (x *storm) change(r *rand.Rand, o backend.Options) {
	b := x.backend()
	s := b.Servers()[r.IntN(len(b.Servers()))]
	switch r.IntN(5) {
	case 0, 1:
		s.SetUp(!s.Up(), r.IntN(2) == 0)
	case 2:
		s.SetAdmin(backend.Admin(r.IntN(3)))
	case 3:
		s.SetWeight(r.IntN(3))
	case 4:
		for i := range o.Servers {
			o.Servers[i].MaxConnections = 1 + r.IntN(3)
			o.Servers[i].Backup = i > 0 && r.IntN(4) == 0
		}
		o.Servers = o.Servers[:len(o.Servers)-r.IntN(2)]
		next, err := backend.New(o, b)
		if err != nil {
			x.t.Error(err)
			return
		}
		x.mu.Lock()
		x.current = next
		x.mu.Unlock()
		next.Start()
		b.Retire(next)
	}
}

// Nobody waits for a place that is there, whatever happens at the same time: no
// claim ever comes to its timeout, and nothing is left in the end.
func TestNoWakeUpIsLost(t *testing.T) {
	for _, text := range []string{"roundrobin", "leastconn", "random", "first", "source"} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			options := func() backend.Options {
				o := at(nowhere(5)...)
				o.Balance, _ = backend.ParseBalance(text)
				o.Timeouts.Queue = 20 * time.Second
				o.SlowStart = 5 * time.Millisecond
				o.Servers[0].MaxConnections = 1
				o.Servers[1].QueueLimit = 2
				return o
			}
			x := &storm{t: t, current: started(t, options())}
			var all sync.WaitGroup
			stop := make(chan struct{})
			for i := range 24 {
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				all.Go(func() {
					for !closed(stop) {
						if err := x.request(r, 200*time.Microsecond); err != nil {
							t.Errorf("seed %d: %v", seed, err)
							return
						}
					}
				})
			}
			r := rand.New(rand.NewPCG(seed, 1000))
			tick := time.NewTicker(100 * time.Microsecond)
			for end := time.Now().Add(400 * time.Millisecond); time.Now().Before(end); <-tick.C {
				x.change(r, options())
			}
			tick.Stop()
			close(stop)
			all.Wait()
			b := x.backend()
			t.Cleanup(func() { b.Retire(nil) })
			if b.Waiting() != 0 || b.Active() != 0 {
				t.Errorf("seed %d: %d wait, %d are active", seed, b.Waiting(), b.Active())
			}
			for _, s := range b.Servers() {
				if s.Queued() != 0 {
					t.Errorf("seed %d: %d wait for %s", seed, s.Queued(), s.Name())
				}
			}
			if x.served.Load() < 100 || x.refused.Load() == 0 {
				t.Errorf("%d served, %d refused", x.served.Load(), x.refused.Load())
			}
		})
	}
}

// Two requests and one place, over and over: the moment at which one leaves and the
// other begins to wait is where a wake-up gets lost.
func TestTheLastOneIsWoken(t *testing.T) {
	b := single(t)
	s := b.Servers()[0]
	rounds := 100_000
	if testing.Short() {
		rounds /= 10
	}
	for _, w := range []backend.Wish{{}, {Prefer: s}, {Prefer: s, Only: true}} {
		var end sync.WaitGroup
		var round atomic.Int64
		for range 2 {
			end.Go(func() {
				for n := int64(1); n <= int64(rounds) && !t.Failed(); n++ {
					s, err := b.Claim(w)
					if err != nil {
						t.Errorf("%+v: %v", w, err)
						return
					}
					s.Release()
					round.Add(1)
					for round.Load() < 2*n && !t.Failed() { // until the other has been here
						runtime.Gosched()
					}
				}
			})
		}
		end.Wait()
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
