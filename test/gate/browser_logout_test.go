package gate_test

import (
	"github.com/chromedp/chromedp"

	"doorward/internal/browsertest"
)

// browserSignsInAndOut signs in on one host, has a WebSocket open on two, and signs out
// in a third tab.
func browserSignsInAndOut(h *browserHouse) {
	wiki := h.person()
	const there = "https://wiki.example/page/7?tab=two&x=%C3%A4#section"
	wiki.signsIn(there, "alice", gatePassword)
	if got := browsertest.Value[string](wiki.Tab, "location.hash"); got != "#section" {
		h.t.Errorf("the fragment is %q", got)
	}
	wiki.reads("#who", "alice")
	// The second host asks nobody again.
	desk, login := wiki.tab(), wiki.tab()
	desk.goes("https://desk.example/tickets?open#mine")
	desk.at("https://desk.example/tickets?open#mine")
	desk.reads("#who", "alice")
	bob := h.person()
	bob.signsIn("https://wiki.example/", "bob", gatePassword)
	for _, p := range []*browserPerson{wiki, desk, bob} {
		p.connected()
	}

	login.goes("https://login.example/")
	login.Click(".menu summary")
	login.Screenshot("menu", false)
	login.Click(".menu button")
	login.reads("h1", "You are signed out")
	left := browsertest.Value[float64](login.Tab,
		`performance.timeOrigin + performance.getEntriesByType("navigation")[0].requestStart`)
	for host, p := range map[string]*browserPerson{"wiki": wiki, "desk": desk} {
		p.Until("window.closed_at !== undefined")
		took := browsertest.Value[float64](p.Tab, "window.closed_at") - left
		if took < 0 || took > 1000 {
			h.t.Errorf("%s: the WebSocket closed %.0f ms after the sign-out", host, took)
		}
		p.Do(chromedp.Reload())
		p.asked()
	}
	// Somebody else's stays.
	bob.Do(chromedp.Evaluate[chromedp.Void](`socket.send("still here")`))
	bob.Until(`window.heard.includes("still here")`)
	// Who signs in again in one tab is back in the other as soon as it is looked at.
	wiki.sends("#login", "alice", "#password", gatePassword)
	wiki.at(there)
	desk.Do(chromedp.Evaluate[chromedp.Void](`dispatchEvent(new Event("focus"))`))
	desk.at("https://desk.example/tickets?open#mine")
	desk.connected()
}
