package test_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// TestSecurityH1Fuzz is H1-66: whatever of thousands of broken requests gets
// through, all parsers behind the edge read alike.
func TestSecurityH1Fuzz(t *testing.T) {
	t.Run("H1-66_what_passes_is_read_alike_by_all", testMutants)
}

// seeds are sound inputs, from which mutants are made.
var seeds = []string{
	get("/a?b=c"), get("/a", "X: y", "Connection: keep-alive") + get("/b"),
	sized("hello"), sized("hello", "X: y") + get("/b"), sized("") + sized("ab") + get("/c"),
	chunked("5⏎hello⏎0⏎⏎"), chunked("5;x=y⏎hello⏎a⏎0123456789⏎0⏎X: y⏎⏎") + get("/b"),
	chunked("0⏎⏎") + chunked("1⏎a⏎0⏎⏎") + get("/b"), sized(smuggled) + get("/b"),
	request("GET http://app.example/a HTTP/1.1", "Host: app.example") + get("/b"),
	request("POST / HTTP/1.0", "Host: app.example", "Content-Length: 5") + "hello",
	request("PUT /p HTTP/1.1", "Host: app.example:80", "Connection: close, X-A", "X-A: b",
		"Cookie: a=b; c=d", "Content-Length: 3") + "abc",
	sized("hello", "Expect: 100-continue") + get("/b"),
	chunked("29⏎"+smuggled+"⏎0⏎⏎", "Trailer: X") + get("/b"),
	post("0⏎⏎"+smuggled, "Transfer-Encoding: chunked", "X-Content-Length: 5"),
}

// odd are bytes and words that parsers disagree on.
var odd = []string{
	"\x00", "\x01", "\x04", "\x08", "\t", "\n", "\v", "\f", "\r", "\x1f", " ", "\x7f", "\x85",
	"\xa0",
	"\xff", "\r\n", "\r\n ", "\n\n", ":", ",", ";", "\"", "0", "1", "+", "-", "_", "0x", "#", "?",
	"/",
	"chunked", "identity", "Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n",
	"Content-Length: 0\r\n", "Host: other.example\r\n", "Connection: close\r\n", "HTTP/1.1",
	"GET / HTTP/1.1\r\nHost: app.example\r\n\r\n", "0\r\n\r\n",
}

// marks are where a change hits a parser's decisions.
var marks = []string{
	"Content-Length", "Transfer-Encoding", "chunked", "Host", ": ", ":", "\r\n", "\r\n\r\n",
	"HTTP/1.1",
	"Expect", "Connection", "POST", "GET", " /", "0\r\n", "5\r\n", ";", "app.example",
}

func testMutants(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	rng := rand.New(rand.NewPCG(66, 1))
	mutants, passed := 4000, 0
	if testing.Short() {
		mutants = 500
	}
	for range mutants {
		m := mutant(rng)
		c := edge.Dial(t).Send(m)
		c.CloseWrite()
		answers, end := drain(c)
		c.Close()
		requests, _ := rec.Take()
		passed += len(answers)
		if err := compare(answers, requests, end); err != nil {
			t.Errorf("%q: %v", m, err)
		}
	}
	if passed < mutants/10 {
		t.Errorf("only %d requests passed", passed)
	}
	edge.Canaries(t)
}

// mutant changes a seed in one to three places.
func mutant(rng *rand.Rand) string {
	text := edgetest.Bytes(seeds[rng.IntN(len(seeds))])
	for range 1 + rng.IntN(3) {
		at := rng.IntN(len(text) + 1)
		if rng.IntN(3) > 0 {
			at = near(rng, text, marks[rng.IntN(len(marks))])
		}
		piece := odd[rng.IntN(len(odd))]
		switch rng.IntN(5) {
		case 0: // in place of what stands there
			text = text[:at] + piece + text[min(at+len(piece), len(text)):]
		case 1: // some bytes less
			text = text[:at] + text[min(at+1+rng.IntN(3), len(text)):]
		case 2: // a line twice
			if i := strings.Index(text[at:], "\r\n"); i >= 0 {
				text = text[:at+i+2] + text[at:at+i+2] + text[at+i+2:]
			}
		default:
			text = text[:at] + piece + text[at:]
		}
		if text == "" {
			text = "\r\n"
		}
	}
	return text
}

// near finds a mark and returns a place in, before or behind it.
func near(rng *rand.Rand, text, mark string) int {
	n := strings.Count(text, mark)
	if n == 0 {
		return rng.IntN(len(text) + 1)
	}
	at := 0
	for range 1 + rng.IntN(n) {
		at += strings.Index(text[at:], mark) + 1
	}
	return at - 1 + []int{0, 1, len(mark) / 2, len(mark)}[rng.IntN(4)]
}

// drain reads answers until the connection ends. Those of the server are
// returned.
func drain(c *edgetest.Client) (answers []*edgetest.Message, end error) {
	for {
		m, err := c.TryAnswer("GET")
		if err != nil {
			return answers, err
		}
		if m.Status == 200 {
			answers = append(answers, m)
		}
	}
}

// compare holds the answers against the requests that the server got, and what
// it got against what net/http makes of the same bytes.
func compare(answers, requests []*edgetest.Message, end error) error {
	var whole []*edgetest.Message
	var raw strings.Builder
	for _, m := range requests {
		if m.Err == nil {
			whole = append(whole, m)
			raw.WriteString(m.Raw)
		} else if !edgetest.Cut(m.Err) {
			return fmt.Errorf("the server got %q: %w", m.Raw, m.Err)
		}
	}
	// After a reset the last answers may be lost.
	if len(whole) != len(answers) && (end == io.EOF || len(whole) < len(answers)) {
		return fmt.Errorf("%d answers, %d requests: %q", len(answers), len(whole), raw.String())
	}
	stream := bufio.NewReader(strings.NewReader(raw.String()))
	for i, m := range whole {
		if err := edgetest.Check(m); err != nil {
			return err
		}
		if want := m.Method + " " + m.Path; i < len(answers) && answers[i].Body != want {
			return fmt.Errorf("answer %q to request %q", answers[i].Body, want)
		}
		if err := readAlike(stream, m); err != nil {
			return fmt.Errorf("%q: %w", m.Raw, err)
		}
	}
	if rest, _ := io.ReadAll(stream); len(rest) > 0 {
		return fmt.Errorf("net/http leaves %q", rest)
	}
	return nil
}

// readAlike reads the next request with net/http and compares it with what the
// strict parser made of it.
func readAlike(stream *bufio.Reader, m *edgetest.Message) error {
	r, err := http.ReadRequest(stream)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		return err
	case r.Method != m.Method || r.RequestURI != m.Path || r.Host != m.Get("Host"):
		return fmt.Errorf("net/http reads %s %s for %s", r.Method, r.RequestURI, r.Host)
	case string(body) != m.Body || len(r.Trailer) > len(m.Trailers):
		return fmt.Errorf("net/http reads body %q, trailers %v", body, r.Trailer)
	}
	fields := 0
	for _, values := range r.Header {
		fields += len(values)
	}
	// net/http takes Host and the framing out of the header.
	hidden := len(m.Values("Host")) + len(m.Values("Transfer-Encoding"))
	if fields != len(m.Fields)-hidden {
		return fmt.Errorf("net/http reads %d fields: %v", fields, r.Header)
	}
	return nil
}
