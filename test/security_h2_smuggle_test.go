package test_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"doorward/internal/edgetest"
)

// TestSecurityH2Bodies has the cases of group H2 in which a body is not what its head
// says, or looks like what it is not.
func TestSecurityH2Bodies(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	body := func(text string, pairs ...string) edgetest.Framed {
		return withBody(text, head(append([]string{":method", "POST"}, pairs...)...))[0]
	}
	// The server has heard of the request by then: what it got must stay a part of one.
	broken := func(name string, inputs ...edgetest.Framed) edgetest.Case {
		c := resets(name, inputs...)
		c.Broken = 1
		return c
	}
	smuggling := edgetest.Bytes(smuggled)
	trailing := body("abc", "content-length", "10")
	trailing.Trailers = []hpack.HeaderField{{Name: "x", Value: "y"}}
	ran := edgetest.RunFramed(t, edge, rec, []edgetest.Case{
		broken("H2-02_shorter_than_said", body("abc", "content-length", "10"),
			body("", "content-length", "10"), trailing,
			body(smuggling, "content-length", fmt.Sprint(len(smuggling)+1)),
			withBody("abc", head("content-length", "10"))[0]),
		broken("H2-03_longer_than_said", body("abcde", "content-length", "1"),
			body("5"+smuggling, "content-length", "1"),
			body(strings.Repeat("admin", 20_000), "content-length", "5")),
		servedFrames("H2-03_requests_in_a_body", wantBody(smuggling, true), body(smuggling),
			withBody(smuggling, head())[0], withBody(smuggling, head(":method", "DELETE"))[0]),
		servedFrames("H2-03_chunks_in_a_body", wantBody("0⏎⏎"+smuggled, true),
			body("0\r\n\r\n"+smuggling)),
		servedFrames("H2-03_requests_in_a_body_of_known_length", wantBody("0⏎⏎"+smuggled, false),
			body("0\r\n\r\n"+smuggling, "content-length", fmt.Sprint(len(smuggling)+5))),
		servedFrames("H2-03_no_body", func(t testing.TB, o *edgetest.Outcome) {
			if m := o.Requests[0]; m.Chunked || m.Length >= 0 {
				t.Errorf("the server got %q", m.Raw)
			}
		}, head(":method", "POST"), head(":method", "DELETE"), head()),
		answeredFrames("H2-03_body_for_what_is_answered_here", 403,
			body(smuggling, ":authority", "closed.example"),
			body(smuggling, ":authority", "closed.example", "content-length", fmt.Sprint(len(smuggling)))),
	})
	if ran < 15 {
		t.Errorf("only %d inputs", ran)
	}
}

// TestSecurityH2Order has the cases of groups H2 and H1 in which frames come where they
// must not, or do not come.
func TestSecurityH2Order(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"H2-03_data_behind_the_end":                 testDataBehindEnd,
		"H1-13_data_that_pass_the_limit_later":      testDataPassLimit,
		"H2-19_trailers_that_do_not_end":            testTrailersWithoutEnd,
		"H2-32_bomb":                                testBomb,
		"H2-32_crumbs":                              testCrumbs,
		"H2-40_among_others_on_the_same_connection": testLiesAmongOthers,
		"H2-42_preface_on_a_plain_listener":         testPlainPreface,
		"HOST-16_H1-51_the_other_protocol":          testOtherProtocol,
		"H1-40_expectation_refused_at_once":         testStreamExpectation,
		"H1-42_H1-64_pause_within_the_body":         testStreamPause,
		"H1-63_client_ends_within_the_body":         testStreamEnds,
	} {
		t.Run(name, test)
	}
}

// onlyCanaries fails the test when the server got something else since the last time.
func onlyCanaries(t *testing.T, edge *edgetest.Edge, rec *edgetest.Recorder) {
	t.Helper()
	edge.Canaries(t)
	if requests, raw := rec.Take(); len(requests) > 0 || strings.Contains(raw, "admin") {
		t.Errorf("the server got %q", raw)
	}
}

// testDataBehindEnd has data where the request is whole already, by its length or by its
// end: it may be answered before anybody sees them.
func testDataBehindEnd(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	f := edge.DialHTTP2(t, "app.example")
	id, surplus := uint32(1), edgetest.Bytes(smuggled)
	for _, c := range []struct {
		length string
		data   []string // "" ends the stream
	}{
		{"5", []string{"hello", surplus, ""}}, {"0", []string{surplus, ""}},
		{"0", []string{"", surplus}}, {"5", []string{"hello", "", surplus}},
		{"5", []string{"hel", "lo", surplus}},
	} {
		f.Headers(id, false, edgetest.Post("app.example", "/", "content-length: "+c.length)...)
		for _, data := range c.data {
			f.Data(id, data == "", data)
		}
		if r := f.Wait(id); r.Status != "200" && (!r.Reset || r.Code != http2.ErrCodeProtocol &&
			r.Code != http2.ErrCodeStreamClosed) {
			t.Errorf("%+v: %+v", c, r)
		}
		next := f.Ask(id+2, edgetest.Get("app.example", "/next")...)
		if string(next.Body) != "GET /next" {
			t.Errorf("another stream: %+v", next)
		}
		id += 4
	}
	edge.Canaries(t)
	f.Close()
	edge.Stop()
	rec.Close()
	requests, raw := rec.Take()
	for _, m := range requests {
		if m.Err != nil && !edgetest.Cut(m.Err) || m.Err == nil && m.Body != "hello" && m.Body != "" {
			t.Errorf("the server got %q, %v", m.Raw, m.Err)
		}
	}
	if len(requests) > 10 || strings.Contains(raw, "admin") {
		t.Errorf("the server got %q", raw)
	}
}

func testDataPassLimit(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	f := edge.DialHTTP2(t, "app.example")
	f.Headers(1, false, edgetest.Post("small.example", "/")...).Data(1, false, "a")
	if !edgetest.Until(func() bool { return rec.Count() == 1 }) {
		t.Fatal("the server heard nothing")
	}
	f.Data(1, false, strings.Repeat("a", 1024)).Data(1, true, edgetest.Bytes(smuggled))
	if r := f.Wait(1); r.Status != "413" {
		t.Errorf("%+v", r)
	}
	if r := f.Ask(3, edgetest.Get("app.example", "/next")...); string(r.Body) != "GET /next" {
		t.Errorf("another stream: %+v", r)
	}
	requests, raw := rec.Take()
	if len(requests) != 2 || requests[0].Err == nil || strings.Contains(raw, "admin") {
		t.Errorf("the server got %q", raw)
	}
	onlyCanaries(t, edge, rec)
}

func testTrailersWithoutEnd(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	f := edge.DialHTTP2(t, "app.example")
	f.Headers(1, false, edgetest.Post("app.example", "/")...).Data(1, false, "ab")
	if !edgetest.Until(func() bool { return rec.Count() == 1 }) {
		t.Fatal("the server heard nothing")
	}
	f.Headers(1, false, "x: y")
	if r := f.Wait(1); !r.Reset || r.Code != http2.ErrCodeProtocol {
		t.Errorf("%+v", r)
	}
	f.Data(1, true, edgetest.Bytes(smuggled))
	if r := f.Ask(3, edgetest.Get("app.example", "/next")...); string(r.Body) != "GET /next" {
		t.Errorf("another stream: %+v", r)
	}
	requests, raw := rec.Take()
	if len(requests) != 2 || requests[0].Err == nil || strings.Contains(raw, "admin") {
		t.Errorf("the server got %q", raw)
	}
	onlyCanaries(t, edge, rec)
}

// testBomb has a field of four kilobytes sixteen thousand times, at one byte each.
func testBomb(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	f := edge.DialHTTP2(t, "app.example")
	large := edgetest.Get("app.example", "/admin", "x: "+strings.Repeat("a", 3<<10))
	for id := uint32(1); id < 10; id += 2 {
		block := f.Block(large...)
		for len(block) < 16<<10 {
			block = append(block, 0x80|62) // the newest entry of the table
		}
		f.Check(f.Framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID: id, BlockFragment: block, EndStream: true, EndHeaders: true,
		}))
		if r := f.Wait(id); r.Status != "431" {
			t.Fatalf("%+v", r)
		}
	}
	// The table of the connection is what it would be.
	r := f.Ask(11, edgetest.Get("app.example", "/next", "x: "+strings.Repeat("a", 3<<10))...)
	requests, raw := rec.Take()
	if string(r.Body) != "GET /next" || len(requests) != 1 ||
		requests[0].Get("X") != strings.Repeat("a", 3<<10) {
		t.Errorf("%+v, the server got %q", r, raw)
	}
	onlyCanaries(t, edge, rec)
}

func testCrumbs(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	f := edge.DialHTTP2(t, "app.example")
	crumbs := func(n int) (lines []string) {
		for i := range n {
			lines = append(lines, fmt.Sprintf("cookie: c%d=%d", i, i))
		}
		return lines
	}
	if r := f.Ask(1, edgetest.Get("app.example", "/", crumbs(100)...)...); r.Status != "200" {
		t.Errorf("100 crumbs: %+v", r)
	}
	requests, _ := rec.Take()
	if got := requests[0].Values("Cookie"); len(got) != 1 || strings.Count(got[0], "; c") != 99 {
		t.Errorf("the server got %q", got)
	}
	for i, n := range []int{101, 3001} {
		id := uint32(3 + 2*i)
		f.Head(id, true, fieldsOf(edgetest.Get("app.example", "/admin", crumbs(n)...)))
		if r := f.Wait(id); r.Status != "431" {
			t.Errorf("%d crumbs: %+v", n, r)
		}
	}
	onlyCanaries(t, edge, rec)
}

// fieldsOf are lines as fields.
func fieldsOf(lines []string) (fields []hpack.HeaderField) {
	for _, line := range lines {
		i := strings.Index(line[1:], ": ") + 1
		fields = append(fields, hpack.HeaderField{Name: line[:i], Value: line[i+2:]})
	}
	return fields
}

// testLiesAmongOthers has clients whose bodies lie beside others who must get their own
// answers, many streams at once.
func testLiesAmongOthers(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	var all sync.WaitGroup
	for user := range 4 {
		f := edge.DialHTTP2(t, "app.example")
		all.Go(func() {
			defer f.Close()
			for id := uint32(1); id < 400; id += 8 {
				path := fmt.Sprintf("/user-%d-%d", user, id)
				f.Headers(id, false, edgetest.Post("app.example", "/lie", "content-length: 10")...)
				f.Headers(id+2, true, edgetest.Get("app.example", path)...)
				f.Data(id, true, "GET")
				f.Headers(id+4, false, edgetest.Post("app.example", "/lie", "content-length: 1")...)
				f.Data(id+4, true, edgetest.Bytes("x"+smuggled))
				f.Headers(id+6, false, edgetest.Post("app.example", path)...)
				f.Data(id+6, true, edgetest.Bytes(smuggled))
				for i, want := range []string{"", "GET " + path, "", "POST " + path} {
					r, err := f.TryWait(id + 2*uint32(i))
					if err != nil || string(r.Body) != want || r.Reset != (want == "") {
						t.Errorf("stream %d: %+v, %v, want %q", id+2*uint32(i), r, err, want)
						return
					}
				}
			}
		})
	}
	all.Wait()
	edge.Canaries(t)
	edge.Stop()
	rec.Close()
	requests, _ := rec.Take()
	whole := 0
	for _, m := range requests {
		switch {
		case m.Err == nil && m.Path != "/lie" && m.Path != "/admin":
			whole++
		case m.Err == nil || !edgetest.Cut(m.Err) || m.Path != "/lie":
			t.Errorf("the server got %q: %v", m.Raw, m.Err)
		}
	}
	if whole != 400 {
		t.Errorf("%d whole requests reached the server, want 400", whole)
	}
}

func testPlainPreface(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	for _, text := range []string{http2.ClientPreface, http2.ClientPreface + "\x00\x00\x00\x04\x00" +
		"\x00\x00\x00\x00" + smuggled} {
		c := edge.Dial(t).Send(text)
		if m := c.Answer(); m.Status != 505 || c.End() != edgetest.Closed {
			t.Errorf("%+v", m)
		}
	}
	onlyCanaries(t, edge, rec)
}

// testOtherProtocol speaks HTTP/1 where the handshake chose HTTP/2, and the other way
// round.
func testOtherProtocol(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	for _, text := range []string{smuggled, smuggled + strings.Repeat("x", 100),
		"PRI * HTTP/2.0⏎⏎XX⏎⏎" + smuggled, "⏎⏎" + http2.ClientPreface} {
		f := edge.DialFrames(t, &tls.Config{ServerName: "app.example"})
		f.Raw(edgetest.Bytes(text))
		if end := f.End(); end != edgetest.Closed {
			t.Errorf("%q: connection %v", text, end)
		}
		f.Close()
	}
	c := edge.DialTLS(t, "app.example").Send(http2.ClientPreface)
	if m := c.Answer(); m.Status != 505 || c.End() != edgetest.Closed {
		t.Errorf("%+v", m)
	}
	onlyCanaries(t, edge, rec)
}

func testStreamExpectation(t *testing.T) {
	gone := make(chan bool, 1)
	edge, rec := startSite(t, func(p *edgetest.Peer) {
		for p.Head() != nil {
			p.Send("HTTP/1.1 401 Unauthorized⏎Content-Length: 0⏎⏎")
			gone <- p.Gone()
		}
	}, "")
	f := edge.DialHTTP2(t, "app.example")
	f.Headers(1, false, edgetest.Post("app.example", "/", "expect: 100-continue",
		"content-length: 42")...)
	if r := f.Wait(1); r.Status != "401" || len(r.Early) > 0 {
		t.Errorf("%+v", r)
	}
	f.Data(1, true, edgetest.Bytes(smuggled))
	if !<-gone {
		t.Error("the connection to a server that is owed a body stays open")
	}
	edge.Canaries(t)
	if requests, raw := rec.Take(); len(requests) != 1 || strings.Contains(raw, "/admin") {
		t.Errorf("the server got %q", raw)
	}
}

func testStreamPause(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, impatient)
	for _, lines := range [][]string{{"content-length: 42"}, {}} {
		f := edge.DialHTTP2(t, "app.example")
		f.Headers(1, false, edgetest.Post("app.example", "/", lines...)...).Data(1, false, "GET /")
		if r := f.Wait(1); r.Status != "408" {
			t.Errorf("%q: %+v", lines, r)
		}
		f.Data(1, true, edgetest.Bytes(smuggled))
		if !edgetest.Until(func() bool { return rec.Open() == 0 }) {
			t.Errorf("%q: the connection to the server stays open", lines)
		}
		if requests, raw := rec.Take(); len(requests) != 1 || requests[0].Err == nil {
			t.Errorf("%q: the server got %q", lines, raw)
		}
		f.Close()
	}
	onlyCanaries(t, edge, rec)
}

func testStreamEnds(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	for name, end := range map[string]func(*edgetest.Frames){
		"reset of the stream": func(f *edgetest.Frames) {
			f.Check(f.Framer.WriteRSTStream(1, http2.ErrCodeCancel))
		},
		"reset without an error": func(f *edgetest.Frames) {
			f.Check(f.Framer.WriteRSTStream(1, http2.ErrCodeNo))
		},
		"farewell": func(f *edgetest.Frames) {
			f.Check(f.Framer.WriteGoAway(0, http2.ErrCodeNo, nil))
			f.Close()
		},
		"close": (*edgetest.Frames).Close,
	} {
		for _, lines := range [][]string{{"content-length: 1000"}, {}} {
			f := edge.DialHTTP2(t, "app.example")
			f.Headers(1, false, edgetest.Post("app.example", "/", lines...)...)
			f.Data(1, false, strings.Repeat("a", 500))
			if !edgetest.Until(func() bool { return rec.Count() == 1 }) {
				t.Fatal("the server heard nothing")
			}
			end(f)
			if !edgetest.Until(func() bool { return rec.Open() == 0 }) {
				t.Errorf("%s, %q: the connection to the server stays open", name, lines)
			}
			if requests, raw := rec.Take(); len(requests) != 1 || requests[0].Err == nil {
				t.Errorf("%s, %q: the server got %q", name, lines, raw)
			}
			f.Close()
		}
	}
	onlyCanaries(t, edge, rec)
}
