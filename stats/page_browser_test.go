package stats_test

import (
	"strings"
	"testing"
	"time"

	"doorward/internal/browsertest"
	"doorward/stats"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestPageInChromium looks at the page as people do.
func TestPageInChromium(t *testing.T) {
	browser := browsertest.Start(t)
	for name, look := range map[string]func(*testing.T, *site, *tab){
		"values change by themselves":   lookLive,
		"the filter leaves rows out":    lookFilter,
		"a button drains a server":      lookDrain,
		"a refused button says why":     lookRefused,
		"rows that come appear":         lookNewRows,
		"it works without script":       lookNoScript,
		"a phone has nothing to scroll": lookPhone,
		"every text can be read":        lookContrast,
		"charts tell their values":      lookCharts,
		"the theme can be chosen":       lookTheme,
		"screenshots":                   lookPictures,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, newEdge(), 60, stats.PageOptions{Actions: true})
			look(t, s, browser.Open(t))
		})
	}
}

func lookLive(t *testing.T, s *site, b *tab) {
	b.Do(chromedp.EmulateViewport(1440, 900), chromedp.Navigate(s.url))
	before := b.Text("f0-stot")
	b.Do(chromedp.Evaluate[chromedp.Void]("window.same = true"))
	s.live(t, 100*time.Millisecond)
	b.Until(`document.getElementById("live").dataset.live === "on"`)
	b.Until(`document.getElementById("f0-stot").textContent !== "` + before + `"`)
	line := browsertest.Value[string](b, `document.getElementById("ch-req-line-all").getAttribute("d")`)
	b.Until(`document.getElementById("ch-req-line-all").getAttribute("d").length > ` +
		`"` + line + `".length`)
	if !browsertest.Value[bool](b, "window.same === true") {
		t.Error("the page was loaded again")
	}
	s.change(func(v *stats.View) { v.Backends[0].Servers[0].Health.Counter = 2 })
	b.Until(`document.getElementById("b0s0-status").textContent === "UP 1/3"`)
	if got := browsertest.Value[string](b, `document.getElementById("b0s0").dataset.state`); got != "falling" {
		t.Errorf("the row of a server that goes down is %q", got)
	}
}

// visibleRows are the names of the servers that can be seen.
const visibleRows = `[...document.querySelectorAll("tr.server, tr.frontend")]` +
	`.filter(r => r.checkVisibility()).map(r => r.querySelector("button").textContent).join(" ")`

func lookFilter(t *testing.T, s *site, b *tab) {
	b.Do(chromedp.Navigate(s.url))
	all := browsertest.Value[string](b, visibleRows)
	b.Do(chromedp.SendKeys(chromedp.CSS("#filter"), "shop down"))
	if got := browsertest.Value[string](b, visibleRows); got != "web4 spare2" {
		t.Errorf("\"shop down\" leaves %q", got)
	}
	b.Do(chromedp.SendKeys(chromedp.CSS("#filter"), strings.Repeat(kb.Backspace, 9)), chromedp.Click(chromedp.CSS("#hide")))
	if got := browsertest.Value[string](b, visibleRows); strings.Contains(got, "web1") ||
		!strings.Contains(got, "web2") || !strings.Contains(got, "rep1") {
		t.Errorf("without what is up: %q of %q", got, all)
	}
	where := browsertest.Value[string](b, "location.search")
	b.Do(chromedp.Reload())
	if got := browsertest.Value[string](b, visibleRows); strings.Contains(got, "web1") || where != "?up=hide" {
		t.Errorf("after a reload of %q: %q", where, got)
	}
	b.Do(chromedp.SendKeys(chromedp.CSS("#filter"), "nothing at all"))
	b.Until(`document.getElementById("nothing").checkVisibility()`)
}

func lookDrain(t *testing.T, s *site, b *tab) {
	b.Do(chromedp.Navigate(s.url))
	s.live(t, 50*time.Millisecond)
	b.Do(
		chromedp.Evaluate[chromedp.Void]("window.same = true"),
		chromedp.Click(chromedp.CSS("#b0s0 .name button")),
		chromedp.Click(chromedp.CSS(`#b0s0-panel button[value="drain"]`)),
	)
	b.Until(`document.getElementById("b0s0-status").textContent === "DRAIN"`)
	b.Until(`document.querySelector("#b0s0-panel [value=drain]").ariaPressed === "true"`)
	if got := strings.Join(s.called(), "; "); got != "shop/web1 drain by 127.0.0.1" {
		t.Errorf("the steward heard %q", got)
	}
	if !browsertest.Value[bool](b, "window.same === true") {
		t.Error("the page was loaded again")
	}
}

func lookRefused(t *testing.T, s *site, b *tab) {
	s.deny = errNotNow
	b.Expect("status of 409")
	b.Do(
		chromedp.Navigate(s.url),
		chromedp.Click(chromedp.CSS("#b1s0 .name button")),
		chromedp.Click(chromedp.CSS(`#b1s0-panel button[value="maint"]`)),
	)
	b.Until(`document.getElementById("flash").textContent.includes("` + errNotNow.Error() + `")`)
}

func lookNewRows(t *testing.T, s *site, b *tab) {
	b.Do(chromedp.Navigate(s.url), chromedp.SendKeys(chromedp.CSS("#filter"), "rep"))
	s.live(t, 50*time.Millisecond)
	s.change(func(v *stats.View) {
		reports := &v.Backends[3]
		added := reports.Servers[0]
		added.Name = "rep2"
		reports.Servers = append(reports.Servers, added)
	})
	b.Until(visibleRows + ` === "rep1 rep2"`)
	before := b.Text("f0-stot")
	b.Until(`document.getElementById("f0-stot").textContent !== "` + before + `"`)
}

func lookNoScript(t *testing.T, s *site, b *tab) {
	b.Do(browsertest.NoScript(), chromedp.EmulateViewport(1440, 900), chromedp.Navigate(s.url))
	if got := b.Text("live"); !strings.Contains(got, "renewed every 10 seconds") {
		t.Errorf("the page says %q", got)
	}
	b.Do(chromedp.SendKeys(chromedp.CSS("#filter"), "web1"), chromedp.Submit(chromedp.CSS("#filter")))
	b.Until(visibleRows + ` === "web1"`)
	b.Do(
		chromedp.Click(chromedp.CSS("#b0s0 .name button")),
		chromedp.Click(chromedp.CSS(`#b0s0-panel button[value="drain"]`)),
	)
	b.Until(`document.getElementById("b0s0-status").textContent === "DRAIN"`)
	if got := browsertest.Value[string](b, "location.search + location.hash"); got != "?filter=web1#b0s0" {
		t.Errorf("the button leads to %q", got)
	}
	b.Screenshot("noscript", false)
}

func lookPhone(t *testing.T, s *site, b *tab) {
	b.Do(browsertest.Phone(844, 1), chromedp.Navigate(s.url))
	for _, step := range []string{"", `document.getElementById("all").click()`,
		`document.querySelector(".legend").open = true`,
		`document.querySelector("#b1s2 .name button").click()`} {
		if step != "" {
			b.Do(chromedp.Evaluate[chromedp.Void](step))
		}
		if got := b.Overflow(); got != "" {
			t.Errorf("after %q the page is too wide: %s", step, got)
		}
	}
}
