package test_test

import (
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

func TestContinueEndToEnd(t *testing.T) {
	asked := make(chan string, 1)
	bothWays(t, func(p *edgetest.Peer) {
		for m := p.Head(); m != nil; m = p.Head() {
			asked <- m.Get("Expect")
			p.Send("HTTP/1.1 100 Continue⏎⏎")
			if !p.Body(m) {
				return
			}
			p.Send("HTTP/1.1 200 OK⏎Content-Length: 5⏎⏎" + m.Body)
		}
	}, "", func(t *testing.T, c *edgetest.Client, _ *edgetest.Recorder) {
		for _, framing := range []string{"Content-Length: 5", "Transfer-Encoding: chunked"} {
			c.Send(post("", framing, "Expect: 100-continue"))
			if expect := <-asked; expect != "100-continue" {
				t.Errorf("the server got Expect %q", expect)
			}
			if m := c.Answer(); m.Status != 100 {
				t.Fatalf("answer %+v, want 100", m)
			}
			if strings.HasPrefix(framing, "T") {
				c.Send("5⏎hello⏎0⏎⏎")
			} else {
				c.Send("hello")
			}
			if m := c.Answer(); m.Status != 200 || m.Body != "hello" || m.Get("Connection") != "" {
				t.Errorf("answer %+v", m)
			}
		}
	})
}

// A server that says no at once spares the client its body. The connection ends,
// since nobody knows whether the body comes.
func TestFinalAnswerInPlaceOf100(t *testing.T) {
	bothWays(t, func(p *edgetest.Peer) {
		if m := p.Head(); m != nil {
			p.Send("HTTP/1.1 403 Forbidden⏎Content-Length: 2⏎⏎no")
			p.Gone()
		}
	}, "", func(t *testing.T, c *edgetest.Client, _ *edgetest.Recorder) {
		m := c.Send(post("", "Content-Length: 5", "Expect: 100-continue")).Answer()
		if m.Status != 403 || m.Body != "no" || m.Get("Connection") != "close" {
			t.Errorf("answer %+v", m)
		}
		wantEnd(t, c, edgetest.Closed)
	})
}

// Servers may send 100 unasked, clients must not get it unasked.
func TestUnaskedContinueIsDropped(t *testing.T) {
	bothWays(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			p.Send("HTTP/1.1 100 Continue⏎⏎HTTP/1.1 100 Continue⏎⏎" + edgetest.EchoOf(m))
		}
	}, "", func(t *testing.T, c *edgetest.Client, _ *edgetest.Recorder) {
		for _, text := range []string{get("/"), sized("hello"), chunked("0⏎⏎")} {
			if m := c.Send(text).Answer(); m.Status != 200 {
				t.Errorf("answer %+v", m)
			}
		}
		m := c.Send(sized("hello", "Expect: 100-continue")).Answer()
		if m.Status == 100 {
			m = c.Answer()
		}
		if m.Status != 200 {
			t.Errorf("answer %+v", m)
		}
	})
}

func TestEarlyHintsPassOn(t *testing.T) {
	bothWays(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			p.Send("HTTP/1.1 103 Early Hints⏎Link: </a.css>; rel=preload⏎Connection: x⏎Server: x⏎⏎" +
				"HTTP/1.1 102 Processing⏎⏎HTTP/1.1 103 Early Hints⏎Link: </b.css>⏎⏎" + edgetest.EchoOf(m))
		}
	}, "", func(t *testing.T, c *edgetest.Client, _ *edgetest.Recorder) {
		c.Send(get("/"))
		for i, want := range []struct {
			status int
			link   string
		}{{103, "</a.css>; rel=preload"}, {102, ""}, {103, "</b.css>"}, {200, ""}} {
			m := c.Answer()
			if m.Status != want.status || m.Get("Link") != want.link ||
				m.Get("Connection")+m.Get("Server") != "" {
				t.Errorf("answer %d is %+v, want %+v", i, m, want)
			}
		}
		// A client of HTTP/1.0 knows no answers before the final one.
		m := c.Send(strings.Replace(get("/"), "HTTP/1.1", "HTTP/1.0", 1)).Answer()
		if m.Status != 200 {
			t.Errorf("answer to HTTP/1.0: %+v", m)
		}
	})
}

func TestAnswersWithoutBody(t *testing.T) {
	answers := map[string]string{
		"/204":     "HTTP/1.1 204 No Content⏎A: b⏎⏎",
		"/304":     "HTTP/1.1 304 Not Modified⏎Content-Length: 100⏎Etag: \"x\"⏎⏎",
		"/head":    "HTTP/1.1 200 OK⏎Content-Length: 12345⏎⏎",
		"/head-te": "HTTP/1.1 200 OK⏎Transfer-Encoding: chunked⏎⏎",
		"/head-no": "HTTP/1.1 200 OK⏎⏎",
		"/zero":    "HTTP/1.1 200 OK⏎Content-Length: 0⏎⏎",
		"/205":     "HTTP/1.1 205 Reset Content⏎Content-Length: 0⏎⏎",
	}
	bothWays(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			p.Send(answers[m.Path])
		}
	}, "", func(t *testing.T, c *edgetest.Client, rec *edgetest.Recorder) {
		before := rec.Accepted()
		for path, text := range answers {
			method := "GET"
			if strings.HasPrefix(path, "/head") {
				method = "HEAD"
			}
			m := c.Send(strings.Replace(get(path), "GET", method, 1)).AnswerTo(method)
			if !strings.HasPrefix(text, m.Line) || m.Body != "" || m.Get("Connection") != "" {
				t.Errorf("%s: %+v", path, m)
			}
			if strings.Contains(text, "Length: 1") && m.Length < 100 {
				t.Errorf("%s: the length is lost: %+v", path, m)
			}
		}
		if n := rec.Accepted() - before; n > 1 {
			t.Errorf("%d connections to the server", n)
		}
	})
}

func TestAbsoluteTargets(t *testing.T) {
	bothWays(t, edgetest.Echo, "", func(t *testing.T, c *edgetest.Client, rec *edgetest.Recorder) {
		scheme := "http"
		if strings.HasSuffix(t.Name(), "TLS") {
			scheme = "https"
		}
		for target, want := range map[string]string{
			"://app.example/a?b": "/a?b", "://app.example": "/", "://app.example?q": "/?q",
			"://APP.example/": "/",
		} {
			m := c.Send(request("GET "+scheme+target+" HTTP/1.1", "Host: app.example")).Answer()
			if m.Status != 200 || m.Body != "GET "+want {
				t.Errorf("%s: %+v", target, m)
			}
		}
		for _, m := range take(rec) {
			if err := edgetest.Check(m); err != nil {
				t.Error(err)
			}
		}
	})
}
