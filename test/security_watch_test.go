package test_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"doorward/internal/edgetest"
	"doorward/stats"
)

// TestSecurityWatch has the cases about checks: servers that answer them with
// malice, and clients that would like to have a say in them.
func TestSecurityWatch(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"BE-09_checks_follow_no_redirect":                checksStay,
		"BE-09_answers_without_end":                      endlessAnswers,
		"BE-09_answers_that_drip":                        drippingAnswers,
		"BE-10_clients_that_look_like_checks":            notAllChecks,
		"BE-11_down_by_checks_is_no_way_to_another":      noOtherRoute,
		"BE-16_faults_of_clients_take_no_server_down":    clientFaults,
		"DOS-18_five_hundred_servers_that_flap":          manyFlapping,
		"LOG-01_what_a_server_says_to_a_check_is_a_text": checkWordsInLog,
	} {
		t.Run(name, test)
	}
}

// check is the table of a check of backend app, which comes every tenth of a second.
func check(keys string) string {
	return "[backends.app.check]\ninterval = \"100ms\"\n" + keys + "\n"
}

// healthOf is what is known of the first server of a backend.
func healthOf(edge *edgetest.Edge, backend string) stats.Health {
	for _, b := range edge.App.View().Backends {
		if b.Name == backend {
			return b.Servers[0].Health
		}
	}
	return stats.Health{}
}

// checked waits for a check of backend app with that outcome.
func checked(t *testing.T, edge *edgetest.Edge, status string) (h stats.Health) {
	t.Helper()
	if !edgetest.Until(func() bool {
		h = healthOf(edge, "app")
		return h.Status == status
	}) {
		t.Fatalf("the check says %+v, want %s", h, status)
	}
	return h
}

// alike are servers of backend app, so many, that are all the same recorder.
func alike(rec *edgetest.Recorder, many int) string {
	var b strings.Builder
	for i := range many {
		fmt.Fprintf(&b, "[[backends.app.server]]\nname = \"s%d\"\nurl = %q\n", i, rec.URL)
	}
	return b.String()
}

func checksStay(t *testing.T) {
	other := edgetest.Record(t, edgetest.Echo)
	answers := []string{
		"301 Moved⏎Location: " + other.URL + "/meta-data",
		"302 Found⏎Location: //" + other.Addr + "/meta-data",
		"303 See Other⏎Location: " + other.URL, "307 Temporary Redirect⏎Location: " + other.URL,
		"308 Permanent Redirect⏎Location: " + other.URL + "⏎Refresh: 0; url=" + other.URL,
		"200 OK⏎Refresh: 0; url=" + other.URL + "⏎Content-Location: " + other.URL,
		"401 No⏎WWW-Authenticate: Basic realm=\"x\"", "407 No⏎Proxy-Authenticate: Basic realm=\"x\"",
		"305 Use Proxy⏎Location: " + other.URL, "101 Switching⏎Upgrade: h2c⏎Connection: upgrade",
	}
	for i, answer := range answers {
		answers[i] = "HTTP/1.1 " + answer + "⏎Set-Cookie: a=b⏎Content-Length: 0⏎⏎"
	}
	rec := edgetest.Record(t, edgetest.Answers(answers...))
	edge := edgetest.Start(t, edgetest.Config{
		Text: site + alike(rec, len(answers)) + check(`path = "/check"`),
	})
	// Those that follow came of the clock alone, and know nothing of the first.
	if !edgetest.Until(func() bool { return rec.Count() >= 2*len(answers) }) {
		t.Fatalf("%d checks", rec.Count())
	}
	edge.Stop()
	requests, _ := rec.Take()
	for i, m := range requests {
		if m.Raw != requests[0].Raw {
			t.Errorf("check %d is %q", i, m.Raw)
		}
	}
	if n := other.Accepted(); n > 0 {
		t.Errorf("%d connections were made to where an answer led", n)
	}
}

func endlessAnswers(t *testing.T) {
	for name, c := range map[string]struct{ head, more, expect, status string }{
		"body that is not looked at": {
			"HTTP/1.1 200 OK⏎Content-Length: 1099511627776⏎⏎", "x", "", "L7OK",
		},
		"body that is looked at": {
			"HTTP/1.1 200 OK⏎Content-Length: 1099511627776⏎⏎", "x", `expect = { body = "y" }`, "L7RSP",
		},
		"body in chunks": {
			"HTTP/1.1 200 OK⏎Transfer-Encoding: chunked⏎⏎", "1⏎x⏎", `expect = { body_regex = "y$" }`, "L7RSP",
		},
		"body until the end": {"HTTP/1.1 200 OK⏎⏎", "x", `expect = { body = "y" }`, "L7RSP"},
		"field":              {"HTTP/1.1 200 OK⏎X: ", "x", "", "L7RSP"},
		"fields":             {"HTTP/1.1 200 OK⏎", "X: x⏎", "", "L7RSP"},
		"status line":        {"HTTP/1.1 200 ", "x", "", "L7RSP"},
		"interim answers":    {"", "HTTP/1.1 103 Early Hints⏎⏎", "", "L7RSP"},
		"no HTTP":            {"", "x", "", "L7RSP"},
		"nothing but lines":  {"", "⏎", "", "L7RSP"},
	} {
		t.Run(name, func(t *testing.T) {
			var most atomic.Int64
			rec := edgetest.Record(t, func(p *edgetest.Peer) {
				if p.Request() == nil {
					return
				}
				p.Send(c.head)
				piece := []byte(strings.Repeat(edgetest.Bytes(c.more), 4096/len(c.more)))
				for sent := int64(0); ; {
					n, err := p.Write(piece)
					sent += int64(n)
					if sent > most.Load() {
						most.Store(sent)
					}
					if err != nil {
						return
					}
				}
			})
			before := heap()
			edge := edgetest.Start(t, edgetest.Config{
				Text: rec.Backend("app") + site + check(c.expect),
			})
			checked(t, edge, c.status)
			edge.Stop()
			rec.Close()
			// What two sockets hold.
			if n := most.Load(); n > 16<<20 {
				t.Errorf("a check let the server send %d bytes", n)
			}
			if grown := heap() - before; grown > 4<<20 {
				t.Errorf("%d bytes are held", grown)
			}
		})
	}
}

// drippingAnswers come in a byte at a time, which never is a silence.
func drippingAnswers(t *testing.T) {
	for text, want := range map[string]string{
		"HTTP/1.1 200 OK⏎X: ": "L7TOUT", "HTTP/1.1 200 OK⏎Content-Length: 1000000⏎⏎": "L7TOUT",
		"": "L7RSP", // for what is here by then is no HTTP
	} {
		rec := edgetest.Record(t, func(p *edgetest.Peer) {
			if p.Request() == nil {
				return
			}
			p.Send(text)
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for range tick.C {
				if _, err := p.Write([]byte("x")); err != nil {
					return
				}
			}
		})
		edge := edgetest.Start(t, edgetest.Config{
			Text: rec.Backend("app") + site + check(`expect = { body = "y" }`),
		})
		if h := checked(t, edge, want); h.Took > 5*time.Second {
			t.Errorf("%q: the check took %v", text, h.Took)
		}
		if !edgetest.Until(func() bool { return rec.Accepted() >= 3 }) {
			t.Error("no further check came")
		}
	}
}

// notAllChecks: who asks as a check does is a client like all others.
func notAllChecks(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{Text: rec.Backend("app", `
		[rate_limits.few]
		requests = 2
		per = "1h"
		[[route]]
		hosts = ["few.example"]
		backend = "app"
		rate_limits = ["few"]
		`) + site + check("path = \"/up\"\nheaders = { X-Probe = \"s3cret\" }")})
	checked(t, edge, "L7OK")
	probe := take(rec)[0].Raw
	as := func(host string) *edgetest.Message {
		c := edge.Dial(t).Send(strings.Replace(probe, "Host: "+rec.Addr, "Host: "+host, 1))
		defer c.Close()
		return c.Answer()
	}
	if !strings.Contains(probe, "Host: "+rec.Addr) {
		t.Fatalf("the check is %q", probe)
	}
	for i, want := range []int{200, 200, 429, 429} {
		if m := as("few.example"); m.Status != want {
			t.Errorf("request %d under a limit: %d, want %d", i, m.Status, want)
		}
	}
	for host, want := range map[string]int{
		"closed.example": 403, "nobody.example": 421, rec.Addr: 421, "app.example": 200,
	} {
		if m := as(host); m.Status != want {
			t.Errorf("%s: %d, want %d", host, m.Status, want)
		}
	}
	edge.Stop()
	if n := len(accessLines(t, edge)); n != 8 {
		t.Errorf("%d lines for 8 requests", n)
	}
}

// noOtherRoute: a route whose servers are all down is down, whatever else would
// fit the request.
func noOtherRoute(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	sick := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			p.Send("HTTP/1.1 500 No⏎Content-Length: 0⏎⏎")
		}
	})
	edge := edgetest.Start(t, edgetest.Config{Text: fmt.Sprintf(`
		[[route]]
		hosts = ["app.example"]
		paths = ["/admin"]
		backend = "app"
		[[route]]
		hosts = ["*.example"]
		backend = "open"
		[[route]]
		backend = "open"
		[backends.app]
		servers = [%q]
		[backends.open]
		servers = [%q]
		`, sick.URL, rec.URL) + check(`fall = 1`)})
	if !edgetest.Until(func() bool { return !healthOf(edge, "app").Up }) {
		t.Fatal("the server is not down")
	}
	paths := []string{"/admin", "/admin/", "/admin/x?y", "//admin", "/%61dmin", "/x/../admin"}
	over(t, edge, func(t *testing.T, c *edgetest.Client) {
		for _, path := range paths[:3] {
			m := c.Send(get(path)).Answer()
			if m.Status != http.StatusServiceUnavailable || m.Get("Retry-After") == "" ||
				strings.Contains(m.Body, "admin") || strings.Contains(m.Raw, sick.Addr) {
				t.Errorf("%s: %+v", path, m)
			}
		}
	})
	for _, path := range paths {
		if m := once(t, edge.HTTP, get(path)); m.Status == 200 {
			t.Errorf("%s gets %q", path, m.Body)
		}
	}
	if n := rec.Count(); n > 0 {
		t.Errorf("%d requests went to another backend", n)
	}
	if err := edge.App.SetAdmin("app", strings.TrimPrefix(sick.URL, "http://"), "maint", "test"); err != nil {
		t.Fatal(err)
	}
	m := once(t, edge.HTTP, get("/admin"))
	if m.Status != http.StatusServiceUnavailable || m.Get("Retry-After") == "" || rec.Count() > 0 {
		t.Errorf("in maintenance: %+v", m)
	}
}

// checkWordsInLog: a server may say to a check whatever it likes, and it is part
// of one line about that server.
func checkWordsInLog(t *testing.T) {
	words := hostileWords()
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			p.Send("HTTP/1.1 500 " + words[p.Number%len(words)] + "⏎Content-Length: 0⏎⏎")
		}
	})
	edge := edgetest.Start(t, edgetest.Config{
		Text: site + alike(rec, len(words)) + check(""),
	})
	if !edgetest.Until(func() bool { return strings.Count(edge.Log(), "L7STS 500") >= len(words) }) {
		t.Fatal("too few lines")
	}
	edge.Stop()
	accessLines(t, edge) // every line is an object
	for i, r := range edge.Log() {
		if !strings.ContainsRune("\nµ…", r) && notPlain(r) { // but what is our own
			t.Fatalf("%q in the log at %.80q", r, edge.Log()[i:])
		}
	}
	for line := range strings.Lines(edge.Log()) {
		if len(line) > 1000 {
			t.Errorf("a line of %d bytes: %.200s", len(line), line)
		}
	}
}

// hostileWords are what a server says that would like to be more than a text.
func hostileWords() []string {
	return []string{
		`"><script>alert(1)</script>`, `</title><svg/onload=alert(1)>`, `{{.Token}}`,
		`=cmd|' /C calc'!A0`, `@SUM(1+1)*cmd|' /C calc'!A0`, `-1+1|"a,b;=1+1`, `x";=HYPERLINK("http://x")`,
		"\x1b[2J\x07\x08", "\u2028\u2029\u202e\ufeff", "\xff\xfe\x80", strings.Repeat("x", 5000),
		`","status":"UP","x":"`, "a\rb", `\u003cscript\u003e`, "data: x", "javascript:alert(1)",
	}
}
