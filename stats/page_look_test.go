package stats_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"doorward/internal/browsertest"
	"doorward/stats"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var errNotNow = errors.New("not while a reload is under way")

const isLive = `document.getElementById("live").dataset.live === "on"`

// lookPictures is for people: see DOORWARD_SCREENSHOTS.
func lookPictures(t *testing.T, s *site, b *tab) {
	if browsertest.Pictures() == "" {
		t.Skip("nobody looks")
	}
	b.Do(chromedp.EmulateViewport(1440, 900), chromedp.Navigate(s.url))
	b.Screenshot("young", false)
	b.Do(chromedp.EmulateViewport(800, 1000), chromedp.Evaluate[chromedp.Void](`document.querySelector("#b0s1 button").focus()`),
		chromedp.KeyEvent(kb.Tab))
	b.Screenshot("focus", false)
	b.Do(chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab))
	b.Screenshot("focus-panel", false)
	for range 3000 {
		s.pass(1)
		s.sampler.Sample()
	}
	docPictures(s, b)
	s.change(func(v *stats.View) {
		v.Reload.Refused, v.Reload.FailedAt = 1, v.Node.Now.Add(-time.Minute)
		v.Reload.Error = `/etc/doorward/doorward.toml:41:9: [[route]] backend = "shpo": there is no such backend (did you mean "shop"?)`
	})
	s.live(t, 250*time.Millisecond)
	for _, name := range []string{"light", "dark"} {
		b.Do(browsertest.Theme(name), chromedp.EmulateViewport(1440, 900), chromedp.Navigate(s.url))
		b.Until(isLive)
		b.Screenshot(name, true)
		b.Do(chromedp.EmulateViewport(1920, 1080), chromedp.Navigate(s.url))
		b.Until(isLive)
		b.Screenshot(name+"-wide", true)
		b.Do(chromedp.Click(chromedp.CSS("#b0s1 .name button")))
		b.Screenshot(name+"-panel", false)
		b.Do(
			chromedp.EmulateViewport(1440, 900), chromedp.Navigate(s.url),
			chromedp.Evaluate[chromedp.Void](`document.querySelector(".legend").open = true;`+
				`document.getElementById("servers").scrollIntoView();`+
				`document.querySelector(".scroll").scrollTo(400, 60)`),
		)
		b.Screenshot(name+"-scrolled", false)
		b.Do(
			chromedp.Evaluate[chromedp.Void]("scrollTo(0, 0)"),
			chromedp.MouseEvent("mouseMoved", 1200, 320),
		)
		b.Screenshot(name+"-pointed", false)
		b.Do(browsertest.Phone(844, 2),
			chromedp.Navigate(s.url))
		b.Until(isLive)
		b.Screenshot(name+"-phone", false)
		b.Do(chromedp.Evaluate[chromedp.Void](`document.getElementById("servers").scrollIntoView()`))
		b.Screenshot(name+"-phone-table", false)
		b.Do(chromedp.Click(chromedp.CSS("#b0s1 .name button")))
		b.Screenshot(name+"-phone-panel", false)
	}
}

// docPictures are those of docs/images.
func docPictures(s *site, b *tab) {
	b.Do(browsertest.Theme("light"), chromedp.EmulateViewport(1280, 800), chromedp.Navigate(s.url))
	b.Until(isLive)
	b.Screenshot("statistics", false)
	b.Do(browsertest.Theme("dark"), chromedp.Navigate(s.url))
	b.Until(isLive)
	b.Click("#b0s4 .name button")
	b.Screenshot("statistics-panel", false)
	b.Do(browsertest.Theme("light"), browsertest.Phone(844, 1), chromedp.Navigate(s.url))
	b.Until(isLive)
	b.Do(chromedp.Evaluate[chromedp.Void](`scrollTo(0, document.getElementById("servers").offsetTop)`))
	b.Screenshot("statistics-phone", false)
}

// contrast finds texts that cannot be told from their ground well enough (WCAG AA:
// 4.5, or 3 for large ones). Colours are drawn, since they are written in many ways.
const contrast = `(() => {
	const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
	const drawn = (colours) => {
		canvas.clearRect(0, 0, 1, 1);
		for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
		return [...canvas.getImageData(0, 0, 1, 1).data];
	};
	const light = (rgb) => rgb.slice(0, 3).map(v => v / 255)
		.map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const grounds = (e) => {
		const all = [];
		for (; e; e = e.parentElement) {
			all.unshift(getComputedStyle(e).backgroundColor);
			if (e.matches(":popover-open")) break;
		}
		return all;
	};
	const found = new Set();
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement;
		if (!walk.currentNode.data.trim() || !e.checkVisibility({visibilityProperty: true})) continue;
		const style = getComputedStyle(e), ground = grounds(e);
		const [a, b] = [light(drawn(ground)), light(drawn([...ground, style.color]))];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		const large = parseFloat(style.fontSize) >= 24 || parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700;
		if (ratio < (large ? 3 : 4.5)) {
			found.add(ratio.toFixed(2) + " " + style.color + " " + e.outerHTML.slice(0, 90));
		}
	}
	return [...found].slice(0, 8).join("\n");
})()`

// lookContrast reads every text of the page in both themes.
func lookContrast(t *testing.T, s *site, b *tab) {
	s.change(func(v *stats.View) { v.Reload.Error, v.Node.Draining = "no", true })
	for _, name := range []string{"light", "dark"} {
		for _, width := range []int64{1440, 390} {
			b.Do(browsertest.Theme(name), chromedp.EmulateViewport(width, 900), chromedp.Navigate(s.url))
			for _, step := range []string{
				`document.querySelector(".legend").open = true`,
				`document.querySelector("#b0s1 .name button").click()`,
			} {
				b.Do(chromedp.Evaluate[chromedp.Void](step))
				if got := browsertest.Value[string](b, contrast); got != "" {
					t.Errorf("%s, %d wide, after %s:\n%s", name, width, step, got)
				}
			}
		}
	}
}

// lookCharts reads a value off a chart.
func lookCharts(t *testing.T, s *site, b *tab) {
	b.Do(chromedp.EmulateViewport(1440, 900), chromedp.Navigate(s.url))
	at := browsertest.Value[map[string]float64](b, `(({right, top}) => ({x: right - 1, y: top + 40}))`+
		`(document.getElementById("ch-lat-plot").getBoundingClientRect())`)
	b.Do(chromedp.MouseEvent("mouseMoved", at["x"], at["y"]))
	const read = `document.querySelector("#ch-lat-plot .read").textContent`
	b.Until(read + ` !== ""`)
	got, want := browsertest.Value[string](b, read), b.Text("ch-lat-p50")
	var at50, want50 float64
	_, errRead := fmt.Sscanf(got, "p50 %f ms · p95 ", &at50)
	_, errWant := fmt.Sscanf(want, "%f ms", &want50)
	if errRead != nil || errWant != nil || math.Abs(at50-want50) > want50/20 ||
		!strings.HasSuffix(got, " · now") {
		t.Errorf("the chart reads %q, and its legend %q", got, want)
	}
}

// lookTheme goes through the themes of the button, which outlive the page.
func lookTheme(t *testing.T, s *site, b *tab) {
	b.Do(browsertest.Theme("light"), chromedp.Navigate(s.url))
	const ground = `getComputedStyle(document.documentElement).backgroundColor`
	seen := map[string]string{}
	for range 3 {
		seen[b.Text("theme")] = browsertest.Value[string](b, ground)
		b.Do(chromedp.Click(chromedp.CSS("#theme")))
	}
	if len(seen) != 3 || seen["Auto"] != seen["Light"] || seen["Dark"] == seen["Light"] {
		t.Errorf("the grounds are %v", seen)
	}
	b.Do(chromedp.Evaluate[chromedp.Void](`localStorage.setItem("theme", "dark")`), chromedp.Reload())
	if got := browsertest.Value[string](b, ground); got != seen["Dark"] {
		t.Errorf("after a reload the ground is %s", got)
	}
	b.Do(chromedp.Evaluate[chromedp.Void]("localStorage.clear()"))
}
