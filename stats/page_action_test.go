package stats_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"doorward/stats"

	"golang.org/x/net/html"
)

// formOf reads the form of a server from the page, as a browser would send it.
func formOf(d document, panel, state string) url.Values {
	form := url.Values{"state": {state}}
	for n := range d.byID(panel).Descendants() {
		if n.Type == html.ElementNode && n.Data == "input" {
			form.Set(attribute(n, "name"), attribute(n, "value"))
		}
	}
	return form
}

func TestButtons(t *testing.T) {
	for name, c := range map[string]struct {
		target string
		users  map[string]string
		header []string
		want   string
		where  string
	}{
		"address": {"/", nil, nil, "api/api1 maint by 192.0.2.7", "/#b1s0"},
		"user": {
			"/?filter=api&up=hide", map[string]string{"ops": "a long password"},
			[]string{"Authorization", "Basic b3BzOmEgbG9uZyBwYXNzd29yZA=="},
			"api/api1 maint by ops", "/?filter=api&up=hide#b1s0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEdge()
			page, _ := newPage(t, e, stats.PageOptions{Actions: true, Users: c.users})
			form := formOf(parse(t, get(page, c.target, c.header...)), "b1s0-panel", "maint")
			w := call(page, http.MethodPost, "/servers", form, c.header...)
			if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != c.where {
				t.Errorf("%d to %q, want %q", w.Code, got, c.where)
			}
			if got := strings.Join(e.called(), "; "); got != c.want {
				t.Errorf("the steward heard %q, want %q", got, c.want)
			}
			d := parse(t, get(page, "/", c.header...))
			if got := d.text("b1s0-status"); got != "MAINT" {
				t.Errorf("the status is %q", got)
			}
		})
	}
}

func TestWhatAStewardRefusesIsShown(t *testing.T) {
	e := newEdge()
	page, _ := newPage(t, e, stats.PageOptions{Actions: true})
	form := formOf(parse(t, get(page, "/?filter=web")), "b0s0-panel", "drain")
	e.deny = errNotNow
	w := call(page, http.MethodPost, "/servers", form)
	if w.Code != http.StatusConflict {
		t.Errorf("%d", w.Code)
	}
	d := parse(t, w)
	if got := d.text("flash"); got != "web1 was not set to drain: "+errNotNow.Error() {
		t.Errorf("the page says %q", got)
	}
	if got := attribute(d.byID("filter"), "value"); got != "web" {
		t.Errorf("the filter is %q", got)
	}
}

func TestWithoutActionsThereAreNoButtons(t *testing.T) {
	e := newEdge()
	with, _ := newPage(t, e, stats.PageOptions{Actions: true})
	form := formOf(parse(t, get(with, "/")), "b0s0-panel", "drain")
	without, _ := newPage(t, e, stats.PageOptions{})
	d := parse(t, get(without, "/"))
	if n := len(d.all(func(n *html.Node) bool { return attribute(n, "method") == "post" })); n > 0 {
		t.Errorf("%d forms", n)
	}
	if w := call(without, http.MethodPost, "/servers", form); w.Code != http.StatusForbidden {
		t.Errorf("%d", w.Code)
	}
	if got := e.called(); len(got) > 0 {
		t.Errorf("the steward heard %q", got)
	}
}

func TestSecurityCSRF(t *testing.T) {
	const site, from = "Sec-Fetch-Site", "Origin"
	own := "http://" + chromeHost
	for name, c := range map[string]struct {
		headers []string
		change  func(url.Values)
		want    int
	}{
		"CSRF-01_own form":              {[]string{site, "same-origin", from, own}, nil, 303},
		"CSRF-01_cross-site":            {[]string{site, "cross-site", from, "https://evil.example"}, nil, 403},
		"CSRF-01_foreign origin alone":  {[]string{from, "https://evil.example"}, nil, 403},
		"CSRF-02_redirecting path":      {[]string{site, "cross-site"}, nil, 403},
		"CSRF-04_null origin":           {[]string{from, "null"}, nil, 403},
		"CSRF-04_no headers, no token":  {nil, func(f url.Values) { f.Del("token") }, 403},
		"CSRF-04_no headers, old token": {nil, func(f url.Values) { f.Set("token", "x"+f.Get("token")[1:]+"y") }, 403},
		"CSRF-04_empty token":           {nil, func(f url.Values) { f.Set("token", "") }, 403},
		"CSRF-04_text as body":          {[]string{"Content-Type", "text/plain"}, nil, 403},
		"CSRF-04_JSON as body":          {[]string{"Content-Type", "application/json"}, nil, 403},
		"CSRF-04_several parts as body": {[]string{"Content-Type", "multipart/form-data; boundary=x"}, nil, 403},
		"CSRF-07_same site":             {[]string{site, "same-site"}, nil, 403},
		"CSRF-07_sibling's origin":      {[]string{from, "http://other.example.com"}, nil, 403},
		"CSRF-07_other port":            {[]string{from, own + ":8443"}, nil, 403},
		"ADM-03_no such state":          {nil, func(f url.Values) { f.Set("state", "ready2") }, 400},
		"ADM-06_a megabyte":             {nil, func(f url.Values) { f.Set("server", strings.Repeat("x", 1<<20)) }, 400},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEdge()
			page, _ := newPage(t, e, stats.PageOptions{Actions: true})
			form := formOf(parse(t, get(page, "/")), "b0s0-panel", "drain")
			if c.change != nil {
				c.change(form)
			}
			w := call(page, http.MethodPost, "/servers", form, c.headers...)
			if acted := len(e.called()) > 0; w.Code != c.want || acted != (c.want == 303) {
				t.Errorf("%d, want %d; acted: %v", w.Code, c.want, acted)
			}
		})
	}
	t.Run("CSRF-04_methods that change nothing", func(t *testing.T) {
		e := newEdge()
		page, _ := newPage(t, e, stats.PageOptions{Actions: true})
		form := formOf(parse(t, get(page, "/")), "b0s0-panel", "drain")
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT"} {
			w := call(page, method, "/servers?"+form.Encode(), form, "X-HTTP-Method-Override", "POST")
			if w.Code != http.StatusMethodNotAllowed || len(e.called()) > 0 {
				t.Errorf("%s: %d, acted: %v", method, w.Code, e.called())
			}
		}
	})
	t.Run("CSRF-04_token of another user and of another process", func(t *testing.T) {
		e := newEdge()
		users := map[string]string{"ops": "a long password", "eve": "another password"}
		ops := []string{"Authorization", "Basic b3BzOmEgbG9uZyBwYXNzd29yZA=="}
		eve := []string{"Authorization", "Basic ZXZlOmFub3RoZXIgcGFzc3dvcmQ="}
		page, _ := newPage(t, e, stats.PageOptions{Actions: true, Users: users})
		next, _ := newPage(t, e, stats.PageOptions{Actions: true, Users: users})
		form := formOf(parse(t, get(page, "/", eve...)), "b0s0-panel", "drain")
		first := call(page, http.MethodPost, "/servers", form, ops...)
		second := call(next, http.MethodPost, "/servers", form, eve...)
		if first.Code != 403 || second.Code != 403 || len(e.called()) > 0 {
			t.Errorf("%d and %d, acted: %v", first.Code, second.Code, e.called())
		}
	})
	t.Run("CSRF-06_no other origin may read", func(t *testing.T) {
		page, _ := newPage(t, newEdge(), stats.PageOptions{Actions: true})
		for _, target := range []string{"/", "/;json", "/;csv", "/servers"} {
			for _, origin := range []string{"https://evil.example", "null"} {
				for name := range get(page, target, from, origin).Header() {
					if strings.HasPrefix(name, "Access-Control-") {
						t.Errorf("%s for %s has %s", target, origin, name)
					}
				}
			}
		}
	})
}
