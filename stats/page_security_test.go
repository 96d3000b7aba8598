package stats_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"doorward/stats"

	"golang.org/x/net/html"
)

// hostile are texts that would be markup, script, a template or a new line if
// anybody let them.
var hostile = []string{
	`"><script>alert(1)</script>`, `'><img src=x onerror=alert(1)>`, `</title><svg onload=alert(1)>`,
	`{{.Token}}`, `javascript:alert(1)`, "\x00<b>", "a\u2028b", "data: x\n\ndata: y", `</noscript><b>`,
}

// hostileEdge has a hostile text wherever a text comes from outside.
func hostileEdge(text string) *edge {
	e := newEdge()
	e.change(func(v *stats.View) {
		v.Node.Host = text
		v.Reload.Error = text
		v.Frontends[0].Name = text
		v.Routes[0].Name, v.Routes[0].Backend = text, text
		b := &v.Backends[0]
		b.Name, b.Description, b.Algorithm, b.Cookie = text, text, text, text
		b.Stick.On = text
		s := &b.Servers[3]
		s.Name, s.Address, s.URL, s.Cookie = text, text, text, text
		s.Health.Status, s.Health.Description = text, text
		b.Servers[4].AdminBy = text
		v.Limits[0].Name, v.Limits[0].By = text, text
		c := &v.Certificates[0]
		c.Names, c.Source, c.Issuer = []string{text}, text, text
	})
	return e
}

// filtered asks for the page with a text to filter by.
func filtered(h http.Handler, text string) *httptest.ResponseRecorder {
	return get(h, "/?"+url.Values{"filter": {text}}.Encode())
}

// shape is the elements and attribute names of a document, without what they say.
func shape(d document) string {
	var b strings.Builder
	for n := range d.root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		b.WriteString("<" + n.Data)
		for _, a := range n.Attr {
			b.WriteString(" " + a.Key)
		}
		b.WriteString(">\n")
	}
	// How long a text is decides whether its cell is wrapped; nothing else may.
	return strings.ReplaceAll(b.String(), "<td class", "<td")
}

func TestSecurityUI(t *testing.T) {
	t.Run("UI-01_the request's own text", func(t *testing.T) {
		page, _ := newPage(t, newEdge(), stats.PageOptions{Actions: true})
		for _, text := range hostile {
			r := call(page, http.MethodGet, "/", nil)
			harmless := shape(parse(t, r))
			d := parse(t, filtered(page, text))
			want := strings.ReplaceAll(text, "\x00", "\ufffd")
			if got := attribute(d.byID("filter"), "value"); got != want {
				t.Errorf("the filter is %q, want %q", got, want)
			}
			got := strings.ReplaceAll(shape(d), " hidden", "")
			if got != strings.ReplaceAll(harmless, " hidden", "") {
				t.Errorf("%q changes the page", text)
			}
		}
	})
	t.Run("UI-02_names and errors", func(t *testing.T) {
		harmless, _ := newPage(t, hostileEdge("a text of more than eighteen"), stats.PageOptions{Actions: true})
		want := shape(parse(t, get(harmless, "/")))
		for _, text := range hostile {
			page, _ := newPage(t, hostileEdge(text), stats.PageOptions{Actions: true})
			w := get(page, "/")
			if strings.Contains(w.Body.String(), "{{") && text != `{{.Token}}` {
				t.Error("a part of the template is left")
			}
			if got := shape(parse(t, w)); got != want {
				t.Errorf("%q changes the page", text)
			}
		}
	})
	t.Run("UI-02_errors of buttons", func(t *testing.T) {
		e := newEdge()
		page, _ := newPage(t, e, stats.PageOptions{Actions: true})
		form := formOf(parse(t, get(page, "/")), "b0s0-panel", "drain")
		form.Set("server", hostile[0])
		w := call(page, http.MethodPost, "/servers", form)
		if strings.Contains(w.Body.String(), "<script>") {
			t.Error("the name of a server that is not there becomes a script")
		}
		form.Set("row", `"><script>`)
		form.Set("server", "web1")
		w = call(page, http.MethodPost, "/servers", form)
		if got := w.Header().Get("Location"); got != "/" {
			t.Errorf("the button leads to %q", got)
		}
	})
	t.Run("UI-03_no script and no style in the page", func(t *testing.T) {
		page, _ := newPage(t, hostileEdge(`javascript:alert(1)`), stats.PageOptions{Actions: true})
		d := parse(t, get(page, "/"))
		local := regexp.MustCompile(`^(/[^/]|/$|#)`)
		for _, n := range d.all(func(*html.Node) bool { return true }) {
			if n.Data == "style" || n.Data == "script" && (n.FirstChild != nil || attribute(n, "src") == "") {
				t.Errorf("a %s in the page", n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
					t.Errorf("an attribute %s", a.Key)
				}
				if (a.Key == "href" || a.Key == "src" || a.Key == "action") && !local.MatchString(a.Val) {
					t.Errorf("%s = %q", a.Key, a.Val)
				}
			}
		}
	})
	t.Run("UI-04_UI-05_headers of every answer", headersOfEveryAnswer)
	t.Run("UI-06_ranges and conditions", func(t *testing.T) {
		page, _ := newPage(t, newEdge(), stats.PageOptions{})
		ranges := "bytes=" + strings.TrimSuffix(strings.Repeat("0-0,", 201), ",")
		for _, target := range []string{"/", assetOf(t, page, "stylesheet")} {
			whole := get(page, target).Body.Len()
			for _, header := range [][2]string{{"Range", ranges}, {"Range", "bytes=5-"}, {"If-None-Match", "*"}} {
				if w := get(page, target, header[0], header[1]); w.Code != 200 || w.Body.Len() < whole*9/10 {
					t.Errorf("%s with %s: %d, %d bytes", target, header[0], w.Code, w.Body.Len())
				}
			}
		}
	})
	t.Run("UI-07_assets lead nowhere else", func(t *testing.T) {
		page, _ := newPage(t, newEdge(), stats.PageOptions{})
		for _, name := range []string{"", "page.css", "../page.go", "..%2fpage.go", "%2e%2e/page.go", "..%5cpage.go",
			"/etc/passwd", "../templates/page.html", "./", "page.css/", "assets/page.css"} {
			if w := get(page, "/assets/"+name); w.Code != http.StatusNotFound {
				t.Errorf("%q: %d", name, w.Code)
			}
		}
		w := get(page, assetOf(t, page, "stylesheet"))
		if got := w.Header().Get("Cache-Control"); w.Code != 200 || !strings.Contains(got, "immutable") {
			t.Errorf("the style: %d, %q", w.Code, got)
		}
	})
}

func headersOfEveryAnswer(t *testing.T) {
	page, _ := newPage(t, newEdge(), stats.PageOptions{Users: map[string]string{"ops": "a long password"}})
	auth := []string{"Authorization", "Basic b3BzOmEgbG9uZyBwYXNzd29yZA=="}
	for _, target := range []string{"/", "/;csv", "/;json", "/x", "/servers", "/assets/x"} {
		for _, headers := range [][]string{nil, auth} {
			h := get(page, target, headers...).Header()
			csp := h.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'",
				"form-action 'self'", "script-src 'self'", "style-src 'self'"} {
				if !strings.Contains(csp+";", want+";") {
					t.Errorf("%s: the policy %q lacks %s", target, csp, want)
				}
			}
			if strings.Contains(csp, "unsafe") {
				t.Errorf("%s: the policy is %q", target, csp)
			}
			for name, want := range map[string]string{
				"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
				"Referrer-Policy": "same-origin", "Cache-Control": "no-store",
			} {
				if got := h.Get(name); got != want {
					t.Errorf("%s: %s is %q", target, name, got)
				}
			}
			if kind := h.Get("Content-Type"); !strings.Contains(kind, "charset=utf-8") {
				t.Errorf("%s: the type is %q", target, kind)
			}
		}
	}
}

// assetOf is the address of a file that the page links to.
func assetOf(t *testing.T, page http.Handler, rel string) string {
	t.Helper()
	links := parse(t, get(page, "/")).all(func(n *html.Node) bool { return attribute(n, "rel") == rel })
	if len(links) != 1 {
		t.Fatalf("%d links to a %s", len(links), rel)
	}
	return attribute(links[0], "href")
}

func TestSecurityADM(t *testing.T) {
	users := map[string]string{"ops": "a long password"}
	page, _ := newPage(t, newEdge(), stats.PageOptions{Users: users, Actions: true})
	t.Run("ADM-02_no path goes around the password", func(t *testing.T) {
		for _, target := range []string{"/", "//", "/;csv", "/%3bcsv", "/;json", "/x/../", "/./;csv", "/haproxy?stats;csv",
			"/events", "/servers", "/assets/../", "/%2e%2e/", assetPathOf(page)} {
			for _, headers := range [][]string{nil, {"X-Rewrite-Url", "/"}, {"X-Original-Url", "/;csv"},
				{"Host", "localhost"}, {"Authorization", "Basic"}, {"Authorization", "Bearer x"}} {
				if w := get(page, target, headers...); w.Code != http.StatusUnauthorized {
					t.Errorf("%s with %q: %d", target, headers, w.Code)
				}
			}
		}
	})
	t.Run("ADM-12_strangers learn no version and no names", func(t *testing.T) {
		for _, target := range []string{"/", "/x", "/;csv"} {
			w := get(page, target)
			for _, word := range []string{"0.3.0", "go1.", "edge-fra", "shop", "web1"} {
				if strings.Contains(w.Body.String(), word) || strings.Contains(w.Header().Get("Www-Authenticate"), word) {
					t.Errorf("%s tells %s", target, word)
				}
			}
			if got := w.Header().Get("Server"); got != "" {
				t.Errorf("%s: the server is %q", target, got)
			}
		}
	})
}

func assetPathOf(page http.Handler) string {
	body := get(page, "/", "Authorization", "Basic b3BzOmEgbG9uZyBwYXNzd29yZA==").Body.String()
	return regexp.MustCompile(`/assets/[^"]+`).FindString(body)
}
