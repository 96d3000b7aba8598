package browsertest_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"doorward/internal/browsertest"
)

// pages answer with a path's own piece of markup, under a policy.
func pages(t *testing.T, markup map[string]string) string {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "script-src 'unsafe-inline'; style-src 'none'")
		if piece, ok := markup[r.URL.Path]; ok {
			_, _ = w.Write([]byte("<!doctype html><link rel=icon href='data:,'>" + piece))
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "anything.example", 1)
}

// found says whether the console says the text within some exchanges with the
// browser, which tells of missing files when it comes to it.
func found(tab *browsertest.Tab, want string) (said []string, ok bool) {
	for range 200 {
		said = append(said, tab.Heard()...)
		if slices.ContainsFunc(said, func(text string) bool { return strings.Contains(text, want) }) {
			return said, true
		}
		tab.Until("true")
	}
	return said, false
}

func TestTabs(t *testing.T) {
	browser := browsertest.Start(t)
	t.Run("hear what is wrong", func(t *testing.T) {
		url := pages(t, map[string]string{
			"/policy":    "<p style='color: red'>red</p><script>window.loaded = true</script>",
			"/exception": "<script>window.loaded = true; none()</script>",
			"/console":   "<script>window.loaded = true; console.error('spoken')</script>",
			"/missing":   "<img src=/nothing onerror='window.loaded = true'>",
		})
		for path, want := range map[string]string{
			"/policy":    "violates the following Content Security Policy",
			"/exception": "none is not defined", "/console": `error: "spoken"`, "/missing": "404",
		} {
			tab := browser.Open(t)
			tab.Do(chromedp.Navigate(url + path))
			tab.Until("window.loaded")
			if said, ok := found(tab, want); !ok {
				t.Errorf("%s: the console said %q, want %q", path, said, want)
			}
		}
	})
	t.Run("see what is too wide", func(t *testing.T) {
		url := pages(t, map[string]string{
			"/wide":   `<svg width=700 height=9></svg>`,
			"/narrow": `<meta name=viewport content="width=device-width"><svg width=300 height=9></svg>`,
		})
		tab := browser.Open(t)
		tab.Do(browsertest.Phone(844, 1), chromedp.Navigate(url+"/narrow"))
		if got := tab.Overflow(); got != "" {
			t.Errorf("%s is too wide", got)
		}
		tab.Do(chromedp.EmulateViewport(390, 844), chromedp.Navigate(url+"/wide"))
		if got := tab.Overflow(); !strings.HasPrefix(got, "<svg") {
			t.Errorf("too wide is %q", got)
		}
	})
}

func TestPeopleApart(t *testing.T) {
	url := pages(t, map[string]string{"/": "<p>here"})
	host, port, _ := strings.Cut(strings.TrimPrefix(url, "https://"), ":")
	browser := browsertest.StartAt(t, "127.0.0.1:"+port)
	ann := browser.Apart(t)
	ann.Do(chromedp.Navigate("https://" + host + "/"))
	ann.Until(`document.cookie = "name=ann; secure", true`)
	beside, bob := ann.Beside(t), browser.Apart(t)
	for tab, want := range map[*browsertest.Tab]string{beside: "name=ann", bob: ""} {
		tab.Do(chromedp.Navigate("https://" + host + "/"))
		if got := browsertest.Value[string](tab, "document.cookie"); got != want {
			t.Errorf("the cookie is %q, want %q", got, want)
		}
	}
}
