package test_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"doorward/internal/edgetest"
)

// frameFloods are frames that mean nothing, or the same as the one before.
func frameFloods() []flood {
	ping := func(w *wire) { w.f.Check(w.WritePing(false, [8]byte{1})) }
	hold := func(w *wire) { w.open(false, edgetest.Post("app.example", "/hold")...) }
	broken := func(w *wire) { // a stream that we reset
		hold(w)
		w.f.Check(w.WriteWindowUpdate(1, 0))
	}
	list := []flood{
		{
			name: "H2-25_settings", budget: "settings",
			round: func(w *wire) { w.f.Check(w.WriteSettings()) },
		},
		{
			name: "H2-25_settings_that_nobody_asked_to_acknowledge", budget: "settings",
			round: func(w *wire) { w.f.Check(w.WriteSettingsAck()) },
		},
		{name: "H2-26_pings", budget: "pings", round: ping},
		{name: "H2-26_pings_whose_answers_nobody_reads", budget: "pings", round: ping, deaf: true},
		{
			name: "H2-26_answers_to_no_ping", budget: "pings",
			round: func(w *wire) { w.f.Check(w.WritePing(true, [8]byte{1})) },
		},
		{
			name: "H2-27_priorities", budget: "frames without meaning",
			round: func(w *wire) {
				w.next += 2
				w.f.Check(w.WritePriority(w.next, http2.PriorityParam{StreamDep: 1, Weight: 7}))
			},
		},
		{
			name: "H2-28_empty_data", budget: "empty frames", reach: 1, first: hold,
			round: func(w *wire) { w.f.Check(w.WriteData(1, false, nil)) },
		},
		{
			name: "H2-28_data_that_is_all_padding", budget: "empty frames", reach: 1, first: hold,
			round: func(w *wire) { w.f.Check(w.WriteDataPadded(1, false, nil, make([]byte, 200))) },
		},
		{
			name: "H2-28_ends_of_what_was_reset", budget: "empty frames", reach: 1, first: broken,
			round: func(w *wire) { w.f.Check(w.WriteData(1, true, nil)) },
		},
		{
			name: "H2-28_trailers_of_what_was_reset", budget: "frames without meaning", reach: 1,
			first: broken, round: func(w *wire) { w.head(1, true, "x: y") },
		},
		{
			name: "H2-30_windows_that_open_by_one", budget: "window updates",
			round: func(w *wire) { w.f.Check(w.WriteWindowUpdate(0, 1)) },
		},
		seesaw(),
	}
	for kind := http2.FrameType(0xa); kind <= 0xf; kind++ {
		list = append(list, flood{
			name: fmt.Sprintf("H2-27_type_%#x", uint8(kind)), budget: "frames without meaning",
			round: func(w *wire) { w.raw(kind, 0xff, 0, "whatever") },
		})
	}
	return list
}

// seesaw has the windows of a hundred open streams go up and down, many times in
// each frame.
func seesaw() flood {
	var all []http2.Setting
	for i := range uint32(2000) {
		all = append(all, http2.Setting{ID: http2.SettingInitialWindowSize, Val: i % 2 << 20})
	}
	return flood{
		name: "H2-30_initial_windows", budget: "settings", reach: 100,
		first: func(w *wire) {
			for range 100 {
				w.open(true, edgetest.Get("app.example", "/hold")...)
			}
		},
		round: func(w *wire) { w.f.Check(w.WriteSettings(all...)) },
	}
}

// TestSecurityH2Paced gives up each request when the server has it, which is slower
// and costs more.
func TestSecurityH2Paced(t *testing.T) {
	edge, rec := besieged(t, "")
	t.Run("H2-21_paced_resets", func(t *testing.T) {
		beside := startNeighbours(t, edge)
		f := edge.DialHTTP2(t, "app.example")
		w, reached := newWire(f), 0
		grown := weigh(func() {
			for reached < 2*mostHandled && edge.App.View().Node.Abuses == 0 {
				const at = 20
				first := w.next
				for range at {
					w.open(true, edgetest.Get("app.example", "/hold")...)
				}
				_ = f.Conn().SetDeadline(time.Now().Add(edgetest.Patience))
				w.flush()
				reached += at
				wait(t, "requests, or the end", func() bool {
					return rec.Count() >= reached || edge.App.View().Node.Abuses > 0
				})
				for id := first; id < w.next; id += 2 {
					f.Check(w.WriteRSTStream(id, http2.ErrCodeCancel))
				}
			}
		})
		if f.End(); f.GoAway == nil || f.GoAway.ErrCode != http2.ErrCodeEnhanceYourCalm {
			t.Errorf("GOAWAY %+v after %d requests", f.GoAway, reached)
		}
		beside.leave(5)
		t.Logf("%d requests reached the server; the heap grew by %d KiB", rec.Count(), grown>>10)
		if n := rec.Count(); n > mostHandled {
			t.Errorf("%d requests reached the server, want %d at most", n, mostHandled)
		}
		if !edgetest.Until(func() bool { return rec.Open() <= 4 }) {
			t.Errorf("%d connections to the server are open", rec.Open())
		}
		if n := abuses(edge, "resets"); n != 1 || edge.App.View().Node.Abuses != 1 {
			t.Errorf("%d lines in the log, %d counted", n, edge.App.View().Node.Abuses)
		}
	})
	edge.Canaries(t)
}

// TestSecurityH2Deaf has a client that asks for much and reads none of it: answers
// without a body need no window, and must wait all the same.
func TestSecurityH2Deaf(t *testing.T) {
	const requests, size = 3000, 16 << 10
	var served atomic.Int64
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			served.Add(1)
			x := strings.Repeat(m.Path[1:2], size)
			p.Send("HTTP/1.1 200 OK⏎Content-Length: 0⏎X: " + x + "⏎⏎")
			_, _ = p.Recorder().Take()
		}
	})
	edge := edgetest.Start(t, tunnelSite(rec, "[timeouts]\nclient = \"1s\"\n"))
	t.Run("H2-34_answers_that_nobody_reads", func(t *testing.T) {
		f := edge.DialHTTP2(t, "app.example")
		_ = f.Conn().(*tls.Conn).NetConn().(*net.TCPConn).SetReadBuffer(4 << 10)
		w, sent := newWire(f), int64(0)
		ended := func() bool { return edge.App.View().Node.Connections == 0 }
		weighed(t, rec, func() {
			for sent < requests && !ended() {
				const at = 20 // a hundred may be open, and those before may be about to end still
				for range at {
					w.open(true, edgetest.Get("app.example", fmt.Sprintf("/%d", w.next))...)
				}
				w.flush()
				sent += at
				wait(t, "answers, or the end", func() bool {
					return served.Load() >= sent && edge.App.View().Backends[0].Active == 0 || ended()
				})
			}
		})
		if n := served.Load(); n > requests/2 {
			t.Errorf("%d requests are answered", n)
		}
		wait(t, "the end of the connection", ended)
		edge.Canaries(t)
	})
}
