package test_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"doorward/internal/edgetest"
)

// plainWords answers by path with heads and bodies in every framing.
func plainWords(p *edgetest.Peer) {
	for m := p.Request(); m != nil; m = p.Request() {
		switch m.Path {
		case "/length":
			p.Send("HTTP/1.1 200 OK⏎Content-Length: 5⏎Connection: keep-alive⏎Keep-Alive: timeout=5⏎⏎hello")
		case "/empty":
			p.Send("HTTP/1.1 200 OK⏎Content-Length: 0⏎⏎")
		case "/none":
			p.Send("HTTP/1.1 204 No Content⏎⏎")
		case "/same":
			p.Send("HTTP/1.1 304 Not Modified⏎ETag: \"a\"⏎Content-Length: 7⏎⏎")
		case "/chunks":
			p.Send("HTTP/1.1 200 OK⏎Transfer-Encoding: chunked⏎⏎5⏎hello⏎6⏎ world⏎0⏎⏎")
		case "/trailers":
			p.Send("HTTP/1.1 200 OK⏎Transfer-Encoding: chunked⏎⏎5⏎hello⏎0⏎X-Sum: 7⏎" +
				"X-Forwarded-For: 1.2.3.4⏎⏎")
		case "/close":
			p.Send("HTTP/1.0 200 OK⏎⏎until the end")
			return
		case "/hints":
			p.Send("HTTP/1.1 103 Early Hints⏎Link: </a.css>⏎⏎HTTP/1.1 200 OK⏎Content-Length: 2⏎⏎ok")
		case "/broken":
			p.Send("HTTP/1.1 200 OK⏎Content-Length: 10⏎⏎hel")
			return
		case "/broken-chunks":
			p.Send("HTTP/1.1 200 OK⏎Transfer-Encoding: chunked⏎⏎5⏎hello⏎")
			return
		default:
			p.Send(edgetest.EchoOf(m))
		}
	}
}

// TestHTTP2Answers looks at answers in every framing as a client of HTTP/2 gets them.
func TestHTTP2Answers(t *testing.T) {
	edge, _ := startSite(t, plainWords, "")
	f := edge.DialHTTP2(t, "app.example")
	id := uint32(1)
	ask := func(path string) *edgetest.Reply {
		defer func() { id += 2 }()
		return f.Ask(id, edgetest.Get("app.example", path)...)
	}
	for path, want := range map[string]string{
		"/length": "200 hello", "/empty": "200 ", "/none": "204 ", "/same": "304 ",
		"/chunks": "200 hello world", "/trailers": "200 hello", "/close": "200 until the end",
		"/hints": "200 ok",
	} {
		r := ask(path)
		if got := r.Status + " " + string(r.Body); got != want || r.Reset {
			t.Errorf("%s: %q, want %q; %+v", path, got, want, r)
		}
		for _, line := range r.Fields {
			name, _, _ := strings.Cut(line, ":")
			if slices.Contains([]string{"connection", "transfer-encoding", "keep-alive"}, name) ||
				name != strings.ToLower(name) {
				t.Errorf("%s: field %q", path, line)
			}
		}
		if path == "/trailers" && !slices.Equal(r.Trailers, []string{"x-sum: 7"}) {
			t.Errorf("trailers: %q", r.Trailers)
		}
		if path == "/hints" && !slices.Equal(r.Early, []string{"103"}) {
			t.Errorf("informational: %q", r.Early)
		}
	}
	for _, path := range []string{"/broken", "/broken-chunks"} {
		if r := ask(path); !r.Reset || r.Code != http2.ErrCodeInternal || r.Ended {
			t.Errorf("%s: %+v, want a reset", path, r)
		}
	}
	head := f.Headers(id, true, ":method: HEAD", ":scheme: https", ":authority: app.example",
		":path: /head").Wait(id)
	if head.Status != "200" || len(head.Body) > 0 {
		t.Errorf("HEAD: %+v", head)
	}
	if !edgetest.Until(func() bool { return strings.Contains(edge.Log(), `"HTTP/2.0"`) }) {
		t.Errorf("log: %.3000s", edge.Log())
	}
}

// TestHTTP2Requests looks at what a server gets of requests over HTTP/2.
func TestHTTP2Requests(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	f := edge.DialHTTP2(t, "app.example")
	f.Headers(1, false, edgetest.Post("app.example", "/a?b", "content-length: 5", "cookie: a=1",
		"x-one: 1", "cookie: b=2")...).Data(1, false, "he").Data(1, true, "llo").Wait(1)
	f.Headers(3, false, edgetest.Post("app.example", "/c", "te: trailers")...)
	f.Data(3, false, "he").Data(3, false, "llo")
	f.Headers(3, true, "x-sum: 7", "x-real-ip: 1.2.3.4").Wait(3)
	f.Headers(5, false, edgetest.Post("app.example", "/d")...).Data(5, true, "").Wait(5)
	f.Headers(7, true, edgetest.Post("app.example", "/e")...).Wait(7)
	requests, raw := rec.Take()
	if len(requests) != 4 {
		t.Fatalf("%d requests:\n%q", len(requests), raw)
	}
	for i, want := range []string{"POST /a?b 5 hello", "POST /c chunked hello", "POST /d chunked ",
		"POST /e none "} {
		m := requests[i]
		framing := "none"
		if m.Chunked {
			framing = "chunked"
		} else if m.Length > 0 {
			framing = fmt.Sprint(m.Length)
		}
		if got := fmt.Sprintf("%s %s %s %s", m.Method, m.Path, framing, m.Body); got != want {
			t.Errorf("request %d: %q, want %q", i, got, want)
		}
	}
	if got := requests[0].Get("Cookie"); got != "a=1; b=2" {
		t.Errorf("cookies: %q", got)
	}
	if got := requests[0].Get("X-Forwarded-Proto"); got != "https" {
		t.Errorf("scheme: %q", got)
	}
	if !strings.Contains(raw, "0\r\nx-sum: 7\r\n\r\n") || strings.Contains(raw, "1.2.3.4") {
		t.Errorf("trailers:\n%q", raw)
	}
}

// TestHTTP2Local looks at answers of our own, and at what becomes of bodies that
// nobody reads.
func TestHTTP2Local(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	f := edge.DialHTTP2(t, "app.example")
	large := strings.Repeat("x", 2000)
	for i, c := range []struct{ host, want string }{
		{"closed.example", "403"}, {"moved.example", "308"}, {"text.example", "200"},
		{"nobody.example", "421"}, {"small.example", "413"},
	} {
		id := uint32(2*i + 1)
		f.Headers(id, false, edgetest.Post(c.host, "/x")...).Data(id, false, large)
		if r := f.Wait(id); r.Status != c.want || !r.Ended {
			t.Errorf("%s: %+v, want %s", c.host, r, c.want)
		}
	}
	if r := f.Ask(21, edgetest.Get("app.example", "/")...); r.Status != "200" {
		t.Errorf("a request after those: %+v", r)
	}
	if r := f.Ask(23, edgetest.Get("app.example", "/"+strings.Repeat("y", 9000))...); r.Status != "414" {
		t.Errorf("long target: %+v", r)
	}
	// A body whose length nobody said is on its way before it is too large.
	if n := rec.Count(); n > 2 {
		t.Errorf("%d requests reached the server, want one and a broken one", n)
	}
}

// TestHTTP2Cancel sees the server's connection end when the client gives a stream up.
func TestHTTP2Cancel(t *testing.T) {
	arrived, gone := make(chan bool, 2), make(chan bool, 2)
	edge, _ := startSite(t, func(p *edgetest.Peer) {
		for m := p.Head(); m != nil; m = p.Head() {
			if m.Path == "/fine" {
				p.Send("HTTP/1.1 200 OK⏎Content-Length: 0⏎⏎")
				continue
			}
			arrived <- true
			gone <- p.Gone()
			return
		}
	}, "")
	f := edge.DialHTTP2(t, "app.example")
	f.Headers(1, true, edgetest.Get("app.example", "/hang")...)
	f.Headers(3, false, edgetest.Post("app.example", "/hang")...).Data(3, false, "x")
	<-arrived
	<-arrived
	for _, id := range []uint32{1, 3} {
		f.Check(f.Framer.WriteRSTStream(id, http2.ErrCodeCancel))
	}
	for range 2 {
		if !<-gone {
			t.Error("the server's connection stayed open")
		}
	}
	if r := f.Ask(5, edgetest.Get("app.example", "/fine")...); r.Status != "200" {
		t.Errorf("another stream: %+v", r)
	}
}

// TestSecurityWSStream has the cases of group WS about streams.
func TestSecurityWSStream(t *testing.T) {
	edge, rec := startSite(t, wsStreamServer, `
		[[route]]
		name = "plain"
		hosts = ["plain.example"]
		backend = "app"
		upgrades = []
	`)
	connect := func(host, path string, lines ...string) []string {
		return append([]string{":method: CONNECT", ":protocol: websocket", ":scheme: https",
			":authority: " + host, ":path: " + path, "sec-websocket-version: 13"}, lines...)
	}
	f := edge.DialHTTP2(t, "app.example")
	if f.Settings[http2.SettingEnableConnectProtocol] != 1 {
		t.Errorf("settings: %v", f.Settings)
	}
	t.Run("WS-15_extended_CONNECT", func(t *testing.T) {
		f.Headers(1, false, connect("app.example", "/ws")...).Data(1, false, "ping")
		for string(f.Reply(1).Body) != "hello ping" {
			if err := f.Read(); err != nil || f.Reply(1).Reset {
				t.Fatalf("%v, %+v", err, f.Reply(1))
			}
		}
		f.Data(1, true, "")
		if r := f.Wait(1); r.Status != "200" || r.Get("sec-websocket-accept") != "" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("WS-15_refused", func(t *testing.T) {
		for i, c := range []struct{ host, path, want string }{
			{"app.example", "/wrong-key", "502"}, {"app.example", "/200", "502"},
			{"app.example", "/401", "401"}, {"plain.example", "/ws", "501"},
			{"text.example", "/ws", "501"}, {"moved.example", "/ws", "308"},
		} {
			id := uint32(3 + 2*i)
			f.Headers(id, false, connect(c.host, c.path)...)
			if r := f.Wait(id); r.Status != c.want {
				t.Errorf("%s%s: %+v, want %s", c.host, c.path, r, c.want)
			}
		}
		f.Headers(21, true, ":method: CONNECT", ":authority: app.example:443")
		if r := f.Wait(21); !r.Reset {
			t.Errorf("plain CONNECT: %+v", r)
		}
	})
	if _, raw := rec.Take(); strings.Contains(raw, "CONNECT") {
		t.Errorf("the server got\n%q", raw)
	}
}

// wsStreamServer opens WebSockets with the key that it was given.
func wsStreamServer(p *edgetest.Peer) {
	for m := p.Request(); m != nil; m = p.Request() {
		accept := edgetest.AcceptFor(m.Get("Sec-WebSocket-Key"))
		switch m.Path {
		case "/ws":
			p.Send(wsSwitch + "Upgrade: websocket⏎Sec-WebSocket-Accept: " + accept + "⏎⏎hello ")
			b := make([]byte, 1024)
			for {
				n, err := p.Rest().Read(b)
				p.Send(string(b[:n]))
				if err != nil {
					return
				}
			}
		case "/wrong-key":
			p.Send(wsSwitch + "Upgrade: websocket⏎" + wsAccept + "⏎")
		case "/200":
			p.Send("HTTP/1.1 200 OK⏎Content-Length: 0⏎⏎")
		default:
			p.Send("HTTP/1.1 401 Unauthorized⏎Content-Length: 0⏎⏎")
		}
	}
}

// TestHTTP2Rules sees connections end, in good order, whose handshake was made by rules
// that a reload has changed.
func TestHTTP2Rules(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	text := rec.Backend("app") + site
	edge := edgetest.Start(t, edgetest.Config{Text: text})
	f, old := edge.DialHTTP2(t, "app.example"), edge.DialTLS(t, "app.example")
	f.Ask(1, edgetest.Get("app.example", "/")...)
	old.Send(get("/")).Answer()
	if err := edge.Reload(edgetest.Config{Text: text + "# nothing"}); err != nil {
		t.Fatal(err)
	}
	if r := f.Ask(3, edgetest.Get("app.example", "/")...); r.Status != "200" || f.GoAway != nil {
		t.Errorf("after a reload without new rules: %+v, %v", r, f.GoAway)
	}
	if err := edge.Reload(edgetest.Config{TLS: `min_version = "1.3"`, Text: text}); err != nil {
		t.Fatal(err)
	}
	if end := f.End(); end != edgetest.Closed || f.GoAway == nil ||
		f.GoAway.ErrCode != http2.ErrCodeNo {
		t.Errorf("HTTP/2: %v, %+v", end, f.GoAway)
	}
	if m := old.Send(get("/")).Answer(); m.Get("Connection") != "close" || old.End() != edgetest.Closed {
		t.Errorf("HTTP/1: %+v", m)
	}
}
