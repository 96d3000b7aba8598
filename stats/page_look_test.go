package stats_test

import (
	"errors"
	"testing"
	"time"

	"doorward/stats"

	"github.com/chromedp/chromedp"
)

var errNotNow = errors.New("not while a reload is under way")

const isLive = `document.getElementById("live").dataset.live === "on"`

// lookPictures is for people: see DOORWARD_SCREENSHOTS.
func lookPictures(t *testing.T, s *site, b *tab) {
	for range 3000 {
		s.pass(1)
		s.sampler.Sample()
	}
	s.change(func(v *stats.View) {
		v.Reload.Refused, v.Reload.FailedAt = 1, v.Node.Now.Add(-time.Minute)
		v.Reload.Error = `/etc/doorward/doorward.toml:41:9: [[route]] backend = "shpo": there is no such backend (did you mean "shop"?)`
	})
	s.live(t, 250*time.Millisecond)
	for _, name := range []string{"light", "dark"} {
		b.do(theme(name), chromedp.EmulateViewport(1440, 900), chromedp.Navigate(s.url))
		b.until(isLive)
		b.screenshot(name, true)
		b.do(chromedp.EmulateViewport(1920, 1080), chromedp.Navigate(s.url))
		b.until(isLive)
		b.screenshot(name+"-wide", true)
		b.do(chromedp.Click(chromedp.CSS("#b0s1 .name button")))
		b.screenshot(name+"-panel", false)
		b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateScale(2)),
			chromedp.Navigate(s.url))
		b.until(isLive)
		b.screenshot(name+"-phone", false)
		b.do(chromedp.Evaluate[chromedp.Void](`document.getElementById("servers").scrollIntoView()`))
		b.screenshot(name+"-phone-table", false)
		b.do(chromedp.Click(chromedp.CSS("#b0s1 .name button")))
		b.screenshot(name+"-phone-panel", false)
	}
}
