package test_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"doorward/internal/edgetest"
)

// TestSecurityRSFlow has the cases of group RS that need more than one message.
func TestSecurityRSFlow(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"RS-04_late_bytes":                 lateBytes,
		"RS-05_early_answer":               earlyAnswer,
		"RS-11_page_without_a_head":        headless,
		"RS-12_plain_text_for_TLS":         plainTextForTLS,
		"RS-13_NTLM_stays_with_its_client": boundToAConnection,
		"RS-17_slow_head":                  slowHead,
		"RS-17_slow_body":                  slowBody,
	} {
		t.Run(name, test)
	}
}

// lateBytes come when the connection is back in the pool already.
func lateBytes(t *testing.T) {
	sent := make(chan bool)
	done := make(chan bool)
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			p.Send(edgetest.EchoOf(m))
			if m.Path == "/late" {
				<-done
				p.Send("HTTP/1.1 200 OK⏎Content-Length: 6⏎⏎poison")
				sent <- true
			}
		}
	})
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	for range 20 {
		c := edge.Dial(t)
		if m := c.Send(get("/late")).Answer(); m.Body != "GET /late" {
			t.Fatalf("the client got %q", m.Body)
		}
		done <- true
		<-sent
		edge.Canaries(t)
		c.Close()
	}
}

func earlyAnswer(t *testing.T) {
	gone := make(chan bool, 8)
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Head(); m != nil; m = p.Head() {
			p.Send("HTTP/1.1 413 Content Too Large⏎Content-Length: 2⏎⏎no")
			gone <- p.Gone()
			return
		}
	})
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	for name, text := range map[string]string{
		"nothing of the body is sent": sized("", "Content-Length: 1000"),
		"some of it":                  post(strings.Repeat("x", 5000), "Content-Length: 1000000"),
		"most of it":                  post(strings.Repeat("x", 1<<20), "Content-Length: 100000000"),
		"chunks":                      chunked("3⏎abc⏎"),
		"none and 100-continue":       post("", "Content-Length: 5", "Expect: 100-continue"),
	} {
		text = strings.Replace(text, "Content-Length: 1000⏎Content-Length: 0", "Content-Length: 1000", 1)
		over(t, edge, func(t *testing.T, c *edgetest.Client) {
			go c.Send(text)
			m, err := c.TryAnswer("POST")
			if err != nil || m.Status != 413 || m.Body != "no" || m.Get("Connection") != "close" {
				t.Errorf("%s: the client got %+v, %v", name, m, err)
			}
			if !<-gone {
				t.Errorf("%s: the connection to the server stays open", name)
			}
			c.Close()
		})
	}
	edge.Canaries(t)
}

// headless servers answer with bytes alone, and close.
func headless(t *testing.T) {
	for _, text := range []string{"", "<html>", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK⏎A: b", "⏎", "\x15\x03\x01"} {
		rec := edgetest.Record(t, func(p *edgetest.Peer) {
			if p.Head() != nil {
				p.Send(text)
			}
		})
		edge := edgetest.Start(t, tunnelSite(rec, ""))
		over(t, edge, func(t *testing.T, c *edgetest.Client) {
			if m := c.Send(get("/")).Answer(); m.Status != http.StatusBadGateway {
				t.Errorf("%q: the client got %+v", text, m)
			}
		})
		edge.Stop()
		rec.Close()
	}
}

// plainTextForTLS: what a server says before it has proved who it is does not
// count.
func plainTextForTLS(t *testing.T) {
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		p.Send("HTTP/1.1 200 OK⏎Content-Length: 6⏎⏎poison")
		p.Gone()
	})
	edge := edgetest.Start(t, edgetest.Config{Text: fmt.Sprintf(
		"[backends.app]\nservers = [\"https://%s\"]\ntls = { verify = false }\nretries = 1\n",
		rec.Addr) + site})
	over(t, edge, func(t *testing.T, c *edgetest.Client) {
		m := c.Send(get("/")).Answer()
		if m.Status != http.StatusBadGateway || strings.Contains(m.Raw, "poison") {
			t.Errorf("the client got %+v", m)
		}
	})
}

// boundToAConnection: a server that signs connections in, not requests, must not
// find two clients on one.
func boundToAConnection(t *testing.T) {
	for name, c := range map[string]struct {
		challenge string
		send      []string // requests of the one who signs in
	}{
		"NTLM": {"WWW-Authenticate: NTLM⏎", []string{"", "NTLM TlRMTQ==", "NTLM TlRMTR=="}},
		"behind another challenge": {"WWW-Authenticate: Basic realm=\"x\"⏎WWW-Authenticate: Negotiate⏎",
			[]string{"", "Negotiate YII="}},
		"in one line":         {"WWW-Authenticate: Basic realm=\"a, b\",negotiate⏎", []string{"", "Negotiate YII="}},
		"without a challenge": {"", []string{"Negotiate YII="}},
	} {
		t.Run(name, func(t *testing.T) {
			rec := edgetest.Record(t, signsConnectionsIn(c.challenge))
			edge := edgetest.Start(t, tunnelSite(rec, ""))
			alice := edge.Dial(t)
			for _, a := range c.send {
				if a != "" {
					a = "Authorization: " + a
				} else {
					a = "X: y"
				}
				alice.Send(get("/", a)).Answer()
			}
			for range 5 {
				bob := edge.Dial(t)
				if m := bob.Send(get("/")).Answer(); m.Status == 200 {
					t.Fatalf("another client is signed in: %+v", m)
				}
				bob.Close()
				// The one who signed in stays so, on its own connection.
				if m := alice.Send(get("/")).Answer(); m.Status != 200 {
					t.Fatalf("the client is signed out: %+v", m)
				}
			}
			alice.Close()
			if m := edge.Dial(t).Send(get("/")).Answer(); m.Status == 200 {
				t.Errorf("the next client is signed in: %+v", m)
			}
		})
	}
}

// signsConnectionsIn is a server on which a connection is signed in for good once
// it brought credentials that end in "=".
func signsConnectionsIn(challenge string) edgetest.Script {
	return func(p *edgetest.Peer) {
		signedIn := false
		for m := p.Request(); m != nil; m = p.Request() {
			signedIn = signedIn || strings.HasSuffix(m.Get("Authorization"), "=")
			if signedIn {
				p.Send(edgetest.EchoOf(m))
			} else {
				p.Send("HTTP/1.1 401 Unauthorized⏎" + challenge + "Content-Length: 0⏎⏎")
			}
		}
	}
}

func slowHead(t *testing.T) {
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		if p.Request() != nil {
			p.Send("HTTP/1.1 200 OK⏎")
			p.Gone()
		}
	})
	edge := edgetest.Start(t, tunnelSite(rec, "[timeouts]\nserver = \"100ms\"\n"))
	over(t, edge, func(t *testing.T, c *edgetest.Client) {
		if m := c.Send(get("/")).Answer(); m.Status != http.StatusGatewayTimeout {
			t.Errorf("the client got %+v", m)
		}
	})
}

// slowBody: what was promised and does not come is no answer, and the client
// must see that.
func slowBody(t *testing.T) {
	bodies := map[string]string{
		"/length": "Content-Length: 100⏎⏎part", "/chunks": "Transfer-Encoding: chunked⏎⏎4⏎part⏎",
		"/close": "⏎part", "/splice": "Content-Length: 100000000⏎⏎part",
	}
	var gone sync.WaitGroup
	var open atomic.Int64
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		if m := p.Request(); m != nil {
			p.Send("HTTP/1.1 200 OK⏎" + bodies[m.Path])
			open.Add(1)
			if p.Gone() {
				open.Add(-1)
			}
			gone.Done()
		}
	})
	edge := edgetest.Start(t, tunnelSite(rec, "[timeouts]\nserver = \"100ms\"\n"))
	for path := range bodies {
		gone.Add(2)
		over(t, edge, func(t *testing.T, c *edgetest.Client) {
			m, err := c.Send(get(path)).TryAnswer("GET")
			if err == nil || m == nil || m.Body != "part" && m.Body != "" {
				t.Errorf("%s: the client got %+v, %v", path, m, err)
			}
		})
	}
	gone.Wait()
	if n := open.Load(); n > 0 {
		t.Errorf("%d connections to the server stayed open", n)
	}
	if log := edge.Log(); !strings.Contains(log, "sD") {
		t.Errorf("the log does not say that the server was late:\n%s", log)
	}
}
