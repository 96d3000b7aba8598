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

func browserSessions(h *browserHouse) {
	here, there := h.person(), h.person()
	here.signsIn("https://login.example/account/sessions", "dora", gatePassword)
	there.signsIn("https://wiki.example/", "dora", gatePassword)
	there.connected()
	here.Do(chromedp.Reload())
	const others = `[...document.querySelectorAll(".item")].filter(e => !e.querySelector(".tag.good"))`
	here.Until(others + `.length === 1 && document.querySelectorAll(".item .tag.good").length === 1`)
	here.reads(".item", "on Linux")
	here.Click(".item:not(:has(.tag.good)) button")
	here.reads("[role=status]", "The session has ended")
	here.Until(others + ".length === 0")
	there.Until("window.closed_at !== undefined")
	there.Do(chromedp.Reload())
	there.asked()
	here.goes("https://wiki.example/")
	here.reads("#who", "dora")
}

func browserToken(h *browserHouse) {
	p := h.person()
	p.signsIn("https://login.example/account/tokens", "dora", gatePassword)
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

func browserAccount(h *browserHouse) {
	const other = "a horse of another colour"
	here, there := h.person(), h.person()
	here.signsIn("https://login.example/account", "dora", gatePassword)
	there.signsIn("https://wiki.example/", "dora", gatePassword)
	there.connected()
	here.Do(chromedp.SetValue(chromedp.CSS("#locale"), "de"))
	here.Click("form[action*=account].line button")
	here.reads("[role=status]", "Gespeichert")
	here.goes("https://login.example/account/password")
	here.reads("h1", "Passwort")
	here.Expect("status of 403")
	here.sends("#current", "not that one", "#new", other, "#again", other)
	here.reads("#problems", "falsch")
	here.Screenshot("password-wrong", true)
	here.sends("#current", gatePassword, "#new", other, "#again", other)
	here.reads("[role=status]", "Passwort ist geändert")
	there.Until("window.closed_at !== undefined")
	here.goes("https://wiki.example/")
	here.reads("#who", "dora")
	h.person().signsIn("https://wiki.example/", "dora", other)
}
