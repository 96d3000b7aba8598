package page_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"doorward/auth/page"
	"doorward/internal/browsertest"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// site serves every show under its name, and keeps what was asked of it.
type site struct {
	url      string
	signedIn atomic.Bool

	mu    sync.Mutex
	asked []string
}

func newSite(t *testing.T, brand page.Brand) *site {
	t.Helper()
	s := &site{}
	pages := newPages(t, brand)
	mux := http.NewServeMux()
	mux.Handle("/assets/", pages.Assets())
	for _, show := range shows() {
		mux.HandleFunc("GET /"+show.name, func(w http.ResponseWriter, r *http.Request) {
			show.write(pages, w, r)
		})
	}
	mux.HandleFunc("/whoami", func(w http.ResponseWriter, _ *http.Request) {
		if !s.signedIn.Load() {
			w.WriteHeader(http.StatusNoContent)
		}
	})
	// Where pages lead: an answer without content leaves them be.
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = append(s.asked, r.Method+" "+r.URL.Path+" "+r.Form.Encode())
		w.WriteHeader(http.StatusNoContent)
	})
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	s.url = strings.Replace(server.URL, "127.0.0.1", "login.example.com", 1) + "/"
	return s
}

// until waits for a request.
func (s *site) until(b *browsertest.Tab, want string) error {
	var asked []string
	for range 200 {
		s.mu.Lock()
		asked = append(asked[:0], s.asked...)
		s.mu.Unlock()
		for _, a := range asked {
			if a == want {
				return nil
			}
		}
		b.Until("true")
	}
	return fmt.Errorf("asked was %q, want %q", asked, want)
}

// TestPagesInChromium looks at the pages as people do. Whatever the console says
// fails the test, refusals of the Content-Security-Policy above all.
func TestPagesInChromium(t *testing.T) {
	browser := browsertest.Start(t)
	for name, look := range map[string]func(*testing.T, *site, *browsertest.Tab){
		"every page can be read":                    lookEveryPage,
		"the search leaves apps out":                lookSearch,
		"the fragment is kept":                      lookFragment,
		"another tab signs in":                      lookOtherTab,
		"a password can be looked at":               lookPeek,
		"the menu opens and closes":                 lookMenu,
		"sign-in works without script":              lookNoScript,
		"a page continues without script":           lookContinue,
		"the keyboard goes through in a good order": lookKeyboard,
		"screenshots":                               lookPictures,
	} {
		t.Run(name, func(t *testing.T) { look(t, newSite(t, company()), browser.Open(t)) })
	}
}

// poorContrast finds texts that cannot be told from their ground (WCAG AA). The
// gradients behind are those that TestContrast computes.
const poorContrast = `(() => {
	const pen = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
	const light = (colours) => {
		pen.clearRect(0, 0, 1, 1);
		for (const c of colours) { pen.fillStyle = c; pen.fillRect(0, 0, 1, 1); }
		const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map(v => v / 255)
			.map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const found = new Set(), walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement, style = getComputedStyle(e);
		if (!walk.currentNode.data.trim() || !e.checkVisibility({visibilityProperty: true})) continue;
		const grounds = [];
		for (let up = e; up; up = up.parentElement) grounds.unshift(getComputedStyle(up).backgroundColor);
		const [a, b] = [light(grounds), light([...grounds, style.color])];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) {
			found.add(ratio.toFixed(2) + " " + e.outerHTML.slice(0, 90));
		}
	}
	return [...found].slice(0, 5).join("\n");
})()`

// small finds what a finger would miss: less than 24 points each way (WCAG 2.2 AA),
// but for links in a text.
const small = `[...document.querySelectorAll("a, button, input:not([type=hidden]), select, summary")]
	.filter(e => e.checkVisibility() && !e.closest("p, .hear, .skip, label") && !e.matches(".hear"))
	.filter(e => { const {width, height} = e.getBoundingClientRect(); return width < 24 || height < 24 })
	.map(e => e.outerHTML.slice(0, 90)).join("\n")`

func lookEveryPage(t *testing.T, s *site, b *browsertest.Tab) {
	for theme, view := range map[string]chromedp.Action[chromedp.Void]{
		"light": chromedp.EmulateViewport(1200, 800), "dark": browsertest.Phone(844, 1),
	} {
		b.Do(browsertest.Theme(theme), view)
		for _, show := range shows() {
			b.Do(chromedp.Navigate(s.url + show.name + "?lang=de"))
			for what, expression := range map[string]string{
				"hard to read": poorContrast, "too small": small,
			} {
				if found := browsertest.Value[string](b, expression); found != "" {
					t.Errorf("%s, %s: %s: %s", show.name, theme, what, found)
				}
			}
			if wide := b.Overflow(); wide != "" {
				t.Errorf("%s, %s: too wide: %s", show.name, theme, wide)
			}
			for _, text := range b.Heard() {
				t.Errorf("%s, %s: the console said %s", show.name, theme, text)
			}
		}
	}
}

// visible are the titles of the apps that can be seen.
const visible = `[...document.querySelectorAll(".app")].filter(e => e.checkVisibility())` +
	`.map(e => e.querySelector("b").textContent).join(" ")`

func lookSearch(t *testing.T, s *site, b *browsertest.Tab) {
	// The browser would type the key too if it came from the protocol.
	const slash = `document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "/", bubbles: true}))`
	b.Do(chromedp.EmulateViewport(1200, 800), chromedp.Navigate(s.url+"portal"),
		chromedp.Evaluate[chromedp.Void](slash))
	b.Until(`document.activeElement.id === "q"`)
	for _, step := range []struct{ keys, apps, says string }{
		{"ENG", "Gitea Build Farm Registry", "3 apps found"},
		{" code", "Gitea", "1 app found"},
		{"xyz", "", "No app matches your search."},
		{kb.Escape, "Mail Files Wiki Time Sheet Grafana Prometheus Portainer NetBox Gitea Build Farm Registry", ""},
	} {
		b.Do(chromedp.KeyEvent(step.keys))
		apps, says := browsertest.Value[string](b, visible), b.Text("found")
		if apps != step.apps || says != step.says {
			t.Errorf("after %q: %q and %q", step.keys, apps, says)
		}
		empty := browsertest.Value[bool](b, `document.getElementById("nothing").checkVisibility()`)
		if empty != (step.apps == "") {
			t.Errorf("after %q the page looks empty: %v", step.keys, empty)
		}
	}
	b.Do(chromedp.Evaluate[chromedp.Void](`document.addEventListener("click", e => { if (e.target.localName`+
		` === "a") { window.opened = e.target.href; e.preventDefault() } })`), chromedp.KeyEvent("reg"+kb.Enter))
	b.Until(`window.opened === "https://registry.example.com/"`)
}

func lookFragment(t *testing.T, s *site, b *browsertest.Tab) {
	b.Do(chromedp.Navigate(s.url+"sign-in#/a b&c"), chromedp.SendKeys(chromedp.CSS("#login"), "ada"),
		chromedp.SendKeys(chromedp.CSS("#password"), "secret"+kb.Enter))
	if err := s.until(b, "POST /sign_in fragment=%2Fa%2520b%26c&login=ada&password=secret&return=x"); err != nil {
		t.Error(err)
	}
	b.Click(".provider")
	if err := s.until(b, "GET /sign_in/with/azure-ad fragment=%2Fa%2520b%26c&"+
		"return=https%3A%2F%2Fgrafana.example.com%2F"); err != nil {
		t.Error(err)
	}
	if err := b.Try(chromedp.Navigate(s.url + "continue#top")); err != nil {
		t.Error(err)
	}
	if err := s.until(b, "GET /sign_in/with/azure-ad fragment=top&return=x"); err != nil {
		t.Error(err)
	}
}

func lookOtherTab(t *testing.T, s *site, b *browsertest.Tab) {
	b.Do(chromedp.Navigate(s.url + "sign-in#top"))
	const look = `dispatchEvent(new Event("focus"))`
	b.Do(chromedp.Evaluate[chromedp.Void](look))
	b.Until("performance.getEntriesByName(new URL('/whoami', location).href).length === 1")
	s.signedIn.Store(true)
	b.Do(chromedp.Evaluate[chromedp.Void](look))
	if err := s.until(b, "GET /sign_in fragment=top&return=x"); err != nil {
		t.Error(err)
	}
}

func lookPeek(t *testing.T, s *site, b *browsertest.Tab) {
	b.Do(chromedp.Navigate(s.url+"sign-in-local"), chromedp.SendKeys(chromedp.CSS("#password"), "secret"))
	for _, want := range []string{"text true", "password false"} {
		b.Click(".peek")
		got := browsertest.Value[string](b, `document.getElementById("password").type + " " +`+
			`document.querySelector(".peek").ariaPressed`)
		if got != want {
			t.Errorf("the field is %s, want %s", got, want)
		}
	}
}

func lookMenu(t *testing.T, s *site, b *browsertest.Tab) {
	b.Do(chromedp.EmulateViewport(390, 800), chromedp.Navigate(s.url+"portal"))
	b.Click(".menu summary")
	b.Until(`document.querySelector(".drop").checkVisibility()`)
	if wide := b.Overflow(); wide != "" {
		t.Errorf("the menu is too wide: %s", wide)
	}
	b.Do(chromedp.KeyEvent(kb.Escape))
	b.Until(`!document.querySelector(".menu").open && document.activeElement.localName === "summary"`)
	b.Do(chromedp.EmulateViewport(1200, 800))
	b.Click(".menu summary")
	b.Click("h1")
	b.Until(`!document.querySelector(".menu").open`)
	b.Click(".menu summary")
	b.Click(".menu button")
	if err := s.until(b, "POST /sign_out "); err != nil {
		t.Error(err)
	}
}

func lookNoScript(t *testing.T, s *site, b *browsertest.Tab) {
	b.Do(browsertest.NoScript(), chromedp.Navigate(s.url+"sign-in"),
		chromedp.SendKeys(chromedp.CSS("#login"), "ada"),
		chromedp.SendKeys(chromedp.CSS("#password"), "secret"+kb.Enter))
	if err := s.until(b, "POST /sign_in login=ada&password=secret&return=x"); err != nil {
		t.Error(err)
	}
	if browsertest.Value[bool](b, `document.querySelector(".peek").checkVisibility()`) {
		t.Error("there is a button that does nothing")
	}
}

func lookContinue(t *testing.T, s *site, b *browsertest.Tab) {
	b.Do(browsertest.NoScript(), chromedp.Navigate(s.url+"continue"))
	if err := s.until(b, "GET /sign_in/with/azure-ad return=x"); err != nil {
		t.Error(err)
	}
}

// lookKeyboard goes through the sign-in page with the Tab key.
func lookKeyboard(t *testing.T, s *site, b *browsertest.Tab) {
	b.Do(chromedp.Navigate(s.url + "sign-in"))
	var order []string
	for range 7 {
		b.Do(chromedp.KeyEvent(kb.Tab))
		order = append(order, browsertest.Value[string](b, `(e => e.id || e.ariaLabel || `+
			`e.textContent.trim().replace(/\s+/g, " "))(document.activeElement)`))
		const ring = `getComputedStyle(document.activeElement).outlineStyle`
		if got := browsertest.Value[string](b, ring); got != "solid" {
			t.Errorf("%s has no ring: %s", order[len(order)-1], got)
		}
	}
	const want = "Continue with Microsoft|Continue with GitHub|login|password|Show the password|" +
		"Forgot your password?|Sign in"
	if got := strings.Join(order, "|"); got != want {
		t.Errorf("the order is %s, want %s", got, want)
	}
	b.Do(chromedp.Navigate(s.url+"portal"), chromedp.KeyEvent(kb.Tab+kb.Enter))
	b.Until(`location.hash === "#main" && document.activeElement.id === "main"`)
}

// lookPictures is for people: see DOORWARD_SCREENSHOTS.
func lookPictures(t *testing.T, s *site, b *browsertest.Tab) {
	if browsertest.Pictures() == "" {
		t.Skip("nobody looks")
	}
	docPictures(s, b)
	for _, show := range shows() {
		for _, theme := range []string{"light", "dark"} {
			b.Do(browsertest.Theme(theme), chromedp.EmulateViewport(1200, 800),
				chromedp.Navigate(s.url+show.name))
			b.Screenshot(show.name+"-"+theme, true)
		}
		b.Do(browsertest.Theme("light"), browsertest.Phone(844, 1),
			chromedp.Navigate(s.url+show.name+"?lang=de"))
		b.Screenshot(show.name+"-phone", true)
	}
}

// docPictures are those of docs/images.
func docPictures(s *site, b *browsertest.Tab) {
	for _, picture := range []struct{ name, show, theme string }{
		{"sign-in", "sign-in", "light"}, {"portal", "portal", "light"}, {"account", "sessions", "dark"},
	} {
		b.Do(browsertest.Theme(picture.theme), chromedp.EmulateViewport(1280, 800),
			chromedp.Navigate(s.url+picture.show))
		b.Screenshot(picture.name, false)
	}
}
