package health_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"doorward/health"
)

// Servers may be anybody's: what they answer to a check costs little and leads
// nowhere.
func TestSecurityOfAnswers(t *testing.T) {
	t.Run("BE-09_a_redirect_is_not_followed", func(t *testing.T) {
		metadata := serve(t, answers("HTTP/1.1 200 OK\r\n\r\nsecret"))
		got := probe(t, answers("HTTP/1.1 302 Found\r\nLocation: http://"+
			metadata.Addr().String()+"/latest/meta-data/\r\nContent-Length: 0\r\n\r\n"),
			health.CheckOptions{Expect: health.Expect{
				Status: []health.StatusRange{{From: 200, To: 299}},
			}})
		if got.String() != "L7STS 302: Found" {
			t.Errorf("the check says %q, want the redirect itself", got)
		}
		if n := metadata.accepted.Load(); n != 0 {
			t.Errorf("%d connections to where it leads", n)
		}
	})
	t.Run("BE-09_no_more_of_an_endless_body_is_read_than_is_looked_at", func(t *testing.T) {
		s := serve(t, endless("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 1000)))
		got := health.Probe(t.Context(), check(t, health.CheckOptions{
			Timing: health.Timing{Interval: 20 * time.Second},
			Expect: health.Expect{Body: "y"},
		}), &socket{address: s.Addr().String()})
		if got.Outcome != health.L7Response {
			t.Errorf("the check says %q, want L7RSP", got)
		}
		if got.Took > 10*time.Second {
			t.Errorf("it took %v: it waits for the end", got.Took)
		}
	})
	t.Run("BE-09_a_body_that_nobody_asked_for_is_not_read", func(t *testing.T) {
		got := probe(t, endless("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", "x"),
			health.CheckOptions{Timing: health.Timing{Interval: 20 * time.Second}})
		if got.String() != "L7OK 200" || got.Took > 10*time.Second {
			t.Errorf("the check says %q after %v, want L7OK at once", got, got.Took)
		}
	})
	t.Run("BE-09_a_text_beyond_16_KiB_is_not_found", func(t *testing.T) {
		for beyond, want := range map[int]string{
			16<<10 - 4: "L7OK 200",
			16<<10 + 1: `L7RSP 200: "fine" is not in the body`,
		} {
			body := strings.Repeat("x", beyond) + "fine"
			got := probe(t, answers("HTTP/1.1 200 OK\r\n\r\n"+body),
				health.CheckOptions{Expect: health.Expect{Body: "fine"}})
			if got.String() != want {
				t.Errorf("after %d bytes: %q, want %q", beyond, got, want)
			}
		}
	})
	t.Run("BE-09_a_huge_head_is_refused", func(t *testing.T) {
		for name, deal := range map[string]func(net.Conn){
			"one field":       endless("HTTP/1.1 200 OK\r\nX: ", strings.Repeat("x", 1000)),
			"many fields":     endless("HTTP/1.1 200 OK\r\n", "X: y\r\n"),
			"interim answers": endless("", "HTTP/1.1 100 Continue\r\n\r\n"),
			"status line":     endless("HTTP/1.1 200 ", "OK"),
		} {
			got := probe(t, deal, health.CheckOptions{
				Timing: health.Timing{Interval: 20 * time.Second},
			})
			if got.String() != "L7RSP: the head of the answer is longer than 16 KiB" {
				t.Errorf("%s: the check says %q", name, got)
			}
		}
	})
	t.Run("BE-09_an_answer_byte_by_byte_ends_with_the_time", func(t *testing.T) {
		got := probe(t, drip("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 10000)),
			health.CheckOptions{Timing: health.Timing{Interval: 300 * time.Millisecond}})
		if got.String() != "L7TOUT: no answer in time" || got.Took > 5*time.Second {
			t.Errorf("the check says %q after %v, want L7TOUT after 300ms", got, got.Took)
		}
	})
	t.Run("BE-09_words_of_a_server_are_short_and_printable", func(t *testing.T) {
		nasty := "\x1b]0;owned\x07\u202e\u2028\xff" + strings.Repeat("w", 5000)
		for name, c := range map[string]struct {
			answer string
			expect health.Expect
		}{
			"phrase": {"HTTP/1.1 500 " + nasty + "\r\n\r\n", health.Expect{}},
			"field": {
				"HTTP/1.1 200 OK\r\nX: " + nasty[1:] + "\r\n\r\n",
				health.Expect{Header: map[string]string{"X": "y"}},
			},
			"garbage": {nasty + "\r\n\r\n", health.Expect{}},
		} {
			got := probe(t, answers(c.answer), health.CheckOptions{Expect: c.expect}).Description
			if got == "" || len(got) > 130 || strings.ContainsFunc(got, func(r rune) bool {
				return !unicode.IsPrint(r)
			}) {
				t.Errorf("%s: described as %q", name, got)
			}
		}
	})
	t.Run("BE-09_a_check_leaves_no_connection_behind", func(t *testing.T) {
		gone := make(chan error, 1)
		probe(t, func(c net.Conn) {
			answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")(c)
			_, err := c.Read(make([]byte, 1))
			gone <- err
		}, health.CheckOptions{})
		if err := <-gone; err == nil {
			t.Error("the connection is still there")
		}
	})
}

// endless deals with a connection by a beginning and the same again and again.
func endless(begin, again string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		_, err := io.WriteString(c, begin)
		for err == nil {
			_, err = io.WriteString(c, again)
		}
	}
}

// drip deals with a connection by one byte every few milliseconds.
func drip(text string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := range text {
			<-tick.C
			if _, err := io.WriteString(c, text[i:i+1]); err != nil {
				return
			}
		}
	}
}
