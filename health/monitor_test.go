package health_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"doorward/health"
	"doorward/proxy/backend"
)

// A server of ours is watched as it is.
var _ health.Peer = (*backend.Server)(nil)

func tcp() health.CheckOptions { return health.CheckOptions{Kind: health.TCP} }

func TestServerGoesDownAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t, health.Options{})
		p := newFake()
		p.answer = script("+ - - - - + + +")
		m.Set([]health.Target{target(t, "s1", p, tcp())})
		// Checks are at 0s, 2s and so on; each line is what is known right after one.
		for n, want := range []struct {
			status       string
			outcome      health.Outcome
			fails, downs int64
			downtime     time.Duration
		}{
			{"UP", health.L4OK, 0, 0, 0},
			{"UP 2/3", health.L4Connect, 1, 0, 0},
			{"UP 1/3", health.L4Connect, 2, 0, 0},
			{"DOWN", health.L4Connect, 3, 1, time.Second},
			{"DOWN", health.L4Connect, 3, 1, 3 * time.Second},
			{"DOWN 1/2", health.L4OK, 3, 1, 5 * time.Second},
			{"UP", health.L4OK, 3, 1, 6 * time.Second},
			{"UP", health.L4OK, 3, 1, 6 * time.Second},
		} {
			pass(time.Second)
			s := status(t, m, "s1")
			if s.Counter.String() != want.status || s.Last.Outcome != want.outcome {
				t.Errorf("after check %d: %v, %v, want %v", n+1, s.Counter, s.Last, want)
			}
			if s.Fails != want.fails || s.Downs != want.downs || s.Downtime != want.downtime {
				t.Errorf("after check %d: %d fails, %d downs, %v, want %v",
					n+1, s.Fails, s.Downs, s.Downtime, want)
			}
			pass(time.Second)
		}
		if got := fmt.Sprint(p.words()); got != "[{true false} {false false} {true true}]" {
			t.Errorf("the peer was told %v, want up, down, and slowly up", got)
		}
		if s := status(t, m, "s1"); time.Since(s.LastChange) != 4*time.Second {
			t.Errorf("the last change is %v ago, want 4s", time.Since(s.LastChange))
		}
	})
}

// A server that was never seen to fail gets its whole share at once.
func TestNoSlowStartAtTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t, health.Options{})
		p := newFake()
		o := tcp()
		o.Initial = health.Down
		m.Set([]health.Target{target(t, "s1", p, o)})
		pass(time.Second)
		if got := fmt.Sprint(p.words()); got != "[{false false} {true false}]" {
			t.Errorf("the peer was told %v, want down, and up at once", got)
		}
	})
}

func TestFirstChecksOfManyServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t, health.Options{})
		var peers []*fake
		var targets []health.Target
		for i := range 8 {
			peers = append(peers, newFake())
			targets = append(targets, target(t, fmt.Sprint(i), peers[i], tcp()))
		}
		start := time.Now()
		m.Set(targets)
		pass(1990 * time.Millisecond)
		for i, p := range peers {
			checks := p.checks()
			want := time.Duration(i) * 250 * time.Millisecond
			if len(checks) != 1 || checks[0].Sub(start) != want {
				t.Errorf("server %d was checked at %v, want once, after %v", i, checks, want)
			}
		}
	})
}

func TestMaintenance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t, health.Options{})
		p := newFake()
		p.answer = script("+ - - - +")
		m.Set([]health.Target{target(t, "s1", p, tcp())})
		pass(7 * time.Second)
		if s := status(t, m, "s1"); s.Up() || s.Downtime != time.Second {
			t.Fatalf("%v, down for %v, want down for 1s", s.Counter, s.Downtime)
		}
		m.Maintain("app", "s1", true)
		pass(time.Minute)
		if n := len(p.checks()); n != 4 {
			t.Errorf("%d checks, want the 4 before maintenance", n)
		}
		s := status(t, m, "s1")
		if !s.Maintained || s.Downtime != time.Second || time.Since(s.LastChange) != time.Minute {
			t.Errorf("in maintenance since %v, down for %v", s.LastChange, s.Downtime)
		}
		m.Maintain("app", "s1", false)
		synctest.Wait()
		s = status(t, m, "s1")
		if n := len(p.checks()); n != 5 {
			t.Errorf("%d checks, want one at once", n-4)
		}
		if s.Maintained || s.Counter.String() != "UP" {
			t.Errorf("after maintenance and a good check: %v", s.Counter)
		}
		if got := fmt.Sprint(p.words()); got != "[{true false} {false false} {true true}]" {
			t.Errorf("the peer was told %v, want that it is slowly up at the end", got)
		}
		pass(3 * time.Second)
		if n := len(p.checks()); n != 6 {
			t.Errorf("%d checks, want them to go on", n)
		}
	})
}

// Out of maintenance a server is up, but falls at the first failure.
func TestAfterMaintenanceNothingIsTakenForGranted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t, health.Options{})
		p := newFake()
		p.answer = script("+ -")
		m.Set([]health.Target{target(t, "s1", p, tcp())})
		pass(time.Second)
		m.Maintain("app", "s1", true)
		synctest.Wait()
		m.Maintain("app", "s1", false)
		synctest.Wait()
		if s := status(t, m, "s1"); s.Counter.String() != "DOWN" {
			t.Errorf("%v after one failure, want DOWN", s.Counter)
		}
	})
}

// A check that is under way when maintenance begins is called off, and what comes
// of it does not count.
func TestMaintenanceCallsACheckOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t, health.Options{})
		p := newFake()
		p.answer = slow(time.Hour)
		o := tcp()
		o.Timing.Interval = 10 * time.Second
		m.Set([]health.Target{target(t, "s1", p, o)})
		pass(time.Second)
		if s := status(t, m, "s1"); !s.Running {
			t.Fatal("no check is under way")
		}
		m.Maintain("app", "s1", true)
		synctest.Wait()
		s := status(t, m, "s1")
		if s.Running || s.Last.Outcome != health.Starting || s.Value != 2 {
			t.Errorf("running %t, %v at %v, want none", s.Running, s.Last, s.Counter)
		}
	})
}

func TestTargetThatBeginsInMaintenance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t, health.Options{})
		p := newFake()
		begun := target(t, "s1", p, tcp())
		begun.Maintained = true
		m.Set([]health.Target{begun})
		pass(time.Minute)
		if n := len(p.checks()); n != 0 {
			t.Errorf("%d checks in maintenance", n)
		}
		begun.Maintained = false
		m.Set([]health.Target{begun})
		synctest.Wait()
		if n := len(p.checks()); n != 1 {
			t.Errorf("%d checks after maintenance, want one at once", n)
		}
	})
}

func TestUnknownServers(t *testing.T) {
	m := monitor(t, health.Options{})
	m.Maintain("app", "nobody", true)
	if _, ok := m.Status("app", "nobody"); ok {
		t.Error("a server that nobody named is watched")
	}
}

func TestStopEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := health.New(health.Options{})
		p := newFake()
		p.answer = slow(time.Hour)
		m.Set([]health.Target{target(t, "s1", p, tcp())})
		pass(time.Second)
		m.Stop()
		if p.running != 0 {
			t.Error("a check outlives Stop")
		}
		m.Set([]health.Target{target(t, "s2", newFake(), tcp())})
		if _, ok := m.Status("app", "s2"); ok {
			t.Error("a stopped monitor watches a new server")
		}
		m.Stop()
	})
}

func TestSecurity(t *testing.T) {
	t.Run("DOS-18_one_check_at_a_time_for_each_of_many_flapping_servers", func(t *testing.T) {
		synctest.Test(t, flapping)
	})
	t.Run("DOS-18_a_new_watch_waits_for_the_check_of_the_old_one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := monitor(t, health.Options{})
			p := newFake()
			// A peer that takes no notice of being called off.
			p.answer = func(context.Context, int) error { <-time.After(time.Minute); return nil }
			for i := range 5 {
				o := tcp()
				o.Rise = i + 1
				m.Set([]health.Target{target(t, "s1", p, o)})
				pass(time.Second)
			}
			pass(10 * time.Minute)
			m.Stop()
			if p.most != 1 || len(p.checks()) < 2 {
				t.Errorf("%d checks at a time, of %d, want 1", p.most, len(p.checks()))
			}
		})
	})
}

// flapping has 500 servers that hang, fail and answer in turn.
func flapping(t *testing.T) {
	m := monitor(t, health.Options{})
	var peers []*fake
	var targets []health.Target
	for i := range 500 {
		p := newFake()
		p.answer = func(ctx context.Context, n int) error {
			switch (n + i) % 3 {
			case 0:
				return slow(time.Hour)(ctx, n)
			case 1:
				return errRefused
			}
			return nil
		}
		peers = append(peers, p)
		targets = append(targets, target(t, fmt.Sprint(i), p, tcp()))
	}
	before := runtime.NumGoroutine()
	m.Set(targets)
	most := 0
	for range 60 {
		pass(time.Second)
		most = max(most, runtime.NumGoroutine()-before)
	}
	if most > 2*len(peers)+10 {
		t.Errorf("%d goroutines for %d servers, want at most two each", most, len(peers))
	}
	for i, p := range peers {
		if p.most != 1 {
			t.Errorf("server %d had %d checks at a time", i, p.most)
		}
	}
}

// panicking is a peer that breaks wherever it is told to.
type panicking struct {
	*fake
	where string
}

func (p *panicking) SetUp(up, slow bool) {
	p.fake.SetUp(up, slow)
	if p.where == "SetUp" {
		panic("SetUp")
	}
}

func (p *panicking) Observe(w backend.Watcher) {
	p.fake.Observe(w)
	if p.where == "Observe" {
		panic("Observe")
	}
}

func TestPanicOfOthersCostsNoWatch(t *testing.T) {
	for _, where := range []string{"SetUp", "Observe", "Dial", "Changed", "Left"} {
		t.Run(where, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := health.Options{Log: zap.NewNop()}
				o.Changed = func(health.Change) {
					if where == "Changed" {
						panic("Changed")
					}
				}
				o.Left = func(string) (int, int) {
					if where == "Left" {
						panic("Left")
					}
					return 1, 0
				}
				m := monitor(t, o)
				p := &panicking{newFake(), where}
				p.answer = func(_ context.Context, n int) error {
					if n >= 8 {
						return nil
					}
					if where == "Dial" {
						panic("Dial")
					}
					return errRefused
				}
				m.Set([]health.Target{target(t, "s1", p, tcp())})
				pass(13 * time.Second)
				if s := status(t, m, "s1"); s.Up() {
					t.Errorf("%v while checks fail, want DOWN", s.Counter)
				}
				pass(10 * time.Second)
				if s := status(t, m, "s1"); !s.Up() || s.Last.Outcome != health.L4OK {
					t.Errorf("%v, %v after good checks, want UP", s.Counter, s.Last)
				}
			})
		})
	}
}
