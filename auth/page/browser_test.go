package page_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"doorward/auth/page"
	"doorward/internal/browsertest"

	"github.com/chromedp/chromedp"
)

// site serves every show under its name.
func site(t *testing.T, brand page.Brand) string {
	t.Helper()
	pages := newPages(t, brand)
	mux := http.NewServeMux()
	mux.Handle("/assets/", pages.Assets())
	for _, s := range shows() {
		mux.HandleFunc("/"+s.name, func(w http.ResponseWriter, r *http.Request) {
			s.write(pages, w, r)
		})
	}
	// Where pages lead of themselves: an answer without content leaves them be.
	mux.HandleFunc("/sign_in/", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "login.example.com", 1) + "/"
}

// TestPagesInChromium looks at the pages as people do.
func TestPagesInChromium(t *testing.T) {
	browser := browsertest.Start(t)
	t.Run("screenshots", func(t *testing.T) { lookPictures(t, browser.Open(t)) })
}

// lookPictures is for people: see DOORWARD_SCREENSHOTS.
func lookPictures(t *testing.T, b *browsertest.Tab) {
	if browsertest.Pictures() == "" {
		t.Skip("nobody looks")
	}
	url := site(t, company())
	for _, s := range shows() {
		b.Do(browsertest.Theme("light"), chromedp.EmulateViewport(1200, 800), chromedp.Navigate(url+s.name))
		b.Screenshot(s.name+"-light", true)
		b.Do(browsertest.Theme("dark"), chromedp.Navigate(url+s.name))
		b.Screenshot(s.name+"-dark", true)
		b.Do(browsertest.Theme("light"), browsertest.Phone(844, 1), chromedp.Navigate(url+s.name+"?lang=de"))
		b.Screenshot(s.name+"-phone", true)
	}
}
