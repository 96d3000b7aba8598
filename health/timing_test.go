package health_test

import (
	"testing"
	"testing/synctest"
	"time"

	"doorward/health"
)

func TestIntervalFollowsTheCounter(t *testing.T) {
	all := health.Timing{Interval: 10 * time.Second, Fast: time.Second, Down: time.Minute}
	only := health.Timing{Interval: 10 * time.Second}
	for value, want := range []time.Duration{all.Down, all.Fast, all.Fast, all.Fast, all.Interval} {
		c := health.Counter{Rise: 2, Fall: 3, Value: value}
		if got := all.Next(c); got != want {
			t.Errorf("at %v the interval is %v, want %v", c, got, want)
		}
		if got := only.Next(c); got != only.Interval {
			t.Errorf("at %v, with nothing else given, it is %v, want %v", c, got, only.Interval)
		}
	}
}

func TestFirstChecksAreSpread(t *testing.T) {
	for _, c := range []struct {
		own, smallest time.Duration
		position      int
		want          time.Duration
	}{
		{time.Second, time.Second, 0, 0},
		{time.Second, time.Second, 1, 250 * time.Millisecond},
		{8 * time.Second, time.Second, 2, 4 * time.Second},
		{8 * time.Second, time.Second, 3, 6 * time.Second},
	} {
		if got := health.Offset(c.own, c.smallest, c.position, 4); got != c.want {
			t.Errorf("%d of 4 with %v waits %v, want %v", c.position, c.own, got, c.want)
		}
	}
}

// gaps are the times between the checks of a peer.
func gaps(p *fake) (all []time.Duration) {
	at := p.checks()
	for i := range at[1:] {
		all = append(all, at[i+1].Sub(at[i]))
	}
	return all
}

func TestMonitorKeepsIntervals(t *testing.T) {
	timing := health.Timing{
		Interval: 2 * time.Second, Fast: 500 * time.Millisecond, Down: 5 * time.Second,
	}
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t, health.Options{})
		p := newFake()
		p.answer = script("+ + - - - - + + +")
		m.Set([]health.Target{target(t, "s1", p, health.CheckOptions{
			Kind: health.TCP, Timing: timing,
		})})
		pass(time.Minute)
		m.Stop()
		want := []time.Duration{
			timing.Interval, timing.Interval, // fully up
			timing.Fast, timing.Fast, // going down
			timing.Down, timing.Down, // down
			timing.Fast,     // coming up
			timing.Interval, // up
		}
		for i, gap := range gaps(p)[:len(want)] {
			if gap != want[i] {
				t.Errorf("check %d came after %v, want %v", i+2, gap, want[i])
			}
		}
	})
}

func TestIntervalBeginsWhenTheCheckEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t, health.Options{})
		p := newFake()
		p.answer = slow(500 * time.Millisecond)
		m.Set([]health.Target{target(t, "s1", p, health.CheckOptions{Kind: health.TCP})})
		pass(20 * time.Second)
		m.Stop()
		for _, gap := range gaps(p) {
			if gap != 2500*time.Millisecond {
				t.Errorf("checks that take 500ms come every %v, want 2.5s", gap)
			}
		}
	})
}

func TestJitterStaysInItsBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t, health.Options{})
		p := newFake()
		m.Set([]health.Target{target(t, "s1", p, health.CheckOptions{
			Kind: health.TCP, Timing: health.Timing{Interval: 10 * time.Second, Jitter: 20},
		})})
		pass(2 * time.Hour)
		m.Stop()
		var shortest, longest time.Duration
		for _, gap := range gaps(p)[1:] {
			longest = max(longest, gap)
			if shortest == 0 || gap < shortest {
				shortest = gap
			}
		}
		// Checks are moved by up to 50 ms to fall due together.
		const moved = 50 * time.Millisecond
		if shortest < 8*time.Second-moved || longest > 12*time.Second+moved {
			t.Errorf("gaps from %v to %v, want 8s to 12s", shortest, longest)
		}
		if shortest > 9*time.Second || longest < 11*time.Second {
			t.Errorf("gaps from %v to %v: hardly any jitter", shortest, longest)
		}
	})
}
