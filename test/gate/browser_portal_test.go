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
	for name, want := range map[string][]string{
		"alice": {"Console", "Help Desk", "Survey", "Wiki"},
		"bob":   {"Help Desk", "Survey", "Wiki"},
	} {
		p := h.person()
		p.signsIn("https://login.example/", name, gatePassword)
		got := browsertest.Value[[]string](p.Tab, browserApps)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			h.t.Errorf("%s is shown %q, want %q", name, got, want)
		}
		p.fill("#q", "questions")
		p.Until(`(` + browserApps + `).join() === "Help Desk"`)
		p.Do(chromedp.KeyEvent(kb.Escape))
		p.Click(`.app[href="https://wiki.example/"]`)
		p.at("https://wiki.example/")
		p.reads("#who", name)
	}
}

func browserRefused(h *browserHouse) {
	p := h.person()
	p.Expect("status of 403")
	const address = "https://console.example/machines?all"
	p.goes(address)
	p.asked()
	p.sends("#login", "bob", "#password", gatePassword)
	p.at(address)
	p.reads(".facts", "Administrators")
	p.reads(".as", "Bob Builder")
	// Another account is offered, and leads back here.
	p.Click("main .primary")
	p.asked()
	p.reads(".known", "Bob Builder")
	p.Screenshot("sign-in-another", true)
	p.sends("#login", "alice", "#password", gatePassword)
	p.at(address)
	p.reads("#host", "console.example")
}

func browserConsent(h *browserHouse) {
	p := h.person()
	const address = "https://survey.example/form?n=1"
	p.goes(address)
	p.asked()
	p.sends("#login", "bob", "#password", gatePassword)
	p.reads("main", "What you answer is kept for a year.")
	p.Screenshot("consent", true)
	p.Click("button[value=accept]")
	p.at(address)
	p.reads("#who", "bob")
	again := p.tab()
	again.goes("https://survey.example/")
	again.at("https://survey.example/")
}

// browserFits looks at the pages of somebody who is signed in, and of nobody, in German
// and in windows of both kinds.
func browserFits(h *browserHouse) {
	p := h.person()
	p.Expect("status of 40")
	p.Do(browserGerman())
	p.goes("https://wiki.example/")
	p.asked()
	p.reads("h1", "Anmelden")
	p.fits("https://login.example/sign_in", "https://login.example/signed_out",
		"https://login.example/nowhere", "https://login.example/setup?code=x")
	p.signsIn("https://wiki.example/", "bob", gatePassword)
	p.fits("https://login.example/", "https://login.example/account",
		"https://login.example/account/sessions", "https://login.example/account/tokens",
		"https://login.example/account/password", "https://login.example/account/identities",
		"https://login.example/sign_out", "https://console.example/", "https://books.example/x")
}

// fits fails the test for pages that are wider than a window, or not in German.
func (p *browserPerson) fits(addresses ...string) {
	p.t.Helper()
	for theme, size := range map[string]browsertest.Step{
		"light": chromedp.EmulateViewport(1280, 800), "dark": browsertest.Phone(844, 1),
	} {
		p.Do(browsertest.Theme(theme), size)
		for _, address := range addresses {
			p.goes(address)
			if wide := p.Overflow(); wide != "" {
				p.t.Errorf("%s, %s: too wide is %s", address, theme, wide)
			}
			if lang := browsertest.Value[string](p.Tab, "document.documentElement.lang"); lang != "de" {
				p.t.Errorf("%s is in %q", address, lang)
			}
			ground := browsertest.Value[string](p.Tab,
				"getComputedStyle(document.documentElement).backgroundColor")
			if dark := strings.HasPrefix(ground, "rgb(14, "); dark != (theme == "dark") {
				p.t.Errorf("%s, %s: the ground is %s", address, theme, ground)
			}
			name := strings.NewReplacer("https://", "", "/", "-", ".example", "", "?", "-").Replace(address)
			p.Screenshot(name+"-"+theme, true)
		}
	}
}
