package gate_test

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"doorward/internal/browsertest"
)

// browserGerman is what browsers of people say who read German.
func browserGerman() browsertest.Step {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{
			Headers: network.Headers{"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"},
		})
		return err
	})
}

// browserAccount goes through the pages of an account, with another browser of the same
// user beside.
func browserAccount(h *browserHouse) {
	here, there := h.person(), h.person()
	here.signsIn("https://login.example/account/tokens", "dora", gatePassword)
	browserToken(h, here)
	there.signsIn("https://wiki.example/", "dora", gatePassword)
	there.connected()
	browserSessions(here)
	there.ended()
	there.sends("#login", "dora", "#password", gatePassword)
	there.at("https://wiki.example/")
	there.connected()
	browserPassword(here)
	there.ended()
	here.goes("https://wiki.example/")
	here.reads("#who", "dora")
	there.sends("#login", "dora", "#password", browserOther)
	there.at("https://wiki.example/")
}

// ended waits until the session of an app has ended, whose page notices at once.
func (p *browserPerson) ended() {
	p.t.Helper()
	p.Until("window.closed_at !== undefined")
	p.Do(chromedp.Reload())
	p.asked()
}

func browserSessions(p *browserPerson) {
	p.t.Helper()
	p.goes("https://login.example/account/sessions")
	const others = `[...document.querySelectorAll(".item")].filter(e => !e.querySelector(".tag.good"))`
	p.Until(others + `.length === 1 && document.querySelectorAll(".item .tag.good").length === 1`)
	p.reads(".item", "on Linux")
	p.Click(".item:not(:has(.tag.good)) button")
	p.reads("[role=status]", "The session has ended")
	p.Until(others + ".length === 0")
}

func browserToken(h *browserHouse, p *browserPerson) {
	h.t.Helper()
	p.fill("#title", "backup script")
	p.Click("input[value=wiki]")
	p.Click("form[data-once] .primary")
	p.reads("#fresh", "backup script")
	secret := browsertest.Value[string](p.Tab, `document.getElementById("secret").value`)
	if !strings.HasPrefix(secret, "dw_") {
		h.t.Fatalf("the token is %q", secret)
	}
	p.Screenshot("token", true)
	bearer := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) }
	basic := func(r *http.Request) { r.SetBasicAuth("dora", secret) }
	h.program(bearer, http.StatusOK)
	h.program(basic, http.StatusOK)
	h.program(func(r *http.Request) { r.SetBasicAuth("dora", gatePassword) }, 401)
	p.goes("https://login.example/account/tokens")
	p.reads(".item", "Wiki")
	const whole = "document.documentElement.outerHTML"
	if strings.Contains(browsertest.Value[string](p.Tab, whole), secret) {
		h.t.Error("the token is shown again")
	}
	p.Click(".item button")
	p.reads("[role=status]", "The token is deleted")
	h.program(bearer, http.StatusUnauthorized)
	h.program(basic, http.StatusUnauthorized)
}

// program asks the wiki without a browser.
func (h *browserHouse) program(credential func(*http.Request), want int) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), "GET", "https://wiki.example/x", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	credential(r)
	a, err := (&gatedHouse{h.Edge, h.t}).browser().Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	told := strings.Contains(string(body), `<p id="who">dora</p>`)
	if err != nil || a.StatusCode != want || told != (want == http.StatusOK) {
		h.t.Errorf("a program gets %d, want %d, %v\n%s", a.StatusCode, want, err, body)
	}
}

const browserOther = "a horse of another colour"

// browserPassword changes the language, and then the password after a mistake.
func browserPassword(p *browserPerson) {
	p.t.Helper()
	p.goes("https://login.example/account")
	p.Do(chromedp.SetValue(chromedp.CSS("#locale"), "de"))
	p.Click("form[action*=account].line button")
	p.reads("[role=status]", "Gespeichert")
	p.goes("https://login.example/account/password")
	p.reads("h1", "Passwort")
	p.Expect("status of 403")
	p.sends("#current", "not that one", "#new", browserOther, "#again", browserOther)
	p.reads("#problems", "falsch")
	p.Screenshot("password-wrong", true)
	p.sends("#current", gatePassword, "#new", browserOther, "#again", browserOther)
	p.reads("[role=status]", "Passwort ist geändert")
}
