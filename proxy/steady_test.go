package proxy_test

import (
	"bytes"
	"net"
	"testing"
	"time"

	"go.uber.org/zap"

	"doorward/proxy"
	"doorward/proxy/backend"
	"doorward/proxy/h1"
	"doorward/proxy/route"
)

const (
	steadyRequest = "GET /index.html?q=1 HTTP/1.1\r\nHost: app.example\r\n" +
		"User-Agent: test\r\nAccept: */*\r\nCookie: a=b\r\n\r\n"
	steadyAnswer = "HTTP/1.1 200 OK\r\nServer: other\r\nContent-Type: text/plain\r\n" +
		"Content-Length: 5\r\n\r\nhello"
)

// listen gives every connection to serve, in a goroutine of its own, until the
// test ends. It returns the URL.
func listen(t testing.TB, serve func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return "http://" + l.Addr().String()
}

// answerer answers each read with the same bytes. It allocates nothing per
// request.
func answerer(t testing.TB, answer string) string {
	return listen(t, func(c net.Conn) { answerAll(c, []byte(answer)) })
}

func answerAll(c net.Conn, answer []byte) {
	defer c.Close()
	b := make([]byte, 64<<10)
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

// steadyEdge is an engine with one route, and a connection to it.
func steadyEdge(t testing.TB, server string) net.Conn {
	b, err := backend.New(backend.Options{
		Name: "b", KeepAlive: true,
		Servers: []backend.ServerOptions{{Name: "s", URL: server, Weight: 1}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Start()
	t.Cleanup(func() { b.Retire(nil) })
	table, err := route.Compile([]route.Rule{{Name: "r", Hosts: []string{"app.example"}}})
	if err != nil {
		t.Fatal(err)
	}
	request, err := proxy.CompileChanges(true, proxy.ChangeList{Remove: []string{"X-Debug"}})
	if err != nil {
		t.Fatal(err)
	}
	answers, err := proxy.CompileAnswerChanges(proxy.ChangeList{
		Set:    []proxy.HeaderValue{{Name: "X-Frame-Options", Value: "DENY"}},
		Remove: []string{"Server"},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &proxy.Snapshot{
		Table: table,
		Routes: []*proxy.Route{{
			Name: "r", Backend: b, Request: request, Answer: answers,
			ClientTimeout: time.Minute, ServerTimeout: time.Minute,
		}},
		Timeouts: proxy.Timeouts{
			RequestHead: time.Minute, KeepAlive: time.Minute, Client: time.Minute,
		},
		Limits: proxy.Limits{Limits: h1.Limits{
			HeadBytes: 32 << 10, HeadFields: 100, TargetBytes: 8 << 10,
		}},
		Forwarding:      proxy.XForwarded | proxy.RFC7239,
		RequestIDHeader: "X-Request-ID",
		Answers:         answers,
	}
	s.Prepare()
	e := proxy.New(proxy.Options{Log: zap.NewNop()})
	e.Swap(s)
	return connect(t, e)
}

func connect(t testing.TB, e *proxy.Engine) net.Conn {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	served, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.ServeConn(served, &proxy.Listener{Name: "test"})
	}()
	t.Cleanup(func() {
		client.Close()
		<-done
	})
	return client
}

// exchanger sends one request and reads its answer, allocating nothing.
func exchanger(t testing.TB, c net.Conn) func() {
	request, b := []byte(steadyRequest), make([]byte, 4<<10)
	return func() {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		n := 0
		for !bytes.HasSuffix(b[:n], []byte("\r\n\r\nhello")) {
			k, err := c.Read(b[n:])
			if err != nil {
				t.Fatalf("after %q: %v", b[:n], err)
			}
			n += k
		}
	}
}

func TestKeepAliveRequestAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	exchange := exchanger(t, steadyEdge(t, answerer(t, steadyAnswer)))
	for range 100 {
		exchange() // fills the pools
	}
	if n := testing.AllocsPerRun(2000, exchange); n >= 1 {
		t.Errorf("a keep-alive GET allocates %v times", n)
	}
}

func BenchmarkKeepAliveRequest(b *testing.B) {
	exchange := exchanger(b, steadyEdge(b, answerer(b, steadyAnswer)))
	b.ReportAllocs()
	for b.Loop() {
		exchange()
	}
}

// The same exchange with the answerer alone: what the sockets cost.
func BenchmarkFloor(b *testing.B) {
	c, err := net.Dial("tcp", answerer(b, steadyAnswer)[len("http://"):])
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	exchange := exchanger(b, c)
	b.ReportAllocs()
	for b.Loop() {
		exchange()
	}
}
