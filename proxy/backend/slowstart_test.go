package backend_test

import (
	"testing"
	"testing/synctest"
	"time"

	"doorward/proxy/backend"
)

// warming is a backend of two servers with slow start.
func warming(t testing.TB, o backend.Options) (b *backend.Backend, s *backend.Server) {
	o.SlowStart = 100 * time.Second
	b = started(t, o)
	return b, b.Servers()[0]
}

func TestSlowStartIsLinear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := weighted(100, 100)
		o.Servers[0].MaxConnections = 200
		b, s := warming(t, o)
		if s.Share() != 100 {
			t.Fatalf("share %d at the start of the process", s.Share())
		}
		s.SetUp(false, false)
		s.SetUp(true, true)
		start := time.Now()
		for _, c := range []struct {
			after time.Duration
			share int
		}{{0, 1}, {time.Second, 1}, {2 * time.Second, 2}, {50 * time.Second, 50},
			{99 * time.Second, 99}, {100 * time.Second, 100}, {time.Hour, 100}} {
			<-time.After(c.after - time.Since(start) + time.Millisecond)
			synctest.Wait()
			// Steps fall on full seconds, so one may be yet to come.
			if got := s.Share(); got != c.share && got != c.share-1 {
				t.Errorf("share %d after %v, want %d", got, c.after, c.share)
			}
			if s.MaxConnections() != 200 || s.Weight() != 100 {
				t.Error("the settings themselves have changed")
			}
			taken := 0
			for ; ; taken++ {
				gone := make(chan struct{})
				close(gone)
				if _, err := b.Claim(backend.Wish{Prefer: s, Only: true, Gone: when(gone)}); err != nil {
					break
				}
			}
			for range taken {
				s.Release()
			}
			if want := max(1, 2*s.Share()); taken != want {
				t.Errorf("%d places after %v with a share of %d, want %d",
					taken, c.after, s.Share(), want)
			}
		}
	})
}

func TestSlowStartSharesByWeight(t *testing.T) {
	for balance, off := range map[string]float64{
		"roundrobin": 0.001, "leastconn": 0.001, "random": 0.02, "source": 0.06,
	} {
		t.Run(balance, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := weighted(10, 10)
				o.Balance, _ = backend.ParseBalance(balance)
				b, s := warming(t, o)
				s.SetUp(true, true)
				<-time.After(25*time.Second + time.Millisecond)
				synctest.Wait()
				const n = 5000
				for i := range n {
					claimedBy(t, b, uint64(i))
				}
				// 25 percent against 100 is a fifth.
				if got := float64(s.Active()) / n; got < 0.2-off || got > 0.2+off {
					t.Errorf("%.3f of the requests, want 0.2", got)
				}
			})
		})
	}
}

func TestSlowStartEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := warming(t, at(nowhere(2)...))
		s.SetUp(true, true)
		if s.Share() != 1 {
			t.Errorf("a server that was up, as after maintenance: share %d", s.Share())
		}
		s.SetUp(true, false)
		if s.Share() != 1 {
			t.Errorf("told again that it is up: share %d", s.Share())
		}
		s.SetUp(false, false)
		if s.Share() != 100 {
			t.Errorf("down: share %d", s.Share())
		}
		s.SetUp(true, false)
		<-time.After(10 * time.Second)
		if s.Share() != 100 {
			t.Errorf("up without slow start: share %d", s.Share())
		}
	})
}

// Slow start goes on over a reload, and its end is the end of the wait.
func TestSlowStartSurvivesReloadsAndFreesPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := at(nowhere(1)...)
		o.Servers[0].MaxConnections = 10
		o.Timeouts.Queue = time.Hour
		b, s := warming(t, o)
		s.SetUp(true, true)
		for range 20 {
			go func() { claimed(t, b, nil) }()
		}
		<-time.After(30*time.Second + time.Millisecond)
		synctest.Wait()
		if s.Active() != 3 || b.Waiting() != 17 {
			t.Errorf("%d active, %d waiting after 30 s", s.Active(), b.Waiting())
		}
		o.SlowStart = 50 * time.Second
		b = reloaded(t, b, o)
		<-time.After(25 * time.Second)
		synctest.Wait()
		if s.Active() != 10 || s.Share() != 100 {
			t.Errorf("%d active, share %d after 55 of 50 s", s.Active(), s.Share())
		}
		for range 20 {
			s.Release()
			synctest.Wait()
		}
		if b.Active() != 0 || b.Waiting() != 0 {
			t.Errorf("%d active, %d waiting", b.Active(), b.Waiting())
		}
	})
}
