package portal_test

import (
	"fmt"
	"testing"
	"time"

	"doorward/auth/oidc"
)

// A browser that has never been here gives each of its tabs another name, and keeps the
// last: all the same every tab ends where it wanted to be.
func TestTabsOfANewBrowserBeginTogether(t *testing.T) {
	in(t, func(h *house) {
		const app = "https://app.example.com/"
		b := h.browser()
		var callbacks []string
		for i := range 5 {
			clear(b.cookies) // this tab asked before the others were answered
			callbacks = append(callbacks,
				h.idp.away(b, h.visiting(app+fmt.Sprint(i))+"&provider=azure-ad", bob()))
		}
		for i, callback := range callbacks[:4] {
			again := b.get(callback).want(t, 303, "/sign_in?…")
			callbacks[i] = h.idp.away(b, again.location, bob())
		}
		for i, callback := range callbacks {
			if _, handoff := h.redeem(b.get(callback)); handoff.Return != app+fmt.Sprint(i) {
				t.Errorf("lands at %q, want %s%d", handoff.Return, app, i)
			}
		}
		if n := len(h.sessions.All()); n != 1 {
			t.Errorf("%d sessions", n)
		}
	})
}

// A tab that leaves for the provider when another one has its session already, and does not
// know it, goes on with that one: in its place, whatever the other tabs are on their way
// with would end. It does so for a moment only, and for nobody else.
func TestATabBehindAnotherGoesOnWithItsSession(t *testing.T) {
	for name, c := range map[string]struct {
		later time.Duration
		who   func(*oidc.Claims)
		same  bool
	}{
		"at once":            {2 * time.Second, func(*oidc.Claims) {}, true},
		"with another sid":   {2 * time.Second, func(c *oidc.Claims) { c.SID = "next" }, true},
		"as somebody else":   {2 * time.Second, func(c *oidc.Claims) { c.Subject, c.Name = "tenant/c", "carol@example.com" }, false},
		"by a second factor": {2 * time.Second, func(c *oidc.Claims) { c.MFA = !c.MFA }, false},
		"after a good while": {16 * time.Second, func(*oidc.Claims) {}, false},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(h *house) {
				b := h.idp.signIn(h.browser(), bob())
				first, ticket := b.session(), b.cookies["__Host-doorward"]
				delete(b.cookies, "__Host-doorward") // as when the request left before it came
				pass(c.later)
				who := bob()
				c.who(who)
				back := h.idp.away(b, h.idp.with(), who)
				b.cookies["__Host-doorward"] = ticket
				b.get(back).want(h, 303, home)
				if now := b.session(); now == nil || (now == first) != c.same || first.Valid() != c.same {
					t.Errorf("the session is %p, it was %p, which is still good: %v", now, first, first.Valid())
				}
			})
		})
	}
}
