package test_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"doorward/internal/edgetest"
)

// flapping is servers that answer each check in another way than the one before.
type flapping struct {
	urls   []string
	checks atomic.Int64
}

func newFlapping(t *testing.T, many int) *flapping {
	f := &flapping{}
	for range many {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		f.urls = append(f.urls, fmt.Sprintf("%q", "http://"+l.Addr().String()))
		go f.serve(l)
	}
	return f
}

func (f *flapping) serve(l net.Listener) {
	for n := 0; ; n++ {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go f.answer(c, n)
	}
}

// answer is good, bad, none for long, or the end of the connection.
func (f *flapping) answer(c net.Conn, n int) {
	defer c.Close()
	if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
		return
	}
	f.checks.Add(1)
	switch n % 4 {
	case 0:
		_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	case 1:
		_, _ = c.Write([]byte("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"))
	case 2:
		_, _ = c.Read(make([]byte, 1)) // until the check gives up
	}
}

// watching is how many goroutines run code of the checks.
func watching() (n int) {
	buf := make([]byte, 8<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		if strings.Contains(stack, "doorward/health.") {
			n++
		}
	}
	return n
}

// manyFlapping: the work that checks make follows from how many servers there are,
// not from how they behave or how often somebody reloads.
func manyFlapping(t *testing.T) {
	const many, few = 500, 100 // a few may stay for the next checks
	f := newFlapping(t, many)
	config := func(check string) edgetest.Config {
		return edgetest.Config{Text: fmt.Sprintf(`
			[[route]]
			hosts = ["app.example"]
			backend = "app"
			[backends.app]
			servers = [%s]
			%s`, strings.Join(f.urls, ", "), check)}
	}
	with := "[backends.app.check]\ninterval = \"400ms\"\nrise = 1\nfall = 1\npath = \"/%d\"\n"
	edge := edgetest.Start(t, config(""))
	if n := watching(); n != 0 {
		t.Fatalf("%d goroutines check without a check", n)
	}
	for i := range 2 {
		if err := edge.Reload(config(fmt.Sprintf(with, i))); err != nil {
			t.Fatal(err)
		}
		from, most := f.checks.Load(), 0
		for part := int64(1); part <= 6; part++ { // to look costs much more than a check
			if !edgetest.Until(func() bool { return f.checks.Load()-from > part*many/4 }) {
				t.Fatalf("%d checks", f.checks.Load()-from)
			}
			most = max(most, watching())
		}
		// One for each server, one for each check under way; and at a reload those
		// that the servers had before.
		if most > 4*many+few {
			t.Errorf("%d goroutines for %d servers", most, many)
		}
	}
	if !edgetest.Until(func() bool { return watching() <= 2*many+few }) {
		t.Errorf("%d goroutines for %d servers", watching(), many)
	}
	if err := edge.Reload(config("")); err != nil {
		t.Fatal(err)
	}
	if !edgetest.Until(func() bool { return watching() <= few }) {
		t.Errorf("%d goroutines check on", watching())
	}
}

// clientFaults has one server that is down after one bad request, and clients that
// do everything wrong that they can. It is the server that must fail, not they.
func clientFaults(t *testing.T) {
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Head(); m != nil; m = p.Head() {
			if m.Path == "/die" || !p.Body(m) {
				return
			}
			switch m.Path {
			case "/large":
				p.Send("HTTP/1.1 200 OK⏎Content-Length: 5000000⏎⏎")
				if m.Method == "GET" {
					_, _ = p.Write(make([]byte, 5_000_000))
				}
			case "/ws":
				p.Send("HTTP/1.1 400 Bad Request⏎Content-Length: 0⏎⏎")
			default:
				p.Send(edgetest.EchoOf(m))
			}
		}
	})
	// A client that is given up before its server would be, and one that stands
	// still for longer than a server may.
	clientFaultsWith(t, rec, "150ms", "2s", faults())
	clientFaultsWith(t, rec, "1500ms", "1s", []string{
		get("/large"), sized("hello")[:len(sized("hello"))-3], chunked("5⏎hel"),
	})
}

// clientFaultsWith does these faults, over plain HTTP and TLS, with these times for
// the client and the server.
func clientFaultsWith(t *testing.T, rec *edgetest.Recorder, client, server string, texts []string) {
	edge := edgetest.Start(t, edgetest.Config{Text: `
		[timeouts]
		client = "` + client + `"
		request_head = "150ms"
		server = "` + server + `"
		` + rec.Backend("app", `retries = 0`) + site + `
		[backends.app.check]
		type = "tcp"
		interval = "1h"
		observe = "layer7"
		error_limit = 1
		on_error = "mark-down"
	`})
	checked(t, edge, "L4OK")
	dials := []func() *edgetest.Client{
		func() *edgetest.Client { return edge.Dial(t) },
		func() *edgetest.Client { return edge.DialTLS(t, "app.example") },
	}
	for _, dial := range dials {
		for _, text := range texts {
			clientsEnd(rec, dial, text)
			if m := once(t, edge.HTTP, get("/")); m.Status != 200 {
				t.Fatalf("after %.60q the next client gets %+v", text, m)
			}
		}
	}
	if h := healthOf(edge, "app"); !h.Up || h.Fails > 0 || h.Downs > 0 {
		t.Fatalf("clients did this: %+v", h)
	}
	once(t, edge.HTTP, get("/die"))
	if !edgetest.Until(func() bool { return !healthOf(edge, "app").Up }) {
		t.Error("the fault of the server is not seen")
	}
}

// clientsEnd sends a text from several clients, which end each in another way.
func clientsEnd(rec *edgetest.Recorder, dial func() *edgetest.Client, text string) {
	method, _, _ := strings.Cut(text, " ")
	ends := []func(*edgetest.Client){
		func(c *edgetest.Client) { _, _ = c.TryAnswer(method) }, // in silence
		(*edgetest.Client).CloseWrite, (*edgetest.Client).Close, (*edgetest.Client).Reset,
	}
	before := rec.Count()
	head, rest, late := strings.Cut(text, "…")
	var all sync.WaitGroup
	for _, end := range ends {
		c := dial().Send(head)
		all.Go(func() {
			if late && edgetest.Until(func() bool { return rec.Count() >= before+len(ends) }) {
				c.Send(rest)
			}
			end(c)
			c.Close()
		})
	}
	all.Wait()
}

// faults are requests that a client begins and does not end well. What follows "…"
// comes once the server has the head.
func faults() []string {
	long := strings.Repeat("x", 100_000)
	return []string{
		"GET / HT", get("/"), get("/large"), get("/") + "GET / HT",
		sized("hello")[:len(sized("hello"))-3], sized(long)[:60_000], sized("hello") + get("/large"),
		chunked("5⏎hel"), chunked("5⏎hello⏎"), chunked("5⏎hello⏎") + "…zz⏎", chunked("5⏎hello⏎") + "…0⏎Bad Name: x⏎⏎",
		chunked("") + "…5⏎helloXX", chunked("5⏎hello⏎") + "…ffffffffffffffff⏎",
		request("POST / HTTP/1.1", "Host: small.example", "Transfer-Encoding: chunked") + "1⏎x⏎…800⏎" + long,
		post("", "Content-Length: 10", "Expect: 100-continue"), post("", "Content-Length: 10"),
		handshake("/ws") + "early", get("/", "Authorization: NTLM TlRMTVNTUAAB"),
		request("HEAD /large HTTP/1.1", "Host: app.example"), get("/", "Connection: close"),
		request("GET / HTTP/1.0", "Host: app.example"),
	}
}
