package portal_test

import (
	"runtime"
	"testing"
	"time"

	"doorward/auth/portal"
	"doorward/auth/user"
	"doorward/internal/safe"
)

// What ends the sessions of somebody, or the way by which they come, while a provider is
// asked about them, leaves no session behind.
func TestWhatEndsMeanwhileDoesNotBegin(t *testing.T) {
	for name, what := range map[string]func(h *house, id string){
		"all sessions are ended": func(h *house, id string) {
			if err := h.directory.EndSessions(h.Context(), id); err != nil {
				h.Error(err)
			}
		},
		"the user is disabled and enabled": func(h *house, id string) {
			for _, s := range []user.State{user.Disabled, user.Active} {
				_, err := h.directory.Update(h.Context(), id, func(u *user.User) error {
					u.State = s
					return nil
				})
				if err != nil {
					h.Error(err)
				}
			}
		},
		"the account signs out there": func(h *house, _ string) {
			if n, err := h.sessions.SignedOut(h.Context(), "azure-ad", "", bob().Subject); n != 1 || err != nil {
				h.Error(n, err)
			}
		},
		"its session there ends": func(h *house, _ string) {
			if n, err := h.sessions.SignedOut(h.Context(), "azure-ad", bob().SID, ""); n != 1 || err != nil {
				h.Error(n, err)
			}
		},
		"the provider is removed": func(h *house, _ string) {
			before := h.portal // answers what began under it
			h.rebuild(func(o *portal.Options) { o.Providers = o.Providers[1:] })
			h.portal = before
		},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(h *house) {
				first := h.idp.signIn(h.browser(), bob())
				id := first.session().User().ID
				b := h.browser()
				back := h.idp.away(b, h.idp.with(), bob())
				h.idp.meanwhile = func() {
					pass(time.Second)
					what(h, id)
				}
				if a := b.get(back); a.status < 400 {
					t.Errorf("answered with %d to %s", a.status, a.location)
				}
				pass(time.Second)
				if first.session() != nil || b.session() != nil {
					t.Errorf("the session from before: %v, the one to come: %v",
						first.session() != nil, b.session() != nil)
				}
			})
		})
	}
}

// A password is worth nothing any more when a reload has switched local users off, also
// where a request came before it.
func TestLocalUsersGoMeanwhile(t *testing.T) {
	in(t, func(h *house) {
		b := h.browser()
		b.get("/sign_in")
		before := h.portal
		h.rebuild(func(o *portal.Options) { o.LocalUsers = false })
		h.portal = before
		if a := b.enter("/sign_in"); a.status < 400 || len(h.sessions.All()) > 0 {
			t.Errorf("answered with %d; %d sessions", a.status, len(h.sessions.All()))
		}
	})
}

// An identity that is unlinked while somebody comes in by it leaves them no session.
func TestNobodyComesByAnIdentityThatIsUnlinked(t *testing.T) {
	in(t, func(h *house) {
		for i := range 60 {
			owner := h.browser().signIn()
			link := owner.post("/account/identities", "link", "azure-ad")
			owner.get(h.idp.back(owner, onward(t, link), bob()))
			if h.account(h.alice).Identity("azure-ad") == nil {
				t.Fatal("not linked")
			}
			other := h.browser()
			back, done := h.idp.away(other, h.idp.with(), bob()), make(chan struct{})
			safe.Go(nil, "unlinking", func() {
				defer close(done)
				for range i % 40 {
					runtime.Gosched()
				}
				owner.post("/account/identities", "unlink", "azure-ad")
			})
			other.get(back)
			<-done
			for _, s := range h.sessions.Of(h.alice) {
				if !h.account(h.alice).Linked(s.Provider(), s.Subject()) && s.Provider() == "azure-ad" {
					t.Fatalf("round %d: a session by an identity that the user has no more", i)
				}
			}
			h.forgetBob()
			pass(time.Hour)
		}
	})
}

// forgetBob ends all sessions and deletes everybody but alice, who has no identities.
func (h *house) forgetBob() {
	h.Helper()
	for _, s := range h.sessions.All() {
		h.sessions.End(h.Context(), s, "the next round")
	}
	for _, p := range h.directory.All() {
		var err error
		if id := p.View().User.ID; id != h.alice {
			err = h.directory.Delete(h.Context(), id)
		} else {
			_, err = h.directory.Update(h.Context(), id, func(u *user.User) error {
				u.Identities = nil
				return nil
			})
		}
		if err != nil {
			h.Fatal(err)
		}
	}
}

// What a provider said before somebody signed in anew does not replace what it said then.
func TestALateRecheckTellsNothing(t *testing.T) {
	in(t, func(h *house) {
		b := h.idp.signIn(h.browser(), bob())
		late, now := bob(), bob()
		late.Groups, now.Groups = []string{"before"}, []string{"now"}
		h.idp.answers(late, nil)
		h.idp.meanwhile = func() {
			<-time.After(time.Millisecond)
			h.idp.signIn(h.browser(), now)
		}
		h.recheck()
		if g := b.session().User().Identities[0].Groups; len(g) != 1 || g[0] != "now" {
			t.Errorf("groups %v", g)
		}
	})
}
