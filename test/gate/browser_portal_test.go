package gate_test

import (
	"slices"
	"strings"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"doorward/internal/browsertest"
)

// browserApps are the titles of the apps that can be seen.
const browserApps = `[...document.querySelectorAll(".app")].filter(e => e.checkVisibility())` +
	`.map(e => e.querySelector("b").textContent)`

func browserPortal(h *browserHouse) {
	p := h.person()
	p.signsIn("https://login.example/", "alice", gatePassword)
	got := browsertest.Value[[]string](p.Tab, browserApps)
	slices.Sort(got)
	if want := []string{"Console", "Help Desk", "Survey", "Wiki"}; !slices.Equal(got, want) {
		h.t.Errorf("the portal shows %q, want %q", got, want)
	}
	p.fill("#q", "questions")
	p.Until(`(` + browserApps + `).join() === "Help Desk"`)
	p.Do(chromedp.KeyEvent(kb.Escape))
	p.Click(`.app[href="https://wiki.example/"]`)
	p.at("https://wiki.example/")
	p.reads("#who", "alice")
}

// browserRefused is somebody who is asked for consent, and may not pass elsewhere.
func browserRefused(h *browserHouse) {
	p := h.person()
	p.Expect("status of 403")
	const survey, console = "https://survey.example/form?n=1", "https://console.example/x?all"
	p.goes(survey)
	p.asked()
	p.sends("#login", "bob", "#password", gatePassword)
	p.reads("main", "What you answer is kept for a year.")
	p.Screenshot("consent", true)
	p.Click("button[value=accept]")
	p.at(survey)
	p.reads("#who", "bob")
	p.goes("https://survey.example/")
	p.at("https://survey.example/")
	p.goes(console)
	p.at(console)
	p.reads(".facts", "Administrators")
	p.reads(".as", "Bob Builder")
	// Another account is offered, and leads back here.
	p.Click("main .primary")
	p.asked()
	p.reads(".known", "Bob Builder")
	p.Screenshot("sign-in-another", true)
	p.sends("#login", "alice", "#password", gatePassword)
	p.at(console)
	p.reads("#host", "console.example")
}

// browserFits looks at the pages of nobody, and of somebody who is signed in.
func browserFits(h *browserHouse) {
	p := h.person()
	p.Expect("status of 40")
	p.Do(browserGerman(), browsertest.Theme("dark"), browsertest.Phone(844, 1))
	p.goes("https://wiki.example/")
	p.asked()
	p.reads("h1", "Anmelden")
	p.fits("https://login.example/sign_in", "https://login.example/nowhere",
		"https://login.example/setup?code=x")
	p.signsIn("https://wiki.example/", "bob", gatePassword)
	p.fits("https://login.example/", "https://login.example/account",
		"https://login.example/account/sessions", "https://login.example/account/tokens",
		"https://login.example/account/password", "https://login.example/account/identities",
		"https://login.example/sign_out", "https://books.example/x")
}

// fits fails the test for pages that are wider than the window, not in German, or not dark.
func (p *browserPerson) fits(addresses ...string) {
	p.t.Helper()
	const look = `document.documentElement.lang + " on " +` +
		`getComputedStyle(document.documentElement).backgroundColor`
	for _, address := range addresses {
		p.goes(address)
		if wide := p.Overflow(); wide != "" {
			p.t.Errorf("%s: too wide is %s", address, wide)
		}
		if got := browsertest.Value[string](p.Tab, look); got != "de on rgb(14, 16, 19)" {
			p.t.Errorf("%s is %s", address, got)
		}
		name := strings.NewReplacer("https://", "", "/", "-", ".example", "", "?", "-")
		p.Screenshot(name.Replace(address), true)
	}
}
