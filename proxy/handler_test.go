package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"doorward/proxy"
)

// handled is a flow whose route is a handler.
func handled(t *testing.T, h http.HandlerFunc) *flow {
	return newFlow(t, flowOptions{snapshot: func(_ *proxy.Snapshot, r *proxy.Route) {
		r.Backend, r.Handler, r.BodyBytes = nil, h, 1000
	}})
}

// What a handler writes reaches the client as from net/http, and the next request
// is served only where the client knows where it begins.
func TestAnswersOfHandlers(t *testing.T) {
	write := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	large := strings.Repeat("x", 40<<10)
	for name, c := range map[string]struct {
		request string
		handler http.HandlerFunc
		status  string
		framing string
		body    string
		kept    bool
	}{
		"short":   {get11, write("hello"), "200", "Content-Length: 5", "hello", true},
		"nothing": {get11, func(http.ResponseWriter, *http.Request) {}, "200", "Content-Length: 0", "", true},
		"head":    {head11, write("hello"), "200", "Content-Length: 5", "", true},
		"status": {get11, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			w.WriteHeader(http.StatusOK)
		}, "418", "Content-Length: 0", "", true},
		"204": {get11, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
			_, _ = io.WriteString(w, "hello")
		}, "204", "", "", true},
		"flushed": {get11, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "a")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "b")
		}, "200", "Transfer-Encoding: chunked", "1\r\na\r\n1\r\nb\r\n0\r\n\r\n", true},
		"flushed to 1.0": {get10, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "a")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "b")
		}, "200", "", "ab", false},
		"large": {get11, write(large), "200", "Transfer-Encoding: chunked",
			"a000\r\n" + large + "\r\n0\r\n\r\n", true},
		"length kept": {get11, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "hello")
		}, "200", "Content-Length: 5", "hello", true},
		"no length at all": {get11, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5 or so")
			_, _ = io.WriteString(w, "hello")
		}, "200", "Content-Length: 5", "hello", true},
		"line ends in a field": {get11, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-A", "b\r\nContent-Length: 9")
			_, _ = io.WriteString(w, "hello")
		}, "200", "Content-Length: 5", "hello", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := handled(t, c.handler)
			client, br := f.dial()
			_, _ = io.WriteString(client, c.request)
			head := readHeadOf(t, br)
			body := make([]byte, len(c.body))
			_, err := io.ReadFull(br, body)
			if !strings.HasPrefix(head, "HTTP/1.1 "+c.status) || framingIn(head) != c.framing ||
				err != nil || string(body) != c.body {
				t.Errorf("%q %.50q, %v; want %s, %q, %.50q", head, body, err, c.status, c.framing, c.body)
			}
			_, _ = io.WriteString(client, second)
			rest, _ := io.ReadAll(br)
			if kept := bytes.HasPrefix(rest, []byte("HTTP/1.1 ")); kept != c.kept || !kept && len(rest) > 0 {
				t.Errorf("%q behind the answer", rest)
			}
		})
	}
}

// A handler that writes another length than it promised does not make the client
// read one answer as part of another.
func TestHandlersThatBreakTheirPromise(t *testing.T) {
	for _, length := range []string{"4", "6"} {
		f := handled(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", length)
			_, _ = io.WriteString(w, "hello")
		})
		if got := f.ask(get11 + second); strings.Count(got, "HTTP/1.1 ") > 1 {
			t.Errorf("length %s: %q", length, got)
		}
		if r := f.record(); r.Status != http.StatusOK {
			t.Errorf("status %d", r.Status)
		}
	}
}

// Bodies of requests reach handlers decoded, whole, and no larger than allowed.
func TestBodiesForHandlers(t *testing.T) {
	const chunks = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	length := func(n int) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", n)
	}
	data := strings.Repeat("0123456789", 90)
	for name, c := range map[string]struct {
		head, body string
		want       string // what the handler says
	}{
		"none":          {get11, "", "0 <nil>"},
		"length":        {length(900), data, "900 <nil>"},
		"chunks":        {chunks, "384\r\n" + data + "\r\n0\r\n\r\n", "900 <nil>"},
		"empty chunks":  {chunks, "0\r\n\r\n", "0 <nil>"},
		"broken chunks": {chunks, "384\r\n" + data + "x", "900 chunk data not followed by a line end"},
		"too large":     {chunks, "384\r\n" + data + "\r\n384\r\n" + data + "\r\n0\r\n\r\n", "900 body too large"},
		"broken off":    {length(901), data, "900 unexpected EOF"},
		"waits for 100": {strings.Replace(length(900), "Host", "Expect: 100-continue\r\nHost", 1), data, "900 <nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			f := handled(t, func(w http.ResponseWriter, r *http.Request) {
				got, err := io.ReadAll(r.Body)
				if _, again := r.Body.Read(make([]byte, 1)); err != nil && again == nil {
					t.Error("bytes behind the error")
				}
				if !strings.HasPrefix(data+data, string(got)) {
					t.Errorf("the handler reads %q", got)
				}
				fmt.Fprint(w, len(got), " ", err)
			})
			client, br := f.dial()
			_, _ = io.WriteString(client, c.head)
			if strings.Contains(c.head, "Expect") {
				if head := readHeadOf(t, br); !strings.HasPrefix(head, "HTTP/1.1 100 ") {
					t.Errorf("got %q before the body", head)
				}
			}
			for body := c.body; body != ""; { // in pieces, each with its own system call
				n := min(500, len(body))
				_, _ = io.WriteString(client, body[:n])
				body = body[n:]
			}
			if t, ok := client.(interface{ CloseWrite() error }); ok {
				_ = t.CloseWrite()
			}
			got, _ := io.ReadAll(br)
			_, said, _ := strings.Cut(string(got), "\r\n\r\n")
			want := c.want
			if name == "broken chunks" || name == "too large" { // what came before is not told apart
				said = said[strings.IndexByte(said, ' ')+1:]
				want = want[strings.IndexByte(want, ' ')+1:]
			}
			if said != want {
				t.Errorf("the handler said %q, want %q", said, want)
			}
		})
	}
}
