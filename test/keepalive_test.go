package test_test

import (
	"fmt"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// bothWays starts an edge in front of a recorder and runs the test over a plain
// connection and over TLS.
func bothWays(t *testing.T, script edgetest.Script, more string,
	test func(*testing.T, *edgetest.Client, *edgetest.Recorder),
) {
	t.Helper()
	rec := edgetest.Record(t, script)
	edge := edgetest.Start(t, tunnelSite(rec, more))
	over(t, edge, func(t *testing.T, c *edgetest.Client) {
		take(rec)
		test(t, c, rec)
	})
}

func TestConnectionsStayOpenOnBothSides(t *testing.T) {
	bothWays(t, edgetest.Echo, "", func(t *testing.T, c *edgetest.Client, rec *edgetest.Recorder) {
		before := rec.Accepted()
		for i := range 50 {
			path := fmt.Sprintf("/%d", i)
			text, method := get(path), "GET"
			if i%3 == 1 {
				text, method = strings.Replace(sized("hello"), " / ", " "+path+" ", 1), "POST"
			}
			m := c.Send(text).Answer()
			if m.Body != method+" "+path || m.Get("Connection") != "" {
				t.Fatalf("request %d: %+v", i, m)
			}
		}
		if n := rec.Accepted() - before; n > 1 {
			t.Errorf("50 requests took %d connections to the server", n)
		}
		for _, m := range take(rec) {
			if len(m.Values("Connection")) > 0 {
				t.Errorf("the server got Connection %q", m.Values("Connection"))
			}
		}
	})
}

func TestClientsShareServerConnections(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	for range 30 {
		for _, c := range []*edgetest.Client{edge.Dial(t), edge.DialTLS(t, "app.example")} {
			c.Send(get("/")).Answer()
			c.Close()
		}
	}
	if n := rec.Accepted(); n != 1 {
		t.Errorf("60 clients, one after the other, took %d connections to the server", n)
	}
}

func TestServerWithoutKeepAlive(t *testing.T) {
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		if m := p.Request(); m != nil {
			p.Send(strings.Replace(edgetest.EchoOf(m), "⏎", "⏎Connection: close⏎", 1))
			p.Gone()
		}
	})
	edge := edgetest.Start(t, edgetest.Config{
		Text: rec.Backend("app", "server_keep_alive = false") + site,
	})
	over(t, edge, func(t *testing.T, c *edgetest.Client) {
		for i := range 5 {
			m := c.Send(get("/")).Answer()
			if m.Status != 200 || m.Get("Connection") != "" {
				t.Errorf("request %d: %+v", i, m)
			}
		}
	})
	requests := take(rec)
	for _, m := range requests {
		if m.Get("Connection") != "close" {
			t.Errorf("the server got Connection %q", m.Values("Connection"))
		}
	}
	if len(requests) != rec.Accepted() {
		t.Errorf("%d requests on %d connections", len(requests), rec.Accepted())
	}
}

// A server may end its connection after any answer; its client need not know.
func TestServerThatClosesAfterEachAnswer(t *testing.T) {
	bothWays(t, func(p *edgetest.Peer) {
		if m := p.Request(); m != nil {
			p.Send(strings.Replace(edgetest.EchoOf(m), "⏎", "⏎Connection: close⏎", 1))
		}
	}, "", func(t *testing.T, c *edgetest.Client, _ *edgetest.Recorder) {
		for i := range 10 {
			if m := c.Send(sized("hello")).Answer(); m.Status != 200 || m.Get("Connection") != "" {
				t.Fatalf("request %d: %+v", i, m)
			}
		}
	})
}

func TestClientThatAsksToClose(t *testing.T) {
	bothWays(t, edgetest.Echo, "", func(t *testing.T, c *edgetest.Client, rec *edgetest.Recorder) {
		m := c.Send(get("/", "Connection: close") + get("/never")).Answer()
		if m.Status != 200 || m.Get("Connection") != "close" {
			t.Errorf("answer %+v", m)
		}
		wantEnd(t, c, edgetest.Closed)
		if got := take(rec); len(got) != 1 || got[0].Get("Connection") != "" {
			t.Errorf("the server got %d requests", len(got))
		}
	})
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	bothWays(t, edgetest.Echo, "", func(t *testing.T, c *edgetest.Client, _ *edgetest.Recorder) {
		var all strings.Builder
		var want []string
		for i := range 60 {
			path := fmt.Sprintf(" /%d ", i)
			text, body := get("/"), "GET"
			switch i % 5 {
			case 1:
				text, body = sized(strings.Repeat("x", i*100)), "POST"
			case 2:
				text, body = chunked("5⏎hello⏎"+strings.Repeat("1⏎x⏎", i)+"0⏎A: b⏎⏎"), "POST"
			case 3:
				text, body = strings.Replace(get("/"), "app", "text", 1), "text"
			case 4:
				text, body = strings.Replace(get("/"), "app", "nobody", 1), "421"
			}
			all.WriteString(strings.Replace(text, " / ", path, 1))
			if body == "GET" || body == "POST" {
				body += strings.TrimRight(path, " ")
			}
			want = append(want, body)
		}
		go c.Send(all.String())
		for i, w := range want {
			m, err := c.TryAnswer("GET")
			if err != nil {
				t.Fatalf("answer %d: %+v, %v", i, m, err)
			}
			if m.Body != w && fmt.Sprint(m.Status) != w {
				t.Fatalf("answer %d is %+v, want %q", i, m, w)
			}
		}
	})
}

// A slow answer holds those behind it back: their order is all a client has.
func TestPipelinedRequestsWaitForASlowAnswer(t *testing.T) {
	release := make(chan bool)
	bothWays(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			if m.Path == "/slow" {
				<-release
			}
			p.Send(edgetest.EchoOf(m))
		}
	}, "", func(t *testing.T, c *edgetest.Client, rec *edgetest.Recorder) {
		c.Send(get("/slow") + get("/quick"))
		if !edgetest.Until(func() bool { return rec.Count() == 1 }) {
			t.Fatalf("the server got %d requests", rec.Count())
		}
		release <- true
		for _, want := range []string{"GET /slow", "GET /quick"} {
			if m := c.Answer(); m.Body != want {
				t.Errorf("answer %+v, want %q", m, want)
			}
		}
	})
}

func TestHTTP10(t *testing.T) {
	answers := map[string]string{
		"/length":  "HTTP/1.1 200 OK⏎Content-Length: 5⏎⏎hello",
		"/chunks":  "HTTP/1.1 200 OK⏎Transfer-Encoding: chunked⏎⏎5⏎hello⏎0⏎A: b⏎⏎",
		"/close":   "HTTP/1.1 200 OK⏎⏎hello",
		"/old":     "HTTP/1.0 200 OK⏎⏎hello",
		"/old-len": "HTTP/1.0 200 OK⏎Content-Length: 5⏎⏎hello",
	}
	script := func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			p.Send(answers[m.Path])
			if !strings.Contains(answers[m.Path], "Length") && m.Path != "/chunks" {
				return
			}
		}
	}
	for path := range answers {
		bothWays(t, script, "", func(t *testing.T, c *edgetest.Client, rec *edgetest.Recorder) {
			old := strings.Replace(get(path), "HTTP/1.1", "HTTP/1.0", 1)
			keep := strings.Replace(old, "Host", "Connection: keep-alive⏎Host", 1)
			sized := strings.Contains(path, "len")
			m := c.Send(keep).Answer()
			if m.Body != "hello" || m.Chunked || (m.Get("Connection") == "keep-alive") != sized {
				t.Errorf("%s: %+v", path, m)
			}
			if sized {
				m = c.Send(old).Answer()
				if m.Body != "hello" || m.Get("Connection") != "close" {
					t.Errorf("%s: %+v", path, m)
				}
			}
			wantEnd(t, c, edgetest.Closed)
			for _, m := range take(rec) {
				if m.Err != nil { // the recorder wants HTTP/1.1 of us
					t.Errorf("the server got %q: %v", m.Raw, m.Err)
				}
			}
		})
	}
}
