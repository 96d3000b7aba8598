package health_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"doorward/health"
	"doorward/proxy/backend"
)

func TestRequestsCountAsTheLevelSays(t *testing.T) {
	for _, c := range []struct {
		level health.Level
		event backend.Event
		bad   bool
	}{
		{health.Layer4, backend.OK, false},
		{health.Layer4, backend.ConnectFailed, true},
		{health.Layer4, backend.BadStatus, false},
		{health.Layer4, backend.NoAnswer, false},
		{health.Layer4, backend.TimedOut, false},
		{health.Layer7, backend.OK, false},
		{health.Layer7, backend.ConnectFailed, true},
		{health.Layer7, backend.BadStatus, true},
		{health.Layer7, backend.NoAnswer, true},
		{health.Layer7, backend.TimedOut, true},
	} {
		t.Run(string(c.level)+"_"+c.event.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, p, look := observed(t, health.Passive{Level: c.level, Limit: 1}, 0)
				p.saw(c.event)
				if s := look(); (s.Value == 3) != c.bad {
					t.Errorf("health %d of 4, want bad to be %t", s.Value, c.bad)
				}
			})
		})
	}
}

// observed is a server of full health that is checked hardly ever.
func observed(
	t *testing.T, passive health.Passive, fast time.Duration,
) (*health.Monitor, *fake, func() health.Status) {
	m := monitor(t, health.Options{})
	p := newFake()
	m.Set([]health.Target{target(t, "s1", p, health.CheckOptions{
		Kind: health.TCP, Passive: passive,
		Timing: health.Timing{Interval: time.Hour, Fast: fast},
	})})
	pass(time.Second)
	return m, p, func() health.Status {
		synctest.Wait()
		return status(t, m, "s1")
	}
}

func TestTooManyBadRequestsInARow(t *testing.T) {
	for _, c := range []struct {
		how  health.OnError
		want []int // health after each three bad requests, from 4
	}{
		{"", []int{3, 2, 0, 0}},
		{health.FailCheck, []int{3, 2, 0, 0}},
		{health.SuddenDeath, []int{2, 0}},
		{health.MarkDown, []int{0, 0}},
		{health.FastChecks, []int{4, 4}},
	} {
		t.Run("on_error_"+string(c.how), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, p, look := observed(t, health.Passive{
					Level: health.Layer7, Limit: 3, OnError: c.how,
				}, 0)
				before := look().Value
				for i, want := range c.want {
					p.saw(backend.BadStatus, backend.NoAnswer)
					p.saw(backend.OK) // starts the count over
					p.saw(backend.BadStatus, backend.NoAnswer)
					if s := look(); s.Value != before {
						t.Fatalf("health %d before the third bad request, want %d", s.Value, before)
					}
					p.saw(backend.TimedOut)
					s := look()
					if s.Value != want || s.Observed != int64(i+1) {
						t.Fatalf("health %d, observed %d, want %d and %d", s.Value, s.Observed, want, i+1)
					}
					before = want
				}
				if s := look(); c.how != health.FastChecks && (s.Last.Outcome != health.Analyzed ||
					s.Last.Description != "3 bad requests in a row, the last: timed out") {
					t.Errorf("the last result is %v", s.Last)
				}
			})
		})
	}
}

// With fastinter configured the next check comes soon, whatever else happens.
func TestBadRequestsMakeChecksFast(t *testing.T) {
	for _, how := range []health.OnError{health.FastChecks, health.FailCheck} {
		synctest.Test(t, func(t *testing.T) {
			_, p, look := observed(t, health.Passive{
				Level: health.Layer4, Limit: 1, OnError: how,
			}, time.Second)
			p.saw(backend.ConnectFailed)
			synctest.Wait()
			pass(900 * time.Millisecond)
			p.saw(backend.ConnectFailed) // does not put it off
			pass(200 * time.Millisecond)
			if n := len(p.checks()); n != 2 {
				t.Errorf("%s: %d checks, want a second one after a second", how, n)
			}
			if s := look(); s.Value != 4 {
				t.Errorf("%s: health %d after the good check, want 4", how, s.Value)
			}
		})
	}
}

func TestGoodCheckForgivesRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p, look := observed(t, health.Passive{Level: health.Layer4, Limit: 2}, 0)
		p.saw(backend.ConnectFailed)
		pass(2 * time.Hour)
		p.saw(backend.ConnectFailed)
		if s := look(); s.Value != 4 {
			t.Errorf("health %d, want 4: a check was good in between", s.Value)
		}
	})
}

func TestRequestsDoNotCountInMaintenance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p, look := observed(t, health.Passive{
			Level: health.Layer4, Limit: 1, OnError: health.MarkDown,
		}, 0)
		m.Maintain("app", "s1", true)
		synctest.Wait()
		p.saw(backend.ConnectFailed)
		if s := look(); !s.Up() || s.Observed != 0 {
			t.Errorf("%v with %d observed, want neither", s.Counter, s.Observed)
		}
	})
}

// A server can be marked down while a check of it hangs.
func TestRequestsDoNotWaitForACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t, health.Options{})
		p := newFake()
		p.answer = slow(time.Hour)
		m.Set([]health.Target{target(t, "s1", p, health.CheckOptions{
			Kind: health.TCP, Timing: health.Timing{Interval: time.Minute},
			Passive: health.Passive{Level: health.Layer4, Limit: 1, OnError: health.MarkDown},
		})})
		pass(time.Second)
		p.saw(backend.ConnectFailed)
		synctest.Wait()
		if s := status(t, m, "s1"); s.Up() || !s.Running {
			t.Errorf("up %t with a check running %t, want down meanwhile", s.Up(), s.Running)
		}
	})
}

func TestManyRequestsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p, look := observed(t, health.Passive{Level: health.Layer4, Limit: 100}, 0)
		for range 8 {
			go func() {
				p.saw(slices.Repeat([]backend.Event{backend.ConnectFailed}, 100)...)
			}()
		}
		s := look()
		if s.Up() || s.Observed < 7 || s.Observed > 8 {
			t.Errorf("%v, observed %d times, want down after 8, or 7", s.Counter, s.Observed)
		}
	})
}

// Nobody listens where nothing is to be heard, also after a reload.
func TestObserveOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t, health.Options{})
		p := newFake()
		listens := func() bool { return p.observed.Load().(listener).Watcher != nil }
		on := health.Passive{Level: health.Layer4}
		for _, c := range []struct {
			name    string
			passive health.Passive
			want    bool
		}{{"off", health.Passive{}, false}, {"on", on, true}, {"off again", health.Passive{}, false}} {
			o := tcp()
			o.Passive = c.passive
			m.Set([]health.Target{target(t, "s1", p, o)})
			if listens() != c.want {
				t.Errorf("%s: somebody listens: %t", strings.ToUpper(c.name), listens())
			}
		}
	})
}
