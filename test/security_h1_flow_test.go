package test_test

import (
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// TestSecurityH1Flow has the cases of group H1 in which it matters when who says
// what.
func TestSecurityH1Flow(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"H1-40_expectation_refused_at_once":           testExpectationRefused,
		"H1-40_expectation_met":                       testExpectationMet,
		"H1-40_expectation_ignored":                   testExpectationIgnored,
		"H1-42_pause_within_the_head":                 testPauseInHead,
		"H1-42_H1-64_pause_within_the_body":           testPauseInBody,
		"H1-57_no_Host_in_HTTP_1.0_to_default_route":  testDefaultRoute,
		"H1-63_client_ends_within_the_body":           testClientEndsInBody,
		"H1-63_client_ends_within_the_head":           testClientEndsInHead,
		"H1-65_encoded_line_ends_meet_a_path_rewrite": testEncodedLineEnds,
		"H1-13_chunks_that_pass_the_limit_later":      testChunksPassLimit,
		"H1-31_more_of_a_body_than_a_buffer_holds":    testChunksBeyondOneBuffer,
	} {
		t.Run(name, test)
	}
}

func testExpectationRefused(t *testing.T) {
	gone := make(chan bool, 1)
	edge, rec := startSite(t, func(p *edgetest.Peer) {
		for p.Head() != nil {
			p.Send("HTTP/1.1 401 Unauthorized⏎Content-Length: 0⏎⏎")
			gone <- p.Gone()
		}
	}, "")
	edge.Canaries(t)
	rec.Take()
	c := edge.Dial(t).Send(post("", "Expect: 100-continue", "Content-Length: 42"))
	if m := c.Answer(); m.Status != 401 || m.Get("Connection") != "close" {
		t.Errorf("answer %+v", m)
	}
	if end := c.End(); end != edgetest.Closed {
		t.Errorf("connection %v, want it closed", end)
	}
	c.Send(smuggled)
	if !<-gone {
		t.Error("the connection to a server that is owed a body stays open")
	}
	edge.Canaries(t)
	if requests, raw := rec.Take(); len(requests) != 1 || strings.Contains(raw, "/admin") {
		t.Errorf("the server got %q", raw)
	}
}

func testExpectationMet(t *testing.T) {
	edge, rec := startSite(t, func(p *edgetest.Peer) {
		for m := p.Head(); m != nil; m = p.Head() {
			p.Send("HTTP/1.1 100 Continue⏎⏎")
			p.Body(m)
			p.Send(edgetest.EchoOf(m))
		}
	}, "")
	c := edge.Dial(t)
	for range 2 {
		c.Send(post("", "Expect: 100-continue", "Content-Length: 5"))
		if m := c.Answer(); m.Status != 100 {
			t.Fatalf("first answer %+v", m)
		}
		if m := c.Send("hello").Answer(); m.Status != 200 || m.Get("Connection") != "" {
			t.Fatalf("answer %+v", m)
		}
	}
	requests, _ := rec.Take()
	if len(requests) != 2 || requests[1].Body != "hello" ||
		requests[1].Get("Expect") != "100-continue" {
		t.Errorf("the server got %+v", requests)
	}
}

// A client may send its body without waiting, and a server may never say 100.
func testExpectationIgnored(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	c := edge.Dial(t).Send(post("", "Expect: 100-continue", "Content-Length: 5"))
	if !edgetest.Until(func() bool { return rec.Count() == 1 }) {
		t.Fatal("the server heard nothing")
	}
	if m := c.Send("hello" + get("/next")).Answer(); m.Status != 200 || m.Body != "POST /" {
		t.Fatalf("answer %+v", m)
	}
	if m := c.Answer(); m.Body != "GET /next" {
		t.Fatalf("answer %+v", m)
	}
}

// impatient are timeouts that tests can wait for.
const impatient = `
	[timeouts]
	client = "200ms"
	request_head = "200ms"
`

func testPauseInHead(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, impatient)
	for _, part := range []string{
		"POST", "POST / HTTP/1.1⏎", "POST / HTTP/1.1⏎Host: app.example⏎Content-Length: 42⏎", "⏎",
	} {
		c := edge.Dial(t).Send(part)
		if m := c.Answer(); m.Status != 408 || m.Get("Connection") != "close" {
			t.Errorf("%q: answer %+v", part, m)
		}
		if end := c.End(); end != edgetest.Closed {
			t.Errorf("%q: connection %v", part, end)
		}
		c.Send("⏎" + smuggled)
	}
	edge.Canaries(t)
	if requests, raw := rec.Take(); len(requests) > 0 {
		t.Errorf("the server got %q", raw)
	}
}

func testPauseInBody(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, impatient)
	for _, part := range []string{
		post("", "Content-Length: 42"), post("GET /", "Content-Length: 42"),
		chunked(""), chunked("2a"), chunked("2a⏎GET /"), chunked("2⏎ab⏎0⏎"),
	} {
		c := edge.Dial(t).Send(part)
		if m := c.Answer(); m.Status != 408 || m.Get("Connection") != "close" {
			t.Errorf("%q: answer %+v", part, m)
		}
		if end := c.End(); end != edgetest.Closed {
			t.Errorf("%q: connection %v", part, end)
		}
		c.Send(smuggled)
		if !edgetest.Until(func() bool { return rec.Open() == 0 }) {
			t.Errorf("%q: the connection to the server stays open", part)
		}
		if requests, raw := rec.Take(); len(requests) != 1 || requests[0].Err == nil {
			t.Errorf("%q: the server got %q", part, raw)
		}
	}
	edge.Canaries(t)
}

func testDefaultRoute(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{Text: rec.Backend("app") + `
		[[route]]
		name = "default"
		backend = "app"
	`})
	c := edge.Dial(t).Send(request("GET /x HTTP/1.0"))
	if m := c.Answer(); m.Status != 200 || m.Body != "GET /x" {
		t.Errorf("answer %+v", m)
	}
	if end := c.End(); end != edgetest.Closed {
		t.Errorf("connection %v", end)
	}
	requests, raw := rec.Take()
	if len(requests) != 1 {
		t.Fatalf("the server got %q", raw)
	}
	if hosts := requests[0].Values("Host"); len(hosts) != 1 || hosts[0] != rec.Addr {
		t.Errorf("the server got Host %q", hosts)
	}
}

func testClientEndsInBody(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	inputs := []string{
		post(strings.Repeat("a", 500), "Content-Length: 1000"), post("", "Content-Length: 1000"),
		chunked("3e8⏎" + strings.Repeat("a", 500)), chunked("2⏎ab⏎"), chunked("2⏎ab⏎0⏎X: y⏎"),
	}
	for _, input := range inputs {
		for how, end := range map[string]func(*edgetest.Client){
			"FIN": (*edgetest.Client).CloseWrite, "reset": (*edgetest.Client).Reset,
			"close": (*edgetest.Client).Close,
		} {
			for _, c := range []*edgetest.Client{edge.Dial(t), edge.DialTLS(t, "app.example")} {
				c.Send(input)
				if !edgetest.Until(func() bool { return rec.Count() == 1 }) {
					t.Fatal("the server heard nothing")
				}
				end(c)
				if !edgetest.Until(func() bool { return rec.Open() == 0 }) {
					t.Errorf("%s after %q: the connection to the server stays open", how, input)
				}
				if requests, raw := rec.Take(); len(requests) != 1 || requests[0].Err == nil {
					t.Errorf("%s after %q: the server got %q", how, input, raw)
				}
				c.Close()
			}
		}
	}
	edge.Canaries(t)
}

func testChunksPassLimit(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	c := edge.Dial(t).Send(request("POST / HTTP/1.1", "Host: small.example",
		"Transfer-Encoding: chunked") + "1⏎a⏎")
	if !edgetest.Until(func() bool { return rec.Count() == 1 }) {
		t.Fatal("the server heard nothing")
	}
	c.Send("3ff⏎" + strings.Repeat("a", 1023) + "⏎1⏎b⏎0⏎⏎" + smuggled)
	if m := c.Answer(); m.Status != 413 || m.Get("Connection") != "close" {
		t.Errorf("answer %+v", m)
	}
	if end := c.End(); end != edgetest.Closed {
		t.Errorf("connection %v", end)
	}
	edge.Canaries(t)
	if requests, raw := rec.Take(); requests[0].Err == nil || strings.Contains(raw, "/admin") {
		t.Errorf("the server got %q", raw)
	}
}

func testClientEndsInHead(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	whole := get("/", "X: y")
	for cut := 1; cut < len(edgetest.Bytes(whole)); cut++ {
		c := edge.Dial(t).Send(edgetest.Bytes(whole)[:cut])
		c.CloseWrite()
		if m, err := c.TryAnswer("GET"); m != nil || err == nil {
			t.Fatalf("after %d bytes: answer %+v", cut, m)
		}
		c.Close()
	}
	edge.Canaries(t)
	if requests, raw := rec.Take(); len(requests) > 0 {
		t.Errorf("the server got %q", raw)
	}
}

// lineEndRoutes write paths that they were given into a head of their own.
const lineEndRoutes = `
	[[route]]
	hosts = ["app.example"]
	paths = ["/api"]
	strip_prefix = "/api"
	backend = "app"

	[[route]]
	hosts = ["moved.example"]
	redirect = "https://app.example{uri}"
`

func testEncodedLineEnds(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{Text: rec.Backend("app") + lineEndRoutes})
	edgetest.Run(t, edge, rec, lineEndCases())
}

func lineEndCases() []edgetest.Case {
	moved := func(target string) string {
		return request("GET "+target+" HTTP/1.1", "Host: moved.example")
	}
	return []edgetest.Case{
		refused("H1-65_in_the_path", each(withTarget, "/api/%0d%0aX-Forwarded-User:%20admin",
			"/api/x%0d%0a%0d%0aGET%20/admin", "/api/%0a", "/api/%0D")...),
		served("H1-65_in_the_query", wantPath("/x?%0d%0aX:%20y"),
			withTarget("/api/x?%0d%0aX:%20y")),
		refused("H1-65_in_a_redirect", moved("/%0d%0aSet-Cookie:%20a=b")),
		{
			Name: "H1-65_in_the_query_of_a_redirect", Status: 308,
			Send: []string{moved("/x?%0d%0aSet-Cookie:%20a=b")},
			Check: func(t testing.TB, o *edgetest.Outcome) {
				const want = "https://app.example/x?%0d%0aSet-Cookie:%20a=b"
				if got := o.Answers[0].Get("Location"); got != want {
					t.Errorf("Location: %s", got)
				}
			},
		},
	}
}

// A head that was large leaves a large buffer, in which more can arrive at once
// than is moved at a time: of a body, or behind one.
func testChunksBeyondOneBuffer(t *testing.T) {
	answer := make(chan bool)
	edge, rec := startSite(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			if m.Path == "/first" {
				<-answer
			}
			p.Send(edgetest.EchoOf(m))
		}
	}, "[limits]\nhead_bytes = \"1MiB\"\n")
	body := strings.Repeat("0123456789abcdef", 6<<10)
	large := get("/large", "X: "+strings.Repeat("x", 96<<10))
	for range 5 {
		for _, next := range []string{
			chunked("18000⏎" + body + "⏎0⏎⏎"), chunked("2⏎ab⏎0⏎⏎") + large,
		} {
			c := edge.Dial(t).Send(get("/first", "X: "+strings.Repeat("x", 900<<10)))
			edgetest.Until(func() bool { return rec.Count() == 1 })
			c.Send(next + get("/next"))
			answer <- true
			want := append([]string{"GET /first", "POST /"}, "GET /large")[:1+strings.Count(next,
				"/1.1")]
			for _, want := range append(want, "GET /next") {
				if m := c.Answer(); m.Status != 200 || m.Body != want {
					t.Fatalf("answer %+v, want %q", m, want)
				}
			}
			if requests, _ := rec.Take(); requests[1].Body != body && requests[1].Body != "ab" {
				t.Errorf("the server got a body of %d bytes", len(requests[1].Body))
			}
		}
	}
}
