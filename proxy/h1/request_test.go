package h1_test

import (
	"strings"
	"testing"

	"doorward/proxy/h1"
)

// limits are small, so that tests can stand on either side of them.
var limits = h1.Limits{HeadBytes: 2 << 10, HeadFields: 8, TargetBytes: 64}

// parser refuses to let Connection take X-Ours out of a request.
var parser = h1.Parser{Limits: limits, Protected: func(name []byte) bool {
	return h1.EqualFold(name, "x-ours") || h1.EqualFold(name, "host")
}}

// wire writes a message with one line end a "⏎".
func wire(s string) []byte { return []byte(strings.ReplaceAll(s, "⏎", "\r\n")) }

// parse reads a whole request head that must be right.
func parse(t testing.TB, text string) *h1.Request {
	t.Helper()
	r := new(h1.Request)
	head := wire(text)
	n, err := parser.Parse(head, r)
	if err != nil || n != len(head) {
		t.Fatalf("Parse(%q) = %d, %v; want %d, nil", text, n, err, len(head))
	}
	return r
}

// status is what answers a request with this error.
func status(err error) int {
	if e, ok := err.(*h1.SyntaxError); ok {
		return e.Status
	}
	return 0
}

func TestRequestLine(t *testing.T) {
	type want struct {
		method, path, query, authority string
		form                           h1.Form
		secure                         bool
		minor                          int
	}
	for line, w := range map[string]want{
		"GET / HTTP/1.1":               {method: "GET", path: "/", minor: 1},
		"GET / HTTP/1.0":               {method: "GET", path: "/"},
		"GET / HTTP/1.9":               {method: "GET", path: "/", minor: 1},
		"get / HTTP/1.1":               {method: "get", path: "/", minor: 1},
		"!#$%&'*+-.^_`|~ / HTTP/1.1":   {method: "!#$%&'*+-.^_`|~", path: "/", minor: 1},
		"M-SEARCH /a?b?c HTTP/1.1":     {method: "M-SEARCH", path: "/a", query: "b?c", minor: 1},
		"GET //x HTTP/1.1":             {method: "GET", path: "//x", minor: 1},
		"GET /?x HTTP/1.1":             {method: "GET", path: "/", query: "x", minor: 1},
		"GET /\"<>\\^`{|}%zz HTTP/1.1": {method: "GET", path: "/\"<>\\^`{|}%zz", minor: 1},
		"OPTIONS * HTTP/1.1":           {method: "OPTIONS", path: "*", form: h1.AsteriskForm, minor: 1},
		"GET http://a.b:8/p?q HTTP/1.1": {
			method: "GET", path: "/p", query: "q", authority: "a.b:8", form: h1.AbsoluteForm, minor: 1,
		},
		"GET HTTPS://A HTTP/1.1": {
			method: "GET", path: "/", authority: "A", form: h1.AbsoluteForm, secure: true, minor: 1,
		},
		"GET http://a?q HTTP/1.1": {
			method: "GET", path: "/", query: "q", authority: "a", form: h1.AbsoluteForm, minor: 1,
		},
	} {
		r := parse(t, line+"⏎Host: a⏎⏎")
		got := want{
			string(r.Method), string(r.Path), string(r.Query), string(r.Authority),
			r.Form, r.Secure, r.Minor,
		}
		if got != w {
			t.Errorf("%s\n got %+v\nwant %+v", line, got, w)
		}
		if r.HasQuery != strings.Contains(line, "?") {
			t.Errorf("%s: HasQuery is %v", line, r.HasQuery)
		}
	}
}

func TestRequestLineRefused(t *testing.T) {
	for want, lines := range map[int][]string{
		400: {
			"", " ", "GET", "GET ", "GET /", "GET  HTTP/1.1", " GET / HTTP/1.1",
			"GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1 ", "GET /a b HTTP/1.1",
			"GET\t/ HTTP/1.1", "GET\t/\tHTTP/1.1", "GET\v/ HTTP/1.1", "GET /\tx HTTP/1.1",
			"GET / http/1.1", "GET / HTTP/1", "GET / HTTP/1.", "GET / HTTP/1.10",
			"GET / HTTP/01.1", "GET / HTTP/x.1", "GET / HTTP/1.x", "GET / HTTP/1,1",
			"GET / XTTP/1.1", "GET / HTTP/1.1\rX", "GET /\r HTTP/1.1", "G\rET / HTTP/1.1",
			"GET /\x00 HTTP/1.1", "GET /\x7f HTTP/1.1", "GET /é HTTP/1.1", "GET /#x HTTP/1.1",
			"G\x00T / HTTP/1.1", "GÉT / HTTP/1.1", `G=":<> / HTTP/1.1`, "[GET] / HTTP/1.1",
			strings.Repeat("M", 33) + " / HTTP/1.1",
			"GET * HTTP/1.1", "OPTIONS */x HTTP/1.1", "options * HTTP/1.1",
			"GET admin HTTP/1.1", "GET @x HTTP/1.1", "GET ?x HTTP/1.1", `GET \x HTTP/1.1`,
			"GET a:80 HTTP/1.1", "GET a:b/c HTTP/1.1", "GET http:admin HTTP/1.1",
			"GET http:/a/b HTTP/1.1", "GET http:http://a/b HTTP/1.1", "GET ftp://a/ HTTP/1.1",
			"GET ://a/ HTTP/1.1", "GET http:///x HTTP/1.1", "GET http://?x HTTP/1.1",
			"GET http://u:p@a/ HTTP/1.1", "GET http://a@b HTTP/1.1", "GET xhttp://a/ HTTP/1.1",
		},
		405: {
			"CONNECT a:443 HTTP/1.1", "CONNECT / HTTP/1.1", "TRACE / HTTP/1.1",
			"TRACK / HTTP/1.1", "TRACE http://a/ HTTP/1.1",
		},
		414: {"GET /" + strings.Repeat("x", 64) + " HTTP/1.1"},
		505: {"PRI * HTTP/2.0", "GET / HTTP/2.0", "GET / HTTP/0.9", "GET / HTTP/3.0"},
	} {
		for _, line := range lines {
			_, err := parser.Parse(wire(line+"⏎Host: a⏎⏎"), new(h1.Request))
			if got := status(err); got != want {
				t.Errorf("%q gives %v (%d), want %d", line, err, got, want)
			}
		}
	}
}

func TestLeadingEmptyLine(t *testing.T) {
	parse(t, "⏎GET / HTTP/1.1⏎Host: a⏎⏎")
	for _, head := range []string{"⏎⏎GET / HTTP/1.1⏎Host: a⏎⏎", "\nGET / HTTP/1.1⏎Host: a⏎⏎"} {
		if _, err := parser.Parse(wire(head), new(h1.Request)); status(err) != 400 {
			t.Errorf("%q gives %v", head, err)
		}
	}
}

func TestRequestTakesNothingBehindTheHead(t *testing.T) {
	head := "POST / HTTP/1.1⏎Host: a⏎Content-Length: 9⏎⏎"
	r := new(h1.Request)
	n, err := parser.Parse(wire(head+"GET /x HT⏎"), r)
	if err != nil || n != len(wire(head)) || r.Length != 9 {
		t.Errorf("Parse = %d, %v, length %d", n, err, r.Length)
	}
}

// A refused request is answered with what is known of it: that may be nothing
// of the one before, whose bytes the buffer no longer holds.
func TestErrorLeavesNothingOfTheRequestBefore(t *testing.T) {
	r := parse(t, "HEAD /secret?token HTTP/1.1⏎Host: a⏎Cookie: x⏎Expect: 100-continue⏎"+
		"Content-Length: 1⏎⏎")
	for _, head := range []string{"x", "GET", "G T / HTTP/1.1⏎⏎", "\n"} {
		_, err := parser.Parse(wire(head), r)
		if err == nil {
			t.Fatalf("%q is accepted", head)
		}
		left := string(r.Method) + string(r.Path) + string(r.Query) + string(r.Host)
		if left != "" || len(r.Fields) > 0 || r.Continue || r.Length > 0 {
			t.Errorf("after %q the request still has %q, fields %v", head, left, r.Fields)
		}
	}
}

func TestHost(t *testing.T) {
	if r := parse(t, "GET / HTTP/1.0⏎⏎"); r.Host != nil {
		t.Errorf("Host is %q", r.Host)
	}
	if r := parse(t, "GET / HTTP/1.1⏎hOsT:  a.b:80\t⏎⏎"); string(r.Host) != "a.b:80" {
		t.Errorf("Host is %q", r.Host)
	}
	if r := parse(t, "GET / HTTP/1.1⏎Host:⏎⏎"); r.Host == nil || len(r.Host) != 0 {
		t.Errorf("Host is %q, want an empty one: who routes decides on it", r.Host)
	}
	for _, fields := range []string{"", "Host: a⏎Host: a⏎", "Host: a⏎Host: b⏎", "Host: a⏎host:⏎"} {
		_, err := parser.Parse(wire("GET / HTTP/1.1⏎"+fields+"⏎"), new(h1.Request))
		if status(err) != 400 {
			t.Errorf("%q gives %v", fields, err)
		}
	}
}

// Exactly at a limit passes, one more does not.
func TestRequestLimits(t *testing.T) {
	fields := func(n int) string {
		return "GET / HTTP/1.1⏎Host: a⏎" + strings.Repeat("A: b⏎", n-1) + "⏎"
	}
	bytes := func(n int) string {
		const rest = "GET / HTTP/1.1⏎Host: a⏎A: ⏎⏎"
		return strings.Replace(rest, "A: ", "A: "+strings.Repeat("x", n-len(wire(rest))), 1)
	}
	target := func(n int) string {
		return "GET /" + strings.Repeat("x", n-1) + " HTTP/1.1⏎Host: a⏎⏎"
	}
	method := func(n int) string { return strings.Repeat("M", n) + " / HTTP/1.1⏎Host: a⏎⏎" }
	name := func(n int) string {
		return "GET / HTTP/1.1⏎Host: a⏎" + strings.Repeat("N", n) + ": x⏎⏎"
	}
	tokens := func(n int) string {
		half := strings.Repeat("a,", n/2-1) + "a"
		return "GET / HTTP/1.1⏎Host: a⏎Connection: " + half + "⏎Connection: " +
			strings.Repeat("a,", n-n/2-1) + "a⏎⏎"
	}
	for name, c := range map[string]struct {
		head   func(int) string
		most   int
		status int
	}{
		"fields": {fields, limits.HeadFields, 431},
		"bytes":  {bytes, limits.HeadBytes, 431},
		"target": {target, limits.TargetBytes, 414},
		"method": {method, 32, 400},
		"name":   {name, 256, 431},
		"tokens": {tokens, 32, 400},
	} {
		parse(t, c.head(c.most))
		_, err := parser.Parse(wire(c.head(c.most+1)), new(h1.Request))
		if status(err) != c.status {
			t.Errorf("%s: one more than %d gives %v, want %d", name, c.most, err, c.status)
		}
	}
}
