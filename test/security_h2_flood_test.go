package test_test

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"doorward/internal/edgetest"
)

// flood is what a client sends without end on one connection: all of it costs us
// something and gains an honest client nothing.
type flood struct {
	name string
	// first is sent once, round again and again.
	first, round func(*wire)
	// deaf clients read nothing before they have sent all that goes.
	deaf bool
	// reach is how many requests of one client may get to the server.
	reach int
	// budget is what the log says there was too much of. Without it the connection must
	// end with code, as one that breaks the rules.
	budget string
	code   http2.ErrCode
}

const (
	// floodRounds are far more than any budget allows, and few enough for a test that
	// fails.
	floodRounds = 30_000
	attackers   = 2
	// mostHandled is how many requests may get to the server although they are given up
	// (security case H2-20).
	mostHandled = 500
	// mostHeap is what one attacking connection may cost at any time, its own side
	// included (security case H2-32); serverHeap is what a connection costs the recorder,
	// which is in the same process.
	mostHeap   = 16 << 20
	serverHeap = 64 << 10
)

// TestSecurityH2Flood has the cases of group H2 in which a client never stops: each
// connection ends with ENHANCE_YOUR_CALM, is logged and counted, and nobody else
// notices.
func TestSecurityH2Flood(t *testing.T) {
	edge, rec := besieged(t, "")
	for _, list := range [][]flood{resetFloods(), ownResetFloods(), headFloods(), frameFloods()} {
		for _, fl := range list {
			t.Run(fl.name, func(t *testing.T) { fl.run(t, edge, rec) })
		}
	}
	edge.Canaries(t)
}

func (fl *flood) run(t *testing.T, edge *edgetest.Edge, rec *edgetest.Recorder) {
	accepted, logged, counted := rec.Accepted(), abuses(edge, fl.budget),
		edge.App.View().Node.Abuses
	beside := startNeighbours(t, edge)
	grown := weigh(func() { fl.attack(t, edge) })
	beside.leave(5)
	connected := rec.Accepted() - accepted
	t.Logf("the heap grew by %d KiB at most, with %d connections to the server", grown>>10, connected)
	if grown > int64(attackers*mostHeap+connected*serverHeap) {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	// The server is let go of, too, but for connections that wait for other requests.
	if !edgetest.Until(func() bool { return rec.Open()-idling(edge) <= attackers+2 }) {
		t.Errorf("%d connections to the server are open, %d of them idle", rec.Open(), idling(edge))
	}
	if got, _ := rec.Take(); len(got) > attackers*fl.reach {
		t.Errorf("%d requests of %d clients reached the server, want %d for each at most",
			len(got), attackers, fl.reach)
	}
	want := attackers
	if fl.budget == "" {
		want = 0
	}
	if n := edge.App.View().Node.Abuses - counted; n != int64(want) {
		t.Errorf("%d connections were counted, want %d", n, want)
	}
	if !edgetest.Until(func() bool { return abuses(edge, fl.budget)-logged == want }) {
		t.Errorf("the log tells of too many %q %d times, want %d", fl.budget,
			abuses(edge, fl.budget)-logged, want)
	}
}

// waiting is how many connections to servers are kept for the next request.
func idling(edge *edgetest.Edge) (idle int) {
	for _, b := range edge.App.View().Backends {
		for _, s := range b.Servers {
			idle += int(s.Idle)
		}
	}
	return idle
}

// attack has several clients send the flood, all at the same time.
func (fl *flood) attack(t *testing.T, edge *edgetest.Edge) {
	var clients []*edgetest.Frames
	var sent []chan struct{}
	for range attackers {
		f, done := edge.DialHTTP2(t, "app.example"), make(chan struct{})
		clients, sent = append(clients, f), append(sent, done)
		go func() {
			defer close(done)
			w := newWire(f)
			if fl.first != nil {
				fl.first(w)
			}
			w.pour(floodRounds, fl.round)
		}()
	}
	code := fl.code
	if fl.budget != "" {
		code = http2.ErrCodeEnhanceYourCalm
	}
	for i, f := range clients {
		if fl.deaf {
			<-sent[i]
		}
		end := f.End()
		switch {
		case end == edgetest.Open:
			t.Errorf("client %d: the connection stays open", i)
		case f.GoAway == nil || f.GoAway.ErrCode != code:
			t.Errorf("client %d: connection %v, GOAWAY %+v %q, want %v", i, end, f.GoAway, f.Debug(), code)
		}
		f.Close()
		<-sent[i]
	}
}

// resetFloods are about requests that the client gives up (CVE-2023-44487).
func resetFloods() []flood {
	held := edgetest.Get("app.example", "/hold")
	return []flood{
		{
			name: "H2-20_rapid_reset", budget: "resets", reach: mostHandled,
			round: func(w *wire) { w.f.Check(w.WriteRSTStream(w.open(true, held...), http2.ErrCodeCancel)) },
		},
		{
			name: "H2-20_rapid_reset_of_bodies", budget: "resets", reach: mostHandled,
			round: func(w *wire) {
				id := w.open(false, edgetest.Post("app.example", "/hold")...)
				w.f.Check(w.WriteData(id, false, []byte("x")))
				w.f.Check(w.WriteRSTStream(id, http2.ErrCodeNo))
			},
		},
		{
			name: "H2-20_resets_of_what_has_ended", budget: "frames without meaning", reach: 1,
			first: func(w *wire) {
				w.f.Check(w.WriteRSTStream(w.open(true, held...), http2.ErrCodeCancel))
			},
			round: func(w *wire) { w.f.Check(w.WriteRSTStream(1, http2.ErrCodeCancel)) },
		},
		{
			name: "H2-38_streams_beyond_the_limit", budget: "resets", reach: 100,
			round: func(w *wire) { w.open(true, held...) },
		},
	}
}

// ownResetFloods make us do it, by breaking the rules on a stream (CVE-2025-8671).
func ownResetFloods() []flood {
	held := edgetest.Get("app.example", "/hold")
	reset := func(name string, breaks func(w *wire, id uint32)) flood {
		return flood{
			name: "H2-22_" + name, budget: "resets", reach: mostHandled,
			round: func(w *wire) { breaks(w, w.open(true, held...)) },
		}
	}
	// What RFC 9113 calls an error of the stream may end the connection too (section 5.4).
	broken := func(name string, code http2.ErrCode, breaks func(w *wire, id uint32)) flood {
		fl := reset(name, breaks)
		fl.reach, fl.budget, fl.code = 1, "", code
		return fl
	}
	return []flood{
		reset("windows_of_nothing", func(w *wire, id uint32) { w.f.Check(w.WriteWindowUpdate(id, 0)) }),
		reset("windows_that_overflow", func(w *wire, id uint32) {
			w.f.Check(w.WriteWindowUpdate(id, 1<<31-1))
		}),
		reset("data_behind_the_end", func(w *wire, id uint32) {
			w.f.Check(w.WriteData(id, false, []byte("x")))
		}),
		{
			name: "H2-22_bodies_longer_than_said", budget: "resets", reach: mostHandled,
			round: func(w *wire) {
				id := w.open(false, edgetest.Post("app.example", "/hold", "content-length: 1")...)
				w.f.Check(w.WriteData(id, false, []byte("xx")))
			},
		},
		{
			name: "H2-22_second_heads", budget: "resets", reach: mostHandled,
			round: func(w *wire) {
				id := w.open(false, edgetest.Post("app.example", "/hold")...)
				w.head(id, false, "x: y")
			},
		},
		{
			name: "H2-22_malformed_heads", budget: "resets",
			round: func(w *wire) { w.open(true, edgetest.Get("app.example", "/hold", "Connection: x")...) },
		},
		broken("streams_that_depend_on_themselves", http2.ErrCodeProtocol, func(w *wire, id uint32) {
			w.f.Check(w.WritePriority(id, http2.PriorityParam{StreamDep: id}))
		}),
		broken("priorities_of_a_wrong_size", http2.ErrCodeFrameSize, func(w *wire, id uint32) {
			w.raw(http2.FramePriority, 0, id, "1234")
		}),
	}
}

// headFloods never end a head (CVE-2023-45288).
func headFloods() []flood {
	begin := func(w *wire) {
		w.f.Check(w.WriteHeaders(http2.HeadersFrameParam{
			StreamID: 1, BlockFragment: w.f.Block(edgetest.Get("app.example", "/")...),
		}))
	}
	more := func(name, budget, part string) flood {
		return flood{
			name: name, budget: budget, first: begin,
			round: func(w *wire) { w.raw(http2.FrameContinuation, 0, 1, part) },
		}
	}
	const field = "\x00\x01x\x01y" // a literal that is not put into the table
	return []flood{
		more("H2-23_large_continuations", "bytes of one head", strings.Repeat(field, 3276)),
		more("H2-23_small_continuations", "frames of one head", field),
		more("H2-24_empty_continuations", "frames of one head", ""),
	}
}
