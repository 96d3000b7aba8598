package test_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// pattern is a stream of bytes without end that repeats late and at no round
// number.
type pattern struct {
	block []byte
	at    int
}

func newPattern() *pattern {
	p := &pattern{block: make([]byte, 1<<20-3)}
	_, _ = rand.NewChaCha8([32]byte{1}).Read(p.block)
	return p
}

func (p *pattern) Read(b []byte) (int, error) {
	n := copy(b, p.block[p.at:])
	p.at = (p.at + n) % len(p.block)
	return n, nil
}

// wantPattern reads a body to its end and says how it differs from the first n bytes
// of the pattern.
func wantPattern(r io.Reader, n int64) error {
	want := newPattern()
	got, expected := make([]byte, 64<<10), make([]byte, 64<<10)
	read := int64(0)
	for {
		k, err := r.Read(got)
		_, _ = io.ReadFull(want, expected[:k])
		if !bytes.Equal(got[:k], expected[:k]) {
			return fmt.Errorf("other bytes within the %d after %d", k, read)
		}
		read += int64(k)
		switch {
		case errors.Is(err, io.EOF) && read == n:
			return nil
		case err != nil:
			return fmt.Errorf("%d bytes of %d, then %w", read, n, err)
		}
	}
}

// A hundred MiB go over plain connections; TLS takes the processor's time.
const (
	large       = 100 << 20
	largeSecure = 25 << 20
)

// withoutLength hides how much a reader has, so that it goes out in chunks.
func withoutLength(r io.Reader) io.Reader { return struct{ io.Reader }{r} }

// serveLarge sends or compares as much of the pattern as the request says.
func serveLarge(w http.ResponseWriter, r *http.Request) {
	var n int64
	_, _ = fmt.Sscan(r.URL.Query().Get("n"), &n)
	if r.Method == http.MethodPost {
		if err := wantPattern(r.Body, n); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
		return
	}
	if r.URL.Path == "/length" {
		w.Header().Set("Content-Length", fmt.Sprint(n))
	}
	_, _ = io.CopyN(w, newPattern(), n)
}

// visit is a client of net/http, plain and over TLS, that asks for app.example
// whatever the address.
func visit(t *testing.T, edge *edgetest.Edge, test func(*testing.T, *http.Client, string)) {
	for name, url := range map[string]string{"plain": "http://" + edge.HTTP, "TLS": "https://" + edge.HTTPS} {
		t.Run(name, func(t *testing.T) {
			transport := &http.Transport{TLSClientConfig: &tls.Config{
				ServerName: "app.example", InsecureSkipVerify: true,
			}}
			defer transport.CloseIdleConnections()
			test(t, &http.Client{Transport: transport, Timeout: 6 * edgetest.Patience}, url)
		})
	}
}

// inquiry makes a request for app.example.
func inquiry(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "app.example"
	return r
}

// A hundred MiB in either direction, in one piece or in chunks, arrive as they
// are and stay nowhere on the way.
func TestLargeBodies(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(serveLarge))
	t.Cleanup(server.Close)
	edge := edgetest.Start(t, generation("large", server, ""))
	visit(t, edge, func(t *testing.T, client *http.Client, url string) {
		size := int64(large)
		if strings.HasPrefix(url, "https") {
			size = largeSecure
		}
		get := func(path string) *http.Request {
			return inquiry(t, "GET", fmt.Sprintf("%s%s?n=%d", url, path, size), nil)
		}
		post := func(length int64) *http.Request {
			body := withoutLength(io.LimitReader(newPattern(), size))
			r := inquiry(t, "POST", fmt.Sprintf("%s?n=%d", url, size), body)
			r.ContentLength = length
			return r
		}
		for name, r := range map[string]*http.Request{
			"download with a length": get("/length"), "download in chunks": get("/chunks"),
			"upload with a length": post(size), "upload in chunks": post(-1),
		} {
			t.Run(name, func(t *testing.T) { moveLarge(t, client, r, size) })
		}
	})
}

func moveLarge(t *testing.T, client *http.Client, r *http.Request, size int64) {
	before, most := allocated(), uint64(size/2+8<<20)
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		text, _ := io.ReadAll(answer.Body)
		t.Fatalf("%s: %s", answer.Status, text)
	}
	if r.Method == http.MethodPost {
		size = 0
	}
	if err := wantPattern(answer.Body, size); err != nil {
		t.Error(err)
	}
	if took := allocated() - before; took > most {
		t.Errorf("%d KiB were allocated", took>>10)
	}
}

// allocated is all memory that was ever asked for, by client and server too.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestTrailersBothWays(t *testing.T) {
	bothWays(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			p.Send("HTTP/1.1 200 OK⏎Transfer-Encoding: chunked⏎Trailer: Grpc-Status⏎⏎5⏎hello⏎0⏎" +
				"Grpc-Status: 0⏎X-Sum: abc⏎⏎")
		}
	}, "", func(t *testing.T, c *edgetest.Client, rec *edgetest.Recorder) {
		for range 2 {
			m := c.Send(chunked("3⏎abc⏎2⏎de⏎0⏎X-Sum: 123⏎Other: x⏎⏎", "Trailer: X-Sum", "TE: trailers")).Answer()
			if m.Body != "hello" || fmt.Sprint(m.Trailers) != "[{Grpc-Status 0} {X-Sum abc}]" {
				t.Errorf("answer %+v", m)
			}
		}
		for _, m := range take(rec) {
			if m.Body != "abcde" || fmt.Sprint(m.Trailers) != "[{X-Sum 123} {Other x}]" ||
				m.Get("TE") != "trailers" {
				t.Errorf("the server got %+v", m)
			}
		}
	})
}

// An answer may come while the request is on its way, and go on side by side
// with it.
func TestAnswerBesideTheRequest(t *testing.T) {
	bothWays(t, func(p *edgetest.Peer) {
		for m := p.Head(); m != nil; m = p.Head() {
			p.Send("HTTP/1.1 200 OK⏎Transfer-Encoding: chunked⏎⏎2⏎ok⏎")
			whole := p.Body(m)
			p.Send(fmt.Sprintf("%x⏎%s⏎0⏎⏎", len(m.Body), m.Body))
			if !whole {
				return
			}
		}
	}, "", func(t *testing.T, c *edgetest.Client, _ *edgetest.Recorder) {
		c.Send(post("", "Transfer-Encoding: chunked"))
		// The head of the answer is here before a byte of the body was sent.
		head := make([]byte, len("HTTP/1.1 200 OK"))
		if _, err := io.ReadFull(c.Conn(), head); err != nil || string(head) != "HTTP/1.1 200 OK" {
			t.Fatalf("the client got %q, %v", head, err)
		}
		c.Send("5⏎hello⏎0⏎⏎")
		rest, _ := io.ReadAll(c.Conn())
		if !strings.HasSuffix(string(rest), edgetest.Bytes("5⏎hello⏎0⏎⏎")) {
			t.Errorf("the rest of the answer is %q", rest)
		}
	})
}

// A client may end its half once the request is out, and still gets the answer.
func TestHalfClosedClientGetsItsAnswer(t *testing.T) {
	release := make(chan bool)
	bothWays(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			<-release
			p.Send(edgetest.EchoOf(m))
		}
	}, "", func(t *testing.T, c *edgetest.Client, rec *edgetest.Recorder) {
		for _, text := range []string{get("/half")} {
			c.Send(text)
			c.CloseWrite()
			if !edgetest.Until(func() bool { return rec.Count() == 1 }) {
				t.Fatal("the server got no request")
			}
			release <- true
			if m := c.Answer(); m.Body != "GET /half" {
				t.Errorf("answer %+v", m)
			}
			wantEnd(t, c, edgetest.Closed)
		}
	})
}
