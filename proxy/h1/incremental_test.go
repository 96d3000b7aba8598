package h1_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"doorward/internal/alloctest"
	"doorward/proxy/h1"
)

var heads = []string{
	"GET / HTTP/1.1⏎Host: a⏎⏎",
	"⏎GET /a?b HTTP/1.1⏎Host: a⏎Cookie: c=d⏎Connection: close, X⏎X: y⏎⏎",
	"POST http://a/ HTTP/1.1⏎Host: a⏎Transfer-Encoding: chunked⏎Expect: 100-continue⏎⏎",
	"OPTIONS * HTTP/1.0⏎Content-Length: 12⏎⏎",
	"GET /ws HTTP/1.1⏎Host: a⏎Connection: Upgrade⏎Upgrade: websocket⏎⏎",
}

// Whether a head comes at once or byte by byte is none of its business.
func TestRequestByteByByte(t *testing.T) {
	for _, text := range heads {
		head := wire(text)
		whole := parse(t, text)
		var r h1.Request
		for i := range head {
			n, err := parser.Parse(head[:i], &r)
			if n != 0 || err != h1.ErrIncomplete {
				t.Fatalf("%q: %d of %d bytes give %d, %v", text, i, len(head), n, err)
			}
		}
		// The rest of the buffer is another request.
		n, err := parser.Parse(append(bytes.Clone(head), "GET"...), &r)
		if n != len(head) || err != nil || !reflect.DeepEqual(&r, whole) {
			t.Errorf("%q: %d, %v\n got %+v\nwant %+v", text, n, err, &r, whole)
		}
	}
}

func TestAnswerByteByByte(t *testing.T) {
	for _, text := range []string{
		"HTTP/1.1 200 OK⏎⏎", "HTTP/1.0 404⏎Connection: keep-alive⏎Content-Length: 5⏎⏎",
		"HTTP/1.1 101 Switching Protocols⏎Connection: upgrade⏎Upgrade: websocket⏎⏎",
	} {
		head := wire(text)
		whole := answer(t, text)
		var r h1.Response
		for i := range head {
			n, err := h1.ParseResponse(head[:i], &r, limits)
			if n != 0 || err != h1.ErrIncomplete {
				t.Fatalf("%q: %d of %d bytes give %d, %v", text, i, len(head), n, err)
			}
		}
		n, err := h1.ParseResponse(append(bytes.Clone(head), "HTTP"...), &r, limits)
		if n != len(head) || err != nil || !reflect.DeepEqual(&r, whole) {
			t.Errorf("%q: %d, %v\n got %+v\nwant %+v", text, n, err, &r, whole)
		}
	}
}

// A client that sends nonsense is not waited for: the error comes with the byte
// that ends the line it is in, or before.
func TestErrorsComeEarly(t *testing.T) {
	for _, start := range []string{
		"\n", "⏎⏎", "GET / HTTP/1.1\n", "GET /\x00 HTTP/1.1⏎", "CONNECT a:1 HTTP/1.1⏎",
		"PRI * HTTP/2.0⏎", strings.Repeat("x", 33),
		"\x16\x03\x01\x02\x00" + strings.Repeat("\x00", 28),
		"GET /" + strings.Repeat("x", 103), "GET / HTTP/1.1⏎ Host: a⏎", "GET / HTTP/1.1⏎Host a⏎",
		"GET / HTTP/1.1⏎Host: a\n", "GET / HTTP/1.1⏎A: b⏎ c⏎", "GET / HTTP/1.1⏎A:\x01⏎",
		"GET / HTTP/1.1⏎" + strings.Repeat("A: b⏎", limits.HeadFields+1),
		"GET / HTTP/1.1⏎A: " + strings.Repeat("x", limits.HeadBytes-19),
	} {
		head := wire(start)
		var r h1.Request
		for i := range head {
			if _, err := parser.Parse(head[:i], &r); err != h1.ErrIncomplete {
				t.Errorf("%q: %d of %d bytes give %v", start, i, len(head), err)
			}
		}
		if _, err := parser.Parse(head, &r); status(err) == 0 {
			t.Errorf("%q gives %v", start, err)
		}
	}
}

// The path of a request allocates nothing once its buffers are there.
func TestNoAllocations(t *testing.T) {
	head := wire(browser)
	r := h1.Request{}
	p := h1.Parser{Limits: wide, Protected: parser.Protected}
	if n := alloctest.PerRun(100, func() { mustParse(t, &p, head, &r) }); n > 0 {
		t.Errorf("a request takes %v allocations", n)
	}
	refused := wire("GET / HTTP/1.1⏎Host: a⏎Host: b⏎⏎")
	if n := alloctest.PerRun(100, func() { _, _ = p.Parse(refused, &r) }); n > 0 {
		t.Errorf("a refused request takes %v allocations", n)
	}
	got := wire(usual)
	a := h1.Response{}
	if n := alloctest.PerRun(100, func() { _, _ = h1.ParseResponse(got, &a, wide) }); n > 0 {
		t.Errorf("an answer takes %v allocations", n)
	}
	body := wire("5⏎hello⏎0⏎X: y⏎⏎")
	buf := make([]byte, len(body))
	var c h1.Chunks
	if n := alloctest.PerRun(100, func() {
		c.Reset(limits)
		_, _, _ = c.Decode(buf[:copy(buf, body)])
	}); n > 0 {
		t.Errorf("a chunked body takes %v allocations", n)
	}
}

func mustParse(t testing.TB, p *h1.Parser, head []byte, r *h1.Request) {
	if n, err := p.Parse(head, r); n != len(head) || err != nil {
		t.Fatalf("Parse = %d, %v", n, err)
	}
}
