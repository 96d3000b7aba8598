package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"doorward/internal/access"
	"doorward/proxy"
	"doorward/proxy/backend"
)

// bomb is a connection that panics at its nth call.
type bomb struct {
	net.Conn
	left  atomic.Int64
	reads bool // count the reads, else the writes
}

func (b *bomb) Read(p []byte) (int, error) {
	if b.reads && b.left.Add(-1) == 0 {
		panic("read")
	}
	return b.Conn.Read(p)
}

func (b *bomb) Write(p []byte) (int, error) {
	if !b.reads && b.left.Add(-1) == 0 {
		panic("write")
	}
	return b.Conn.Write(p)
}

// panicking is an access log that fails.
type panicking struct{}

func (panicking) Record(*access.Record) { panic("record") }

// rig is an engine in front of one server, with connections made by hand.
type rig struct {
	engine *proxy.Engine
	server *backend.Backend
	logs   *observer.ObservedLogs
	all    sync.WaitGroup
}

// newRig starts the engine. The server echoes bodies, and becomes a tunnel where
// that is asked for.
func newRig(t *testing.T, change func(*proxy.Snapshot, *proxy.Route)) *rig {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(serveEcho)}
	go func() { _ = server.Serve(l) }()
	s, r := setup(t)
	r.Backend, err = backend.New(backend.Options{
		Name: "app", KeepAlive: true,
		Servers: []backend.ServerOptions{{URL: "http://" + l.Addr().String(), Weight: 1}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Backend.Start()
	r.Upgrades = []string{"echo"}
	r.ClientTimeout, r.ServerTimeout, r.TunnelTimeout = time.Minute, time.Minute, time.Minute
	s.Timeouts.RequestHead, s.Timeouts.KeepAlive, s.Timeouts.Client = time.Minute, time.Minute, time.Minute
	core, logs := observer.New(zap.ErrorLevel)
	g := &rig{engine: proxy.New(proxy.Options{Log: zap.New(core)}), server: r.Backend, logs: logs}
	change(s, r)
	s.Prepare()
	g.engine.Swap(s)
	t.Cleanup(func() {
		g.all.Wait()
		r.Backend.Retire(nil)
		_ = server.Close()
	})
	return g
}

func serveEcho(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		_, _ = io.Copy(w, r.Body)
		return
	}
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = io.WriteString(c, "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
	_, _ = io.Copy(c, rw)
}

// dial connects to the engine; wrap sees the engine's side.
func (g *rig) dial(t *testing.T, wrap func(net.Conn) net.Conn) net.Conn {
	t.Helper()
	client, ours := net.Pipe()
	_ = client.SetDeadline(time.Now().Add(10 * time.Second))
	g.all.Go(func() { g.engine.ServeConn(wrap(ours), &proxy.Listener{}) })
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// ended is a pipe whose half can be ended, as that of a socket: all of it ends.
type ended struct{ net.Conn }

func (e ended) CloseWrite() error { return e.Close() }

func plain(c net.Conn) net.Conn { return ended{c} }

// exchangeOf sends a request and returns the whole of what comes back.
func exchangeOf(c net.Conn, request string) string {
	go func() { _, _ = io.WriteString(c, request) }()
	answer, _ := io.ReadAll(bufio.NewReader(c))
	return string(answer)
}

const (
	crashGet  = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	crashPost = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"5\r\nhello\r\n"
	crashRest   = "5\r\nworld\r\n0\r\n\r\n"
	crashTunnel = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"
)

// wantAlive says that one panic was counted and logged with its stack, that
// nothing is held, and that the next request is served.
func (g *rig) wantAlive(t *testing.T, panics int) {
	t.Helper()
	g.all.Wait()
	// A goroutine lets others go on before its panic is written down.
	await(t, func() string {
		if n := g.logs.FilterMessageSnippet("panic").Len(); n != panics {
			return fmt.Sprintf("%d panics in the log, want %d", n, panics)
		}
		return ""
	})
	for _, entry := range g.logs.TakeAll() {
		if stack, _ := entry.ContextMap()["stack"].(string); panics > 0 && !strings.Contains(stack, "_test.go") {
			t.Errorf("%s: the stack does not show the place: %s", entry.Message, stack)
		}
	}
	if n := g.engine.Open(); n != 0 {
		t.Errorf("%d connections count as open", n)
	}
	if n := g.server.Active(); n != 0 {
		t.Errorf("%d requests count as active", n)
	}
}

func TestSecurityPanics(t *testing.T) {
	bombs := map[string]struct {
		first, then string
		reads       bool
		at          int64
	}{
		"CRASH-01_reading_a_head":     {crashGet, "", true, 1},
		"CRASH-01_writing_an_answer":  {crashGet, "", false, 1},
		"CRASH-02_reading_a_body":     {crashPost, crashRest, true, 2},
		"CRASH-02_in_a_tunnel_up":     {crashTunnel, "hello", true, 2},
		"CRASH-01_in_a_tunnel_down":   {crashTunnel, "hello", false, 2},
		"CRASH-01_no_panic_at_all":    {crashGet, "", false, 100},
		"CRASH-01_no_panic_in_a_body": {crashPost, crashRest, true, 100},
	}
	for name, c := range bombs {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, func(*proxy.Snapshot, *proxy.Route) {})
			client := g.dial(t, func(ours net.Conn) net.Conn {
				b := &bomb{Conn: ours, reads: c.reads}
				b.left.Store(c.at)
				return b
			})
			go func() {
				_, _ = io.WriteString(client, c.first)
				_, _ = io.WriteString(client, c.then)
			}()
			_, _ = io.ReadAll(client)
			panics := 1
			if c.at == 100 {
				panics = 0
			}
			g.wantAlive(t, panics)
			if got := exchangeOf(g.dial(t, plain), crashGet); !strings.HasPrefix(got, "HTTP/1.1 200") {
				t.Errorf("the next request gets %q", got)
			}
		})
	}
}

// A panic in what a route does costs its request, which is told so if it can be.
func TestSecurityPanicsInRoutes(t *testing.T) {
	handler := func(before func(http.ResponseWriter)) func(*proxy.Snapshot, *proxy.Route) {
		return func(_ *proxy.Snapshot, r *proxy.Route) {
			r.Backend = nil
			r.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				before(w)
				panic("handler")
			})
		}
	}
	for name, c := range map[string]struct {
		change func(*proxy.Snapshot, *proxy.Route)
		want   string // how the answer begins
		whole  bool
	}{
		"CRASH-01_before_the_head": {handler(func(http.ResponseWriter) {}), "HTTP/1.1 500", true},
		"CRASH-01_with_an_unsent_head": {handler(func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "hello")
		}), "HTTP/1.1 500", true},
		"CRASH-01_behind_the_head": {handler(func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "hello")
			w.(http.Flusher).Flush()
		}), "HTTP/1.1 200", false},
		"CRASH-01_in_a_rewrite": {func(_ *proxy.Snapshot, r *proxy.Route) {
			r.Rewrite = func(_, _ []byte) []byte { panic("rewrite") }
		}, "HTTP/1.1 500", true},
	} {
		t.Run(name, func(t *testing.T) {
			var restore func()
			g := newRig(t, func(s *proxy.Snapshot, r *proxy.Route) {
				before := r.Backend
				c.change(s, r)
				restore = func() { r.Backend, r.Handler, r.Rewrite = before, nil, nil }
			})
			got := exchangeOf(g.dial(t, plain), crashGet)
			whole := strings.HasSuffix(got, "\r\n\r\n") || strings.HasSuffix(got, "</p>\n")
			if !strings.HasPrefix(got, c.want) || whole != c.whole || strings.Contains(got, "crash_test") {
				t.Errorf("the client got %q", got)
			}
			g.wantAlive(t, 1)
			if n := g.engine.Counters().Panics.Load(); n != 1 {
				t.Errorf("%d panics are counted", n)
			}
			restore()
			if got := exchangeOf(g.dial(t, plain), crashGet); !strings.HasPrefix(got, "HTTP/1.1 200") {
				t.Errorf("the next request gets %q", got)
			}
		})
	}
}

func TestSecurityPanicOfTheAccessLog(t *testing.T) {
	t.Run("CRASH-01_behind_the_answer", func(t *testing.T) {
		g := newRig(t, func(*proxy.Snapshot, *proxy.Route) {})
		g.engine.SetAccessLog(panicking{})
		for range 3 {
			if got := exchangeOf(g.dial(t, plain), crashGet); !strings.HasPrefix(got, "HTTP/1.1 200") {
				t.Errorf("the client got %q", got)
			}
		}
		g.wantAlive(t, 3)
	})
}
