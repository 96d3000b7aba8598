package session_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"doorward/auth/session"
	"doorward/auth/user"
	"doorward/state"
)

// A store that hangs does not keep an end from holding here.
func TestEndDoesNotWaitForTheStore(t *testing.T) {
	h := newHouse(t)
	g := gatedHouse(h)
	m := h.open()
	s, ticket := h.begin(m)
	shut, waiting := make(chan struct{}), make(chan struct{})
	g.mu.Lock()
	g.shut, g.onShut = shut, func() { close(waiting) }
	g.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { _, _, _ = m.Begin(context.Background(), session.Start{UserID: "u1", Host: host}) })
	<-waiting
	both.Go(func() { m.End(context.Background(), s, "test") })
	defer func() { close(shut); both.Wait() }()
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); {
		if !found(m, ticket) {
			return
		}
	}
	t.Error("found 3 s after End was called: it waits behind the write of another sign-in")
}

// A use just before the session would be idle counts on the other process too.
func TestUseShortlyBeforeTheIdleLimitCounts(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		one, two := h.open(), h.open()
		_, ticket := h.begin(one)
		pass(29*time.Minute + 30*time.Second)
		if !found(one, ticket) {
			t.Fatal("idle too early")
		}
		pass(2 * time.Minute)
		if !found(one, ticket) {
			t.Error("used two minutes ago on this process, ended by the other as idle")
		}
		_ = two
	})
}

// A panic in Ended is the end of that call alone.
func TestEndedIsToldAfterAPanic(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		var calls atomic.Int64
		m, err := session.Open(context.Background(), session.Options{
			Store: h.store, Box: h.box, Limits: limits(),
			People: func(string) *user.Person { return h.bob },
			Ended: func() {
				if calls.Add(1) == 1 {
					panic("once")
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close(context.Background())
		for range 2 {
			s, _ := h.begin(m)
			m.End(t.Context(), s, "test")
			synctest.Wait()
		}
		if calls.Load() != 2 {
			t.Errorf("told %d times of 2", calls.Load())
		}
	})
}

// A session may be known before its user is.
func TestUserWhoIsKnownLater(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		var known atomic.Bool
		one := h.open()
		two, err := session.Open(context.Background(), session.Options{
			Store: h.store, Box: h.box, Limits: limits(),
			People: func(string) *user.Person {
				if known.Load() {
					return h.bob
				}
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer two.Close(context.Background())
		_, ticket := h.begin(one)
		synctest.Wait()
		known.Store(true)
		two.Changed()
		pass(2 * time.Second)
		if !found(two, ticket) {
			t.Error("never found on the process that heard of the user after the session")
		}
	})
}

// What has ended cannot be renewed.
func TestRenewOfAnEndedSession(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		m := h.open()
		old, _ := h.begin(m)
		m.End(t.Context(), old, "signed out")
		_, fresh, err := m.Renew(t.Context(), old, session.Start{UserID: "u1", MFA: true, Host: host})
		if err == nil || found(m, fresh) {
			t.Errorf("renewed after its end: %v", err)
		}
	})
}

// No secrets are left behind for a session that another process has ended.
func TestSecretsOfAnEndedSession(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		m := h.open()
		s, _ := h.begin(m, func(o *session.Start) { o.Secrets = []byte("x") })
		// Another process has ended it; the event is on its way.
		for _, p := range []string{"session/", "session-seen/", "session-secrets/"} {
			_ = h.store.Delete(t.Context(), p+s.ID())
		}
		err := m.SetSecrets(t.Context(), s, []byte("refresh"))
		if got, _ := m.Secrets(t.Context(), s); err == nil || got != nil {
			t.Errorf("SetSecrets = %v, left behind %q", err, got)
		}
	})
}

// A valid ticket is found at every moment, also while another process' work is
// taken over.
func TestFoundWhileRefreshed(t *testing.T) {
	h := newHouse(t)
	one, two := h.open(), h.open()
	s, ticket := h.begin(one)
	for two.ByID(s.ID()) == nil {
		runtime.Gosched()
	}
	stop := make(chan struct{})
	var missed atomic.Int64
	var all sync.WaitGroup
	all.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if !found(one, ticket) {
				missed.Add(1)
			}
		}
	})
	for i := range 60 {
		var both sync.WaitGroup
		for _, m := range []*session.Manager{one, two} {
			both.Go(func() {
				if _, err := m.Ticket(t.Context(), m.ByID(s.ID()), fmt.Sprint("h", i)); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
	}
	close(stop)
	all.Wait()
	if !found(one, ticket) {
		t.Fatal("not even now")
	}
	if n := missed.Load(); n > 0 {
		t.Errorf("a valid ticket was not found %d times", n)
	}
}

// A longer lifetime holds in memory and in the store.
func TestLongerLifetime(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		m := h.open()
		m.Configure(session.Limits{Idle: 2 * time.Hour, Lifetime: time.Hour})
		s, ticket := h.begin(m)
		m.Configure(session.Limits{Idle: 2 * time.Hour, Lifetime: 8 * time.Hour})
		pass(90 * time.Minute)
		if !found(m, ticket) {
			return // ends with the limit that it began under: consistent too
		}
		if _, err := m.Ticket(t.Context(), s, "other.example"); err != nil {
			t.Errorf("valid, but a ticket for another host: %v", err)
		}
		_ = m.Close(t.Context())
		if m = h.open(); !found(m, ticket) {
			t.Error("valid here, unknown after a restart")
		}
	})
}

// An idle limit of a minute is one, too.
func TestIdleOfAMinute(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		m := h.open()
		m.Configure(session.Limits{Idle: time.Minute, Lifetime: time.Hour})
		_, ticket := h.begin(m)
		for i := range 9 {
			pass(20 * time.Second)
			if !found(m, ticket) {
				t.Fatalf("used every 20 s, idle after %d s", 20*(i+1))
			}
		}
	})
}

// Many ends are few writes, or the last would wait for the first.
func TestManyEndsAreFewWrites(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		g := gatedHouse(h)
		m := h.open()
		for range 100 {
			h.begin(m)
		}
		before := g.writes.Load()
		m.EndUser(t.Context(), "u1", "test")
		if n := g.writes.Load() - before; n > 10 {
			t.Errorf("%d writes, one after the other, for 100 ends", n)
		}
	})
}

// What uses take in the log is bounded.
func TestLogOfUses(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		g := gatedHouse(h)
		people := map[string]*user.Person{}
		m, err := session.Open(context.Background(), session.Options{
			Store: h.store, Box: h.box, Limits: limits(),
			People: func(id string) *user.Person { return people[id] },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close(context.Background())
		var tickets []string
		for i := range 400 {
			id := fmt.Sprint("u", i)
			people[id] = person(id, 1)
			_, ticket, err := m.Begin(t.Context(), session.Start{UserID: id, Host: host})
			if err != nil {
				t.Fatal(err)
			}
			tickets = append(tickets, ticket)
		}
		before, n := g.appended.Load(), g.writes.Load()
		for range 60 {
			pass(time.Minute)
			for _, ticket := range tickets {
				found(m, ticket)
			}
		}
		bytes, events := g.appended.Load()-before, g.writes.Load()-n
		// Of which the newest hundred are kept.
		if kept := bytes / max(events, 1) * 100; bytes == 0 || kept > 4<<20 {
			t.Errorf("%d bytes per event: %d MB are kept", bytes/max(events, 1), kept>>20)
		}
	})
}

// What was read before an end does not bring the session back.
func TestReloadDoesNotBringBack(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		g := gatedHouse(h)
		m := h.open()
		s, ticket := h.begin(m)
		g.mu.Lock()
		g.fail = true
		g.mu.Unlock()
		m.End(t.Context(), s, "test")
		// Another process writes more than the log keeps, and the store comes back
		// while this one reads everything.
		g.onList = func(prefix string) {
			if prefix != "session/" {
				return
			}
			g.onList = nil
			g.mu.Lock()
			g.fail = false
			g.mu.Unlock()
			<-time.After(3 * time.Second) // a slow page; the sweep retries meanwhile
		}
		raw := h.store
		changes := make([]state.Change, 0, 900)
		for range 900 {
			changes = append(changes, state.Append("sessions", []byte(`{"by":"x"}`), 10))
		}
		if _, err := g.Engine.Write(t.Context(), changes); err != nil {
			t.Fatal(err)
		}
		_ = raw
		pass(20 * time.Second)
		if found(m, ticket) {
			t.Error("what was ended is found again")
		}
	})
}

// A sign-in that cannot be written ends no other session.
func TestFailedBeginEndsNothing(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		g := gatedHouse(h)
		m := h.open()
		_, first := h.begin(m)
		for range 99 {
			pass(time.Millisecond)
			h.begin(m)
		}
		g.mu.Lock()
		g.fail = true
		g.mu.Unlock()
		if _, _, err := m.Begin(t.Context(), session.Start{UserID: "u1", Host: host}); err == nil {
			t.Fatal("begun")
		}
		if !found(m, first) {
			t.Error("a sign-in that failed has ended another session")
		}
	})
}

// A time of use in the future is none.
func TestUseInTheFuture(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		m := h.open()
		s, ticket := h.begin(m)
		_ = m.Close(t.Context())
		_, _ = h.store.Set(t.Context(), "session-seen/"+s.ID(),
			[]byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0)
		m = h.open()
		pass(2 * time.Hour)
		if found(m, ticket) {
			t.Error("idle for two hours of 30 minutes, and found")
		}
	})
}

func BenchmarkEndUpstreamUnknown(b *testing.B) {
	m, _ := crowded(b, crowd)
	b.ResetTimer()
	for b.Loop() {
		m.EndUpstream(context.Background(), "azure-ad", "no such")
	}
}
