package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"doorward/auth/seal"
	"doorward/auth/session"
	"doorward/auth/user"
	"doorward/state"
)

// house is a store with users, and the managers that tests open on it.
type house struct {
	t     testing.TB
	store *state.Store
	box   *seal.Box
	bob   *user.Person
	ended atomic.Int64
}

const host = "app.example"

func limits() session.Limits { return session.Limits{Idle: 30 * time.Minute, Lifetime: 8 * time.Hour} }

func newHouse(t testing.TB) *house {
	t.Helper()
	store, err := state.Open("memory:", state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return &house{t: t, store: store, box: box(t), bob: person("u1", 1)}
}

func box(t testing.TB) *seal.Box {
	b, err := seal.New(bytes.Repeat([]byte{7}, seal.RootSize))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func person(id string, epoch uint64) *user.Person {
	return user.NewPerson(view(id, epoch, user.Active))
}

func view(id string, epoch uint64, s user.State) *user.View {
	u := &user.User{ID: id, Name: "bob", State: s, Epoch: epoch}
	return user.NewView(u, nil, nil, nil)
}

func (h *house) open() *session.Manager {
	h.t.Helper()
	m, err := session.Open(context.Background(), session.Options{
		Store: h.store, Box: h.box, Limits: limits(),
		People: func(id string) *user.Person {
			if id == "u1" {
				return h.bob
			}
			return nil
		},
		Ended: func() { h.ended.Add(1) },
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = m.Close(context.Background()) })
	return m
}

func (h *house) begin(m *session.Manager, change ...func(*session.Start)) (*session.Session, string) {
	h.t.Helper()
	o := session.Start{UserID: "u1", Provider: "azure-ad", Subject: "t/o", UpstreamSID: "s1", Host: host}
	for _, c := range change {
		c(&o)
	}
	s, ticket, err := m.Begin(context.Background(), o)
	if err != nil {
		h.t.Fatal(err)
	}
	return s, ticket
}

func found(m *session.Manager, ticket string) bool {
	return m.Find([]byte(ticket), []byte(host)) != nil
}

// in runs a test in a bubble with a clock of its own, whose managers are closed in it.
func in(t *testing.T, f func(t *testing.T, h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newHouse(t)) })
}

// pass lets time go by, and what is due then happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// Who proved to be somebody before all sessions of that user were ended gets none, nor
// keeps one when that happens a moment later.
func TestSessionOfAnEpochThatIsOver(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		m := h.open()
		began := func(o *session.Start) { o.Epoch = 1 }
		_, ticket := h.begin(m, began)
		if !found(m, ticket) {
			t.Fatal("there is none although nothing has ended")
		}
		h.bob.Set(view("u1", 2, user.Active))
		if found(m, ticket) {
			t.Error("it outlives the epoch")
		}
		o := session.Start{UserID: "u1", Epoch: 1, Host: host}
		if _, _, err := m.Begin(t.Context(), o); !errors.Is(err, session.ErrEnded) {
			t.Errorf("%v, want %v", err, session.ErrEnded)
		}
		_, ticket = h.begin(m, func(o *session.Start) { o.Epoch = 2 })
		if !found(m, ticket) {
			t.Error("there is none in the new epoch")
		}
	})
}

func TestSessionIsWhatItBeganAs(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		m := h.open()
		at := time.Now().Add(-time.Minute)
		s, ticket := h.begin(m, func(o *session.Start) {
			o.MFA, o.AuthTime, o.Client, o.Agent = true, at, "192.0.2.1", string(make([]byte, 999))
		})
		got := m.Find([]byte(ticket), []byte(host))
		if got != s || got.UserName() != "bob" || got.Provider() != "azure-ad" || got.Subject() != "t/o" ||
			got.UpstreamSID() != "s1" || !got.MFA() || !got.AuthTime().Equal(at) ||
			got.Client() != "192.0.2.1" || len(got.Agent()) != 256 {
			t.Errorf("found %+v", got)
		}
		if got.Expires().Sub(got.Created()) != limits().Lifetime || !got.LastSeen().Equal(got.Created()) {
			t.Errorf("from %v to %v, seen %v", got.Created(), got.Expires(), got.LastSeen())
		}
		if all := m.All(); len(all) != 1 || all[0] != s || len(m.Of("u1")) != 1 || len(m.Of("u2")) != 0 {
			t.Errorf("there are %d sessions", len(all))
		}
		if m.ByID(s.ID()) != s || m.ByID("") != nil {
			t.Error("not found by its id")
		}
	})
}

func TestNobodyBegins(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		m := h.open()
		for _, id := range []string{"", "u2"} {
			if _, _, err := m.Begin(t.Context(), session.Start{UserID: id}); err != session.ErrNoUser {
				t.Errorf("user %q: %v", id, err)
			}
		}
		h.bob.Set(view("u1", 1, user.Pending))
		if _, _, err := m.Begin(t.Context(), session.Start{UserID: "u1"}); err != session.ErrNoUser {
			t.Errorf("a user that waits for approval: %v", err)
		}
	})
}

func TestTicketsOfHosts(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		m := h.open()
		s, first := h.begin(m)
		const most = 32 // of one host
		var more []string
		for range most {
			ticket, err := m.Ticket(t.Context(), s, "other.example")
			if err != nil {
				t.Fatal(err)
			}
			more = append(more, ticket)
		}
		for _, ticket := range more {
			if m.Find([]byte(ticket), []byte("other.example")) != s {
				t.Error("a ticket of a tab is not found")
			}
		}
		if _, err := m.Ticket(t.Context(), s, "other.example"); err != nil {
			t.Fatal(err)
		}
		if m.Find([]byte(more[0]), []byte("other.example")) != nil || !found(m, first) {
			t.Error("not the oldest ticket of the host has ended")
		}
		m.End(t.Context(), s, "test")
		if m.Find([]byte(more[most-1]), []byte("other.example")) != nil || found(m, first) {
			t.Error("a ticket has outlived its session")
		}
		if _, err := m.Ticket(t.Context(), s, "third.example"); err == nil {
			t.Error("a session that has ended gets tickets")
		}
	})
}

// Restarts lose nothing, and what has ended stays so.
func TestAnotherProcessGoesOn(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		m := h.open()
		s, ticket := h.begin(m, func(o *session.Start) { o.Secrets = []byte("refresh") })
		other, _ := m.Ticket(t.Context(), s, "other.example")
		gone, old := h.begin(m)
		m.End(t.Context(), gone, "test")
		pass(5 * time.Minute)
		m.Find([]byte(ticket), []byte(host))
		if err := m.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		m = h.open()
		got := m.Find([]byte(ticket), []byte(host))
		if got == nil || got.ID() != s.ID() || found(m, old) {
			t.Fatalf("found %v, and the one that ended: %v", got, found(m, old))
		}
		if m.Find([]byte(other), []byte("other.example")) != got {
			t.Error("the ticket of another host is lost")
		}
		if since := time.Since(got.LastSeen()); since > time.Minute {
			t.Errorf("last seen %v ago", since)
		}
		if secrets, err := m.Secrets(t.Context(), got); err != nil || string(secrets) != "refresh" {
			t.Errorf("secrets %q, %v", secrets, err)
		}
	})
}

func TestProcessesShareSessions(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		one, two := h.open(), h.open()
		s, ticket := h.begin(one)
		synctest.Wait()
		if !found(two, ticket) {
			t.Fatal("the other process does not know the session")
		}
		more, err := two.Ticket(t.Context(), two.ByID(s.ID()), "other.example")
		if err != nil {
			t.Fatal(err)
		}
		third, err := one.Ticket(t.Context(), s, "third.example")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for host, ticket := range map[string]string{"other.example": more, "third.example": third} {
			for i, m := range []*session.Manager{one, two} {
				if m.Find([]byte(ticket), []byte(host)) == nil {
					t.Errorf("process %d does not know the ticket of %s", i+1, host)
				}
			}
		}
		// Who uses one process is not idle on the other.
		for range 10 {
			pass(10 * time.Minute)
			if !found(one, ticket) {
				t.Fatal("idle where it is used")
			}
		}
		if !found(two, ticket) {
			t.Error("idle where it is not used")
		}
		before := h.ended.Load()
		two.End(t.Context(), two.ByID(s.ID()), "test")
		synctest.Wait()
		if found(one, ticket) || found(two, ticket) || h.ended.Load()-before != 2 {
			t.Errorf("%d told, found: %v and %v", h.ended.Load()-before, found(one, ticket), found(two, ticket))
		}
	})
}

func TestEndsOfMany(t *testing.T) {
	for name, end := range map[string]func(*session.Manager) int{
		"user":     func(m *session.Manager) int { return m.EndUser(context.Background(), "u1", "test") },
		"upstream": func(m *session.Manager) int { return m.EndUpstream(context.Background(), "azure-ad", "s1") },
		"session":  func(m *session.Manager) int { return signedOut(m, "s1", "t/o") },
		"subject":  func(m *session.Manager) int { return signedOut(m, "", "t/o") },
		"provider": func(m *session.Manager) int { return m.EndProvider(context.Background(), "azure-ad") },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, h *house) {
				m := h.open()
				_, a := h.begin(m)
				_, b := h.begin(m)
				_, local := h.begin(m, func(o *session.Start) { o.Provider, o.Subject, o.UpstreamSID = "local", "", "" })
				want := 2
				if name == "user" {
					want = 3
				}
				if n := end(m); n != want || found(m, a) || found(m, b) || found(m, local) != (want == 2) {
					t.Errorf("%d have ended, want %d", n, want)
				}
				if n := end(m); n != 0 {
					t.Errorf("%d ended twice", n)
				}
			})
		})
	}
	in(t, func(t *testing.T, h *house) {
		m := h.open()
		_, ticket := h.begin(m, func(o *session.Start) { o.UpstreamSID, o.Subject = "", "" })
		if m.EndUpstream(t.Context(), "azure-ad", "") != 0 || signedOut(m, "", "") != 0 ||
			!found(m, ticket) {
			t.Error("no name is the name of somebody")
		}
	})
}

func signedOut(m *session.Manager, sid, subject string) int {
	n, err := m.SignedOut(context.Background(), "azure-ad", sid, subject)
	if err != nil {
		return -1
	}
	return n
}

// Whose proof is older than the sign-out at the provider gets no session, on any process;
// whoever signs in behind it does.
func TestNoSessionBeginsBehindASignOut(t *testing.T) {
	for name, out := range map[string]func(m *session.Manager) int{
		"session": func(m *session.Manager) int { return signedOut(m, "s1", "") },
		"subject": func(m *session.Manager) int { return signedOut(m, "", "t/o") },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, h *house) {
				one, two := h.open(), h.open()
				start := session.Start{
					UserID: "u1", Provider: "azure-ad", Subject: "t/o", UpstreamSID: "s1",
					Host: "app.example", Since: time.Now(),
				}
				<-time.After(time.Second)
				if n := out(one); n != 0 {
					t.Errorf("%d ended", n)
				}
				if _, _, err := two.Begin(t.Context(), start); !errors.Is(err, session.ErrEnded) {
					t.Errorf("a proof from before: %v", err)
				}
				synctest.Wait()
				if n := len(one.All()) + len(two.All()); n != 0 {
					t.Errorf("%d sessions", n)
				}
				start.Since = time.Now()
				if _, _, err := two.Begin(t.Context(), start); err != nil {
					t.Errorf("a proof from after: %v", err)
				}
			})
		})
	}
}

func TestHandoffIsGoodOnce(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		one, two := h.open(), h.open()
		s, _ := h.begin(one)
		want := session.Handoff{Host: "other.example", Bind: "b", Return: "https://other.example/x#y"}
		code, err := one.Handoff(t.Context(), s, want)
		if err != nil {
			t.Fatal(err)
		}
		got, h2, err := two.Redeem(t.Context(), code)
		if err != nil || got.ID() != s.ID() || h2 != want {
			t.Errorf("redeemed %v, %+v, %v", got, h2, err)
		}
		for what, code := range map[string]string{"twice": code, "empty": "", "another": code[1:] + "A", "long": string(make([]byte, 1000))} {
			if _, _, err := one.Redeem(t.Context(), code); err != session.ErrCode {
				t.Errorf("%s: %v", what, err)
			}
		}
		late, _ := one.Handoff(t.Context(), s, want)
		pass(31 * time.Second)
		if _, _, err := one.Redeem(t.Context(), late); err != session.ErrCode {
			t.Errorf("after 31 seconds: %v", err)
		}
		over, _ := one.Handoff(t.Context(), s, want)
		one.End(t.Context(), s, "test")
		synctest.Wait()
		if _, _, err := two.Redeem(t.Context(), over); err == nil {
			t.Error("redeemed for a session that has ended")
		}
		if _, err := one.Handoff(t.Context(), s, want); err != session.ErrEnded {
			t.Errorf("a code for a session that has ended: %v", err)
		}
	})
}

func TestOnce(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		one, two := h.open(), h.open()
		for i, want := range []bool{true, false, false} {
			m := []*session.Manager{one, two, one}[i]
			if first, err := m.Once(t.Context(), "tx", time.Minute); first != want || err != nil {
				t.Errorf("try %d: %v, %v", i, first, err)
			}
		}
		pass(2 * time.Minute)
		if first, err := one.Once(t.Context(), "tx", time.Minute); !first || err != nil {
			t.Errorf("after its time: %v, %v", first, err)
		}
	})
}

// A store that fails begins nothing, and keeps nothing from ending.
func TestStoreThatFails(t *testing.T) {
	h := newHouse(t)
	m := h.open()
	s, ticket := h.begin(m)
	other, still := h.begin(m)
	_ = h.store.Close()
	if _, _, err := m.Begin(t.Context(), session.Start{UserID: "u1", Host: host}); err == nil {
		t.Error("a session began that is nowhere")
	}
	m.End(t.Context(), s, "test")
	if found(m, ticket) {
		t.Error("the session goes on")
	}
	if !found(m, still) || !other.Valid() {
		t.Error("a session ended because of the store")
	}
	if _, _, err := m.Redeem(t.Context(), "code"); err == nil || err == session.ErrCode {
		t.Errorf("a code cannot be looked up: %v", err)
	}
	_ = fmt.Sprint(m.Close(t.Context()))
}
