package edgetest

import (
	"bufio"
	"strings"
	"testing"
)

func reading(text string) *wire {
	return &wire{Reader: bufio.NewReader(strings.NewReader(Bytes(text)))}
}

func TestStrictRequests(t *testing.T) {
	for text, body := range map[string]string{
		"GET / HTTP/1.1⏎Host: a⏎⏎":                                                  "",
		"POST /a?b HTTP/1.1⏎Host: a⏎Content-Length: 5⏎⏎hello":                       "hello",
		"POST / HTTP/1.1⏎Transfer-Encoding: chunked⏎⏎5⏎hello⏎a⏎0123456789⏎0⏎X: y⏎⏎": "hello0123456789",
		"OPTIONS * HTTP/1.1⏎X: \xff\t ⏎⏎":                                           "",
	} {
		w := reading(text + "rest")
		m, err := w.requestHead()
		if err == nil {
			err = w.body(m, false)
		}
		rest, _ := w.Peek(4)
		if err != nil || m.Body != body || m.Raw != Bytes(text) || string(rest) != "rest" {
			t.Errorf("%q: %+v, %v, then %q", text, m, err, rest)
		}
	}
}

func TestWhatTheStrictParserRefuses(t *testing.T) {
	for _, text := range []string{
		"GET / HTTP/1.0⏎⏎", "GET  / HTTP/1.1⏎⏎", "GET / HTTP/1.1 ⏎⏎", "GET /a b HTTP/1.1⏎⏎",
		"G(T / HTTP/1.1⏎⏎", "GET /é HTTP/1.1⏎⏎", "GET / HTTP/1.1\n\n", "GET / HTTP/1.1⏎X: y\n⏎",
		"GET / HTTP/1.1⏎X : y⏎⏎", "GET / HTTP/1.1⏎ X: y⏎⏎", "GET / HTTP/1.1⏎X⏎⏎",
		"GET / HTTP/1.1⏎X: a\rb⏎⏎", "GET / HTTP/1.1⏎X: \x00⏎⏎", "GET / HTTP/1.1⏎: y⏎⏎",
		"POST / HTTP/1.1⏎Content-Length: 5⏎Content-Length: 5⏎⏎hello",
		"POST / HTTP/1.1⏎Content-Length: 05⏎⏎hello", "POST / HTTP/1.1⏎Content-Length: +5⏎⏎hello",
		"POST / HTTP/1.1⏎Content-Length: 5⏎Transfer-Encoding: chunked⏎⏎0⏎⏎",
		"POST / HTTP/1.1⏎Transfer-Encoding: Chunked⏎⏎0⏎⏎",
		"POST / HTTP/1.1⏎Transfer-Encoding: chunked⏎⏎5;x⏎hello⏎0⏎⏎",
		"POST / HTTP/1.1⏎Transfer-Encoding: chunked⏎⏎5⏎helloo⏎0⏎⏎",
		"POST / HTTP/1.1⏎Transfer-Encoding: chunked⏎⏎A⏎0123456789⏎0⏎⏎",
		"POST / HTTP/1.1⏎Transfer-Encoding: chunked⏎⏎0⏎X y⏎⏎", "⏎GET / HTTP/1.1⏎⏎",
		"POST / HTTP/1.1⏎Content-Length: 5⏎⏎hell", "GET / HTTP/1.1⏎Host: a⏎",
	} {
		w := reading(text)
		m, err := w.requestHead()
		if err == nil {
			err = w.body(m, false)
		}
		if err == nil || m.Err == nil {
			t.Errorf("%q: %+v", text, m)
		}
	}
}

func TestStrictAnswers(t *testing.T) {
	const head = "HTTP/1.1 200 OK⏎Content-Length: 2⏎⏎"
	for _, c := range []struct {
		method, text string
		status       int // 0: refused
		body         string
	}{
		{"GET", head + "ok", 200, "ok"}, {"HEAD", head, 200, ""}, {"GET", head + "o", 0, ""},
		{"GET", "HTTP/1.1 204 No Content⏎⏎", 204, ""}, {"GET", "HTTP/1.1 103 ⏎⏎", 103, ""},
		{"GET", "HTTP/1.1 200 OK⏎⏎until the end", 200, "until the end"},
		{"GET", "HTTP/1.0 200 OK⏎⏎", 0, ""}, {"GET", "HTTP/1.1 200⏎⏎", 0, ""},
		{"GET", "HTTP/1.1 099 No⏎⏎", 0, ""}, {"GET", "", 0, ""},
	} {
		m, err := reading(c.text).answer(c.method)
		if (err != nil) != (c.status == 0) || err == nil && (m.Status != c.status || m.Body != c.body) {
			t.Errorf("%s, %q: %+v, %v", c.method, c.text, m, err)
		}
	}
}

// The oracle must see what it is there for.
func TestCheck(t *testing.T) {
	for text, sound := range map[string]bool{
		"GET / HTTP/1.1⏎Host: a⏎⏎": true, "OPTIONS * HTTP/1.1⏎Host: a⏎⏎": true,
		"GET / HTTP/1.1⏎⏎": false, "GET / HTTP/1.1⏎Host: a⏎Host: a⏎⏎": false,
		"GET / HTTP/1.1⏎Host:⏎⏎": false, "GET * HTTP/1.1⏎Host: a⏎⏎": false,
		"GET http://a/ HTTP/1.1⏎Host: a⏎⏎": false,
	} {
		m, err := reading(text).requestHead()
		if err != nil || (Check(m) == nil) != sound {
			t.Errorf("%q: %v, %v", text, err, Check(m))
		}
	}
}

func TestRecorderTellsRequestsApart(t *testing.T) {
	rec := Record(t, Answers("HTTP/1.1 200 OK⏎Content-Length: 1⏎⏎x", ""))
	c := Dial(t, rec.Addr).Send("GET /a HTTP/1.1⏎Host: a⏎⏎" + "GET /canary-1 HTTP/1.1⏎Host: b⏎⏎" +
		"POST /c HTTP/1.1⏎Host: a⏎Content-Length: 9⏎⏎hell")
	if m := c.Answer(); m.Body != "x" {
		t.Errorf("first answer %+v", m)
	}
	if m := c.Answer(); m.Body != "GET /canary-1" {
		t.Errorf("answer to the canary %+v", m)
	}
	c.CloseWrite()
	if end := c.End(); end != Closed {
		t.Errorf("connection %v", end)
	}
	requests, raw := rec.Take()
	if len(requests) != 2 || requests[0].Err != nil || !Cut(requests[1].Err) {
		t.Errorf("recorded %+v", requests)
	}
	if !strings.Contains(raw, "canary") || !strings.HasSuffix(raw, "hell") {
		t.Errorf("raw %q", raw)
	}
	Dial(t, rec.Addr).Send("GET / HTTP/1.1\n\n").CloseWrite()
	if !Until(func() bool { return rec.Count() == 1 }) {
		t.Fatal("a malformed request is not recorded")
	}
	if requests, _ := rec.Take(); Cut(requests[0].Err) {
		t.Errorf("a malformed request passes for one cut off: %v", requests[0].Err)
	}
}
