package test_test

import (
	"crypto/tls"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"doorward/internal/edgetest"
)

// capture is a connection that keeps what is written to it.
type capture struct {
	net.Conn
	bytes []byte
}

func (c *capture) Write(p []byte) (int, error) {
	c.bytes = append(c.bytes, p...)
	return len(p), nil
}

func (*capture) Read([]byte) (int, error) { return 0, net.ErrClosed }

func (*capture) SetWriteDeadline(time.Time) error { return nil }

// TestSecuritySLOWPeers has the cases of group SLOW that need a server or a
// configuration of their own.
func TestSecuritySLOWPeers(t *testing.T) {
	t.Run("SLOW-07_after_the_PROXY_header", slowAfterProxyHeader)
	t.Run("SLOW-07_client_that_does_not_read", clientThatDoesNotRead)
	t.Run("SLOW-07_server_that_does_not_read", serverThatDoesNotRead)
	t.Run("SLOW-02_DOS-21_handshakes_that_say_nothing_block_nobody", silentHandshakes)
}

func slowAfterProxyHeader(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	c := tunnelSite(rec, slowTimeouts)
	c.Listen = `proxy_protocol = ["127.0.0.1/32"]`
	edge := edgetest.Start(t, c)
	const header = "PROXY TCP4 192.0.2.1 192.0.2.2 1 2⏎"
	for name, text := range map[string]string{"nothing": "", "half": "PROXY TCP4", "all of it": header} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			c := edgetest.Dial(t, edge.HTTP).Send(text)
			if end := c.End(); end != edgetest.Closed && end != edgetest.Reset {
				t.Errorf("the connection is %v", end)
			}
			if text != "PROXY TCP4" { // half a header is refused at once
				within(t, start, slow)
			}
		})
	}
	t.Run("head", func(t *testing.T) {
		start := time.Now()
		wantLate(t, edgetest.Dial(t, edge.HTTP).Send(header+"GET / HT"), start)
	})
	t.Run("handshake", func(t *testing.T) {
		start := time.Now()
		c := edgetest.Dial(t, edge.HTTPS).Send(header)
		if err := c.StartTLS(edge, &tls.Config{ServerName: "app.example"}); err != nil {
			t.Fatal(err)
		}
		c.Send("GET / HT")
		wantLate(t, c, start)
	})
}

// endless sends a body without end until the connection breaks.
func endless(p *edgetest.Peer, head string) (sent int64) {
	p.Send(head)
	piece := make([]byte, 64<<10)
	for {
		n, err := p.Write(piece)
		sent += int64(n)
		if err != nil {
			return sent
		}
	}
}

// clientThatDoesNotRead makes us hold neither the answer nor the server.
func clientThatDoesNotRead(t *testing.T) {
	var open atomic.Int64
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		if m := p.Request(); m != nil {
			open.Add(1)
			endless(p, "HTTP/1.1 200 OK⏎"+map[string]string{
				"/length": "Content-Length: 100000000000⏎⏎", "/close": "⏎",
			}[m.Path])
			open.Add(-1)
		}
	})
	edge := edgetest.Start(t, tunnelSite(rec, slowTimeouts))
	for _, path := range []string{"/length", "/close"} {
		over(t, edge, func(t *testing.T, c *edgetest.Client) {
			c.Send(get(path))
			if !edgetest.Until(func() bool { return open.Load() == 1 }) {
				t.Fatal("the server got no request")
			}
			if !edgetest.Until(func() bool { return open.Load() == 0 }) {
				t.Errorf("%s: the server still sends", path)
			}
		})
	}
	if log := edge.Log(); !strings.Contains(log, "cD") {
		t.Errorf("the log does not say that the client was late:\n%s", log)
	}
}

// serverThatDoesNotRead takes a request and then nothing more, and never answers.
func serverThatDoesNotRead(t *testing.T) {
	stop := make(chan bool)
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		if p.Head() != nil {
			<-stop
		}
	})
	edge := edgetest.Start(t, tunnelSite(rec, "[timeouts]\nserver = \"200ms\"\n"))
	defer close(stop)
	for _, framing := range []string{"Content-Length: 100000000", "Transfer-Encoding: chunked"} {
		over(t, edge, func(t *testing.T, c *edgetest.Client) {
			start := time.Now()
			c.Send(post("", framing))
			go func() {
				piece := []byte(edgetest.Bytes("10000⏎" + strings.Repeat("x", 1<<16) + "⏎"))
				for err := error(nil); err == nil; {
					_, err = c.Conn().Write(piece)
				}
			}()
			m, err := c.TryAnswer("POST")
			if err != nil || m.Status != 504 {
				t.Errorf("%s: answer %+v, %v; want 504", framing, m, err)
			}
			within(t, start, slow)
			c.Close()
		})
	}
}

// silentHandshakes are more than the edge does at a time.
func silentHandshakes(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, tunnelSite(rec, "[limits]\nhandshakes = 4\n"))
	hello := clientHello(t)
	for i := range 40 {
		edgetest.Dial(t, edge.HTTPS).Send([...]string{"", hello[:1], hello[:50], hello}[i%4])
	}
	start := time.Now()
	for range 10 {
		c := edge.DialTLS(t, "app.example")
		if m := c.Send(get("/")).Answer(); m.Status != 200 {
			t.Errorf("answer %+v", m)
		}
		c.Close()
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("10 handshakes took %v", took)
	}
}
