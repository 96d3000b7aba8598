package portal_test

import (
	"crypto/rand"
	"testing"
	"time"

	"doorward/auth/oidc"
	"doorward/auth/portal"
	"doorward/auth/session"
	"doorward/auth/user"
)

func TestGroupsFollowTheProvider(t *testing.T) {
	in(t, func(h *house) {
		b := h.idp.signIn(h.browser(), bob())
		claims := bob()
		claims.Groups, claims.Refresh = []string{"g3"}, "the next one"
		h.idp.answers(claims, nil)
		h.recheck()
		if got := b.session().User().Identities[0].Groups; len(got) != 1 || got[0] != "g3" {
			t.Errorf("the groups are %v", got)
		}
		h.idp.answers(&oidc.Claims{Subject: "tenant/bob", Unchanged: true}, nil)
		h.recheck()
		if got := h.idp.askedAgain(); len(got) != 2 || got[1] != "the next one" {
			t.Errorf("asked with %q", got)
		}
		if got := b.session().User().Identities[0].Groups; len(got) != 1 {
			t.Errorf("the groups are %v", got)
		}
	})
}

func TestASessionOutlivesItsProviderForAWhile(t *testing.T) {
	in(t, func(h *house) {
		b := h.idp.signIn(h.browser(), bob())
		h.idp.err = oidc.ErrUnavailable
		h.rechecks.Start()
		pass(4 * time.Hour)
		if b.session() == nil {
			t.Fatal("the session ended within the time of grace")
		}
		if n := len(h.idp.askedAgain()); n < 100 || n > 200 {
			t.Errorf("asked %d times in 3 hours of no answer", n)
		}
		pass(90 * time.Minute)
		if b.session() != nil {
			t.Error("the session goes on without end")
		}
	})
}

func TestAnAnswerWithinTheTimeOfGraceIsEnough(t *testing.T) {
	in(t, func(h *house) {
		b := h.idp.signIn(h.browser(), bob())
		h.idp.err = oidc.ErrUnavailable
		h.rechecks.Start()
		pass(3 * time.Hour)
		h.idp.answers(bob(), nil)
		for range 6 {
			pass(time.Hour)
			if b.session() == nil {
				t.Fatal("the session ended")
			}
		}
	})
}

func TestTwoProcessesAskOnce(t *testing.T) {
	in(t, func(h *house) {
		h.idp.signIn(h.browser(), bob())
		h.idp.answers(bob(), nil)
		second := portal.NewRechecks(portal.RecheckOptions{
			Sessions: h.sessions, Directory: h.directory,
		})
		second.Configure(t.Context(), true, h.options.Providers)
		second.Start()
		defer second.Close()
		h.rechecks.Start()
		pass(70 * time.Minute)
		if n := len(h.idp.askedAgain()); n != 1 {
			t.Errorf("asked %d times", n)
		}
		for range 3 {
			pass(time.Hour)
		}
		if n := len(h.idp.askedAgain()); n < 3 || n > 5 {
			t.Errorf("asked %d times in 4 hours", n)
		}
	})
}

func TestNobodyIsAskedWhereThereIsNothingToAsk(t *testing.T) {
	in(t, func(h *house) {
		claims := bob()
		claims.Refresh = ""
		b, other := h.idp.signIn(h.browser(), claims), h.browser().signIn()
		h.rebuild(func(o *portal.Options) { o.Providers[1].Recheck = 0 })
		carol := bob()
		carol.Subject = "carol"
		h.second.signIn(h.browser(), carol)
		h.rechecks.Start()
		pass(3 * time.Hour)
		if len(h.idp.askedAgain())+len(h.second.askedAgain()) > 0 || b.session() == nil ||
			other.session() == nil {
			t.Errorf("asked %d and %d times", len(h.idp.askedAgain()), len(h.second.askedAgain()))
		}
	})
}

// A reload that leaves a provider out does not wait for a write for each of its sessions.
func TestSessionsOfAProviderEndTogether(t *testing.T) {
	in(t, func(h *house) {
		const many = 450
		for range many / 90 {
			id := h.user(user.User{Name: rand.Text()}, "")
			for range 90 {
				_, _, err := h.sessions.Begin(t.Context(), session.Start{
					UserID: id, Provider: "other", Host: signInHost,
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		events := h.store.Log("sessions", 10_000)
		before := must(events.Newest(t.Context()))(t)
		h.rebuild(func(o *portal.Options) { o.Providers = o.Providers[:1] })
		if left := len(h.sessions.All()); left != 0 {
			t.Errorf("%d of %d sessions are left", left, many)
		}
		if writes := must(events.Newest(t.Context()))(t) - before; writes > 5 {
			t.Errorf("%d sessions took %d writes", many, writes)
		}
	})
}
