package health_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"doorward/health"
)

// The rows are HAProxy's rules for its counter: "-" is a failed check, "+" a good
// one, and after each the counter is the next number.
func TestCounterIsHAProxys(t *testing.T) {
	for _, c := range []struct {
		rule       string
		rise, fall int
		from       int
		checks     string
		want       []int
	}{
		{"fall failures in a row bring it down", 2, 3, 4, "---", []int{3, 2, 0}},
		{"a failure below rise leaves nothing", 3, 2, 3, "-", []int{0}},
		{"a failure of none is none", 2, 3, 0, "--", []int{0, 0}},
		{"a success on the way down is full health", 2, 3, 2, "+", []int{4}},
		{"rise successes in a row bring it up", 2, 3, 0, "++", []int{1, 4}},
		{"rise 3", 3, 2, 0, "+++", []int{1, 2, 4}},
		{"a success of full health is none", 2, 3, 4, "++", []int{4, 4}},
		{"a failure on the way up starts over", 2, 3, 0, "+-++", []int{1, 0, 1, 4}},
		{"just up falls at the first failure", 2, 3, 2, "-", []int{0}},
		{"just up is full health at the first success", 2, 3, 2, "+-", []int{4, 3}},
		{"just down is up at the first success", 2, 3, 1, "+", []int{4}},
		{"just down starts over at a failure", 2, 3, 1, "-", []int{0}},
		{"rise 1, fall 1", 1, 1, 1, "-+-+", []int{0, 1, 0, 1}},
		{"rise 1, fall 3", 1, 3, 3, "--+---+", []int{2, 1, 3, 2, 1, 0, 3}},
		{"rise 3, fall 1", 3, 1, 3, "-++-+++", []int{0, 1, 2, 0, 1, 2, 3}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			now := health.Counter{Rise: c.rise, Fall: c.fall, Value: c.from}
			for i, check := range c.checks {
				if check == '+' {
					now = now.Pass()
				} else {
					now = now.Fail()
				}
				if now.Value != c.want[i] {
					t.Fatalf("after %q the counter is %d, want %d", c.checks[:i+1], now.Value, c.want[i])
				}
				if now.Up() != (now.Value >= c.rise) {
					t.Errorf("Up at %d is %t", now.Value, now.Up())
				}
			}
		})
	}
}

func TestCounterNeverLeavesItsRange(t *testing.T) {
	for rise := 1; rise <= 4; rise++ {
		for fall := 1; fall <= 4; fall++ {
			for value := 0; value < rise+fall; value++ {
				c := health.Counter{Rise: rise, Fall: fall, Value: value}
				for _, next := range []health.Counter{
					c.Pass(), c.Fail(), c.Punish(health.SuddenDeath), c.Punish(health.MarkDown),
				} {
					if next.Value < 0 || next.Value > rise+fall-1 {
						t.Errorf("from %+v to %+v", c, next)
					}
				}
				if c.Punish(health.MarkDown).Value != 0 {
					t.Errorf("marked down, %+v is %+v", c, c.Punish(health.MarkDown))
				}
			}
		}
	}
}

func TestPunishment(t *testing.T) {
	for _, c := range []struct {
		how        health.OnError
		from, want int
	}{
		{health.FailCheck, 4, 3},
		{health.FailCheck, 2, 0},
		{health.FailCheck, 0, 0},
		{health.FastChecks, 4, 4},
		{health.SuddenDeath, 4, 2}, // the next failure is the last
		{health.SuddenDeath, 3, 2},
		{health.SuddenDeath, 2, 0},
		{health.SuddenDeath, 1, 0},
		{health.MarkDown, 4, 0},
		{health.MarkDown, 1, 0},
	} {
		got := health.Counter{Rise: 2, Fall: 3, Value: c.from}.Punish(c.how)
		if got.Value != c.want {
			t.Errorf("%s makes %d of %d, want %d", c.how, got.Value, c.from, c.want)
		}
	}
}

func TestCounterReadsAsHAProxysStatus(t *testing.T) {
	for value, want := range []string{"DOWN", "DOWN 1/2", "UP 1/3", "UP 2/3", "UP"} {
		if got := fmt.Sprint(health.Counter{Rise: 2, Fall: 3, Value: value}); got != want {
			t.Errorf("%d reads %q, want %q", value, got, want)
		}
	}
}

// TestInitialStates: where a server begins, and how many checks it takes from
// there to the other state.
func TestInitialStates(t *testing.T) {
	for _, c := range []struct {
		initial health.Initial
		value   int
		up      bool
		turns   int // failures until down, or successes until up
	}{
		{"", 2, true, 1},
		{health.None, 2, true, 1},
		{health.Up, 2, true, 1},
		{health.Down, 1, false, 1},
		{health.FullyUp, 4, true, 3},
		{health.FullyDown, 0, false, 2},
	} {
		t.Run("initial_"+string(c.initial), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := monitor(t, health.Options{})
				p := newFake()
				m.Set([]health.Target{target(t, "s1", p, health.CheckOptions{Initial: c.initial})})
				s := status(t, m, "s1")
				if s.Value != c.value || s.Up() != c.up {
					t.Fatalf("begins at %d, up %t, want %d and %t", s.Value, s.Up(), c.value, c.up)
				}
				if s.Last.Outcome != health.Starting || !s.Last.At.IsZero() {
					t.Errorf("before any check the last one is %v", s.Last)
				}
				if got := p.words(); len(got) != 1 || got[0] != (said{c.up, false}) {
					t.Errorf("the peer was told %v, want %t alone", got, c.up)
				}
				turned := 0
				for now := s.Counter; now.Up() == c.up; turned++ {
					if c.up {
						now = now.Fail()
					} else {
						now = now.Pass()
					}
				}
				if turned != c.turns {
					t.Errorf("%d checks turn it, want %d", turned, c.turns)
				}
			})
		})
	}
}
