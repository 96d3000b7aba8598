package page_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"doorward/auth/page"

	"golang.org/x/net/html"
)

// hostile are texts as an attacker would like them to stand in a page.
var hostile = []string{
	`"><script>alert(1)</script>`, `</title><script src=//evil.example></script>`,
	`{{.}}`, `' onmouseover='alert(1)`, "%00<\x00img src=x onerror=alert(1)>",
	"\u2028</style>", "`${alert(1)}`", `javascript:alert(1)`, `//evil.example/`,
	`data:text/html,<script>alert(1)</script>`, "\u202egro.elpmaxe", `0;url=javascript:alert(1)`,
}

// poison puts a text into everything of a view that is text.
func poison(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		if v.Type() == reflect.TypeFor[string]() {
			v.SetString(text)
		}
	case reflect.Struct:
		if v.Type() != reflect.TypeFor[time.Time]() {
			for i := range v.NumField() {
				poison(v.Field(i), text)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i), text)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem(), text)
		}
	}
}

// poisoned writes every page with a text wherever somebody else's may be.
func poisoned(p *page.Pages, r *http.Request, text string) map[string]*httptest.ResponseRecorder {
	who, provider := page.Who{}, page.Provider{Down: "x"}
	frame := page.Frame{Who: &who, Leads: []string{""}, Problems: []page.Problem{{Code: page.Throttled}}}
	inner := page.Area{Frame: frame}
	views := []any{
		&page.SignIn{Frame: frame, Form: &page.Form{}, Known: &page.Known{}, To: app(),
			Providers: []page.Provider{microsoft(), provider}},
		&page.SignOut{Frame: frame}, &page.SignedOut{Frame: frame},
		&page.Portal{Frame: frame, Apps: apps()}, &page.Account{Area: inner, Groups: groups()},
		&page.Sessions{Area: inner, Sessions: sessions()},
		&page.Tokens{Area: inner, Tokens: tokens().Tokens, New: &page.NewToken{},
			Routes: tokens().Routes},
		&page.Password{Area: inner}, &page.Password{Area: inner, Must: true},
		&page.Identities{Area: inner, Linked: []page.Identity{{}}, Others: []page.Provider{{}}},
		&page.Consent{Frame: frame, Tells: []page.Told{page.TellsName}},
		&page.Setup{Frame: frame}, &page.Continue{Frame: frame},
		&page.Message{Frame: frame, Kind: page.NotMember, Missing: []string{"a", "b"}},
	}
	written := map[string]*httptest.ResponseRecorder{}
	for _, v := range views {
		poison(reflect.ValueOf(v), text)
		name := reflect.TypeOf(v).Elem().Name()
		w := httptest.NewRecorder()
		reflect.ValueOf(p).MethodByName(name).Call([]reflect.Value{reflect.ValueOf(w),
			reflect.ValueOf(r), reflect.ValueOf(200), reflect.ValueOf(v).Elem()})
		written[name+string('a'+rune(len(written)))] = w
	}
	return written
}

func TestSecurity_HostileText(t *testing.T) {
	for _, text := range hostile {
		t.Run("UI-01_UI-03_"+url.QueryEscape(text), func(t *testing.T) {
			brand := company()
			brand.Title = text
			pages := newPages(t, brand)
			r := httptest.NewRequest("GET", "https://login.example.com/?lang="+
				url.QueryEscape(text)+"&x="+url.QueryEscape(text), nil)
			r.Header.Set("Accept", "text/html")
			for name, w := range poisoned(pages, r, text) {
				doc, err := html.Parse(strings.NewReader(w.Body.String()))
				if err != nil {
					t.Fatal(err)
				}
				for _, wrong := range injected(doc) {
					t.Errorf("%s: %s", name, wrong)
				}
				policy := w.Header().Get("Content-Security-Policy")
				if strings.Contains(policy, "evil") || strings.Contains(policy, "script>") {
					t.Errorf("%s: the policy is %q", name, policy)
				}
			}
		})
	}
}

// injected names what no page of ours has.
func injected(doc *html.Node) []string {
	var wrong []string
	tags := strings.Fields("html head meta title link script noscript body header img p main " +
		"h1 h2 div form input button span b bdi svg path circle rect g ul li a details summary " +
		"br label nav footer section dl dt dd code time select option fieldset legend kbd")
	for _, e := range elements(doc, "") {
		if !slices.Contains(tags, e.Data) {
			wrong = append(wrong, "an element "+e.Data)
		}
		for _, a := range e.Attr {
			bad := strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc"
			switch a.Key {
			case "href", "src", "action", "data-watch", "data-again":
				u, err := url.Parse(a.Val)
				bad = err != nil || u.Scheme != "" && u.Scheme != "https" && u.Scheme != "http" &&
					u.Scheme != "mailto"
			}
			if bad {
				wrong = append(wrong, e.Data+" has "+a.Key+"="+a.Val)
			}
		}
		if e.Data == "script" && (e.FirstChild != nil ||
			!strings.HasPrefix(attr(e, "src"), "/assets/page.")) {
			wrong = append(wrong, "a script that is not ours: "+attr(e, "src"))
		}
	}
	return wrong
}

func TestSecurity_Headers(t *testing.T) {
	pages := newPages(t, company())
	const base = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
	const tail = "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	for _, s := range shows() {
		t.Run("UI-04_UI-05_"+s.name, func(t *testing.T) {
			h := render(t, pages, s, "").Header()
			policy, frames := base+tail, "DENY"
			if s.name == "message-framed" || s.name == "message-in_frame" {
				policy, frames = strings.Replace(policy, " frame-ancestors 'none';", "", 1), ""
			}
			if s.name == "sign-in" { // the one that watches for other tabs
				policy = base + "connect-src 'self'; " + tail
			}
			for name, want := range map[string]string{
				"Content-Security-Policy": policy,
				"Content-Type":            "text/html; charset=utf-8",
				"X-Frame-Options":         frames,
				"X-Content-Type-Options":  "nosniff",
				"Referrer-Policy":         "no-referrer",
				"Cache-Control":           "no-store",
			} {
				if got := h.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestFormsMayLeadWhereTheViewSays(t *testing.T) {
	pages := newPages(t, company())
	for lead, want := range map[string]string{
		"https://shop.example.com":                 " https://shop.example.com",
		"https://Shop.Example.com:8443/path?q":     " https://shop.example.com:8443",
		"http://[::1]:80":                          " http://[::1]:80",
		"https://a.example.com; script-src *":      "",
		"https://*":                                "",
		"javascript:alert(1)":                      "",
		"ftp://a.example.com":                      "",
		"https://a.example.com https://b.example/": "",
		"": "",
	} {
		w := httptest.NewRecorder()
		pages.SignIn(w, httptest.NewRequest("GET", "/", nil), 200,
			page.SignIn{Frame: page.Frame{Leads: []string{lead}}})
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "form-action 'self'"+want+";") {
			t.Errorf("with %q the policy is %q", lead, policy)
		}
	}
}

func TestSecurity_Conditions(t *testing.T) {
	pages := newPages(t, company())
	ask := func(method, path string, fields ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("Accept", "text/html")
		for i := 0; i < len(fields); i += 2 {
			r.Header.Set(fields[i], fields[i+1])
		}
		w := httptest.NewRecorder()
		if strings.HasPrefix(path, "/assets/") {
			pages.Assets().ServeHTTP(w, r)
		} else {
			pages.Message(w, r, 0, page.Message{Kind: page.NotFound})
		}
		return w
	}
	doc := ask("GET", "/").Body.String()
	_, sheet, _ := strings.Cut(doc, `<link rel="stylesheet" href="`)
	sheet, _, _ = strings.Cut(sheet, `"`)
	whole := ask("GET", sheet).Body.String()
	many := "bytes=" + strings.Repeat("0-1,", 200) + "0-1"
	tests := []struct {
		name, method, path string
		fields             []string
		status             int
		body               string
	}{
		{"UI-06_head_of_a_page", "HEAD", "/", nil, 404, ""},
		{"UI-06_a_page_has_no_version", "GET", "/", []string{"If-None-Match", "*"}, 404, doc},
		{"UI-06_nor_ranges", "GET", "/", []string{"Range", many}, 404, doc},
		{"UI-06_head_of_a_file", "HEAD", sheet, nil, 200, ""},
		{"UI-06_any_version_of_a_file", "GET", sheet, []string{"If-None-Match", "*"}, 304, ""},
		{"UI-06_one_range", "GET", sheet, []string{"Range", "bytes=0-1"}, 206, whole[:2]},
		{"UI-06_many_ranges", "GET", sheet, []string{"Range", many}, 200, whole},
		{"UI-06_post", "POST", sheet, nil, 405, "method not allowed\n"},
		{"UI-07_up", "GET", "/assets/../page.go", nil, 404, "not found\n"},
		{"UI-07_escaped", "GET", "/assets/%2e%2e/page.go", nil, 404, "not found\n"},
		{"UI-07_backslash", "GET", "/assets/..%5cpage.go", nil, 404, "not found\n"},
		{"UI-07_root", "GET", "/assets//etc/passwd", nil, 404, "not found\n"},
		{"UI-07_without_the_hash", "GET", "/assets/page.css", nil, 404, "not found\n"},
		{"UI-07_none", "GET", "/assets/", nil, 404, "not found\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := ask(tt.method, tt.path, tt.fields...)
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("%d %.60q, want %d %.60q", w.Code, w.Body, tt.status, tt.body)
			}
			if w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Error("the type may be guessed")
			}
		})
	}
}

func TestSecurity_AcceptLanguage(t *testing.T) {
	pages := newPages(t, company())
	for name, value := range map[string]string{
		"UI-09_long":     strings.Repeat("a", 1<<20),
		"UI-09_many":     strings.Repeat("*;q=0.1,", 10_000) + "de",
		"UI-09_dashes":   strings.Repeat("-", 1000) + "de" + strings.Repeat("-x", 1000),
		"UI-09_eleventh": strings.Repeat("xx,", 10) + "de",
		"UI-09_binary":   "\x00\xff,;=;q=;,",
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			if got := spoken(t, pages, "", "", value); got != "en" {
				t.Errorf("the page speaks %q", got)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}
