package stats_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"doorward/stats"

	"golang.org/x/net/html"
)

// newPage is a page of an edge that had traffic for so many seconds, and its
// sampler.
func newPage(t *testing.T, e *edge, o stats.PageOptions) (*stats.Page, *stats.Sampler) {
	t.Helper()
	sampler := stats.NewSampler(e, stats.SamplerOptions{})
	for range 30 {
		e.pass(1)
		sampler.Sample()
	}
	o.Sampler = sampler
	if o.Steward == nil {
		o.Steward = e
	}
	return stats.NewPage(t.Context(), o), sampler
}

// get asks for a path, with headers in pairs.
func get(h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	return call(h, http.MethodGet, target, nil, headers...)
}

func call(h http.Handler, method, target string, form url.Values, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
	r.Host, r.RemoteAddr = chromeHost, "192.0.2.7:40112"
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// document is a parsed page.
type document struct {
	t    *testing.T
	root *html.Node
}

func parse(t *testing.T, w *httptest.ResponseRecorder) document {
	t.Helper()
	root, err := html.Parse(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return document{t, root}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// all returns the elements that a predicate is true for.
func (d document) all(want func(*html.Node) bool) []*html.Node {
	var found []*html.Node
	for n := range d.root.Descendants() {
		if n.Type == html.ElementNode && want(n) {
			found = append(found, n)
		}
	}
	return found
}

func (d document) byID(id string) *html.Node {
	d.t.Helper()
	found := d.all(func(n *html.Node) bool { return attribute(n, "id") == id })
	if len(found) != 1 {
		d.t.Fatalf("%d elements have the ID %q", len(found), id)
	}
	return found[0]
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

func (d document) text(id string) string {
	d.t.Helper()
	return strings.TrimSpace(textOf(d.byID(id)))
}

// The columns that somebody knows from HAProxy, in their order.
func TestPageHasHAProxysColumns(t *testing.T) {
	page, _ := newPage(t, newEdge(), stats.PageOptions{})
	d := parse(t, get(page, "/"))
	var heads []string
	for _, th := range d.all(func(n *html.Node) bool {
		return n.Data == "th" && attribute(n, "role") == "columnheader"
	}) {
		heads = append(heads, textOf(th))
	}
	want := "Name Status Queue|Session rate|Sessions|Bytes|Denied|Errors|Warnings|Server " +
		"Cur Max Limit Cur Max Limit Cur Max Limit Total LbTot Last In Out Req Resp Req Conn Resp " +
		"Retr Redis LastChk Wght Act Bck Chk Dwn Dwntme Thrtle"
	want = strings.ReplaceAll(want, " ", "|")
	want = strings.ReplaceAll(want, "Session|rate", "Session rate")
	if got := strings.Join(heads, "|"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, row := range d.all(func(n *html.Node) bool { return attribute(n, "data-find") != "" }) {
		cells := 0
		for c := range row.ChildNodes() {
			if c.Type == html.ElementNode {
				cells++
			}
		}
		if cells != 31 {
			t.Errorf("row %s has %d cells", attribute(row, "id"), cells)
		}
	}
}

func TestRowsAreColouredByTheirState(t *testing.T) {
	page, _ := newPage(t, newEdge(), stats.PageOptions{})
	d := parse(t, get(page, "/"))
	for id, want := range map[string][3]string{
		"f0":   {"open", "OPEN", "frontend"},
		"f2":   {"down", "STOP", "frontend"},
		"b0s0": {"up", "UP", "server"},
		"b0s1": {"falling", "UP 2/3", "server"},
		"b0s3": {"down", "DOWN", "server"},
		"b0s4": {"drain", "DRAIN", "server"},
		"b0s5": {"maint", "MAINT", "server"},
		"b0s6": {"up", "UP", "server backup"},
		"b0s7": {"down", "DOWN", "server backup"},
		"b1s1": {"rising", "DOWN 1/2", "server"},
		"b2s0": {"nocheck", "no check", "server"},
		"b0":   {"up", "UP", "total"},
		"b3":   {"down", "DOWN", "total"},
	} {
		row := d.byID(id)
		got := [3]string{attribute(row, "data-state"), d.text(id + "-status"), attribute(row, "class")}
		if got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
}

func TestCellsSayWhatTheirRowHas(t *testing.T) {
	e := newEdge()
	page, _ := newPage(t, e, stats.PageOptions{})
	e.change(func(v *stats.View) {
		s := &v.Backends[0].Servers[0]
		s.Queued, s.QueuedMax, s.QueueLimit, s.Claims = 3, 17, 50, 12_345_678
		s.Traffic.BytesOut = 1_234_567_890
		s.Weight = 50
	})
	d := parse(t, get(page, "/"))
	for id, want := range map[string]string{
		"b0s0-qcur": "3", "b0s0-qmax": "17", "b0s0-qlim": "50", "b0s0-stot": "12.35M",
		"b0s0-bout": "1.23 GB", "b0s0-weight": "50/100", "b0s0-act": "Y", "b0s0-bck": "–",
		"b0s6-act": "–", "b0s6-bck": "Y", "b0s2-thrtle": "35%", "b0s0-thrtle": "–",
		"b0s3-lastchk": "L4CON in 0.4 ms", "b0s1-lastchk": "L7STS/503 in 3.0 ms",
		"b0s3-chk": "9", "b0s3-dwn": "3", "b0s3-dwntme": "25m", "b0-act": "3", "b0-bck": "1",
		"b2s0-lastchk": "–", "f1-slim": "60,000", "t-up": "7 of 13", "c1": "5",
	} {
		if got := d.text(id); got != want {
			t.Errorf("%s is %q, want %q", id, got, want)
		}
	}
	hint := attribute(d.byID("b0s3-lastchk"), "title")
	if !strings.Contains(hint, "connection refused") {
		t.Errorf("the hint of the check is %q", hint)
	}
	for _, row := range d.all(func(n *html.Node) bool { return attribute(n, "id") == "f0" }) {
		if strings.Contains(textOf(row), "L7") {
			t.Error("a frontend has a check")
		}
	}
}

func TestFilterWithoutScript(t *testing.T) {
	page, _ := newPage(t, newEdge(), stats.PageOptions{})
	for query, want := range map[string]string{
		"":                    ":80 :443 10.20.0.4:8443 web1 web2 web3 web4 web5 web6 spare1 spare2 api1 api2 long legacy rep1",
		"?filter=shop+down":   "web4 spare2",
		"?filter=BACKUP":      "spare1 spare2",
		"?filter=10.1.1.":     "api1 api2",
		"?filter=maint":       "web6",
		"?filter=customers+1": "web1 web2 web3 web4 web5 web6 spare1 spare2",
		"?filter=nothing":     "",
		"?up=hide":            "10.20.0.4:8443 web2 web4 web5 web6 spare2 api2 legacy rep1",
		"?up=hide&filter=api": "api2",
	} {
		d := parse(t, get(page, "/"+query))
		var names []string
		for _, row := range d.all(func(n *html.Node) bool { return attribute(n, "data-find") != "" }) {
			group := row.Parent
			hidden := slices.ContainsFunc(slices.Concat(row.Attr, group.Attr), func(a html.Attribute) bool {
				return a.Key == "hidden"
			})
			if name := strings.Fields(textOf(row))[0]; !hidden {
				if strings.HasPrefix(name, "a-server") {
					name = "long"
				}
				names = append(names, name)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q leaves %q, want %q", query, got, want)
		}
	}
}

func TestOtherFormsOfThePage(t *testing.T) {
	page, _ := newPage(t, newEdge(), stats.PageOptions{})
	for target, want := range map[string]string{
		"/":                             "text/html; charset=utf-8",
		"/haproxy?stats":                "text/html; charset=utf-8",
		"/;csv":                         "text/plain; charset=utf-8",
		"/;csv;norefresh":               "text/plain; charset=utf-8",
		"/haproxy?stats;csv":            "text/plain; charset=utf-8",
		"/haproxy;csv":                  "text/plain; charset=utf-8",
		"/?stats;csv":                   "text/plain; charset=utf-8",
		"/;json":                        "application/json; charset=utf-8",
		"/haproxy?stats;json;norefresh": "application/json; charset=utf-8",
		"/?filter=;csv":                 "text/html; charset=utf-8",
	} {
		w := get(page, target)
		if got := w.Header().Get("Content-Type"); w.Code != 200 || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %d %s, want %s", target, w.Code, got, want)
		}
	}
	for target, want := range map[string]int{"/x": 404, "/stats": 404, "/haproxy/x": 404} {
		if w := get(page, target); w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
	if w := call(page, http.MethodPost, "/", nil); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestNoticesStandOnlyWhereThereIsSomethingToSay(t *testing.T) {
	e := newEdge()
	page, _ := newPage(t, e, stats.PageOptions{})
	d := parse(t, get(page, "/"))
	if got := d.text("reload") + d.text("draining") + d.text("flash"); got != "" {
		t.Errorf("the page says %q", got)
	}
	e.change(func(v *stats.View) {
		v.Reload.Error, v.Node.Draining = "doorward.toml:3: no", true
	})
	d = parse(t, get(page, "/"))
	if d.text("reload") != "doorward.toml:3: no" || d.text("draining") == "" {
		t.Errorf("the page says %q and %q", d.text("reload"), d.text("draining"))
	}
}

func TestAnEmptyInstanceHasAPage(t *testing.T) {
	page := stats.NewPage(context.Background(), stats.PageOptions{
		Sampler: stats.NewSampler(&edge{}, stats.SamplerOptions{}),
	})
	if w := get(page, "/"); w.Code != http.StatusOK {
		t.Errorf("%d", w.Code)
	}
}

// A page in place of another has other buttons and tokens: whoever shows the first
// one has to notice.
func TestPagesAreToldApart(t *testing.T) {
	_, sampler := newPage(t, newEdge(), stats.PageOptions{})
	keys := map[string]bool{}
	for range 2 {
		page := stats.NewPage(t.Context(), stats.PageOptions{Sampler: sampler})
		for range 2 {
			main := parse(t, get(page, "/")).all(func(n *html.Node) bool { return n.Data == "main" })
			keys[attribute(main[0], "data-key")] = true
		}
	}
	if len(keys) != 2 {
		t.Errorf("two pages have %d keys", len(keys))
	}
}
