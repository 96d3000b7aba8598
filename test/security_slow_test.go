package test_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"doorward/internal/edgetest"
)

// slow is the limit of whatever these cases are slow at; a drip is one byte in a
// tenth of it. Handshakes have longer, since all the others need one.
const (
	slow           = 200 * time.Millisecond
	slowHandshakes = 600 * time.Millisecond
)

const slowTimeouts = `
	[timeouts]
	request_head = "200ms"
	keep_alive = "200ms"
	client = "200ms"
	handshake = "600ms"
	proxy_header = "200ms"
`

// TestSecuritySLOW has the cases of group SLOW: whoever is slow in any phase has
// so long and no longer.
func TestSecuritySLOW(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, tunnelSite(rec, slowTimeouts))
	for name, test := range map[string]func(*testing.T, *edgetest.Edge){
		"SLOW-02_TLS_handshake":           slowHandshake,
		"SLOW-03_slowloris":               slowHeads,
		"SLOW-04_body_that_stops":         slowBodies,
		"SLOW-06_keep-alive_hoarding":     idlers,
		"SLOW-07_every_phase_has_a_limit": slowLater,
		"SLOW-11_chunk_head_that_stops":   slowChunkHeads,
		"SLOW-12_many_slow_clients":       manySlow,
	} {
		t.Run(name, func(t *testing.T) { test(t, edge) })
	}
	edge.Canaries(t)
}

// drip sends text a byte at a time until the edge has enough of it.
func drip(c *edgetest.Client, text string) {
	tick := time.NewTicker(slow / 10)
	defer tick.Stop()
	for _, b := range []byte(edgetest.Bytes(text)) {
		if _, err := c.Conn().Write([]byte{b}); err != nil {
			return
		}
		<-tick.C
	}
}

// within says that something took a limit, and not much longer. Much is generous:
// the machine may be busy.
func within(t *testing.T, start time.Time, limit time.Duration) {
	t.Helper()
	if took := time.Since(start); took < limit || took > limit+5*time.Second {
		t.Errorf("it took %v, want %v", took, limit)
	}
}

// wantLate reads 408 and the end, which come once the limit is over.
func wantLate(t *testing.T, c *edgetest.Client, start time.Time) {
	t.Helper()
	m, err := c.TryAnswer("GET")
	if err != nil || m.Status != http.StatusRequestTimeout || m.Get("Connection") != "close" {
		t.Errorf("answer %+v, %v; want 408", m, err)
	}
	within(t, start, slow)
	wantEnd(t, c, edgetest.Closed)
}

// slowHandshake: the whole handshake has a limit, however many bytes come.
func slowHandshake(t *testing.T, edge *edgetest.Edge) {
	hello := clientHello(t)
	start := time.Now()
	clients := map[string]*edgetest.Client{}
	for name, text := range map[string]string{
		"silence": "", "one byte": hello[:1], "drip": hello, "stop after the ServerHello": hello,
	} {
		clients[name] = edgetest.Dial(t, edge.HTTPS)
		if name == "drip" {
			go drip(clients[name], text)
		} else {
			clients[name].Send(text)
		}
	}
	for name, c := range clients {
		if _, err := io.Copy(io.Discard, c.Rest()); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection stays open", name)
		}
		within(t, start, slowHandshakes)
	}
}

// clientHello is the first message of a handshake.
func clientHello(t *testing.T) string {
	hello := new(capture)
	_ = tls.Client(hello, &tls.Config{ServerName: "app.example"}).Handshake()
	if len(hello.bytes) < 100 {
		t.Fatal("no ClientHello")
	}
	return string(hello.bytes)
}

// late sends every text over a plain connection and over TLS, all at the same
// time, and wants for each so many answers with 200 and then one with 408.
func late(t *testing.T, edge *edgetest.Edge, served int, texts ...string) {
	t.Helper()
	type sent struct {
		*edgetest.Client
		text  string
		start time.Time
	}
	var all []sent
	for _, text := range texts {
		for _, c := range []*edgetest.Client{edge.Dial(t), edge.DialTLS(t, "app.example")} {
			all = append(all, sent{c, text, time.Now()})
			c.Send(text)
		}
	}
	for _, s := range all {
		for range served {
			if m, err := s.TryAnswer("GET"); err != nil || m.Status != 200 {
				t.Errorf("%q: answer %+v, %v", s.text, m, err)
			}
		}
		wantLate(t, s.Client, s.start)
	}
}

func slowHeads(t *testing.T, edge *edgetest.Edge) {
	late(t, edge, 0, "G", "GET / HTTP/1.1⏎", strings.TrimSuffix(get("/"), "⏎"), "⏎")
	c, start := edge.Dial(t), time.Now()
	go drip(c, get("/", strings.Repeat("X: y⏎", 50)+"Z: z"))
	wantLate(t, c, start)
}

func slowBodies(t *testing.T, edge *edgetest.Edge) {
	late(t, edge, 0,
		post("", "Content-Length: 1048576"), post("x", "Content-Length: 1048576"),
		post(strings.Repeat("x", 100<<10), "Content-Length: 1048576"),
		chunked(""), chunked("5⏎he"), chunked("5⏎hello⏎"), chunked("5⏎hello⏎0⏎X: y⏎"),
		post("x", "Content-Length: 2", "Expect: 100-continue"))
}

func slowChunkHeads(t *testing.T, edge *edgetest.Edge) {
	late(t, edge, 0, each(sizeLineStart, "1", "1;", "1;ext", "1⏎", "1\r", "1⏎a", "1⏎a⏎0")...)
}

func sizeLineStart(start string) string { return chunked(start) }

// slowLater: what was quick once may be slow the next time.
func slowLater(t *testing.T, edge *edgetest.Edge) {
	late(t, edge, 1,
		get("/")+"GET", sized("hello")+"GET / HT", chunked("5⏎hello⏎0⏎⏎")+"GET / HT",
		sized("hello")+post("x", "Content-Length: 5"),
		strings.Replace(get("/"), "app", "text", 1)+"GET / HT",
		chunked("5⏎hello⏎0⏎⏎")+chunked("5⏎h"))
}

// idlers keep connections open for nothing, after a request or before the first.
func idlers(t *testing.T, edge *edgetest.Edge) {
	for _, before := range []int{0, 1, 3} {
		over(t, edge, func(t *testing.T, c *edgetest.Client) {
			for range before {
				c.Send(get("/")).Answer()
			}
			start := time.Now()
			wantEnd(t, c, edgetest.Closed)
			within(t, start, slow-slow/4)
		})
	}
}

// manySlow clients must not be in the way of the others.
func manySlow(t *testing.T, edge *edgetest.Edge) {
	const many = 300
	var all sync.WaitGroup
	for i := range many {
		c := edgetest.Dial(t, [...]string{edge.HTTP, edge.HTTPS}[i%2])
		all.Go(func() { drip(c, get("/", "X: "+strings.Repeat("y", 100))) })
	}
	for range 100 {
		start := time.Now()
		c := edge.Dial(t)
		if m := c.Send(get("/")).Answer(); m.Status != 200 {
			t.Errorf("answer %+v", m)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("a request took %v", took)
		}
		c.Close()
	}
	all.Wait()
}
