package entratest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"doorward/internal/browsertest"
	"doorward/internal/entratest"
)

// TestPages_in_a_real_browser goes through the forms with form_post at the end,
// and out again by way of the frame that tells the app.
func TestPages_in_a_real_browser(t *testing.T) {
	told := make(chan string, 1)
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/back":
			fmt.Fprintf(w, `<p id="state">%s</p>`, r.PostFormValue("state"))
		case "/frame":
			if len(r.Cookies()) > 0 {
				t.Error("the frame has cookies")
			}
			told <- r.URL.Query().Get("sid")
		default:
			fmt.Fprint(w, `<p id="out">out</p>`)
		}
	}))
	defer site.Close()
	p := join(t, app(func(a *entratest.App) {
		a.RedirectURIs = []string{site.URL + "/back", site.URL + "/out"}
		a.LogoutURL = site.URL + "/frame"
	}), func(o *entratest.Options) { o.Users[0].MFA, o.Users[0].Consent = true, true })
	p.config.RedirectURL = site.URL + "/back"

	tab := browsertest.Start(t).Open(t)
	tab.Do(chromedp.Navigate(p.address(set("response_mode", "form_post"))))
	tab.Do(chromedp.SendKeys(chromedp.CSS("input[name=loginfmt]"), ann))
	for _, form := range []string{"sign-in", "mfa", "consent"} {
		tab.Until(fmt.Sprintf("document.getElementById(%q) != null", form))
		tab.Click("#submit")
	}
	tab.Until(`document.getElementById("state") != null`)
	if got := tab.Text("state"); got != "s1" {
		t.Errorf("state %q", got)
	}

	tab.Do(chromedp.Navigate(p.URL + "/common/oauth2/v2.0/logout?post_logout_redirect_uri=" +
		url.QueryEscape(site.URL+"/out")))
	tab.Click("#submit")
	tab.Until(`document.getElementById("out") != null`)
	select {
	case sid := <-told:
		if strings.Count(sid, "-") != 4 {
			t.Errorf("sid %q", sid)
		}
	case <-time.After(entratest.Patience):
		t.Error("the app was not told")
	}
}
