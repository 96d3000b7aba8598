package session_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"doorward/auth/session"
	"doorward/auth/user"
)

func TestSecurity(t *testing.T) {
	for id, test := range map[string]func(*testing.T, *house){
		"DOS-10_a_user_has_only_so_many_sessions":       manySessions,
		"COOK-01_renewed_at_a_new_sign-in":              renewed,
		"COOK-06_one_spelling_of_a_ticket":              oneSpelling,
		"COOK-09_nothing_after_the_end":                 nothingAfterEnd,
		"COOK-11_a_user_who_is_disabled":                disabledUser,
		"COOK-12_lifetime":                              lifetime,
		"COOK-13_idle":                                  idle,
		"COOK-15_a_ticket_of_another_host":              otherHost,
		"COOK-17_the_store_opens_nothing":               storeOpensNothing,
		"COOK-18_entries_swapped":                       swapped,
		"TIME-05_a_lifetime_is_no_longer_than_it_is":    futureAuthTime,
		"TIME-06_over_at_the_limit_and_not_later":       atTheLimit,
		"RLD-07_a_reload_changes_limits_for_those_here": newLimits,
	} {
		t.Run(id, func(t *testing.T) { in(t, test) })
	}
}

func manySessions(t *testing.T, h *house) {
	m := h.open()
	_, first := h.begin(m)
	for range 99 {
		pass(time.Millisecond)
		h.begin(m)
	}
	if !found(m, first) || len(m.Of("u1")) != 100 {
		t.Fatalf("%d sessions", len(m.Of("u1")))
	}
	if _, last := h.begin(m); found(m, first) || !found(m, last) || len(m.Of("u1")) != 100 {
		t.Errorf("%d sessions, the oldest found: %v", len(m.Of("u1")), found(m, first))
	}
}

func renewed(t *testing.T, h *house) {
	m := h.open()
	old, ticket := h.begin(m)
	s, fresh, err := m.Renew(t.Context(), old, session.Start{UserID: "u1", Provider: "local", MFA: true, Host: host})
	if err != nil || s.ID() == old.ID() || fresh == ticket {
		t.Fatalf("renewed as %v, %v", s, err)
	}
	if found(m, ticket) || !found(m, fresh) {
		t.Error("the old ticket opens something, or the new one nothing")
	}
}

func oneSpelling(t *testing.T, h *house) {
	m := h.open()
	_, ticket := h.begin(m)
	if len(ticket) != 44 || !found(m, ticket) {
		t.Fatalf("ticket of %d characters", len(ticket))
	}
	for i := range ticket {
		for c := range 256 {
			if bad := ticket[:i] + string([]byte{byte(c)}) + ticket[i+1:]; bad != ticket && found(m, bad) {
				t.Fatalf("found with %q at %d", byte(c), i)
			}
		}
		if found(m, ticket[:i]) {
			t.Fatalf("found when cut to %d", i)
		}
	}
	raw, _ := base64.RawURLEncoding.DecodeString(ticket[1:])
	for _, bad := range []string{
		ticket + "=", ticket + "A", ticket + "\n", " " + ticket, `"` + ticket + `"`, strings.ToUpper(ticket),
		"1" + base64.RawStdEncoding.EncodeToString(append(raw[:31:31], 0xff)), "1\n" + ticket[2:],
	} {
		if found(m, bad) {
			t.Errorf("found as %q", bad)
		}
	}
}

func nothingAfterEnd(t *testing.T, h *house) {
	one, two := h.open(), h.open()
	s, ticket := h.begin(one)
	synctest.Wait()
	began := time.Now()
	one.End(t.Context(), s, "test")
	if found(one, ticket) {
		t.Error("found where it ended")
	}
	synctest.Wait()
	if found(two, ticket) || time.Since(began) > time.Second {
		t.Errorf("found on another process, %v later", time.Since(began))
	}
	if three := h.open(); found(three, ticket) {
		t.Error("found by a process that began later")
	}
}

func disabledUser(t *testing.T, h *house) {
	m := h.open()
	_, ticket := h.begin(m)
	h.bob.Set(view("u1", 1, user.Disabled))
	if found(m, ticket) {
		t.Error("the session of a disabled user is found")
	}
	h.bob.Set(view("u1", 1, user.Active))
	if !found(m, ticket) {
		t.Error("not found although nobody has noticed")
	}
	h.bob.Set(view("u1", 2, user.Active))
	if found(m, ticket) {
		t.Error("a session of an older epoch is found")
	}
	before := h.ended.Load()
	m.Changed()
	pass(2 * time.Second)
	if h.ended.Load() == before || len(m.All()) != 0 {
		t.Error("nobody was told")
	}
	h.bob.Set(view("u1", 1, user.Active)) // as if the epoch came back
	if found(m, ticket) {
		t.Error("what was swept has come back")
	}
}

func lifetime(t *testing.T, h *house) {
	m := h.open()
	_, ticket := h.begin(m)
	for range 8*60 - 1 {
		pass(time.Minute)
		if !found(m, ticket) {
			t.Fatal("over before its time")
		}
	}
	pass(time.Minute)
	if found(m, ticket) {
		t.Error("found after eight hours")
	}
}

func idle(t *testing.T, h *house) {
	m := h.open()
	_, ticket := h.begin(m)
	pass(29 * time.Minute)
	if !found(m, ticket) {
		t.Fatal("over before its time")
	}
	pass(29 * time.Minute)
	if !found(m, ticket) {
		t.Fatal("the use was not noted")
	}
	before := h.ended.Load()
	pass(30 * time.Minute)
	if found(m, ticket) {
		t.Error("found after half an hour of nothing")
	}
	pass(time.Second)
	if h.ended.Load() == before || len(m.All()) != 0 {
		t.Error("nobody was told within a second")
	}
}

func otherHost(t *testing.T, h *house) {
	m := h.open()
	_, ticket := h.begin(m)
	for _, other := range []string{"", "b.example", "APP.example", "app.example.", host + ":443"} {
		if m.Find([]byte(ticket), []byte(other)) != nil {
			t.Errorf("found on %q", other)
		}
	}
}

func storeOpensNothing(t *testing.T, h *house) {
	m := h.open()
	s, ticket := h.begin(m, func(o *session.Start) { o.Secrets = []byte("refresh-token") })
	code, _ := m.Handoff(t.Context(), s, session.Handoff{Host: "x", Return: "https://x/"})
	raw, _ := base64.RawURLEncoding.DecodeString(ticket[1:])
	entries := 0
	for e, err := range h.store.All(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		entries++
		for what, secret := range map[string][]byte{
			"the ticket": []byte(ticket), "its secret": raw[16:], "a token": []byte("refresh-token"),
			"the code": []byte(code), "the provider": []byte("azure-ad"),
		} {
			if bytes.Contains(e.Value, secret) || bytes.Contains([]byte(e.Key), secret) {
				t.Errorf("%s is in the entry %s", what, e.Key)
			}
		}
	}
	if entries < 3 {
		t.Errorf("only %d entries", entries)
	}
}

func swapped(t *testing.T, h *house) {
	m := h.open()
	a, ta := h.begin(m)
	b, tb := h.begin(m)
	_ = m.Close(t.Context())
	e, err := h.store.Get(t.Context(), "session/"+a.ID())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.store.Set(t.Context(), "session/"+b.ID(), e.Value, 0); err != nil {
		t.Fatal(err)
	}
	m = h.open()
	if !found(m, ta) || found(m, tb) || len(m.All()) != 1 {
		t.Errorf("%d sessions, the swapped one found: %v", len(m.All()), found(m, tb))
	}
}

func futureAuthTime(t *testing.T, h *house) {
	m := h.open()
	s, ticket := h.begin(m, func(o *session.Start) { o.AuthTime = time.Now().Add(1e6 * time.Hour) })
	if time.Until(s.Expires()) > limits().Lifetime {
		t.Errorf("lasts until %v", s.Expires())
	}
	pass(limits().Lifetime)
	if found(m, ticket) {
		t.Error("outlives its limit")
	}
}

func atTheLimit(t *testing.T, h *house) {
	m := h.open()
	_, ticket := h.begin(m)
	pass(30*time.Minute - time.Millisecond)
	if s := m.All(); len(s) != 1 {
		t.Error("over a millisecond before its limit")
	}
	pass(time.Millisecond)
	if found(m, ticket) { // nobody has cleaned up yet: that is due in half a second
		t.Error("found at its limit")
	}
}

func newLimits(t *testing.T, h *house) {
	m := h.open()
	_, ticket := h.begin(m)
	pass(10 * time.Minute)
	m.Configure(session.Limits{Idle: 5 * time.Minute, Lifetime: time.Hour})
	if found(m, ticket) {
		t.Error("an idle limit that became shorter does not hold")
	}
}
