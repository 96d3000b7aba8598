package portal_test

import (
	"fmt"
	"testing"
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
