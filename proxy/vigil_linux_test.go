package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"doorward/proxy"
	"doorward/proxy/backend"
	"doorward/proxy/limit"
)

// waiting is a flow in which one request at a time gets further, a server that
// answers when it is told to, and how many wait.
type waiting struct {
	*flow
	arrived, answer chan bool
	waiters         func() int64
}

func newWaiting(t *testing.T, behind string) *waiting {
	w := &waiting{arrived: make(chan bool, 4), answer: make(chan bool)}
	o := flowOptions{server: func(_ int64, c net.Conn, _ *http.Request) bool {
		w.arrived <- true
		<-w.answer
		_, err := io.WriteString(c, emptyAnswer)
		return err == nil
	}}
	if behind == "limit" {
		l, set := limited(proxy.ByAddress, limit.Options{Concurrent: 1, Queue: flowPatience})
		o.snapshot = set
		w.waiters = func() int64 { return l.Counters().Waiting }
	} else {
		o.backend.Servers = []backend.ServerOptions{{Name: "s", Weight: 1, MaxConnections: 1}}
		o.backend.Timeouts.Queue = flowPatience
		w.waiters = func() int64 { return w.backend.Waiting() }
	}
	w.flow = newFlow(t, o)
	return w
}

// wait waits until so many requests do.
func (w *waiting) wait(n int64) {
	w.t.Helper()
	waitFor(w.t, fmt.Sprintf("%d requests that wait", n), func() bool { return w.waiters() == n })
}

func (w *waiting) answered(from io.Reader) {
	w.t.Helper()
	b := make([]byte, 1<<10)
	n, err := io.ReadAtLeast(from, b, 12)
	if err != nil || !strings.HasPrefix(string(b[:n]), "HTTP/1.1 200") {
		w.t.Fatalf("answer %q, %v", b[:n], err)
	}
}

// waysToLeave are those of a client.
func waysToLeave() map[string]func(c *net.TCPConn) {
	return map[string]func(c *net.TCPConn){
		"end":   func(c *net.TCPConn) { _ = c.Close() },
		"half":  func(c *net.TCPConn) { _ = c.CloseWrite() },
		"reset": func(c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() },
	}
}

// A server that is long at work for a client that has gone is let go, well before its
// timeout. It gets the request once, although it is idempotent.
func TestClientsThatLeaveASlowServerFreeIt(t *testing.T) {
	for how, leaves := range waysToLeave() {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			arrived, freed := make(chan bool, 4), make(chan error, 4)
			f := newFlow(t, flowOptions{
				backend: backend.Options{KeepAlive: true, Retries: 2, RetryOn: backend.RetryOn{EmptyResponse: true}},
				server: func(nth int64, c net.Conn, _ *http.Request) bool {
					if nth == 1 {
						_, err := io.WriteString(c, emptyAnswer)
						return err == nil
					}
					arrived <- true
					_, err := c.Read(make([]byte, 1))
					freed <- err
					return false
				},
				snapshot: func(_ *proxy.Snapshot, r *proxy.Route) { r.ServerTimeout = time.Hour },
			})
			f.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			f.record()
			c, _ := f.dial()
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			<-arrived
			leaves(c.(*net.TCPConn))
			select {
			case err := <-freed:
				if err == nil {
					t.Error("the server is sent something")
				}
			case <-time.After(2 * flowPatience):
				t.Fatal("the server is still at work")
			}
			if r := f.record(); string(r.Termination[:]) != "CH" || r.Status != 0 {
				t.Errorf("it is logged as %q, %d", r.Termination, r.Status)
			}
			if n := f.requests.Load(); n != 2 {
				t.Errorf("the server got %d requests, want 2", n)
			}
		})
	}
}

// Who waits for a slow server gets its answer, and the next one on the same connections.
func TestSlowAnswersArrive(t *testing.T) {
	t.Parallel()
	slow := make(chan bool)
	f := newFlow(t, flowOptions{
		backend: backend.Options{KeepAlive: true},
		server: func(_ int64, c net.Conn, r *http.Request) bool {
			if r.URL.Path == "/slow" {
				<-slow
			}
			_, err := io.WriteString(c, ok5)
			return err == nil
		},
		snapshot: func(_ *proxy.Snapshot, r *proxy.Route) { r.ServerTimeout = time.Hour },
	})
	c, br := f.dial()
	for _, path := range []string{"/", "/slow", "/"} {
		_, _ = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
		if path == "/slow" {
			time.AfterFunc(proxy.SlowAnswer+time.Second/2, func() { close(slow) })
		}
		answer, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if body, err := io.ReadAll(answer.Body); len(body) != 5 || err != nil {
			t.Errorf("%s: %q, %v", path, body, err)
		}
		if r := f.record(); string(r.Termination[:]) != "--" {
			t.Errorf("%s is logged as %q", path, r.Termination)
		}
	}
	if n := f.conns.Load(); n != 1 {
		t.Errorf("%d connections to the server, want 1", n)
	}
}

// A client that goes away gives up its place in the line.
func TestClientsThatLeaveDoNotWait(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	leave := waysToLeave()
	for _, behind := range []string{"queue", "limit"} {
		for how, leaves := range leave {
			t.Run(behind+" "+how, func(t *testing.T) {
				w := newWaiting(t, behind)
				first, br := w.dial()
				_, _ = io.WriteString(first, get)
				<-w.arrived
				second, _ := w.dial()
				_, _ = io.WriteString(second, get)
				w.wait(1)
				leaves(second.(*net.TCPConn))
				if r := w.record(); string(r.Termination[:]) != "CQ" || r.Status != 0 || r.Queue <= 0 {
					t.Errorf("it is logged as %q, %d, %v", r.Termination, r.Status, r.Queue)
				}
				w.wait(0)
				w.answer <- true
				w.answered(br)
				if n := w.requests.Load(); n != 1 {
					t.Errorf("the server got %d requests", n)
				}
			})
		}
	}
}

// Who waits and sends on, or who waited, has lost nothing.
func TestClientsThatStayAreServed(t *testing.T) {
	for _, behind := range []string{"queue", "limit"} {
		t.Run(behind, func(t *testing.T) {
			w := newWaiting(t, behind)
			first, br1 := w.dial()
			_, _ = io.WriteString(first, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
			<-w.arrived
			second, br2 := w.dial()
			_, _ = io.WriteString(second, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
			w.wait(1)
			_, _ = io.WriteString(second, "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n")
			w.answer <- true
			w.answered(br1)
			for range 2 {
				<-w.arrived
				w.answer <- true
				w.answered(br2)
			}
			_, _ = io.WriteString(second, "GET /4 HTTP/1.1\r\nHost: a\r\n\r\n")
			<-w.arrived
			w.answer <- true
			w.answered(br2)
		})
	}
}

// Between two tries nobody waits for a client that has left.
func TestClientsThatLeaveAreNotTriedFor(t *testing.T) {
	f := newFlow(t, flowOptions{backend: backend.Options{
		Retries: 5, RetryOn: backend.RetryOn{Connect: true},
	}})
	c, _ := f.dial()
	began := time.Now()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	_ = c.Close()
	r := f.record()
	if string(r.Termination[:]) != "CC" || r.Retries > 1 {
		t.Errorf("%q after %d retries", r.Termination, r.Retries)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

// The end of a drain ends every wait, and is no fault of the client.
func TestDrainEndsWaits(t *testing.T) {
	for _, behind := range []string{"queue", "limit"} {
		t.Run(behind, func(t *testing.T) {
			w := newWaiting(t, behind)
			for i := range 2 {
				c, _ := w.dial()
				_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				if i == 0 {
					<-w.arrived
				}
			}
			w.wait(1)
			over, cancel := context.WithCancel(context.Background())
			cancel()
			if w.engine.Drain(over) == nil {
				t.Error("nobody was busy")
			}
			if r := w.record(); r.Termination[0] != 'K' {
				t.Errorf("the one that waited is logged as %q", r.Termination)
			}
			w.record()
			close(w.answer)
		})
	}
}
