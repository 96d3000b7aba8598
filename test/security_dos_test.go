package test_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"doorward/internal/edgetest"
)

// TestSecurityDOS has the cases of group DOS that concern connections, heads and
// bodies.
func TestSecurityDOS(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"DOS-02_connections_over_the_limit_wait":  connectionsWait,
		"DOS-03_a_million_field_names":            manyNames,
		"DOS-04_heads_weigh_what_they_are":        heavyHeads,
		"DOS-05_bodies_over_the_limit":            largeBodies,
		"DOS-16_retries_are_a_share_of_the_whole": fewRepeats,
		"DOS-16_nothing_with_effect_is_repeated":  noRepeats,
		"DOS-17_the_queue_ends":                   queueEnds,
		"DOS-24_nothing_is_compressed_here":       nothingCompressed,
	} {
		t.Run(name, test)
	}
}

func connectionsWait(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, tunnelSite(rec, "[limits]\nconnections = 3\n"))
	open := []*edgetest.Client{edge.Dial(t), edge.DialTLS(t, "app.example"), edge.Dial(t)}
	for _, c := range open {
		c.Send(get("/")).Answer()
	}
	waits := edge.Dial(t).Send(get("/waits"))
	answered := make(chan *edgetest.Message, 1)
	go func() {
		m, _ := waits.TryAnswer("GET")
		answered <- m
	}()
	// Those who have a place go on; the one who waits is not refused.
	for range 20 {
		open[0].Send(get("/")).Answer()
	}
	if len(answered) > 0 {
		t.Fatalf("the fourth connection is served: %+v", <-answered)
	}
	open[2].Close()
	if m := <-answered; m == nil || m.Body != "GET /waits" {
		t.Errorf("the fourth connection got %+v once there was a place", m)
	}
}

// heap is what is in use after the garbage is gone.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func manyNames(t *testing.T) {
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			p.Send(edgetest.EchoOf(m))
			_, _ = p.Recorder().Take()
		}
	})
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	c := edge.Dial(t)
	n := 0
	ask := func(requests int) {
		var b strings.Builder
		for range requests {
			b.Reset()
			for range 90 {
				fmt.Fprintf(&b, "x-%x: y⏎", n)
				n++
			}
			c.Send(get("/", b.String()+"z: z")).Answer()
		}
	}
	ask(50)
	before := heap()
	ask(500)
	if grown := heap() - before; grown > 2<<20 {
		t.Errorf("%d names cost %d bytes", n, grown)
	}
}

// heavyHeads that never end cost about what was sent, not a multiple.
func heavyHeads(t *testing.T) {
	const many, size = 200, 30 << 10
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	for name, line := range map[string]string{
		"one large field":   "X: " + strings.Repeat("x", size),
		"many small fields": strings.Repeat("a: b⏎", 97),
	} {
		half := "GET / HTTP/1.1⏎Host: text.example⏎" + line
		before := heap()
		var clients []*edgetest.Client
		for range many {
			clients = append(clients, edge.Dial(t).Send(half))
		}
		// A head that is completed was read; then there is another half.
		for _, c := range clients {
			if m := c.Send("⏎⏎").Answer(); m.Body != "text" {
				t.Fatalf("%s: %+v", name, m)
			}
			c.Send(half)
		}
		if grown := heap() - before; grown > many*(size+64<<10) {
			t.Errorf("%s: %d connections cost %d KiB each", name, many, grown/many>>10)
		}
		for _, c := range clients {
			c.Close()
		}
	}
}

func largeBodies(t *testing.T) {
	small := func(framing, body string) string {
		return request("POST / HTTP/1.1", "Host: small.example", framing) + body
	}
	chunk := "100⏎" + strings.Repeat("x", 256) + "⏎"
	edge, rec := startSite(t, edgetest.Echo, `
		[[route]]
		name = "medium"
		hosts = ["medium.example"]
		body_bytes = "200KiB"
		backend = "app"
	`)
	edgetest.Run(t, edge, rec, []edgetest.Case{
		{
			Name: "length", Status: http.StatusRequestEntityTooLarge, Closes: true, Send: []string{
				small("Content-Length: 1025", ""), small("Content-Length: 1025", strings.Repeat("x", 1025)),
				small("Content-Length: 9223372036854775807", "x"),
				small("Expect: 100-continue⏎Content-Length: 1000000", ""),
			},
		},
		served("just_within", wantBody(strings.Repeat("x", 1024), false),
			small("Content-Length: 1024", strings.Repeat("x", 1024))),
		served("chunks_just_within", wantBody(strings.Repeat("x", 1024), true),
			small("Transfer-Encoding: chunked", strings.Repeat(chunk, 4)+"0⏎⏎")),
		{
			Name: "chunks", Status: http.StatusRequestEntityTooLarge, Closes: true, Send: []string{
				small("Transfer-Encoding: chunked", strings.Repeat(chunk, 4)+"1⏎x⏎0⏎⏎"),
				small("Transfer-Encoding: chunked", strings.Repeat(chunk, 4000)),
			},
		},
		{
			Name: "chunks_that_come_later", Status: http.StatusRequestEntityTooLarge, Closes: true,
			Broken: 1, Send: []string{strings.Replace(small("Transfer-Encoding: chunked",
				strings.Repeat(chunk, 4000)), "small", "medium", 1)},
		},
	})
}

// fewRepeats: when a server fails for all, the repeats must not bury it.
func fewRepeats(t *testing.T) {
	const many = 100
	var firsts, repeats atomic.Int64
	allHere, release := make(chan bool), make(chan bool)
	seen := sync.Map{}
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			if _, again := seen.LoadOrStore(m.Path, true); again {
				repeats.Add(1)
				<-release
			} else {
				if firsts.Add(1) == many {
					close(allHere)
				}
				<-allHere
			}
			p.Send("HTTP/1.1 503 Service Unavailable⏎Content-Length: 0⏎⏎")
		}
	})
	edge := edgetest.Start(t, edgetest.Config{
		Text: rec.Backend("app", `retries = 3`, `retry_on = [503]`) + site,
	})
	var done atomic.Int64
	var all sync.WaitGroup
	for i := range many {
		c := edge.Dial(t)
		all.Go(func() {
			m, err := c.Send(get(fmt.Sprintf("/%d", i))).TryAnswer("GET")
			if err != nil || m.Status != 503 {
				t.Errorf("answer %+v, %v", m, err)
			}
			done.Add(1)
		})
	}
	if !edgetest.Until(func() bool { return done.Load()+repeats.Load() >= many }) {
		t.Errorf("%d requests are done and %d repeated", done.Load(), repeats.Load())
	}
	if n := repeats.Load(); n > many/5 {
		t.Errorf("%d of %d requests are repeated at one time", n, many)
	}
	close(release)
	all.Wait()
}

// noRepeats: what may have had an effect goes out once, and what has a body that
// was streamed cannot go out twice.
func noRepeats(t *testing.T) {
	for _, answer := range []string{"HTTP/1.1 503 Service Unavailable⏎Content-Length: 0⏎⏎", ""} {
		rec := edgetest.Record(t, func(p *edgetest.Peer) {
			for m := p.Request(); m != nil && answer != ""; m = p.Request() {
				p.Send(answer)
			}
		})
		edge := edgetest.Start(t, edgetest.Config{Text: rec.Backend("app", `retries = 3`,
			`retry_on = ["connect", "empty-response", "response-timeout", 503]`) + site})
		for text, want := range map[string]int{
			get("/"): 4, sized("hello"): 1, chunked("5⏎hello⏎0⏎⏎"): 1,
			strings.Replace(sized("hello"), "POST", "PUT", 1):         4,
			strings.Replace(sized("hello"), "POST", "PATCH", 1):       1,
			strings.Replace(chunked("5⏎hello⏎0⏎⏎"), "POST", "PUT", 1): 1,
		} {
			c := edge.Dial(t)
			m, err := c.Send(text).TryAnswer("GET")
			if err != nil || m.Status < 502 {
				t.Errorf("%q: answer %+v, %v", text, m, err)
			}
			if got, _ := rec.Take(); len(got) != want {
				t.Errorf("%q reached the server %d times, want %d", text, len(got), want)
			}
			c.Close()
		}
	}
}

func queueEnds(t *testing.T) {
	release := make(chan bool)
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			if m.Path == "/held" {
				<-release
			}
			p.Send(edgetest.EchoOf(m))
		}
	})
	edge := edgetest.Start(t, edgetest.Config{Text: fmt.Sprintf("[backends.app]\n"+
		"timeouts = { queue = \"150ms\" }\n[[backends.app.server]]\nurl = %q\nmax_connections = 1\n",
		rec.URL) + site})
	held := edge.Dial(t).Send(get("/held"))
	if !edgetest.Until(func() bool { return rec.Count() == 1 }) {
		t.Fatal("the server got no request")
	}
	var all sync.WaitGroup
	for range 30 {
		c := edge.Dial(t)
		all.Go(func() {
			m, err := c.Send(get("/queued")).TryAnswer("GET")
			if err != nil || m.Status != 503 || m.Get("Retry-After") == "" {
				t.Errorf("answer %+v, %v", m, err)
			}
		})
	}
	all.Wait()
	close(release)
	if m := held.Answer(); m.Body != "GET /held" {
		t.Errorf("the request that had the place got %+v", m)
	}
	if m := edge.Dial(t).Send(get("/later")).Answer(); m.Body != "GET /later" {
		t.Errorf("a later request got %+v", m)
	}
	if got, _ := rec.Take(); len(got) != 2 {
		t.Errorf("the server got %d requests, want 2", len(got))
	}
}

// nothingCompressed: an answer that is made smaller tells what is in it (BREACH).
func nothingCompressed(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	for _, host := range []string{"text.example", "moved.example", "closed.example", "nobody.example"} {
		m := edge.Dial(t).Send(request("GET / HTTP/1.1", "Host: "+host,
			"Accept-Encoding: gzip, deflate, br, zstd")).Answer()
		if m.Get("Content-Encoding") != "" {
			t.Errorf("%s: Content-Encoding %q", host, m.Get("Content-Encoding"))
		}
	}
}
