package page_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"doorward/auth/page"

	"golang.org/x/net/html"
)

func TestMessagesAreTextForPrograms(t *testing.T) {
	pages := newPages(t, company())
	message := messages()[string(page.NotMember)]
	message.Detail = "line\r\nbreak\x1b[31m"
	for accept, want := range map[string]string{
		"text/html,application/xhtml+xml,*/*;q=0.8": "text/html; charset=utf-8",
		"application/xhtml+xml":                     "text/html; charset=utf-8",
		"*/*":                                       "text/plain; charset=utf-8",
		"application/json":                          "text/plain; charset=utf-8",
		"":                                          "text/plain; charset=utf-8",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		pages.Message(w, r, 0, message)
		if got := w.Header().Get("Content-Type"); got != want || w.Code != http.StatusForbidden {
			t.Errorf("Accept %q: %d %s, want 403 %s", accept, w.Code, got, want)
		}
		if strings.HasPrefix(want, "text/html") {
			continue
		}
		const text = "You have no access\n\nYour account may not open Grafana. If it should, " +
			"please ask your administrator.\n\nRule: grafana\n" +
			"You are in none of the groups: Operations, admins\n" +
			"Technical details: line  break [31m\nRequest: 01JQ8Z5K3V\n"
		if got := w.Body.String(); got != text {
			t.Errorf("the text is %q, want %q", got, text)
		}
	}
}

func TestStatusAndWaitOfMessages(t *testing.T) {
	pages := newPages(t, company())
	for _, tt := range []struct {
		kind   page.Kind
		given  int
		wait   time.Duration
		status int
		retry  string
	}{
		{page.NotMember, 0, 0, 403, ""},
		{page.NotFound, 0, 0, 404, ""},
		{page.Busy, 0, 0, 503, ""},
		{page.Busy, 0, 1100 * time.Millisecond, 429, "2"},
		{page.Busy, 503, time.Minute, 503, "60"},
		{page.Failed, 0, 0, 500, ""},
		{"unheard-of", 0, 0, 500, ""},
	} {
		w := httptest.NewRecorder()
		pages.Message(w, httptest.NewRequest("GET", "/", nil), tt.given,
			page.Message{Kind: tt.kind, Wait: tt.wait})
		if got := w.Header().Get("Retry-After"); w.Code != tt.status || got != tt.retry {
			t.Errorf("%s: %d, retry after %q; want %d, %q", tt.kind, w.Code, got, tt.status, tt.retry)
		}
	}
	w := httptest.NewRecorder()
	pages.SignIn(w, httptest.NewRequest("POST", "/", nil), 429, signIns()["-throttled"])
	if got := w.Header().Get("Retry-After"); got != "30" {
		t.Errorf("a throttled sign-in may be tried after %q", got)
	}
}

func TestTheLoopPageSaysWhy(t *testing.T) {
	pages := newPages(t, company())
	count := func(m page.Message) int {
		s := show{"", func(p *page.Pages, w http.ResponseWriter, r *http.Request) {
			p.Message(w, r, 0, m)
		}}
		return len(elements(elements(parse(t, pages, s, ""), "main")[0], "li"))
	}
	if known, all := count(messages()["loop-cookie"]), count(messages()["loop"]); known != 1 || all != 4 {
		t.Errorf("a known cause gives %d reasons, an unknown one %d", known, all)
	}
}

// texts are what elements of a class say on a page.
func texts(doc *html.Node, class string) []string {
	var all []string
	for _, e := range elements(doc, "") {
		for c := range strings.FieldsSeq(attr(e, "class")) {
			if c == class {
				all = append(all, words(e))
			}
		}
	}
	return all
}

func TestTheSearchWorksWithoutScript(t *testing.T) {
	pages := newPages(t, company())
	for query, want := range map[string]string{
		"":                  "Mail Files Wiki Time Sheet Grafana Prometheus Portainer NetBox Gitea Build Farm Registry",
		"WIKI":              "Wiki",
		"wiki.example.com":  "Wiki",
		"engineering code":  "Gitea",
		"documents":         "Files",
		"  operations  of ": "Grafana",
		"zebra":             "",
	} {
		s := show{"", func(p *page.Pages, w http.ResponseWriter, r *http.Request) {
			p.Portal(w, r, 200, page.Portal{Apps: apps(), Query: query})
		}}
		doc := parse(t, pages, s, "")
		var shown []string
		for _, e := range elements(doc, "li") {
			if has(e, "data-find") && !has(e, "hidden") {
				shown = append(shown, words(elements(e, "b")[0]))
			}
		}
		if got := strings.Join(shown, " "); got != want {
			t.Errorf("%q leaves %q, want %q", query, got, want)
		}
		for _, shelf := range elements(doc, "section") {
			open := 0
			for _, e := range elements(shelf, "li") {
				if !has(e, "hidden") {
					open++
				}
			}
			if has(shelf, "hidden") != (open == 0) {
				t.Errorf("%q: a group with %d apps, hidden: %v", query, open, has(shelf, "hidden"))
			}
		}
	}
}

func TestMonograms(t *testing.T) {
	pages := newPages(t, company())
	for title, want := range map[string]string{
		"Grafana": "G", "Time Sheet": "TS", "the last of many": "TM", "örtlich": "Ö",
		"日本 語": "日語", "3D-Viewer": "3V", "…": "·", "🦊": "·", "": "·",
	} {
		s := show{"", func(p *page.Pages, w http.ResponseWriter, r *http.Request) {
			p.Portal(w, r, 200, page.Portal{Apps: []page.App{{Title: title, URL: "/"}}})
		}}
		if got := texts(parse(t, pages, s, ""), "mono"); len(got) != 1 || got[0] != want {
			t.Errorf("%q has the monogram %q, want %q", title, got, want)
		}
	}
}

func TestSessionsNameWhatPeopleKnow(t *testing.T) {
	pages := newPages(t, company())
	long := strings.Repeat("x", 200)
	for raw, want := range map[string]string{
		firefox: "Firefox on Windows", safari: "Safari on iPhone", edge: "Edge on macOS",
		"curl/8.5.0": "curl/8.5.0", "": "Unknown program", long: long[:60] + "…",
		"Firefox/1": "Firefox", "odd\x1b[31m": "odd [31m",
	} {
		s := show{"", func(p *page.Pages, w http.ResponseWriter, r *http.Request) {
			p.Sessions(w, r, 200, page.Sessions{Area: area(), Sessions: []page.Session{{Agent: raw}}})
		}}
		list := elements(parse(t, pages, s, ""), "ul")
		if got := words(elements(list[len(list)-1], "b")[0]); got != want {
			t.Errorf("%q is shown as %q, want %q", raw, got, want)
		}
	}
}

func TestTimes(t *testing.T) {
	pages := newPages(t, company())
	for ago, want := range map[time.Duration][3]string{
		-time.Minute:       {"just now", "gerade eben", "à l’instant"},
		59 * time.Second:   {"just now", "gerade eben", "à l’instant"},
		time.Minute:        {"1 minute ago", "vor 1 Minute", "il y a 1 minute"},
		59 * time.Minute:   {"59 minutes ago", "vor 59 Minuten", "il y a 59 minutes"},
		23 * time.Hour:     {"23 hours ago", "vor 23 Stunden", "il y a 23 heures"},
		6 * 24 * time.Hour: {"6 days ago", "vor 6 Tagen", "il y a 6 jours"},
		7 * 24 * time.Hour: {"5 March 2026", "5. März 2026", "5 mars 2026"},
	} {
		s := show{"", func(p *page.Pages, w http.ResponseWriter, r *http.Request) {
			p.Account(w, r, 200, page.Account{Area: area(), SignedIn: noon.Add(-ago)})
		}}
		for i, lang := range []string{"en", "de", "fr"} {
			at := elements(parse(t, pages, s, "?lang="+lang), "time")[0]
			if got := words(at); got != want[i] {
				t.Errorf("%v ago is %q, want %q", ago, got, want[i])
			}
			if got := attr(at, "datetime"); got != noon.Add(-ago).Format(time.RFC3339) {
				t.Errorf("%v ago is at %s", ago, got)
			}
		}
	}
}

func TestLifetimesOfTokens(t *testing.T) {
	pages := newPages(t, company())
	for _, tt := range []struct {
		view         page.Tokens
		days, chosen string
	}{
		{page.Tokens{}, "7 30 90 365 0", "90"},
		{page.Tokens{MaxDays: 60}, "7 30 60", "30"},
		{page.Tokens{MaxDays: 3}, "3", "3"},
		{page.Tokens{MaxDays: 90}, "7 30 90", "90"},
		{page.Tokens{Title: "x", Days: 0}, "7 30 90 365 0", "0"},
		{page.Tokens{Title: "x", Days: 7}, "7 30 90 365 0", "7"},
	} {
		tt.view.Area = area()
		s := show{"", func(p *page.Pages, w http.ResponseWriter, r *http.Request) {
			p.Tokens(w, r, 200, tt.view)
		}}
		var days, chosen []string
		for _, o := range elements(parse(t, pages, s, ""), "option") {
			days = append(days, attr(o, "value"))
			if has(o, "selected") {
				chosen = append(chosen, attr(o, "value"))
			}
		}
		if a, b := strings.Join(days, " "), strings.Join(chosen, " "); a != tt.days || b != tt.chosen {
			t.Errorf("%d days at most: %s, chosen %s; want %s, %s",
				tt.view.MaxDays, a, b, tt.days, tt.chosen)
		}
	}
}

func TestFilesElsewhere(t *testing.T) {
	pages := newPages(t, company())
	s := shows()[0]
	elsewhere := render(t, pages.Under("/.doorward/assets/"), s, "").Body.String()
	here := render(t, pages, s, "").Body.String()
	if strings.Contains(elsewhere, `"/assets/`) || !strings.Contains(here, `"/assets/`) {
		t.Error("files are not where they should be")
	}
	for _, m := range regexp.MustCompile(`"/\.doorward/assets/[^"]+"`).FindAllString(elsewhere, -1) {
		w := httptest.NewRecorder()
		pages.Assets().ServeHTTP(w, httptest.NewRequest("GET", strings.Trim(m, `"`), nil))
		if w.Code != 200 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %s", m, w.Code, w.Header().Get("Cache-Control"))
		}
	}
}

func TestBrand(t *testing.T) {
	picture := page.File{Name: "Wall.JPG", Data: []byte("jpeg")}
	pages, err := page.New(page.Options{Brand: page.Brand{Title: "ACME", Background: picture,
		Logo: page.File{Name: "logo.png", Data: []byte("png")}, Color: "#06c"}})
	if err != nil {
		t.Fatal(err)
	}
	style := brandStyle(t, pages)
	if !strings.Contains(style, `background-image:url("background.`) || !strings.Contains(style, ".jpg") {
		t.Errorf("the background is not in %s", style)
	}
	if !strings.Contains(style, "--fill:#0066cc") {
		t.Errorf("the colour is not in %s", style)
	}
	for want, o := range map[string]page.Options{
		`brand.color: "red": a colour is written`:  {Brand: page.Brand{Color: "red"}},
		`brand.color: "#12345g"`:                   {Brand: page.Brand{Color: "#12345g"}},
		`brand.logo: logo.txt: pictures are`:       {Brand: page.Brand{Logo: page.File{Name: "logo.txt"}}},
		`brand.favicon: a.ico: the file is empty`:  {Brand: page.Brand{Favicon: page.File{Name: "a.ico"}}},
		`icon "x": x.js: pictures are`:             {Icons: map[string]page.File{"x": {Name: "x.js"}}},
		`brand.language: there is no "es"`:         {Brand: page.Brand{Language: "es"}},
		`brand.links: the link to "/a" has no`:     {Brand: page.Brand{Links: []page.Link{{URL: "/a"}}}},
		`brand.links: "javascript:x": a link`:      {Brand: page.Brand{Links: []page.Link{{"a", "javascript:x"}}}},
		`brand.links: "//evil.example/": a link`:   {Brand: page.Brand{Links: []page.Link{{"a", "//evil.example/"}}}},
		`brand.links: "https://": a link begins`:   {Brand: page.Brand{Links: []page.Link{{"a", "https://"}}}},
		`brand.links: "imprint.html": a link begi`: {Brand: page.Brand{Links: []page.Link{{"a", "imprint.html"}}}},
	} {
		if _, err := page.New(o); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}

// TestPagesAreWrittenByMany is for the race detector.
func TestPagesAreWrittenByMany(t *testing.T) {
	pages := newPages(t, company())
	done := make(chan string)
	for range 8 {
		go func() {
			defer func() { done <- "" }()
			for _, s := range shows() {
				w := httptest.NewRecorder()
				s.write(pages, w, httptest.NewRequest("GET", "/?lang=fr", nil))
			}
		}()
	}
	for range 8 {
		<-done
	}
}

// brandStyle is brand.css.
func brandStyle(t testing.TB, p *page.Pages) string {
	t.Helper()
	doc := render(t, p, shows()[0], "").Body.String()
	at := regexp.MustCompile(`/assets/brand\.[0-9a-f]+\.css`).FindString(doc)
	w := httptest.NewRecorder()
	p.Assets().ServeHTTP(w, httptest.NewRequest("GET", at, nil))
	if w.Code != 200 {
		t.Fatalf("%s: %d", at, w.Code)
	}
	return w.Body.String()
}
