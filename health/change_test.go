package health_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"doorward/health"
	"doorward/proxy/backend"
)

// told is a monitor's log and what it told of changes.
type told struct {
	logs    *observer.ObservedLogs
	changes []health.Change
	left    [2]int
}

func listening(t *testing.T) (*health.Monitor, *told) {
	core, logs := observer.New(zap.InfoLevel)
	all := &told{logs: logs, left: [2]int{1, 1}}
	m := monitor(t, health.Options{
		Log:     zap.New(core),
		Changed: func(c health.Change) { all.changes = append(all.changes, c) },
		Left:    func(string) (int, int) { return all.left[0], all.left[1] },
	})
	return m, all
}

func TestChangesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, all := listening(t)
		p := newFake()
		p.answer = script("+ - - - + +")
		start := time.Now()
		m.Set([]health.Target{target(t, "s1", p, tcp())})
		pass(11 * time.Second)
		want := []health.Change{
			{
				Backend: "app", Server: "s1", Reason: "L4CON: connection refused",
				LastState: 6 * time.Second, Left: 1, Backups: 1, At: start.Add(6 * time.Second),
			},
			{
				Backend: "app", Server: "s1", Up: true, Reason: "L4OK",
				LastState: 4 * time.Second, Left: 1, Backups: 1, At: start.Add(10 * time.Second),
			},
		}
		if !slices.Equal(all.changes, want) {
			t.Errorf("told\n%+v\nwant\n%+v", all.changes, want)
		}
	})
}

func TestLogOfChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, all := listening(t)
		p := newFake()
		p.answer = script("+ + - - - - + + +")
		m.Set([]health.Target{target(t, "s1", p, tcp())})
		pass(20 * time.Second)
		want := []string{
			"info check passed, up UP L4OK",
			"warn check failed, up UP 2/3 L4CON",
			"warn check failed, up UP 1/3 L4CON",
			"warn server is down, down DOWN L4CON",
			"info check passed, down DOWN 1/2 L4OK",
			"info server is up, up UP L4OK",
		}
		if got := lines(all); !slices.Equal(got, want) {
			t.Errorf("logged\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		down := all.logs.FilterMessage("server is down").All()[0].ContextMap()
		for field, want := range map[string]any{
			"backend": "app", "server": "s1", "reason": "L4CON: connection refused",
			"code": int64(0), "last_state": 8 * time.Second, "left": int64(1), "backups_left": int64(1),
		} {
			if down[field] != want {
				t.Errorf("%s is %v, want %v", field, down[field], want)
			}
		}
	})
}

func lines(all *told) (lines []string) {
	for _, e := range all.logs.All() {
		f := e.ContextMap()
		lines = append(lines, fmt.Sprintf("%s %s, %s %s %s",
			e.Level, e.Message, f["state"], f["health"], f["check"]))
	}
	return lines
}

func TestLogOfTransitionsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, all := listening(t)
		p := newFake()
		p.answer = script("+ + - - - - + + +")
		o := tcp()
		o.Quiet = true
		m.Set([]health.Target{target(t, "s1", p, o)})
		pass(20 * time.Second)
		want := []string{"warn server is down, down DOWN L4CON", "info server is up, up UP L4OK"}
		if got := lines(all); !slices.Equal(got, want) {
			t.Errorf("logged\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestLastServerIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, all := listening(t)
		all.left = [2]int{0, 0}
		p := newFake()
		p.answer = script("-")
		m.Set([]health.Target{target(t, "s1", p, tcp())})
		pass(time.Second)
		want := []string{"error server is down, and its backend has no other, down DOWN L4CON"}
		if got := lines(all); !slices.Equal(got, want) {
			t.Errorf("logged %q, want %q", got, want)
		}
	})
}

// A server that was down is up when maintenance ends, which is a change too.
func TestMaintenanceCanBeAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, all := listening(t)
		p := newFake()
		p.answer = script("- +")
		m.Set([]health.Target{target(t, "s1", p, tcp())})
		pass(time.Second)
		m.Maintain("app", "s1", true)
		pass(time.Minute)
		if len(all.changes) != 1 {
			t.Errorf("maintenance itself was told: %v", all.changes)
		}
		m.Maintain("app", "s1", false)
		synctest.Wait()
		if len(all.changes) != 2 || all.changes[1].Reason != "out of maintenance" ||
			!all.changes[1].Up || all.changes[1].LastState != time.Minute {
			t.Errorf("told %+v, want that it is up, out of maintenance after a minute", all.changes)
		}
	})
}

// Whoever is told may ask back, and the peer knows first.
func TestChangedIsCalledWithoutLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m *health.Monitor
		p := newFake()
		p.answer = script("-")
		one := target(t, "s1", p, tcp())
		called := false
		m = monitor(t, health.Options{Changed: func(c health.Change) {
			called = true
			if s, _ := m.Status(c.Backend, c.Server); s.Up() || p.words()[1].up {
				t.Error("the status or the peer is up, and the change says down")
			}
			m.Maintain(c.Backend, c.Server, false)
			m.Set([]health.Target{one})
		}})
		m.Set([]health.Target{one})
		pass(time.Second)
		if !called {
			t.Error("nobody was told")
		}
	})
}

func TestReloadKeepsWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, all := listening(t)
		old := newFake()
		old.answer = script("+ - - - -")
		m.Set([]health.Target{target(t, "s1", old, tcp())})
		pass(7 * time.Second)
		before := status(t, m, "s1")
		next := newFake()
		next.answer = script("+")
		m.Set([]health.Target{target(t, "s1", next, tcp())})
		if after := status(t, m, "s1"); after != before {
			t.Errorf("after the reload %+v, want %+v", after, before)
		}
		if got := fmt.Sprint(next.words()); got != "[{false false}]" {
			t.Errorf("the new peer was told %v, want that it is down", got)
		}
		pass(4 * time.Second)
		if n := len(old.checks()); n != 4 {
			t.Errorf("%d checks of the old peer, want none after the reload", n-4)
		}
		if s := status(t, m, "s1"); !s.Up() || s.Downs != 1 || len(all.changes) != 2 {
			t.Errorf("%v, down %d times, %d changes: want it to have come back",
				s.Counter, s.Downs, len(all.changes))
		}
		if got := fmt.Sprint(next.words()); got != "[{false false} {true true}]" {
			t.Errorf("the new peer was told %v, want that it is slowly up", got)
		}
	})
}

// A check that only differs in how long a connection may take, or in what is
// logged, goes on at once with the new values.
func TestReloadTakesOverWhatIsNoReasonToForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, all := listening(t)
		p := newFake()
		p.answer = script("+ -")
		o := tcp()
		m.Set([]health.Target{target(t, "s1", p, o)})
		pass(time.Second)
		o.Quiet, o.Timing.Connect = true, time.Second
		m.Set([]health.Target{target(t, "s1", p, o)})
		pass(2 * time.Second)
		if s := status(t, m, "s1"); s.Counter.String() != "UP 2/3" {
			t.Errorf("%v, want the counter to go on", s.Counter)
		}
		if got := lines(all); len(got) != 1 {
			t.Errorf("logged %q, want only what was before the reload", got)
		}
		if n := len(p.words()); n != 1 {
			t.Errorf("a peer that stays was told %d times", n)
		}
	})
}

func TestReloadStartsAfresh(t *testing.T) {
	for name, change := range map[string]func(*health.Target, *health.CheckOptions){
		"address": func(to *health.Target, _ *health.CheckOptions) { to.Key = "elsewhere " + to.Key },
		"check":   func(_ *health.Target, o *health.CheckOptions) { o.Fall = 7 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, all := listening(t)
				p := newFake()
				p.answer = script("- - +")
				o := tcp()
				m.Set([]health.Target{target(t, "s1", p, o)})
				pass(3 * time.Second)
				var to health.Target
				change(&to, &o)
				fresh := target(t, "s1", p, o)
				fresh.Key = to.Key + fresh.Key
				m.Set([]health.Target{fresh})
				s := status(t, m, "s1")
				// Its first check is at once: it may have been already.
				if s.Value != s.Rise && s.Counter.String() != "UP" || s.Downs != 0 || s.Downtime != 0 {
					t.Errorf("%v, %d downs, down for %v: want nothing known", s.Counter, s.Downs, s.Downtime)
				}
				pass(time.Second)
				if s := status(t, m, "s1"); s.Counter.String() != "UP" {
					t.Errorf("%v after a good check, want UP", s.Counter)
				}
				words := p.words()
				if last := words[len(words)-1]; last != (said{true, false}) {
					t.Errorf("the peer was told %v, want up at last, and not slowly", words)
				}
				if len(all.changes) != 1 {
					t.Errorf("a fresh start is no change: %v", all.changes)
				}
			})
		})
	}
}

// A server that is no longer checked is up, and nobody listens to its requests.
func TestReloadWithoutAServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := listening(t)
		p := newFake()
		p.answer = script("-")
		o := tcp()
		o.Passive = health.Passive{Level: health.Layer4}
		m.Set([]health.Target{target(t, "s1", p, o)})
		pass(time.Second)
		m.Set(nil)
		pass(time.Minute)
		if got := fmt.Sprint(p.words()); got != "[{true false} {false false} {true false}]" {
			t.Errorf("the peer was told %v, want that it is up", got)
		}
		if n := len(p.checks()); n != 1 {
			t.Errorf("%d checks, want none after the reload", n-1)
		}
		if _, ok := m.Status("app", "s1"); ok {
			t.Error("it is still watched")
		}
		if p.observed.Load().(listener).Watcher != backend.Watcher(nil) {
			t.Error("its requests are still observed")
		}
	})
}
