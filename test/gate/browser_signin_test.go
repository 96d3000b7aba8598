package gate_test

import (
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"doorward/internal/browsertest"
)

// browserKeyboard signs in with keys alone, after a mistake.
func browserKeyboard(h *browserHouse) {
	p := h.person()
	p.Expect("status of 403")
	const address = "https://wiki.example/keys?a=1#b"
	p.goes(address)
	p.asked()
	p.tabTo("login")
	p.Do(chromedp.KeyEvent("alice"+kb.Tab+"not the password of alice"), chromedp.KeyEvent(kb.Enter))
	p.reads("#problems", "do not match")
	p.Screenshot("sign-in-wrong", true)
	const fields = `[...document.querySelectorAll("#login, #password")].map(e => e.value).join("|")`
	if got := browsertest.Value[string](p.Tab, fields); got != "alice|" {
		h.t.Errorf("after a mistake the fields have %q", got)
	}
	p.tabTo("password")
	p.Do(chromedp.KeyEvent(gatePassword), chromedp.KeyEvent(kb.Enter))
	p.at(address)
}

// tabTo presses Tab until the field has the focus.
func (p *browserPerson) tabTo(id string) {
	p.t.Helper()
	const focus = "document.activeElement.id"
	for range 12 {
		if browsertest.Value[string](p.Tab, focus) == id {
			return
		}
		p.Do(chromedp.KeyEvent(kb.Tab))
	}
	p.t.Fatalf("the key Tab does not lead to %q", id)
}

func browserNoScript(h *browserHouse) {
	p := h.person()
	p.Do(browsertest.NoScript())
	p.signsIn("https://wiki.example/quiet?a=1&b=%26", "bob", gatePassword)
	p.reads("#who", "bob")
	p.goes("https://desk.example/")
	p.reads("#who", "bob")
	p.goes("https://login.example/?q=wik")
	p.reads("main", "Wiki")
	p.goes("https://login.example/sign_out")
	p.Click("main .primary")
	p.reads("h1", "You are signed out")
	p.goes("https://wiki.example/")
	p.asked()
}

// browserProvider goes through the forms of the provider.
func browserProvider(h *browserHouse) {
	p := h.person()
	for _, said := range []string{"fonts.googleapis.com", "autocomplete attributes", "favicon.ico"} {
		p.Expect(said)
	}
	const address = "https://books.example/2026?quarter=4#total"
	p.goes(address)
	p.asked()
	p.Click(".provider")
	p.atProvider("ann")
	p.at(address)
	p.reads("#host", "books.example")
	p.connected()
	p.goes("https://login.example/account")
	p.reads("h1", "Ann Company")
	p.reads("[aria-labelledby=groups]", "Finance department")
	// Signing out here signs out there: the next sign-in asks for the password again.
	p.goes("https://books.example/.doorward/sign_out")
	p.Click("main .primary")
	p.Until(`document.querySelector("button[name=logout]") !== null`)
	p.Click("button[name=logout]")
	p.Until(`location.host === "login.example" && document.readyState === "complete"`)
	p.reads("h1", "You are signed out")
	p.goes(address)
	p.asked()
	p.Click(".provider")
	p.Until(browserAtProvider)
}

// browserAtProvider is true on the login form of the provider.
const browserAtProvider = `location.host !== "login.example" &&` +
	`document.querySelector("input[name=login]") !== null`

// atProvider signs in with the provider's forms, and consents.
func (p *browserPerson) atProvider(login string) {
	p.t.Helper()
	p.Until(browserAtProvider)
	p.sends("input[name=login]", login, "input[name=password]", "any")
	p.Until(`document.querySelector("input[name=prompt][value=consent]") !== null`)
	p.Click("button[type=submit]")
}
