package gate_test

import (
	"github.com/chromedp/chromedp"

	"doorward/internal/browsertest"
)

// browserSignsOut has a WebSocket open on two hosts, and signs out in a third tab.
func browserSignsOut(h *browserHouse) {
	bob, alice := h.person(), h.person()
	bob.signsIn("https://wiki.example/", "bob", gatePassword)
	bob.connected()
	alice.signsIn("https://wiki.example/", "alice", gatePassword)
	wiki, desk, login := alice, alice.tab(), alice.tab()
	desk.goes("https://desk.example/")
	wiki.connected()
	desk.connected()
	login.goes("https://login.example/")
	login.Click(".menu summary")
	login.Screenshot("menu", false)
	login.Click(".menu button")
	login.reads("h1", "You are signed out")
	left := browsertest.Value[float64](login.Tab,
		`performance.timeOrigin + performance.getEntriesByType("navigation")[0].requestStart`)
	for host, tab := range map[string]*browserPerson{"wiki": wiki, "desk": desk} {
		tab.Until("window.closed_at !== undefined")
		took := browsertest.Value[float64](tab.Tab, "window.closed_at") - left
		if took > 1000 {
			h.t.Errorf("%s: the WebSocket was open for %.0f ms after the sign-out", host, took)
		}
		tab.Do(chromedp.Reload())
		tab.asked()
	}
	// Somebody else's stays.
	bob.Do(chromedp.Evaluate[chromedp.Void](`socket.send("still here")`))
	bob.Until(`window.heard.includes("still here")`)
	// Who signs in again in one tab is back in the other as soon as it is looked at.
	wiki.sends("#login", "alice", "#password", gatePassword)
	wiki.at("https://wiki.example/")
	wiki.connected()
	desk.Do(chromedp.Evaluate[chromedp.Void](`dispatchEvent(new Event("focus"))`))
	desk.at("https://desk.example/")
	desk.connected()
}
