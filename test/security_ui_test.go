package test_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"doorward/internal/edgetest"
)

// TestSecurityUI has the cases of groups UI and CSRF as far as a whole instance
// decides them; those of the page alone are with package stats.
func TestSecurityUI(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"UI-01_error_pages_say_nothing_of_the_request":  errorsEchoNothing,
		"UI-02_what_servers_and_people_say_is_text":     saidIsText,
		"UI-04_UI-05_headers_of_the_page":               pageHeaders,
		"UI-06_heads_ranges_and_conditions":             rangesOfThePage,
		"UI-07_files_of_the_page_lead_nowhere":          pageFiles,
		"CSRF-01_buttons_need_our_origin_and_our_token": buttonsNeedOrigin,
		"CSRF-04_a_button_is_a_form_by_POST":            buttonsNeedForm,
		"CSRF-04_without_actions_there_are_no_buttons":  noActions,
		"DOS-05_forms_of_buttons_are_small":             smallForms,
	} {
		t.Run(name, test)
	}
}

func errorsEchoNothing(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Answers("junk⏎⏎"))
	c := boardSite(rec, usersOnly, "[backends.none]\nservers = [\"http://127.0.0.1:1\"]\nretries = 0\n"+
		"[[route]]\nhosts = [\"none.example\"]\nbackend = \"none\"\n[rate_limits.one]\nrequests = 1\n"+
		"per = \"1h\"\n[[route]]\nhosts = [\"one.example\"]\nbackend = \"app\"\nrate_limits = [\"one\"]")
	edge := edgetest.Start(t, c)
	const mark = "x%22%3E%3Cscript%3Exss"
	lines := []string{
		`User-Agent: "><script>xss`, `Referer: http://"><script>xss`, `X-Forwarded-For: "><script>xss`,
		`Cookie: a="><script>xss`, `Accept-Language: "><script>xss`, `X-Forwarded-Host: "><script>xss`,
		`X-Request-ID: "><script>xss`,
	}
	statuses := map[int]bool{}
	for _, text := range []string{
		to("one.example", "GET", "/"+mark, lines...), to("one.example", "GET", "/"+mark, lines...),
		to("closed.example", "GET", "/"+mark, lines...), to("xss.nobody.example", "GET", "/"+mark, lines...),
		to("none.example", "GET", "/"+mark, lines...), to("methods.example", "XSS", "/"+mark, lines...),
		to(`"><script>xss`, "GET", "/", lines...), to("app.example", "GET", `/"><script>xss`+"\x00", lines...),
		to("app.example", "GET", "/", `Bad"><script>xss Name: x`), board("/"+mark+"?"+mark, lines...),
		board("/?filter="+mark, append(lines, asOps())...), board("/xss"+mark, append(lines, asOps())...),
		to("small.example", "POST", "/"+mark, append(lines, "Content-Length: 99999")...),
	} {
		m := once(t, edge.HTTP, text)
		statuses[m.Status] = true
		if strings.Contains(m.Raw, "<script>") || strings.Contains(m.Body, "xss") && m.Status != 200 {
			t.Errorf("%.60q: %q", text, m.Raw)
		}
	}
	for _, want := range []int{200, 400, 401, 403, 404, 413, 421, 429, 502, 503} {
		if !statuses[want] {
			t.Errorf("no answer had status %d: %v", want, statuses)
		}
	}
}

// saidSite has hostile words wherever somebody outside has a word: in names, in
// descriptions, and in what servers answer to checks.
func saidSite(t *testing.T) (edgetest.Config, int) {
	words := hostileWords()
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			word := words[p.Number%len(words)]
			p.Send("HTTP/1.1 500 " + word + "⏎X-State: " + word + "⏎Content-Length: 0⏎⏎")
		}
	})
	var text strings.Builder
	fmt.Fprintf(&text, "[stats]\nhost = \"stats.example\"\n%s\n", usersOnly)
	for i, expect := range []string{`[200]`, `{ status = [500], header = { X-State = "good" } }`} {
		fmt.Fprintf(&text, "[[route]]\nname = \"r%[1]d\"\nhosts = [\"r%[1]d.example\"]\nbackend = \"b%[1]d\"\n"+
			"[backends.b%[1]d]\ndescription = %[2]q\n[backends.b%[1]d.check]\ninterval = \"100ms\"\nexpect = %[3]s\n",
			i, `=1+1"><script>alert(1)</script>{{.Token}}`, expect)
		for j, name := range []string{
			`"><script>alert(1)</script>`, `=cmd|calc!A0`, `a,b;=1`, `{{.Token}}`, `</noscript><b>`, `../..`,
			`@x`, `javascript:alert(1)`,
		} {
			name = strings.ReplaceAll(name, `"`, "")
			fmt.Fprintf(&text, "[[backends.b%d.server]]\nname = '%s%d'\nurl = %q\n", i, name, j, rec.URL)
		}
	}
	return edgetest.Config{Text: text.String()}, 16
}

func saidIsText(t *testing.T) {
	c, servers := saidSite(t)
	edge := edgetest.Start(t, c)
	if !edgetest.Until(func() bool {
		seen := 0
		for _, b := range edge.App.View().Backends {
			for _, s := range b.Servers {
				if !s.Health.At.IsZero() {
					seen++
				}
			}
		}
		return seen == servers
	}) {
		t.Fatal("not every server was checked")
	}
	m := once(t, edge.HTTP, board("/", asOps()))
	wantPlainMarkup(t, m.Body)
	m = once(t, edge.HTTP, board("/;json", asOps()))
	if kind := m.Get("Content-Type"); kind != "application/json; charset=utf-8" ||
		m.Get("X-Content-Type-Options") != "nosniff" || !json.Valid([]byte(m.Body)) ||
		strings.ContainsAny(m.Body, "<>\u2028\u2029") {
		t.Errorf("JSON as %q: %.300q", kind, m.Body)
	}
	m = once(t, edge.HTTP, board("/;csv", asOps()))
	if m.Get("X-Content-Type-Options") != "nosniff" ||
		!strings.HasPrefix(m.Get("Content-Type"), "text/plain") {
		t.Errorf("CSV as %q", m.Get("Content-Type"))
	}
	wantPlainTable(t, m.Body)
	events := stream(t, edge, asOps())
	line, err := events.ReadString('\n')
	for err == nil && !strings.HasPrefix(line, "data: ") {
		line, err = events.ReadString('\n')
	}
	data := strings.TrimPrefix(line, "data: ")
	if err != nil || !json.Valid([]byte(data)) || strings.ContainsAny(data, "<>\u2028") {
		t.Errorf("event %.300q, %v", line, err)
	}
}

// wantPlainMarkup: nothing in the page is script, style or address but ours.
func wantPlainMarkup(t *testing.T, page string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	elements := 0
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		elements++
		switch n.Data {
		case "iframe", "object", "embed", "base", "math", "style":
			t.Errorf("the page has <%s>", n.Data)
		case "script":
			if n.FirstChild != nil {
				t.Errorf("script in the page: %q", n.FirstChild.Data)
			}
		}
		for _, a := range n.Attr {
			name := strings.ToLower(a.Key)
			address := name == "href" || name == "src" || name == "action" || name == "formaction"
			if strings.HasPrefix(name, "on") || name == "style" || name == "srcdoc" ||
				address && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
	if elements < 500 {
		t.Errorf("the page has %d elements", elements)
	}
}

// wantPlainTable: every line has the columns of the first, and no cell is a formula.
func wantPlainTable(t *testing.T, text string) {
	t.Helper()
	r := csv.NewReader(strings.NewReader(text))
	rows, err := r.ReadAll() // it wants as many fields in every line
	if err != nil || len(rows) < 16 || len(rows) != strings.Count(text, "\n") {
		t.Fatalf("%d rows of %d lines: %v", len(rows), strings.Count(text, "\n"), err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	for _, row := range rows[1:] {
		for name, i := range column {
			cell := row[i]
			if cell != "" && strings.ContainsRune("=+@\t", rune(cell[0])) || strings.HasPrefix(cell, "-1+") {
				t.Errorf("%s is %q", name, cell)
			}
			for _, r := range cell {
				if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u202e' {
					t.Errorf("%s is %q", name, cell)
				}
			}
		}
	}
}

func pageHeaders(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, boardSite(rec, usersOnly))
	over(t, edge, func(t *testing.T, c *edgetest.Client) {
		secure := strings.HasSuffix(t.Name(), "TLS")
		for text, status := range map[string]int{
			board("/", asOps()): 200, board("/"): 401, board("/;csv", asOps()): 200, board("/;json", asOps()): 200,
			board("/x", asOps()): 404, to("stats.example", "DELETE", "/", asOps()): 405,
			board("/servers", asOps()): 405, board("/assets/", asOps()): 404,
			to("stats.example", "POST", "/servers", asOps(), "Content-Length: 0"): 403,
		} {
			m := c.Send(text).Answer()
			if m.Status != status {
				t.Errorf("%.40q: %d, want %d", text, m.Status, status)
			}
			want := map[string]string{
				"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
				"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
			}
			if secure {
				want["Strict-Transport-Security"] = "max-age=31536000"
			}
			for name, value := range want {
				if got := m.Values(name); len(got) != 1 || got[0] != value {
					t.Errorf("%.40q: %s %q, want %q", text, name, got, value)
				}
			}
			policy := strings.Join(m.Values("Content-Security-Policy"), ";;")
			for _, part := range []string{
				"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'",
			} {
				if !strings.Contains(policy, part) || strings.Contains(policy, "unsafe") {
					t.Errorf("%.40q: policy %q without %q", text, policy, part)
				}
			}
			if !strings.Contains(m.Get("Content-Type"), "charset=utf-8") {
				t.Errorf("%.40q: Content-Type %q", text, m.Get("Content-Type"))
			}
			for _, f := range m.Fields {
				if strings.HasPrefix(f.Name, "Access-Control-") {
					t.Errorf("%.40q: %s", text, f.Name)
				}
			}
		}
	})
}

func rangesOfThePage(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, boardSite(rec, usersOnly))
	style := assetOf(t, edge)
	ranges := "Range: bytes=0-1" + strings.Repeat(",5-6", 200)
	over(t, edge, func(t *testing.T, c *edgetest.Client) {
		for _, path := range []string{"/", "/;csv", "/;json", style} {
			whole := c.Send(board(path, asOps())).Answer()
			// A head with a body would be read as the next answer.
			head := c.Send(to("stats.example", "HEAD", path, asOps())).AnswerTo("HEAD")
			if head.Status != 200 {
				t.Errorf("HEAD %s: %+v", path, head)
			}
			for _, line := range []string{
				ranges, "Range: bytes=-1", "If-None-Match: *", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT",
				"If-Range: x⏎Range: bytes=0-0", "Accept: text/html;q=0", "Accept-Encoding: gzip",
			} {
				m := c.Send(board(path, asOps(), line)).Answer()
				if m.Status != 200 || len(m.Body) < len(whole.Body)/2 || m.Get("Content-Encoding") != "" {
					t.Errorf("%s, %.30s: %d with %d bytes", path, line, m.Status, len(m.Body))
				}
			}
			for _, line := range []string{ranges, "If-None-Match: *"} {
				if m := c.Send(board(path, line)).Answer(); m.Status != 401 && path != style {
					t.Errorf("%s, %.30s without a password: %+v", path, line, m)
				}
			}
		}
	})
}

// assetOf is the address of the page's style.
func assetOf(t *testing.T, edge *edgetest.Edge) string {
	t.Helper()
	page := once(t, edge.HTTP, board("/", asOps())).Body
	_, rest, _ := strings.Cut(page, `rel="stylesheet" href="`)
	name, _, ok := strings.Cut(rest, `"`)
	if !ok || !strings.HasPrefix(name, "/assets/") {
		t.Fatalf("style at %q", name)
	}
	return name
}

func pageFiles(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, boardSite(rec, usersOnly))
	style := assetOf(t, edge)
	if m := once(t, edge.HTTP, board(style, asOps())); m.Status != 200 || m.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Fatalf("%s: %+v", style, m)
	}
	file := strings.TrimPrefix(style, "/assets/")
	for _, path := range []string{
		"/assets/", "/assets", "/assets/.", "/assets/..", "/assets/../doorward.toml", "/assets/%2e%2e/view.go",
		"/assets/..%2fview.go", "/assets/..%5cview.go", "/assets//etc/passwd", "/assets/%2fetc%2fpasswd",
		"/assets/page.css", "/assets/./" + file, "/assets//" + file, "/assets/x/../" + file, "/assets/" + file + "%00",
		"/assets/" + file + "/", "/assets/" + strings.ToUpper(file), "/assets/page.html", "/templates/page.html",
		"/assets/C:%5Cwindows", "/assets/%c0%ae%c0%ae/view.go", "/favicon.ico", "/.git/config",
	} {
		if m := once(t, edge.HTTP, board(path, asOps())); m.Status != 404 && m.Status != 400 {
			t.Errorf("%s: %d %.100q", path, m.Status, m.Body)
		}
	}
}

func buttonsNeedOrigin(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, boardSite(rec, usersOnly))
	const form = "backend=app&server=web&state=maint"
	for _, lines := range [][]string{
		{"Origin: null"}, {"Origin: https://evil.example"}, {"Origin: http://stats.example.evil.example"},
		{"Origin: http://app.example"}, {"Origin: http://stats.example:8080"}, {"Origin: x"},
		{"Sec-Fetch-Site: cross-site"}, {"Sec-Fetch-Site: same-site"}, {"Sec-Fetch-Site: x"},
		{"Sec-Fetch-Site: cross-site", "Origin: http://stats.example"},
		{"Origin: http://stats.example", "X-Forwarded-Host: evil.example", "Sec-Fetch-Site: same-site"},
	} {
		if m := pressed(t, edge, form, lines...); m.Status != http.StatusForbidden {
			t.Errorf("%q: %d", lines, m.Status)
		}
	}
	token := tokenOf(t, edge)
	for _, with := range []string{
		"", "&token=", "&token=x", "&token=" + token + "x", "&token=" + token[1:],
		"&token=" + strings.ToLower(token), "&token=" + token[:len(token)-1], "&TOKEN=" + token,
		"&token=x&token=" + token,
	} {
		if m := posted(t, edge, form+with, asOps()); m.Status != http.StatusForbidden {
			t.Errorf("%q: %d", with, m.Status)
		}
	}
	if m := posted(t, edge, form+"&token="+token); m.Status != http.StatusUnauthorized {
		t.Errorf("without a password: %d", m.Status)
	}
	if now := states(edge); now != "app/web ready; " {
		t.Errorf("a stranger made it %s", now)
	}
	m := pressed(t, edge, form, "Origin: http://stats.example", "Sec-Fetch-Site: same-origin")
	if m.Status != http.StatusSeeOther || !strings.HasPrefix(m.Get("Location"), "/") ||
		strings.HasPrefix(m.Get("Location"), "//") || states(edge) != "app/web maint; " {
		t.Errorf("our own: %+v, %s", m, states(edge))
	}
}

// posted sends a form to the buttons as it is.
func posted(t *testing.T, edge *edgetest.Edge, form string, lines ...string) *edgetest.Message {
	t.Helper()
	lines = append(lines, "Content-Type: application/x-www-form-urlencoded",
		fmt.Sprintf("Content-Length: %d", len(form)))
	return once(t, edge.HTTP, to("stats.example", "POST", "/servers", lines...)+form)
}

func buttonsNeedForm(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, boardSite(rec, usersOnly))
	form := "backend=app&server=web&state=maint&token=" + tokenOf(t, edge)
	fields, _ := url.ParseQuery(form)
	object, _ := json.Marshal(fields)
	multi := "--b⏎Content-Disposition: form-data; name=\"state\"⏎⏎maint⏎--b--⏎"
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		m := once(t, edge.HTTP, to("stats.example", method, "/servers?"+form, asOps(),
			"X-HTTP-Method-Override: POST", "X-Method-Override: POST"))
		if m.Status != http.StatusMethodNotAllowed || m.Get("Allow") != "POST" {
			t.Errorf("%s: %d", method, m.Status)
		}
	}
	for _, c := range []struct{ kind, body, query string }{
		{"application/json", string(object), ""}, {"text/plain", form, ""}, {"text/plain", "x", "?" + form},
		{"multipart/form-data; boundary=b", multi, "?" + form}, {"", form, ""}, {"", "", "?" + form},
		{"application/x-www-form-urlencoded", "", "?" + form}, {"application/xml", "<x/>", "?" + form},
	} {
		body := edgetest.Bytes(c.body)
		lines := []string{asOps(), fmt.Sprintf("Content-Length: %d", len(body))}
		if c.kind != "" {
			lines = append(lines, "Content-Type: "+c.kind)
		}
		m := once(t, edge.HTTP, to("stats.example", "POST", "/servers"+c.query, lines...)+body)
		if m.Status != http.StatusForbidden && m.Status != http.StatusBadRequest {
			t.Errorf("%s with %.20q and %.20q: %d", c.kind, c.body, c.query, m.Status)
		}
	}
	if now := states(edge); now != "app/web ready; " {
		t.Errorf("it is %s", now)
	}
}

func noActions(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	c := boardSite(rec, usersOnly)
	edge := edgetest.Start(t, c)
	form := "backend=app&server=web&state=maint&token=" + tokenOf(t, edge)
	c.Text = strings.Replace(c.Text, "[stats]\n", "[stats]\nactions = false\n", 1)
	if err := edge.Reload(c); err != nil {
		t.Fatal(err)
	}
	if m := posted(t, edge, form, asOps()); m.Status != http.StatusForbidden {
		t.Errorf("%+v", m)
	}
	if m := once(t, edge.HTTP, board("/", asOps())); strings.Contains(m.Body, `method="post"`) {
		t.Error("the page has buttons")
	}
	if now := states(edge); now != "app/web ready; " {
		t.Errorf("it is %s", now)
	}
}

func smallForms(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, boardSite(rec, usersOnly))
	before := heap()
	for _, form := range []string{
		strings.Repeat("a=b&", 100_000), "state=" + strings.Repeat("x", 10<<20), strings.Repeat("a=b&", 3000),
		"server=" + strings.Repeat("%78", 3000), strings.Repeat("&", 15_000), strings.Repeat("a=1;", 100),
	} {
		m := pressed(t, edge, form)
		if m.Status != http.StatusRequestEntityTooLarge && m.Status != http.StatusBadRequest {
			t.Errorf("a form of %d bytes: %+v", len(form), m)
		}
	}
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("%d bytes are held", grown)
	}
	if m := pressed(t, edge, "backend=app&server=web&state=drain"); m.Status != http.StatusSeeOther {
		t.Errorf("an ordinary form: %+v", m)
	}
}
