package health_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"doorward/health"
)

// scripted is a server that deals with each connection as it is told, and keeps
// hold of it until the test ends or the connection does.
type scripted struct {
	net.Listener
	accepted atomic.Int64
	sent     atomic.Int64 // bytes that left

	mu    sync.Mutex
	conns map[net.Conn]bool
	all   sync.WaitGroup
}

// serve starts a server that is stopped with the test.
func serve(t testing.TB, deal func(net.Conn)) *scripted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{Listener: l, conns: map[net.Conn]bool{}}
	s.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			s.mu.Lock()
			s.conns[c] = true
			s.mu.Unlock()
			s.all.Go(func() {
				deal(counting{c, &s.sent})
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.mu.Lock()
		for c := range s.conns {
			_ = c.Close()
		}
		s.mu.Unlock()
		s.all.Wait()
	})
	return s
}

type counting struct {
	net.Conn
	sent *atomic.Int64
}

func (c counting) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.sent.Add(int64(n))
	return n, err
}

// answers deals with a connection by one answer to one request.
func answers(text string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.WriteString(c, text)
		}
	}
}

// hangs deals with a connection by doing nothing until the other side goes.
func hangs(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// probe does one check of a server that deals with connections like this.
func probe(t testing.TB, deal func(net.Conn), o health.CheckOptions) health.Result {
	t.Helper()
	s := serve(t, deal)
	return health.Probe(t.Context(), check(t, o), &socket{address: s.Addr().String()})
}

// received is the request of a check, byte for byte.
func received(t *testing.T, r health.Request) string {
	t.Helper()
	got := make(chan string, 1)
	probe(t, func(c net.Conn) {
		in := make([]byte, 4096)
		n := 0
		for !bytes.Contains(in[:n], []byte("\r\n\r\n"+r.Body)) {
			more, err := c.Read(in[n:])
			if err != nil {
				break
			}
			n += more
		}
		got <- string(in[:n])
		_, _ = io.WriteString(c, "HTTP/1.1 204 \r\n\r\n")
	}, health.CheckOptions{Request: r})
	select {
	case text := <-got:
		return text
	case <-time.After(5 * time.Second):
		t.Fatal("no request")
		return ""
	}
}
