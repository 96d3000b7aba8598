package proxy_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"doorward/proxy"
	"doorward/proxy/backend"
)

const (
	get11   = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	head11  = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
	get10   = "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
	post11  = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
	second  = "GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	ok5     = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
	okChunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
)

// Each answer reaches the client in the framing that the client understands, and
// leaves both connections in use only where both are at the end of it.
func TestAnswersAndWhatBecomesOfConnections(t *testing.T) {
	for name, c := range map[string]struct {
		request, answer string
		ends            bool   // the server closes behind it
		framing         string // of the answer, as its field; "" is none
		body            string // as it stands on the wire
		kept, reused    bool   // the client's connection, the server's
	}{
		"length":         {get11, ok5, false, "Content-Length: 5", "hello", true, true},
		"length of none": {get11, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "Content-Length: 0", "", true, true},
		"more than said": {get11, ok5 + "x", false, "Content-Length: 5", "hello", true, false},
		"chunks":         {get11, okChunk, false, "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n", true, true},
		"chunks and more": {get11, okChunk + "HTTP/1.1 200", false, "Transfer-Encoding: chunked",
			"5\r\nhello\r\n0\r\n\r\n", true, false},
		"trailers": {get11, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\r\n\r\n", false,
			"Transfer-Encoding: chunked", "0\r\nX-A: b\r\n\r\n", true, true},
		"until the end": {get11, "HTTP/1.1 200 OK\r\n\r\nhello", true, "Transfer-Encoding: chunked",
			"5\r\nhello\r\n0\r\n\r\n", true, false},
		"server closes": {get11, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", false,
			"Content-Length: 5", "hello", true, false},
		"server of 1.0": {get11, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", false,
			"Content-Length: 5", "hello", true, false},
		"server of 1.0 that stays": {get11, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
			false, "Content-Length: 5", "hello", true, true},
		"head":                         {head11, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, "Content-Length: 5", "", true, true},
		"head of chunks":               {head11, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, "Transfer-Encoding: chunked", "", true, true},
		"head of neither":              {head11, "HTTP/1.1 200 OK\r\n\r\n", false, "", "", true, true},
		"head and a body":              {head11, ok5, false, "Content-Length: 5", "", true, false},
		"204":                          {get11, "HTTP/1.1 204 No Content\r\n\r\n", false, "", "", true, true},
		"204 and a body":               {get11, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", false, "", "", true, false},
		"304 of a length":              {get11, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, "Content-Length: 5", "", true, true},
		"205":                          {get11, "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", false, "Content-Length: 0", "", true, true},
		"client of 1.0":                {get10, ok5, false, "Content-Length: 5", "hello", true, true},
		"client of 1.0 and chunks":     {get10, okChunk, false, "", "hello", false, true},
		"client of 1.0, until the end": {get10, "HTTP/1.1 200 OK\r\n\r\nhello", true, "", "hello", false, false},
		"post":                         {post11, ok5, false, "Content-Length: 5", "hello", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFlow(t, flowOptions{backend: backend.Options{KeepAlive: true},
				server: func(_ int64, conn net.Conn, r *http.Request) bool {
					if r.URL.Path == "/second" {
						return answering(ok5)(0, conn, r)
					}
					_, _ = io.Copy(io.Discard, r.Body)
					return answering(c.answer)(0, conn, r) && !c.ends
				}})
			client, br := f.dial()
			_, _ = io.WriteString(client, c.request)
			head := readHeadOf(t, br)
			if got := framingIn(head); got != c.framing {
				t.Errorf("framing %q, want %q, in %q", got, c.framing, head)
			}
			body := make([]byte, len(c.body))
			if _, err := io.ReadFull(br, body); err != nil || string(body) != c.body {
				t.Errorf("body %q, %v, want %q", body, err, c.body)
			}
			if kept := !strings.Contains(head, "\r\nConnection: close\r\n"); kept != c.kept {
				t.Errorf("kept %t, want %t: %q", kept, c.kept, head)
			}
			f.record()
			got := ""
			if c.kept {
				_, _ = io.WriteString(client, second)
				rest, _ := io.ReadAll(br)
				got = string(rest)
			} else {
				if rest, err := io.ReadAll(br); len(rest) > 0 || err != nil {
					t.Errorf("%q, %v behind the answer", rest, err)
				}
				got = f.ask(second)
			}
			if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(got, "\r\n\r\nhello") {
				t.Errorf("the second request gets %q", got)
			}
			if reused := f.conns.Load() == 1; reused != c.reused {
				t.Errorf("the server's connection was used again: %t, want %t", reused, c.reused)
			}
		})
	}
}

func readHeadOf(t *testing.T, r io.ByteReader) string {
	t.Helper()
	var head []byte
	for !strings.HasSuffix(string(head), "\r\n\r\n") {
		b, err := r.ReadByte()
		if err != nil {
			t.Fatalf("after %q: %v", head, err)
		}
		head = append(head, b)
	}
	return string(head)
}

// framingIn are the framing fields of a head in one string.
func framingIn(head string) string {
	var found []string
	for line := range strings.SplitSeq(head, "\r\n") {
		if strings.HasPrefix(line, "Content-Length") || strings.HasPrefix(line, "Transfer-Encoding") {
			found = append(found, line)
		}
	}
	return strings.Join(found, " and ")
}

// Informational answers go to those who can read them.
func TestInformationalAnswers(t *testing.T) {
	const hint = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
	for name, c := range map[string]struct {
		request, answer string
		want            int // how many reach the client
	}{
		"1.1":             {get11, hint + hint, 2},
		"1.0":             {get10, hint, 0},
		"100 not asked":   {get11, "HTTP/1.1 100 Continue\r\n\r\n", 0},
		"100 and a final": {strings.Replace(post11, "Content", "Expect: 100-continue\r\nContent", 1), "HTTP/1.1 100 Continue\r\n\r\n" + "HTTP/1.1 100 Continue\r\n\r\n", 1},
	} {
		f := newFlow(t, flowOptions{server: answering(c.answer + ok5)})
		request := strings.Replace(c.request, "Host: a", "Host: a\r\nConnection: close", 1)
		request = strings.Replace(request, "\r\nConnection: keep-alive", "", 1)
		got := f.ask(request)
		if n := strings.Count(got, "HTTP/1.1 1"); n != c.want || !strings.HasSuffix(got, "hello") {
			t.Errorf("%s: %d informational answers, want %d: %q", name, n, c.want, got)
		}
	}
}

// A client that sees its answer may stop sending, and still gets all of it.
func TestAnswerOutlivesTheUpload(t *testing.T) {
	for name, c := range map[string]struct{ framing string }{
		"length": {"Content-Length: 100"},
		"chunks": {"Transfer-Encoding: chunked"},
		"large":  {"Content-Length: 10000000"},
	} {
		t.Run(name, func(t *testing.T) {
			const limit = 50 * time.Millisecond
			goOn := make(chan struct{})
			f := newFlow(t, flowOptions{
				snapshot: func(_ *proxy.Snapshot, r *proxy.Route) { r.ClientTimeout = limit },
				server: func(_ int64, c net.Conn, _ *http.Request) bool {
					_, _ = io.WriteString(c, ok5[:len(ok5)-1])
					<-goOn
					_, _ = io.WriteString(c, "o")
					return false
				},
			})
			client, br := f.dial()
			_, _ = io.WriteString(client, "PUT / HTTP/1.1\r\nHost: a\r\n"+c.framing+"\r\n\r\n")
			if head := readHeadOf(t, br); !strings.Contains(head, "Connection: close") {
				t.Errorf("the connection goes on: %q", head)
			}
			<-time.After(4 * limit) // the upload is over by now
			close(goOn)
			body, err := io.ReadAll(br)
			if string(body) != "hello" || err != nil {
				t.Errorf("%q, %v", body, err)
			}
			_ = client.Close()
			if r := f.record(); r.Termination != [2]byte{'-', '-'} || r.Status != 200 {
				t.Errorf("status %d, termination %s, %v", r.Status, r.Termination, r.Err)
			}
		})
	}
}

// A server connection on which a client signs in is that client's own, and what
// it costs to open counts once.
func TestConnectionsOfOneClient(t *testing.T) {
	f := newFlow(t, flowOptions{backend: backend.Options{KeepAlive: true}, server: answering(ok5)})
	signIn := strings.Replace(get11, "\r\n\r\n", "\r\nAuthorization: NTLM abc\r\n\r\n", 1)
	client, br := f.dial()
	for i, request := range []string{signIn, get11, get11} {
		_, _ = io.WriteString(client, request)
		readHeadOf(t, br)
		_, _ = io.ReadFull(br, make([]byte, 5))
		r := f.record()
		if r.Connect < 0 || r.Response < 0 || i > 0 && r.Connect != 0 {
			t.Errorf("request %d: connected in %v, answered in %v", i, r.Connect, r.Response)
		}
	}
	if n := f.conns.Load(); n != 1 {
		t.Errorf("%d connections for one client", n)
	}
	f.ask(second)
	if n := f.conns.Load(); n != 2 {
		t.Errorf("%d connections, with that of another client", n)
	}
}
