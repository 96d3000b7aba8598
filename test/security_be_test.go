package test_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"doorward/internal/edgetest"
	"doorward/internal/porttest"
)

// TestSecurityBE has the cases of group BE that concern whole requests; those of
// TLS, names and places are with the package that decides them.
func TestSecurityBE(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"BE-05_redirects_are_passed_on":          redirectsPassOn,
		"BE-06_requests_cut_at_every_byte":       cutRequests,
		"BE-06_answers_cut_at_every_byte":        cutAnswers,
		"BE-06_clients_that_leave_in_an_answer":  leftAnswers,
		"BE-07_connection_that_died_while_idle":  staleConnections,
		"BE-07_server_that_hangs_up_on_requests": hangUps,
		"BE-11_all_servers_down":                 allDown,
		"BE-14_client_slower_than_its_answer":    backPressure,
		"BE-15_never_more_than_max_connections":  neverMore,
		"SSRF-01_the_request_names_no_server":    noServerFromRequests,
	} {
		t.Run(name, test)
	}
}

func redirectsPassOn(t *testing.T) {
	other := edgetest.Record(t, edgetest.Echo)
	rec := edgetest.Record(t, edgetest.Answers(
		"HTTP/1.1 302 Found⏎Location: "+other.URL+"/secret⏎Content-Length: 0⏎⏎",
		"HTTP/1.1 307 Temporary Redirect⏎Location: http://169.254.169.254/⏎Content-Length: 0⏎⏎"))
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	for _, want := range []int{302, 307} {
		if m := edge.Dial(t).Send(get("/")).Answer(); m.Status != want || m.Get("Location") == "" {
			t.Errorf("answer %+v", m)
		}
	}
	if n := other.Accepted(); n > 0 {
		t.Errorf("%d connections were made to where an answer led", n)
	}
}

// cutRequests: whoever leaves in the middle of a request leaves nothing for the
// next one.
func cutRequests(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	for _, text := range []string{
		get("/cut", "Cookie: a=b"), sized("hello body"), chunked("5⏎hello⏎3;x⏎bye⏎0⏎X: y⏎⏎"),
		get("/cut") + sized("hello"),
	} {
		text = edgetest.Bytes(text)
		for i := range len(text) {
			for _, end := range []func(*edgetest.Client){(*edgetest.Client).Close, (*edgetest.Client).Reset} {
				c := edge.Dial(t).Send(text[:i])
				end(c)
			}
			canaryPair(t, edge)
		}
	}
	for _, m := range take(rec) {
		if m.Err == nil && m.Path != "/cut" && m.Body != "hello body" && m.Body != "hellobye" &&
			m.Body != "hello" {
			t.Errorf("the server got %q", m.Raw)
		}
	}
}

func take(rec *edgetest.Recorder) []*edgetest.Message {
	messages, _ := rec.Take()
	return messages
}

// canaryPair sends two requests on one new connection.
func canaryPair(t *testing.T, edge *edgetest.Edge) {
	t.Helper()
	c := edge.Dial(t)
	for i := range 2 {
		path := fmt.Sprintf("/canary-%d", i)
		m := c.Send(request("GET "+path+" HTTP/1.1", "Host: canary.example")).Answer()
		if m.Status != 200 || m.Body != "GET "+path {
			t.Fatalf("the next client got %+v", m)
		}
	}
	c.Close()
}

// cutAnswers: a server that leaves in the middle of an answer never makes a whole
// one of it, and the next client gets its own.
func cutAnswers(t *testing.T) {
	for _, full := range []string{
		"HTTP/1.1 200 OK⏎Content-Length: 5⏎⏎hello",
		"HTTP/1.1 200 OK⏎Transfer-Encoding: chunked⏎⏎5⏎hello⏎0⏎X: y⏎⏎",
	} {
		full = edgetest.Bytes(full)
		rec := edgetest.Record(t, func(p *edgetest.Peer) {
			for m := p.Request(); m != nil; m = p.Request() {
				var n int
				_, _ = fmt.Sscanf(m.Path, "/%d", &n)
				p.Send(full[:n])
				return
			}
		})
		edge := edgetest.Start(t, tunnelSite(rec, ""))
		for n := range len(full) {
			c := edge.Dial(t).Send(get(fmt.Sprintf("/%d", n)))
			m, err := c.TryAnswer("GET")
			if err == nil && m.Status != http.StatusBadGateway {
				t.Errorf("%q makes a whole answer: %+v", full[:n], m)
			}
			c.Close()
			canaryPair(t, edge)
		}
	}
}

// leftAnswers: the client leaves while the server answers.
func leftAnswers(t *testing.T) {
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			p.Send("HTTP/1.1 200 OK⏎Content-Length: 300000⏎⏎")
			for range 30 {
				p.Send(strings.Repeat("x", 10_000))
			}
		}
	})
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	for i := range 60 {
		c := edge.Dial(t).Send(get("/left"))
		b := make([]byte, 1+i*5000)
		if _, err := c.Rest().Read(b); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			c.Reset()
		} else {
			c.Close()
		}
		canaryPair(t, edge)
	}
}

// staleConnections close while they wait in the pool.
func staleConnections(t *testing.T) {
	hangUp := make(chan bool)
	gone := make(chan bool)
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		if m := p.Request(); m != nil {
			p.Send(edgetest.EchoOf(m))
			<-hangUp
			p.Reset()
			gone <- true
		}
	})
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	c := edge.Dial(t)
	for i := range 20 {
		text := get("/again")
		if i%2 == 1 {
			text = sized("hello")
		}
		if m := c.Send(text).Answer(); m.Status != 200 {
			t.Fatalf("request %d: %+v", i, m)
		}
		hangUp <- true
		<-gone
	}
	for _, m := range take(rec) {
		if m.Err != nil {
			t.Errorf("the server got %q: %v", m.Raw, m.Err)
		}
	}
}

// hangUps come when the request is there: whether it had effect nobody knows. So
// only what is harmless goes out again, once, and only when the connection had
// been waiting and may have ended before the request came.
func hangUps(t *testing.T) {
	hang := func(text string) string { return strings.Replace(text, " / ", " /hang ", 1) }
	for _, c := range []struct {
		name, text      string
		reused          bool
		status, reached int
	}{
		{"GET", hang(get("/")), true, 200, 2},
		{"DELETE", hang(request("DELETE / HTTP/1.1", "Host: app.example")), true, 200, 2},
		{"POST", hang(sized("hello")), true, 502, 1},
		{"POST in chunks", hang(chunked("5⏎hello⏎0⏎⏎")), true, 502, 1},
		{"PUT in chunks", strings.Replace(hang(chunked("0⏎⏎")), "POST", "PUT", 1), true, 502, 1},
		{"GET on a new connection", hang(get("/")), false, 502, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var hung atomic.Bool
			rec := edgetest.Record(t, func(p *edgetest.Peer) {
				for m := p.Request(); m != nil; m = p.Request() {
					if m.Path == "/hang" && hung.CompareAndSwap(false, true) {
						return
					}
					p.Send(edgetest.EchoOf(m))
				}
			})
			edge := edgetest.Start(t, tunnelSite(rec, ""))
			client := edge.Dial(t)
			if c.reused {
				client.Send(get("/")).Answer()
				take(rec)
			}
			if m := client.Send(c.text).Answer(); m.Status != c.status {
				t.Errorf("answer %+v, want %d", m, c.status)
			}
			if n := len(take(rec)); n != c.reached {
				t.Errorf("the request reached the server %d times, want %d", n, c.reached)
			}
		})
	}
}

func allDown(t *testing.T) {
	edge := edgetest.Start(t, edgetest.Config{Text: fmt.Sprintf(
		"[backends.app]\nservers = [\"http://%s\"]\nretries = 2\n", porttest.Address(t)) + site})
	over(t, edge, func(t *testing.T, c *edgetest.Client) {
		for _, text := range []string{get("/"), sized("hello"), get("/")} {
			m := c.Send(text).Answer()
			if m.Status != 503 || m.Get("Retry-After") == "" ||
				strings.Contains(m.Raw, "127.0.0.1") || strings.Contains(m.Raw, "refused") {
				t.Errorf("answer %+v", m)
			}
		}
	})
}

// backPressure: what the client does not read, the server cannot send.
func backPressure(t *testing.T) {
	var sent atomic.Int64
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		if m := p.Request(); m != nil {
			framing := map[string]string{"/length": "Content-Length: 1000000000000⏎⏎", "/close": "⏎"}
			p.Send("HTTP/1.1 200 OK⏎" + framing[m.Path])
			for piece := make([]byte, 32<<10); ; {
				n, err := p.Write(piece)
				sent.Add(int64(n))
				if err != nil {
					return
				}
			}
		}
	})
	edge := edgetest.Start(t, tunnelSite(rec, "[timeouts]\nclient = \"500ms\"\n"))
	for _, path := range []string{"/length", "/close"} {
		over(t, edge, func(t *testing.T, c *edgetest.Client) {
			before := heap()
			sent.Store(0)
			c.Send(get(path))
			if !edgetest.Until(func() bool { return rec.Open() == 0 && sent.Load() > 0 }) {
				t.Error("the client's silence has no end")
			}
			// What fits the buffers of four sockets.
			if n := sent.Load(); n > 64<<20 {
				t.Errorf("%s: the server could send %d bytes to a client that reads none", path, n)
			}
			if grown := heap() - before; grown > 4<<20 {
				t.Errorf("%s: %d bytes are held", path, grown)
			}
		})
	}
}

func neverMore(t *testing.T) {
	const many, most = 200, 7
	var now, peak atomic.Int64
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			n := now.Add(1)
			for old := peak.Load(); n > old && !peak.CompareAndSwap(old, n); old = peak.Load() {
			}
			now.Add(-1)
			p.Send(edgetest.EchoOf(m))
		}
	})
	edge := edgetest.Start(t, edgetest.Config{Text: fmt.Sprintf(
		"[backends.app]\n[[backends.app.server]]\nurl = %q\nmax_connections = %d\n",
		rec.URL, most) + site})
	var all sync.WaitGroup
	for range many {
		c := edge.Dial(t)
		all.Go(func() {
			for range 5 {
				if m, err := c.Send(get("/")).TryAnswer("GET"); err != nil || m.Status != 200 {
					t.Errorf("answer %+v, %v", m, err)
					return
				}
			}
			c.Close()
		})
	}
	all.Wait()
	if peak.Load() > most || rec.Accepted() > most {
		t.Errorf("%d requests at a time over %d connections, want at most %d",
			peak.Load(), rec.Accepted(), most)
	}
}

// noServerFromRequests: where a request goes is written in the configuration
// alone.
func noServerFromRequests(t *testing.T) {
	other := edgetest.Record(t, edgetest.Echo)
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	for _, name := range []string{
		"X-Skipper-Proxy", "X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Url", "Forwarded",
		"X-Rewrite-Url", "X-Host", "X-Backend", "Proxy", "X-Envoy-Original-Path", "Referer", "Origin",
	} {
		for _, value := range []string{other.URL + "/x", other.Addr, "host=" + other.Addr} {
			m := edge.Dial(t).Send(get("/?url="+other.URL, name+": "+value)).Answer()
			if m.Status != 200 || m.Body != "GET /?url="+other.URL {
				t.Errorf("%s: %s gives %+v", name, value, m)
			}
		}
	}
	if n := other.Accepted(); n > 0 {
		t.Errorf("%d connections were made to a server that a request named", n)
	}
}
