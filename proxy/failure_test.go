package proxy_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"doorward/internal/access"
	"doorward/proxy"
	"doorward/proxy/backend"
)

// silent is a script that never answers.
func silent(_ int64, c net.Conn, _ *http.Request) bool {
	_, _ = io.Copy(io.Discard, c)
	return false
}

// hangUp is a script that closes instead of answering.
func hangUp(int64, net.Conn, *http.Request) bool { return false }

// What goes wrong behind us has a status, HAProxy's letters, and only as many
// tries as do no harm.
func TestFailuresBehindTheEdge(t *testing.T) {
	const put = "PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
	const chunked = "PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"5\r\nhello\r\n0\r\n\r\n"
	const get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	post := strings.Replace(put, "PUT", "POST", 1)
	empty := backend.RetryOn{Connect: true, EmptyResponse: true, ResponseTimeout: true}.WithStatus(500)
	for name, c := range map[string]struct {
		request string
		server  script
		on      backend.RetryOn
		status  string
		state   string
		tries   int64
		retries int
	}{
		"refused":                 {get, nil, empty, "503", "SC", 0, 2},
		"refused, not repeated":   {get, nil, backend.RetryOn{}, "503", "SC", 0, 0},
		"refused with a body":     {post, nil, empty, "503", "SC", 0, 2},
		"no answer":               {get, hangUp, backend.RetryOn{}, "502", "SH", 1, 0},
		"no answer, repeated":     {get, hangUp, empty, "502", "SH", 3, 2},
		"no answer to a PUT":      {put, hangUp, empty, "502", "SH", 3, 2},
		"no answer to a POST":     {post, hangUp, empty, "502", "SH", 1, 0},
		"no answer to a stream":   {chunked, hangUp, empty, "502", "SH", 1, 0},
		"too late":                {get, silent, backend.RetryOn{}, "504", "sH", 1, 0},
		"too late, repeated":      {get, silent, empty, "504", "sH", 3, 2},
		"too late with a POST":    {post, silent, empty, "504", "sH", 1, 0},
		"no HTTP":                 {get, answering("220 mail\r\n\r\n"), empty, "502", "PH", 1, 0},
		"both framings":           {get, answering("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), empty, "502", "PH", 1, 0},
		"an upgrade nobody asked": {get, answering("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), empty, "502", "PH", 1, 0},
		"informational for ever":  {"GET / HTTP/1.0\r\nHost: a\r\n\r\n", answering(strings.Repeat("HTTP/1.1 102 X\r\n\r\n", 40)), empty, "502", "PH", 1, 0},
		"half a head":             {get, func(_ int64, c net.Conn, _ *http.Request) bool { _, _ = io.WriteString(c, "HTTP/1.1 2"); return false }, empty, "502", "PH", 1, 0},
		"a status, repeated":      {get, answering("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"), empty, "500", "--", 3, 2},
		"a status for a POST":     {post, answering("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"), empty, "500", "--", 1, 0},
		"the second try succeeds": {get, func(n int64, c net.Conn, r *http.Request) bool {
			return n > 1 && answering(ok5)(n, c, r)
		}, empty, "200", "--", 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFlow(t, flowOptions{
				backend: backend.Options{Retries: 2, RetryOn: c.on, Redispatch: true},
				server:  c.server,
				snapshot: func(_ *proxy.Snapshot, r *proxy.Route) {
					r.ServerTimeout = 100 * time.Millisecond
				},
			})
			got := f.ask(c.request)
			if !strings.HasPrefix(got, "HTTP/1.1 "+c.status) || strings.Count(got, "HTTP/1.1 ") != 1 {
				t.Errorf("the client got %q, want %s", got, c.status)
			}
			r := f.record()
			if string(r.Termination[:]) != c.state || r.Retries != c.retries {
				t.Errorf("%s with %d retries, want %s with %d", r.Termination, r.Retries, c.state, c.retries)
			}
			if n := f.requests.Load(); n != c.tries {
				t.Errorf("the server got %d requests, want %d", n, c.tries)
			}
			if r.BytesOut != int64(len(got)) || r.BytesIn != int64(len(c.request)) {
				t.Errorf("%d bytes in, %d out, want %d and %d", r.BytesIn, r.BytesOut, len(c.request), len(got))
			}
			wantSoundTimers(t, r)
			if answered := r.Response != access.NotReached; answered != (c.state == "--") {
				t.Errorf("the server took %v to answer", r.Response)
			}
		})
	}
}

// wantSoundTimers says that each phase has its time, or was not reached.
func wantSoundTimers(t *testing.T, r access.Record) {
	t.Helper()
	sum := time.Duration(0)
	for i, d := range []time.Duration{r.Request, r.Queue, r.Connect, r.Response} {
		if d < access.NotReached || d > r.Active {
			t.Errorf("timer %d is %v of %v", i, d, r.Active)
		}
		sum += max(d, 0)
	}
	if sum > r.Active {
		t.Errorf("the phases took %v of %v", sum, r.Active)
	}
}

// A pooled connection that the server has left costs the client nothing, unless
// its request may have had an effect.
func TestConnectionsThatDieIdle(t *testing.T) {
	for name, c := range map[string]struct {
		request string
		want    string
	}{
		"GET":     {get11, "HTTP/1.1 200"},
		"PUT":     {strings.Replace(post11, "POST", "PUT", 1), "HTTP/1.1 200"},
		"POST":    {post11, "HTTP/1.1 502"},
		"stream":  {strings.Replace(get11, "\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1), "HTTP/1.1 502"},
		"DELETE ": {strings.Replace(get11, "GET", "DELETE", 1), "HTTP/1.1 200"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFlow(t, flowOptions{backend: backend.Options{KeepAlive: true},
				// The second request of a connection is read and not answered.
				server: func(n int64, conn net.Conn, r *http.Request) bool {
					_, _ = io.Copy(io.Discard, r.Body)
					return n != 2 && answering(ok5)(n, conn, r)
				}})
			client, br := f.dial()
			_, _ = io.WriteString(client, get11)
			readHeadOf(t, br)
			_, _ = io.ReadFull(br, make([]byte, 5))
			f.record()
			_, _ = io.WriteString(client, c.request)
			if head := readHeadOf(t, br); !strings.HasPrefix(head, c.want) {
				t.Errorf("got %q, want %s", head, c.want)
			}
			if r := f.record(); r.Retries != 0 {
				t.Errorf("%d retries are counted", r.Retries)
			} else {
				wantSoundTimers(t, r)
			}
		})
	}
}

// Who waits for a place in vain is told so, and the wait is on record.
func TestQueueTimeout(t *testing.T) {
	const limit = 50 * time.Millisecond
	goOn := make(chan struct{})
	arrived := make(chan struct{}, 1)
	f := newFlow(t, flowOptions{
		backend: backend.Options{
			Servers:  []backend.ServerOptions{{Name: "s", Weight: 1, MaxConnections: 1}},
			Timeouts: backend.Timeouts{Queue: limit},
		},
		server: func(n int64, c net.Conn, r *http.Request) bool {
			arrived <- struct{}{}
			<-goOn
			return answering(ok5)(n, c, r)
		},
	})
	client, br := f.dial()
	_, _ = io.WriteString(client, second)
	<-arrived
	got := f.ask(get11[:len(get11)-2] + "Connection: close\r\n\r\n")
	r := f.record()
	if !strings.HasPrefix(got, "HTTP/1.1 503") || string(r.Termination[:]) != "sQ" || r.Server != "" {
		t.Errorf("%s of server %q: %q", r.Termination, r.Server, got)
	}
	if r.Queue < limit || r.Connect != access.NotReached || r.Response != access.NotReached {
		t.Errorf("queue %v, connect %v, response %v", r.Queue, r.Connect, r.Response)
	}
	if r.BackendConns != 1 || r.BackendQueue != 0 {
		t.Errorf("%d requests on the backend, %d before this one", r.BackendConns, r.BackendQueue)
	}
	close(goOn)
	if all, _ := io.ReadAll(br); !strings.HasSuffix(string(all), "hello") {
		t.Errorf("the first request got %q", all)
	}
	if r := f.record(); r.BackendConns != 0 || r.ServerConns != 0 || r.Server != "s" {
		t.Errorf("%d requests on the backend, %d on server %q", r.BackendConns, r.ServerConns, r.Server)
	}
}

// Who has a connection of his own to a server waits for that one, and no longer
// than others.
func TestQueueTimeoutWithAConnectionOfOnesOwn(t *testing.T) {
	const limit = 200 * time.Millisecond
	goOn, arrived := make(chan struct{}), make(chan struct{}, 1)
	f := newFlow(t, flowOptions{
		backend: backend.Options{
			KeepAlive: true,
			Servers:   []backend.ServerOptions{{Name: "s", Weight: 1, MaxConnections: 1}},
			Timeouts:  backend.Timeouts{Queue: limit},
		},
		server: func(n int64, c net.Conn, r *http.Request) bool {
			if r.URL.Path == "/second" {
				arrived <- struct{}{}
				<-goOn
			}
			return answering(ok5)(n, c, r)
		},
	})
	client, br := f.dial()
	_, _ = io.WriteString(client, strings.Replace(get11, "\r\n\r\n", "\r\nAuthorization: NTLM abc\r\n\r\n", 1))
	readHeadOf(t, br)
	_, _ = io.ReadFull(br, make([]byte, 5))
	f.record()
	busy, _ := f.dial()
	_, _ = io.WriteString(busy, second)
	<-arrived
	_, _ = io.WriteString(client, get11)
	if head := readHeadOf(t, br); !strings.HasPrefix(head, "HTTP/1.1 503") {
		t.Errorf("got %q", head)
	}
	if r := f.record(); r.Queue < limit || r.Queue > limit*9/5 {
		t.Errorf("waited for %v, the limit is %v", r.Queue, limit)
	}
	close(goOn)
	f.record()
}
