package proxy_test

import (
	"bytes"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"doorward/internal/alloctest"
	"doorward/internal/tally"
	"doorward/proxy"
	"doorward/proxy/backend"
	"doorward/proxy/h1"
	"doorward/proxy/limit"
	"doorward/proxy/route"
	"doorward/proxy/stick"
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
func steadyEdge(t testing.TB, server string, change ...func(*proxy.Route)) net.Conn {
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
	for _, c := range change {
		c(s.Routes[0])
	}
	s.Prepare()
	e := proxy.New(proxy.Options{Log: zap.NewNop()})
	e.Swap(s)
	return connect(t, e)
}

// watched is a route with all that counts requests and keeps clients together.
func watched(r *proxy.Route) {
	cookie := &proxy.AffinityCookie{
		Name: "SRV", Attributes: "; Path=/", Indirect: true, Private: true, MaxIdle: time.Hour,
	}
	cookie.Bind(r.Backend.Servers()[0], "one")
	r.Persistence = proxy.Persistence{
		Cookie: cookie, On: proxy.Key{Kind: proxy.ByAddress},
		Table: stick.New(stick.Options{Size: 1000, Expire: time.Hour}, nil),
	}
	r.Limits = []proxy.RateLimit{
		{Limiter: limit.New(limit.Options{Requests: 1 << 30, Concurrent: 10, Size: 100}, nil), By: proxy.ByAddress},
		{Limiter: limit.New(limit.Options{Concurrent: 10, Queue: time.Hour, Size: 100}, nil), By: proxy.ByRoute},
	}
	r.Hash = proxy.Key{Kind: proxy.ByPath}
	r.Tally = tally.New()
	r.Backend.Servers()[0].Observe(deaf{})
}

// deaf hears of every request and does nothing.
type deaf struct{}

func (deaf) Saw(backend.Event) {}

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
		e.ServeConn(served, &proxy.Listener{Name: "test", Counts: proxy.NewListenerCounts()})
	}()
	t.Cleanup(func() {
		client.Close()
		<-done
	})
	return client
}

// exchanger sends one request, of a client that has a persistence cookie, and reads
// its answer, allocating nothing.
func exchanger(t testing.TB, c net.Conn) func() {
	now := strconv.FormatInt(time.Now().Unix(), 36)
	request := []byte(strings.Replace(steadyRequest, "a=b", "a=b; SRV=one."+now+"."+now, 1))
	b := make([]byte, 4<<10)
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
	for name, change := range steadyWays() {
		exchange := exchanger(t, steadyEdge(t, answerer(t, steadyAnswer), change))
		for range 100 {
			exchange() // fills the pools
		}
		if n := alloctest.PerRun(2000, exchange); n >= 1 {
			t.Errorf("%s: a keep-alive GET allocates %v times", name, n)
		}
	}
}

// steadyWays are the plain route, one with everything, and ones whose clients have no
// cookie yet, come by the table, or by a key of their own making.
func steadyWays() map[string]func(*proxy.Route) {
	return map[string]func(*proxy.Route){
		"plain":   func(*proxy.Route) {},
		"watched": watched,
		"new": func(r *proxy.Route) {
			watched(r)
			r.Persistence.Cookie.Name = "NEW"
		},
		"table": func(r *proxy.Route) {
			watched(r)
			r.Persistence.Cookie = nil
		},
		"text": func(r *proxy.Route) {
			watched(r)
			r.Persistence.On = proxy.Key{Kind: proxy.ByField, Name: "user-agent"}
			r.Persistence.Table = stick.New(stick.Options{Text: true, Size: 1000}, nil)
		},
	}
}

func BenchmarkKeepAliveRequest(b *testing.B) {
	for name, change := range steadyWays() {
		b.Run(name, func(b *testing.B) {
			exchange := exchanger(b, steadyEdge(b, answerer(b, steadyAnswer), change))
			b.ReportAllocs()
			for b.Loop() {
				exchange()
			}
		})
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
