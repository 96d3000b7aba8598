package h1_test

import (
	"strings"
	"testing"

	"doorward/proxy/h1"
)

func TestRequestFraming(t *testing.T) {
	for fields, w := range map[string]struct {
		length  int64
		chunked bool
		body    bool
	}{
		"":                                 {-1, false, false},
		"Content-Length: 0⏎":               {0, false, false},
		"Content-Length: 10⏎":              {10, false, true},
		"Content-Length: 010⏎":             {10, false, true},
		"content-LENGTH:\t7 ⏎":             {7, false, true},
		"Transfer-Encoding: chunked⏎":      {-1, true, true},
		"transfer-encoding: Chunked ⏎":     {-1, true, true},
		"Content-Length: " + longest + "⏎": {1<<63 - 1, false, true},
	} {
		r := parse(t, "POST / HTTP/1.1⏎Host: a⏎"+fields+"⏎")
		if r.Length != w.length || r.Chunked != w.chunked || r.HasBody() != w.body {
			t.Errorf("%q: length %d, chunked %v, body %v; want %+v",
				fields, r.Length, r.Chunked, r.HasBody(), w)
		}
	}
}

const longest = "9223372036854775807"

// What two parsers could read as two lengths is an error, in requests and in
// answers alike.
var ambiguous = []string{
	"Content-Length: 6⏎Transfer-Encoding: chunked",
	"Transfer-Encoding: chunked⏎Content-Length: 4",
	"Content-Length: 2⏎Content-Length: 2", "Content-Length: 5⏎Content-Length: 0",
	"Content-Length: 0⏎Content-Length: 5",
	"Content-Length:", "Content-Length: 2, 2", "Content-Length: +2", "Content-Length: -1",
	"Content-Length: 0x2", "Content-Length: 2 2", "Content-Length: 1_0", "Content-Length: ２",
	"Content-Length: 9223372036854775808", "Content-Length: 99999999999999999999",
	"Content-Length: " + strings.Repeat("0", 257),
	"Transfer-Encoding: chunked⏎Transfer-Encoding: chunked",
	"Transfer-Encoding: chunked⏎Transfer-Encoding: identity",
	"Transfer-Encoding: identity⏎Transfer-Encoding: chunked",
	"Transfer-Encoding: x", "Transfer-Encoding:", "Transfer-Encoding: gzip, chunked",
	"Transfer-Encoding: chunked, chunked", "Transfer-Encoding: chunked,",
	"Transfer-Encoding: ,chunked", "Transfer-Encoding: chunked;x=y",
	"Transfer-Encoding: \"chunked\"", "Transfer-Encoding: chunke", "Transfer-Encoding: xchunked",
	"Transfer-Encoding: chunked\vx",
}

func TestAmbiguousFramingIsRefused(t *testing.T) {
	for _, fields := range ambiguous {
		request := wire("POST / HTTP/1.1⏎Host: a⏎" + fields + "⏎⏎")
		if _, err := parser.Parse(request, new(h1.Request)); status(err) != 400 {
			t.Errorf("request with %q gives %v", fields, err)
		}
		answer := wire("HTTP/1.1 200 OK⏎" + fields + "⏎⏎")
		if _, err := h1.ParseResponse(answer, new(h1.Response), limits); status(err) != 400 {
			t.Errorf("answer with %q gives %v", fields, err)
		}
	}
}

func TestNoTransferEncodingInHTTP10(t *testing.T) {
	for _, fields := range []string{
		"Transfer-Encoding: chunked", "Transfer-Encoding: chunked⏎Content-Length: 5",
	} {
		_, err := parser.Parse(wire("POST / HTTP/1.0⏎"+fields+"⏎⏎"), new(h1.Request))
		if status(err) != 400 {
			t.Errorf("request with %q gives %v", fields, err)
		}
		_, err = h1.ParseResponse(wire("HTTP/1.0 200 OK⏎"+fields+"⏎⏎"), new(h1.Response), limits)
		if status(err) != 400 {
			t.Errorf("answer with %q gives %v", fields, err)
		}
	}
}

func TestConnectionEnds(t *testing.T) {
	for fields, w := range map[string][2]bool{ // in HTTP/1.0, in HTTP/1.1
		"":                                          {true, false},
		"Connection: close⏎":                        {true, true},
		"Connection: keep-alive⏎":                   {false, false},
		"Connection: Keep-Alive⏎":                   {false, false},
		"Connection: x, CLOSE ⏎":                    {true, true},
		"Connection: close, keep-alive⏎":            {true, true},
		"Connection: keep-alive, close⏎":            {true, true},
		"Connection: keep-alive⏎Connection: close⏎": {true, true},
		"Connection: ,,keep-alive,⏎":                {false, false},
		"Connection:⏎":                              {true, false},
		"Connection: closed⏎":                       {true, false},
		"Keep-Alive: timeout=5⏎":                    {true, false},
	} {
		for minor, version := range []string{"HTTP/1.0", "HTTP/1.1"} {
			r := parse(t, "GET / "+version+"⏎Host: a⏎"+fields+"⏎")
			if r.Close != w[minor] {
				t.Errorf("%s with %q: Close is %v", version, fields, r.Close)
			}
		}
	}
}

func TestConnectionNominates(t *testing.T) {
	for _, line := range []string{
		"Connection: X-Drop", "connection: x-drop", "Connection: close ,\tX-DROP\t",
		"Connection: a, b,,x-drop,", "Connection: close⏎Connection: x-drop",
	} {
		for _, order := range []string{line + "⏎X-Drop: 1⏎", "X-Drop: 1⏎" + line + "⏎"} {
			r := parse(t, "GET / HTTP/1.1⏎Host: a⏎X-Dro: 2⏎"+order+"x-drop: 3⏎⏎")
			for _, f := range r.Fields {
				if named := h1.EqualFold(f.Name, "x-drop"); named != (f.Kind == h1.Nominated) {
					t.Errorf("%q: %s is of kind %d", order, f.Name, f.Kind)
				}
			}
		}
	}
	for _, name := range []string{"User-Agent", "Referer", "Date"} {
		r := parse(t, "GET / HTTP/1.1⏎Host: a⏎"+name+": x⏎Connection: "+name+"⏎⏎")
		if k := r.Fields[1].Kind; !k.HopByHop() {
			t.Errorf("%s named by Connection is of kind %d", name, k)
		}
	}
}

func TestConnectionMayNotNameProtectedFields(t *testing.T) {
	for _, value := range []string{
		"X-Ours", "close, x-ours", "Host", `"X-Ours"`, "X-Ours;q=1", "a b", "x(y)", "é",
	} {
		request := wire("GET / HTTP/1.1⏎Host: a⏎Connection: " + value + "⏎⏎")
		_, err := parser.Parse(request, new(h1.Request))
		if status(err) != 400 {
			t.Errorf("Connection: %s gives %v", value, err)
		}
		var r h1.Response
		answer := wire("HTTP/1.1 200 OK⏎Connection: " + value + "⏎X-Ours: 1⏎⏎")
		if _, err := h1.ParseResponse(answer, &r, limits); err != nil ||
			r.Fields[1].Kind != h1.Other {
			t.Errorf("answer with Connection: %s gives %v, kind %d", value, err, r.Fields[1].Kind)
		}
	}
}

func TestUpgrade(t *testing.T) {
	for fields, want := range map[string]string{
		"Upgrade: websocket":                               "",
		"Connection: upgrade":                              "",
		"Connection: upgrade⏎Upgrade: WebSocket":           "WebSocket",
		"Upgrade: h2c⏎Connection: HTTP2-Settings, Upgrade": "h2c",
		"Connection: Upgrade⏎Upgrade: foo/2":               "foo/2",
		"Upgrade: a, b":                                    "",
	} {
		if r := parse(t, "GET / HTTP/1.1⏎Host: a⏎"+fields+"⏎⏎"); string(r.Upgrade) != want {
			t.Errorf("%q: Upgrade is %q", fields, r.Upgrade)
		}
	}
	for _, fields := range []string{
		"Upgrade: websocket⏎Upgrade: h2c⏎Connection: upgrade",
		"Upgrade:⏎Upgrade: h2c⏎Connection: upgrade", "Upgrade: a⏎Upgrade: a",
		"Connection: upgrade⏎Upgrade: websocket, h2c", "Connection: upgrade⏎Upgrade: websocket h2c",
		"Connection: upgrade⏎Upgrade:", "Connection: upgrade⏎Upgrade: a/",
		"Connection: upgrade⏎Upgrade: /a",
		"Connection: upgrade⏎Upgrade: a/b/c",
	} {
		_, err := parser.Parse(wire("GET / HTTP/1.1⏎Host: a⏎"+fields+"⏎⏎"), new(h1.Request))
		if status(err) != 400 {
			t.Errorf("%q gives %v", fields, err)
		}
	}
}

func TestExpect(t *testing.T) {
	for _, body := range []string{"Content-Length: 5", "Transfer-Encoding: chunked"} {
		if r := parse(t, "PUT / HTTP/1.1⏎Host: a⏎"+body+"⏎Expect:\t100-Continue ⏎⏎"); !r.Continue {
			t.Errorf("with %s Continue is not set", body)
		}
	}
	for _, fields := range []string{
		"Expect: y 100-continue⏎Content-Length: 5", "Expect: 100-continue, x⏎Content-Length: 5",
		"Expect:⏎Content-Length: 5", "Expect: 100-continue⏎Expect: 100-continue⏎Content-Length: 5",
		"Expect: 100-continue", "Expect: 100-continue⏎Content-Length: 0", "Expect: 200-ok",
	} {
		_, err := parser.Parse(wire("PUT / HTTP/1.1⏎Host: a⏎"+fields+"⏎⏎"), new(h1.Request))
		if status(err) != 417 {
			t.Errorf("%q gives %v", fields, err)
		}
	}
}
