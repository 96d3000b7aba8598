package test_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// byPath answers a request for /N, or /N/..., with the Nth text, others as Echo
// does.
func byPath(texts []string) edgetest.Script {
	return func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			n := -1
			_, _ = fmt.Sscanf(m.Path, "/%d", &n)
			if n >= 0 && n < len(texts) {
				p.Send(texts[n])
			} else {
				p.Send(edgetest.EchoOf(m))
			}
		}
	}
}

// answerCase is what a server answers, and what becomes of it.
type answerCase struct {
	name    string
	status  int    // for the client
	method  string // GET if empty
	body    string // for the client
	check   func(testing.TB, *edgetest.Outcome)
	answers []string
}

// runAnswers runs cases of servers that all answer in another way.
func runAnswers(t *testing.T, cases []answerCase) {
	var texts []string
	var run []edgetest.Case
	for _, c := range cases {
		var inputs []string
		for _, a := range c.answers {
			if c.method == "" {
				c.method = "GET"
			}
			inputs = append(inputs, request(fmt.Sprintf("%s /%d HTTP/1.1", c.method, len(texts)),
				"Host: app.example"))
			texts = append(texts, a)
		}
		run = append(run, edgetest.Case{
			Name: c.name, Send: inputs, Status: c.status, Reach: 1,
			Check: func(t testing.TB, o *edgetest.Outcome) {
				if got := o.Answers[0].Body; c.status < 500 && got != edgetest.Bytes(c.body) {
					t.Errorf("%q: the client got %q", o.Input, got)
				}
				if strings.Contains(o.Answers[0].Raw, "poison") {
					t.Errorf("%q: the client got %q", o.Input, o.Answers[0].Raw)
				}
				if c.check != nil {
					c.check(t, o)
				}
			},
		})
	}
	edge, rec := startSite(t, byPath(texts), "")
	edgetest.Run(t, edge, rec, run)
}

func TestSecurityRS(t *testing.T) {
	const ok = "HTTP/1.1 200 OK⏎"
	const poison = "HTTP/1.1 200 OK⏎Content-Length: 6⏎⏎poison"
	line := func(l string) string { return ok + l + "⏎Content-Length: 2⏎⏎ok" }
	status := func(l string) string { return l + "⏎Content-Length: 2⏎⏎ok" }
	many := func(n int) string { return line(strings.Repeat("A: b⏎", n-2) + "Z: z") }
	large := func(n int) string { return line("A: " + strings.Repeat("x", n)) }
	runAnswers(t, []answerCase{
		{name: "RS-01_two_framings", status: http.StatusBadGateway, answers: []string{
			ok + "Content-Length: 5⏎Transfer-Encoding: chunked⏎⏎0⏎⏎",
			ok + "Transfer-Encoding: chunked⏎Content-Length: 5⏎⏎0⏎⏎",
			ok + "Content-Length: 5⏎Content-Length: 4⏎⏎hello", line("Content-Length: 2"),
			ok + "Content-Length: 2, 2⏎⏎ok", ok + "Content-Length: +2⏎⏎ok",
			ok + "Transfer-Encoding: gzip, chunked⏎⏎0⏎⏎", ok + "Transfer-Encoding: identity⏎⏎ok",
			ok + "Transfer-Encoding: chunked⏎Transfer-Encoding: chunked⏎⏎0⏎⏎",
			"HTTP/1.0 200 OK⏎Transfer-Encoding: chunked⏎⏎0⏎⏎",
		}},
		{name: "RS-04_more_than_the_answer", status: 200, body: "ok", answers: []string{
			line("A: b") + poison, line("A: b") + "x", line("A: b") + "⏎⏎",
			ok + "Transfer-Encoding: chunked⏎⏎2⏎ok⏎0⏎⏎" + poison,
			ok + "Transfer-Encoding: chunked⏎⏎2⏎ok⏎0⏎A: b⏎⏎" + poison,
			status("HTTP/1.1 100 Continue⏎⏎HTTP/1.1 200 OK") + poison,
		}},
		{name: "RS-07_body_where_none_may_be", status: 204, answers: []string{
			"HTTP/1.1 204 No Content⏎⏎" + poison, "HTTP/1.1 204 No Content⏎Content-Length: 6⏎⏎poison",
			"HTTP/1.1 204 No Content⏎Transfer-Encoding: chunked⏎⏎6⏎poison⏎0⏎⏎",
		}},
		{name: "RS-07_body_after_304", status: 304, answers: []string{
			"HTTP/1.1 304 Not Modified⏎Content-Length: 6⏎⏎poison",
			"HTTP/1.1 304 Not Modified⏎⏎" + poison,
		}},
		{name: "RS-07_body_after_HEAD", status: 200, method: "HEAD", answers: []string{
			ok + "Content-Length: 6⏎⏎poison", ok + "⏎poison",
			ok + "Transfer-Encoding: chunked⏎⏎6⏎poison⏎0⏎⏎",
		}},
		{name: "RS-08_injected_lines", status: http.StatusBadGateway, answers: []string{
			ok + "Location: /x\nSet-Cookie: a=b⏎Content-Length: 0⏎⏎", line("X: a\x00b"), line("X: a\rb"),
			line("Location: /x\rSet-Cookie: a=b"), line("X: a\x0bb"), line("X: a\x7f"), line("X : b"),
			line("X"), line(": x"), line(" X: b"), line("X: a⏎ b"), line("X: a⏎\tb"), line("X\x00: b"),
			"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", ok + "Content-Length: 2⏎\nok",
			"HTTP/1.1 200 O\rK⏎Content-Length: 2⏎⏎ok", "HTTP/1.1 200 O\x00K⏎Content-Length: 2⏎⏎ok",
		}},
		{name: "RS-10_giant_heads", status: http.StatusBadGateway, answers: []string{
			large(64 << 10), large(10 << 20), many(201), many(100_000),
			ok + strings.Repeat("x", 1<<20), strings.Repeat("H", 1<<20), ok + strings.Repeat("A: b⏎", 50_000),
		}},
		{name: "RS-10_large_heads_that_pass", status: 200, body: "ok", answers: []string{
			large(63 << 10), many(200),
		}},
		{name: "RS-11_bad_status_lines", status: http.StatusBadGateway, answers: []string{
			status("HTTP/1.1 99 Low"), status("HTTP/1.1 20O OK"), status("ICY 200 OK"),
			status("HTTP/1.1 2000 OK"), status("HTTP/1.1 -20 OK"), status("HTTP/1.1  200 OK"),
			status("HTTP/2.0 200 OK"), status("HTTP/2 200"), status("HTTP/1.1 OK"), status("200 OK"),
			status(" HTTP/1.1 200 OK"), status("⏎HTTP/1.1 200 OK"), status("http/1.1 200 OK"),
			"<html>a page of HTTP/0.9</html>⏎", "SSH-2.0-OpenSSH_9.2⏎",
			strings.Repeat("HTTP/1.1 103 Early Hints⏎⏎", 40) + status("HTTP/1.1 200 OK"),
		}},
		{
			name: "RS-16_encoded_bodies_pass_as_they_are", status: 200, body: "\x1f\x8b\x08\x00bomb",
			answers: []string{ok + "Content-Encoding: gzip⏎Content-Length: 8⏎⏎\x1f\x8b\x08\x00bomb"},
			check: func(t testing.TB, o *edgetest.Outcome) {
				if got := o.Answers[0].Get("Content-Encoding"); got != "gzip" {
					t.Errorf("Content-Encoding is %q", got)
				}
				if got := o.Requests[0].Values("Accept-Encoding"); len(got) > 0 {
					t.Errorf("the server is asked for encodings %q", got)
				}
			},
		},
	})
}
