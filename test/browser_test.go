package test_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"doorward/internal/browsertest"
	"doorward/internal/edgetest"
)

// TestPageInBrowser looks at the page of a whole instance in a real browser, while
// clients ask and servers come and go. Tabs fail for whatever their console says.
func TestPageInBrowser(t *testing.T) {
	browser := browsertest.Start(t)
	for name, look := range map[string]func(*testing.T, *browsertest.Browser){
		"figures follow the traffic":         looksAtFigures,
		"buttons steer servers":              looksAtButtons,
		"a server that dies turns red":       looksAtDeath,
		"it lives through reloads":           looksAtReloads,
		"a password is asked for":            looksWithPassword,
		"whatever it shows, a phone fits it": looksOnPhone,
	} {
		t.Run(name, func(t *testing.T) { look(t, browser) })
	}
}

// shown is the page at stats.example, with further keys of it, in front of what c
// describes.
func shown(c edgetest.Config, keys string) edgetest.Config {
	c.Text = "[stats]\nhost = \"stats.example\"\n" + keys + "\n" + c.Text
	return c
}

// at is the URL of a host at the TLS listener of an edge, plain the one at the other.
func at(edge *edgetest.Edge, host string) string    { return "https://" + host + portOf(edge.HTTPS) }
func plain(edge *edgetest.Edge, host string) string { return "http://" + host + portOf(edge.HTTP) }

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return ":" + port + "/"
}

const isLive = `document.getElementById("live").dataset.live === "on"`

// visits opens the page and marks it, so that stayed can tell whether it was loaded
// again.
func visits(t *testing.T, browser *browsertest.Browser, url string) *browsertest.Tab {
	t.Helper()
	tab := browser.Open(t)
	tab.Do(chromedp.EmulateViewport(1440, 900), chromedp.Navigate(url))
	tab.Until(isLive)
	tab.Do(chromedp.Evaluate[chromedp.Void]("window.same = true"))
	return tab
}

func stayed(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	if !browsertest.Value[bool](tab, "window.same === true") {
		t.Error("the page was loaded again")
	}
}

// says waits until an element says exactly that.
func says(tab *browsertest.Tab, id, text string) {
	tab.Until(fmt.Sprintf("document.getElementById(%q)?.textContent === %q", id, text))
}

// press presses a button of a row.
func press(tab *browsertest.Tab, row, state string) {
	tab.Do(chromedp.Evaluate[chromedp.Void](`document.querySelector(":popover-open")?.hidePopover()`))
	tab.Click("#" + row + " .name button")
	tab.Click(fmt.Sprintf("#%s-panel button[value=%q]", row, state))
}

func looksAtFigures(t *testing.T, browser *browsertest.Browser) {
	all := newActors(t, "", "", "")
	edge := edgetest.Start(t, shown(cast(watched, all...), ""))
	tab := visits(t, browser, at(edge, "stats.example"))
	says(tab, "b0-stot", "0")
	wantTour(t, edge, map[string]int{"s1": 10, "s2": 10, "s3": 10})
	says(tab, "b0-stot", "30")
	all[1].play(status(500))
	tour(t, edge, 30)
	says(tab, "b0-stot", "60")
	for id, want := range map[string]string{
		"b0s0-stot": "20", "b0s1-stot": "20", "b0s2-stot": "20",
		"b0s1-f2xx": "10", "b0s1-f5xx": "10", "b0-f2xx": "50", "b0-f5xx": "10", "b0s2-f5xx": "0",
	} {
		if got := tab.Text(id); got != want {
			t.Errorf("%s says %q, want %q", id, got, want)
		}
	}
	stayed(t, tab)
}

func looksAtButtons(t *testing.T, browser *browsertest.Browser) {
	all := newActors(t, "", "")
	edge := edgetest.Start(t, shown(cast(cookies+watched, all...), ""))
	client := bound(t, edge)
	tab := visits(t, browser, at(edge, "stats.example"))
	press(tab, "b0s0", "drain")
	says(tab, "b0s0-status", "DRAIN")
	tab.Until(`document.querySelector("#b0s0-panel [value=drain]").ariaPressed === "true"`)
	if got := browsertest.Value[string](tab, `document.getElementById("b0s0").dataset.state`); got != "drain" {
		t.Errorf("the row of a server that drains is %q", got)
	}
	before := all[0].served.Load()
	wantTour(t, edge, map[string]int{"s2": 10})
	if now := all[0].served.Load(); now != before {
		t.Errorf("a server that drains got %d new requests", now-before)
	}
	if got := tour(t, edge, 5, client["s1"]); got["s1"] != 5 {
		t.Errorf("the client of a server that drains meets %v", got)
	}
	if s := row(t, edge, "s1"); s.AdminBy != "127.0.0.1" {
		t.Errorf("it was drained by %q", s.AdminBy)
	}
	press(tab, "b0s0", "ready")
	says(tab, "b0s0-status", "UP")
	wantTour(t, edge, map[string]int{"s1": 5, "s2": 5})
	press(tab, "b0s0", "maint")
	press(tab, "b0s1", "maint")
	says(tab, "b0s0-status", "MAINT")
	says(tab, "b0s1-status", "MAINT")
	says(tab, "b0-status", "DOWN")
	over(t, edge, func(t *testing.T, c *edgetest.Client) {
		if m := c.Send(get("/")).Answer(); m.Status != 503 || !strings.Contains(m.Body, "Back soon") {
			t.Errorf("with all servers in maintenance a client gets %+v", m)
		}
	})
	stayed(t, tab)
}

// reddish says whether the ground of a row's status is red.
const reddish = `(([r, g, b]) => r > 1.2 * g && r > 1.2 * b)(getComputedStyle(` +
	`document.getElementById("b0s0-status")).backgroundColor.match(/[\d.]+/g).map(Number))`

func looksAtDeath(t *testing.T, browser *browsertest.Browser) {
	all := newActors(t, "", "")
	edge := edgetest.Start(t, shown(cast(watched, all...), ""))
	goes(t, edge, "s1", true)
	tab := visits(t, browser, at(edge, "stats.example"))
	says(tab, "b0s0-status", "UP")
	if browsertest.Value[bool](tab, reddish) {
		t.Error("a server that is up is red")
	}
	all[0].die()
	says(tab, "b0s0-status", "DOWN")
	if !browsertest.Value[bool](tab, reddish) {
		t.Error("a server that is down is not red")
	}
	if got := tab.Text("b0s0-lastchk"); !strings.HasPrefix(got, "L4CON") {
		t.Errorf("its last check says %q", got)
	}
	if got := tab.Text("b0s0-fchk"); !strings.Contains(got, "connection refused") {
		t.Errorf("its panel says %q", got)
	}
	if got := tab.Text("t-up"); got != "1 of 2" {
		t.Errorf("servers in use: %q", got)
	}
	if got := browsertest.Value[string](tab, "document.title"); !strings.HasPrefix(got, "1 down · ") {
		t.Errorf("the title is %q", got)
	}
	all[0].live()
	says(tab, "b0s0-status", "UP")
	says(tab, "b0s0-dwn", "1")
	// When the instance itself is gone the page says so, and not what was.
	tab.Expect("net::ERR_")
	edge.Stop()
	tab.Until(`document.getElementById("live").textContent.startsWith("Not live since ")`)
	stayed(t, tab)
}

func looksAtReloads(t *testing.T, browser *browsertest.Browser) {
	all := newActors(t, "", "", "")
	look := func(actors []*actor, keys string) edgetest.Config {
		return shown(cast(watched, actors...), keys)
	}
	edge := edgetest.Start(t, look(all[:2], "actions = false"))
	reload := func(c edgetest.Config) {
		t.Helper()
		if err := edge.Reload(c); err != nil {
			t.Fatal(err)
		}
	}
	tab := visits(t, browser, at(edge, "stats.example"))
	tour(t, edge, 10)
	reload(look(all, "actions = false"))
	says(tab, "b0s2-status", "UP")
	tour(t, edge, 11)
	if err := edge.Reload(edgetest.Config{Text: "nonsense = true"}); err == nil {
		t.Fatal("nonsense is taken")
	}
	tab.Until(`document.getElementById("reload").checkVisibility() &&` +
		`document.getElementById("reload").textContent.includes("nonsense")`)
	says(tab, "b0-stot", "21")
	if n := browsertest.Value[int](tab, `document.querySelectorAll("form").length`); n != 1 {
		t.Errorf("%d forms, want that of the filter", n)
	}
	// This is another page, with other rights: the stream of the first ends.
	reload(look(all, "actions = true"))
	tab.Until(`document.querySelectorAll("form.buttons").length === 3`)
	tab.Until(`!document.getElementById("reload").checkVisibility()`)
	press(tab, "b0s2", "drain")
	says(tab, "b0s2-status", "DRAIN")
	tab.Until(isLive)
	stayed(t, tab)
}

func looksWithPassword(t *testing.T, browser *browsertest.Browser) {
	all := newActors(t, "", "")
	edge := edgetest.Start(t, shown(cast(watched, all...), usersOnly))
	url := plain(edge, "stats.example")
	stranger := browser.Open(t)
	stranger.Expect("status of 401")
	if err := stranger.Try(chromedp.Navigate(url)); err == nil ||
		!strings.Contains(err.Error(), "ERR_INVALID_AUTH_CREDENTIALS") {
		t.Errorf("without a password: error %v and %q", err,
			browsertest.Value[string](stranger, "document.body.innerText"))
	}
	if m := once(t, edge.HTTP, board("/")); m.Status != 401 || m.Get("WWW-Authenticate") == "" ||
		strings.Contains(m.Raw, "s1") {
		t.Errorf("a stranger gets %+v", m)
	}
	login := "http://ops:" + strings.ReplaceAll(passwordOfOps, " ", "%20") + "@"
	tab := visits(t, browser, strings.Replace(url, "http://", login, 1))
	tour(t, edge, 7)
	says(tab, "b0-stot", "7")
	press(tab, "b0s1", "drain")
	says(tab, "b0s1-status", "DRAIN")
	if s := row(t, edge, "s2"); s.AdminBy != "ops" {
		t.Errorf("it was drained by %q", s.AdminBy)
	}
	stayed(t, tab)
}
