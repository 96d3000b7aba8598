package test_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"doorward/internal/edgetest"
)

// TestSecurityH2Memory has the cases of group H2, and those of other groups over
// HTTP/2, in which little on the wire is to become much in memory.
func TestSecurityH2Memory(t *testing.T) {
	edge, rec := besieged(t, "")
	for name, test := range map[string]func(*testing.T, *edgetest.Edge, *edgetest.Recorder){
		"H2-31_table_sizes_up_and_down":           tableSizes,
		"CRASH-04_table_sizes_up_and_down":        tableSizes,
		"H2-32_heads_that_grow":                   growingHeads,
		"H2-32_heads_just_within_the_limit":       largestHeads,
		"H2-33_cookie_crumbs":                     cookieCrumbs,
		"H2-44_fields_that_come_to_nothing_count": droppedFields,
		"DOS-03_names_of_fields":                  manyNamesOfStreams,
		"DOS-04_heads_of_many_fields":             manyFieldsOfStreams,
		"DOS-05_bodies_over_the_limit":            largeBodiesOfStreams,
	} {
		t.Run(name, func(t *testing.T) {
			test(t, edge, rec)
			_, _ = rec.Take()
		})
	}
	edge.Canaries(t)
	if strings.Contains(edge.Log(), "panic") {
		t.Errorf("the log tells of a panic:\n%s", edge.Log())
	}
}

// window is the setting for how much we may send on a stream.
func window(n uint32) http2.Setting {
	return http2.Setting{ID: http2.SettingInitialWindowSize, Val: n}
}

// weighed fails when an attack over one connection costs too much.
func weighed(t *testing.T, rec *edgetest.Recorder, attack func()) {
	t.Helper()
	accepted := rec.Accepted()
	grown := weigh(attack)
	connected := rec.Accepted() - accepted
	t.Logf("the heap grew by %d KiB at most, with %d connections to the server", grown>>10, connected)
	if grown > int64(mostHeap+connected*serverHeap) {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

// tableSizes changes the size of the client's table between requests, many times in
// each frame, on several connections that share what we know of heads.
func tableSizes(t *testing.T, edge *edgetest.Edge, _ *edgetest.Recorder) {
	var all []http2.Setting
	for i := range uint32(100) {
		all = append(all, http2.Setting{ID: http2.SettingHeaderTableSize, Val: 4096 * (i % 2)})
	}
	var clients sync.WaitGroup
	for range 8 {
		f := edge.DialHTTP2(t, "app.example")
		clients.Go(func() {
			id := uint32(1)
			for round := range 15 { // the budget has 20
				f.Check(f.Framer.WriteSettings(all[:len(all)-round%2]...))
				for range 10 {
					r, err := f.Headers(id, true, edgetest.Get("app.example", "/x")...).TryWait(id)
					if err != nil || r.Status != "200" || string(r.Body) != "GET /x" {
						t.Errorf("stream %d: %+v, %v", id, r, err)
						return
					}
					id += 2
				}
			}
			f.Close()
		})
	}
	clients.Wait()
}

// growingHeads refer to one large field again and again (CVE-2026-49975). The streams
// are held open by windows of nothing.
func growingHeads(t *testing.T, edge *edgetest.Edge, rec *edgetest.Recorder) {
	f := edge.DialHTTP2(t, "app.example", window(0))
	first := f.Block(edgetest.Get("app.example", "/refused", "x: "+strings.Repeat("y", 3800))...)
	later := append(f.Block(edgetest.Get("app.example", "/refused")...), strings.Repeat("\xbe", 12<<10)...)
	weighed(t, rec, func() {
		for i := range uint32(100) {
			block := later
			if i == 0 {
				block = append(first, strings.Repeat("\xbe", 12<<10)...)
			}
			f.Check(f.Framer.WriteHeaders(http2.HeadersFrameParam{
				StreamID: 2*i + 1, BlockFragment: block, EndStream: true, EndHeaders: true,
			}))
		}
		for i := range uint32(100) {
			for r := f.Reply(2*i + 1); r.Status == "" && !r.Reset; {
				if err := f.Read(); err != nil {
					t.Fatalf("stream %d: %v", 2*i+1, err)
				}
			}
		}
	})
	f.Check(f.Framer.WriteSettings(window(1 << 20)))
	for i := range uint32(100) {
		if r := f.Wait(2*i + 1); r.Status != "431" {
			t.Fatalf("stream %d: %+v, want 431", 2*i+1, r)
		}
	}
	neverReached(t, rec, "/refused")
	if r := f.Ask(201, edgetest.Get("app.example", "/later")...); string(r.Body) != "GET /later" {
		t.Errorf("a later request got %+v", r)
	}
}

// largestHeads are held by windows of nothing, without a server.
func largestHeads(t *testing.T, edge *edgetest.Edge, rec *edgetest.Recorder) {
	f := edge.DialHTTP2(t, "text.example", window(0))
	field := "x: " + strings.Repeat("y", 4000)
	lines := edgetest.Get("text.example", "/", field, field, field, field, field, field, field)
	weighed(t, rec, func() {
		for i := range uint32(100) {
			f.Headers(2*i+1, true, lines...)
		}
		for i := range uint32(100) {
			for f.Reply(2*i+1).Status != "200" {
				if err := f.Read(); err != nil {
					t.Fatalf("stream %d: %v", 2*i+1, err)
				}
			}
		}
	})
}

func manyFieldsOfStreams(t *testing.T, edge *edgetest.Edge, rec *edgetest.Recorder) {
	f := edge.DialHTTP2(t, "app.example")
	fields := strings.Split(strings.Repeat("a: b|", 97)+"z: z", "|")
	weighed(t, rec, func() { holdMany(t, f, rec, fields...) })
}

// holdMany opens as many streams as may be, with requests that the server holds.
func holdMany(t *testing.T, f *edgetest.Frames, rec *edgetest.Recorder, lines ...string) {
	t.Helper()
	for i := range uint32(100) {
		f.Headers(2*i+1, true, edgetest.Get("app.example", "/hold", lines...)...)
	}
	wait(t, "all requests at the server", func() bool { return rec.Count() >= 100 })
}

func cookieCrumbs(t *testing.T, edge *edgetest.Edge, rec *edgetest.Recorder) {
	f := edge.DialHTTP2(t, "app.example")
	crumbs := func(n int) []string {
		var lines []string
		for range n {
			lines = append(lines, "cookie: a=b")
		}
		return edgetest.Get("app.example", "/crumbs", lines...)
	}
	for i, n := range []int{101, 3001} {
		if r := f.Ask(uint32(2*i+1), crumbs(n)...); r.Status != "431" {
			t.Errorf("%d crumbs: %+v, want 431", n, r)
		}
	}
	if r := f.Ask(5, crumbs(100)...); r.Status != "200" {
		t.Errorf("100 crumbs: %+v", r)
	}
	got, _ := rec.Take()
	want := strings.TrimSuffix(strings.Repeat("a=b; ", 100), "; ")
	got = slices.DeleteFunc(got, func(m *edgetest.Message) bool { return m.Path != "/crumbs" })
	if len(got) != 1 || len(got[0].Values("Cookie")) != 1 || got[0].Get("Cookie") != want {
		t.Errorf("the server got %+v", got)
	}
}

func droppedFields(t *testing.T, edge *edgetest.Edge, rec *edgetest.Recorder) {
	id := uint32(1)
	f := edge.DialHTTP2(t, "app.example")
	for _, line := range []string{
		"host: app.example", "te: trailers", "x-forwarded-for: 192.0.2.1", "x_real_ip: 192.0.2.1",
		"content-length: 0", "expect: 100-continue", "x-request-id: a", "x: y",
	} {
		many := strings.Split(strings.Repeat(line+"\n", 10_000), "\n")[:10_000]
		r := f.Ask(id, edgetest.Get("app.example", "/refused", many...)...)
		if id += 2; r.Status != "431" && !r.Reset {
			t.Errorf("10000 x %q: %+v, want 431 or a reset", line, r)
		}
	}
	neverReached(t, rec, "/refused")
	if r := f.Ask(id, edgetest.Get("app.example", "/later")...); string(r.Body) != "GET /later" {
		t.Errorf("a later request got %+v", r)
	}
}

// neverReached looks for a request that the server must not get. What others sent before
// may still be on its way.
func neverReached(t *testing.T, rec *edgetest.Recorder, path string) {
	t.Helper()
	for _, m := range take(rec) {
		if m.Path == path {
			t.Errorf("the server got %.300q", m.Raw)
		}
	}
}

func manyNamesOfStreams(t *testing.T, edge *edgetest.Edge, rec *edgetest.Recorder) {
	f := edge.DialHTTP2(t, "app.example")
	n, id := 0, uint32(1)
	ask := func(requests int) {
		for range requests {
			lines := make([]string, 90)
			for i := range lines {
				lines[i] = fmt.Sprintf("x-%x: y", n)
				n++
			}
			if r := f.Ask(id, edgetest.Get("app.example", "/", lines...)...); r.Status != "200" {
				t.Fatalf("%+v", r)
			}
			id += 2
			_, _ = rec.Take()
		}
	}
	ask(50)
	before := live()
	ask(500)
	grown := live() - before
	t.Logf("%d names: the heap grew by %d KiB", n, grown>>10)
	if grown > 2<<20 {
		t.Errorf("%d names cost %d bytes", n, grown)
	}
}

func largeBodiesOfStreams(t *testing.T, edge *edgetest.Edge, rec *edgetest.Recorder) {
	f := edge.DialHTTP2(t, "app.example")
	for i, c := range []struct {
		length, body, want string
	}{
		{"1025", "", "413"}, {"1025", strings.Repeat("x", 1025), "413"},
		{"9223372036854775807", "x", "413"}, {"1024", strings.Repeat("x", 1024), "200"},
		{"", strings.Repeat("x", 1024), "200"}, {"", strings.Repeat("x", 1025), "413"},
	} {
		id, lines := uint32(2*i+1), edgetest.Post("small.example", "/")
		if c.length != "" {
			lines = append(lines, "content-length: "+c.length)
		}
		f.Headers(id, false, lines...).Data(id, c.want == "200", c.body)
		if r := f.Wait(id); r.Status != c.want {
			t.Errorf("length %q and %d bytes: %+v, want %s", c.length, len(c.body), r, c.want)
		}
	}
	whole := 0
	for _, m := range take(rec) {
		if m.Err == nil && m.Method == "POST" {
			whole++
		}
	}
	if whole != 2 {
		t.Errorf("%d whole requests reached the server, want 2", whole)
	}
}

// TestSecurityH2Windows has the cases about windows that stay shut: a hundred answers
// without an end wait, cost little meanwhile, hold their servers back and are given up
// in time.
func TestSecurityH2Windows(t *testing.T) {
	var sent atomic.Int64
	flowing := make([]byte, 64<<10)
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			p.Send("HTTP/1.1 200 OK⏎Content-Length: 100000000000⏎⏎")
			for {
				n, err := p.Write(flowing)
				sent.Add(int64(n))
				if err != nil {
					return
				}
			}
		}
	})
	patient := edgetest.Config{Text: rec.Backend("app") + site}
	hasty := patient
	hasty.Text = "[timeouts]\nclient = \"300ms\"\n" + hasty.Text
	for name, size := range map[string]uint32{
		"shut": 0, "open_by_one_byte": 1, "open_but_that_of_the_connection": 1 << 20,
	} {
		t.Run("H2-34_windows_"+name, func(t *testing.T) {
			edge := edgetest.Start(t, patient)
			f := edge.DialHTTP2(t, "app.example", window(size))
			weighed(t, rec, func() {
				openMany(f)
				sawOnAll(t, f, func(frame http2.Frame) bool {
					return frame.Header().Type == http2.FrameHeaders
				})
				still(t, &sent)
			})
			f.Close()
			wait(t, "the end of the servers' connections", func() bool { return rec.Open() == 0 })
		})
		t.Run("H2-34_windows_"+name+"_for_too_long", func(t *testing.T) {
			edge := edgetest.Start(t, hasty)
			f, start := edge.DialHTTP2(t, "app.example", window(size)), time.Now()
			openMany(f)
			sawOnAll(t, f, func(frame http2.Frame) bool {
				reset, ok := frame.(*http2.RSTStreamFrame)
				return ok && reset.ErrCode == http2.ErrCodeCancel
			})
			within(t, start, 300*time.Millisecond)
			wait(t, "the end of the servers' connections", func() bool { return rec.Open() == 0 })
		})
	}
}

func openMany(f *edgetest.Frames) {
	for i := range uint32(100) {
		f.Headers(2*i+1, true, edgetest.Get("app.example", "/flood")...)
	}
}

// sawOnAll reads, without giving windows back, until each of a hundred streams had a
// frame of some kind.
func sawOnAll(t *testing.T, f *edgetest.Frames, is func(http2.Frame) bool) {
	t.Helper()
	streams := map[uint32]bool{}
	for len(streams) < 100 {
		frame, err := f.Framer.ReadFrame()
		if err != nil {
			t.Fatalf("%v after %d streams", err, len(streams))
		}
		if is(frame) {
			streams[frame.Header().StreamID] = true
		}
	}
}

// still waits until the servers can send no more.
func still(t *testing.T, sent *atomic.Int64) {
	t.Helper()
	last, same := int64(-1), 0
	wait(t, "servers that are held back", func() bool {
		now := sent.Load()
		if same++; now != last {
			last, same = now, 0
		}
		return same > 50
	})
}
