package test_test

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"doorward/internal/edgetest"
)

// TestHTTP2HonestClients does in large numbers what clients do that mean no harm: no
// budget may ever end them.
func TestHTTP2HonestClients(t *testing.T) {
	edge, rec := besieged(t, "")
	for name, test := range map[string]func(*testing.T, *edgetest.Edge){
		"one request in ten is cancelled":            cancelsSome,
		"streams are reset behind their answers":     resetsLate,
		"pings and windows during a large download":  pingsWhileItReads,
		"pings during many small answers":            pingsBetween,
		"priorities with every request":              prioritizes,
		"a body in very small pieces":                trickles,
		"more streams at once than the edge allows":  hurries,
		"settings that change now and then":          resizes,
		"bodies whose rest the edge does not want":   sendsTooMuch,
		"trailers and data that cross a reset of us": crosses,
	} {
		t.Run(name, func(t *testing.T) {
			test(t, edge)
			_, _ = rec.Take()
		})
	}
	if n := edge.App.View().Node.Abuses; n != 0 {
		t.Errorf("%d connections of honest clients were ended:\n%s", n, edge.Log())
	}
	edge.Canaries(t)
}

// honest is a client with time.
func honest(t *testing.T, edge *edgetest.Edge, host string) (*edgetest.Frames, *wire) {
	t.Helper()
	f := edge.DialHTTP2(t, host)
	_ = f.Conn().SetDeadline(time.Now().Add(10 * edgetest.Patience))
	return f, newWire(f)
}

// answers waits for those to some streams.
func answers(t *testing.T, f *edgetest.Frames, want string, ids ...uint32) {
	t.Helper()
	for _, id := range ids {
		r, err := f.TryWait(id)
		if err != nil || r.Status != want {
			t.Fatalf("stream %d: %+v, %v, GOAWAY %+v %q; want %s", id, r, err, f.GoAway, f.Debug(), want)
		}
	}
}

// cancelsSome as a browser does whose user goes from page to page.
func cancelsSome(t *testing.T, edge *edgetest.Edge) {
	const requests, at = 20_000, 50
	f, w := honest(t, edge, "text.example")
	for range requests / at {
		var kept []uint32
		for i := range at {
			if i%10 == 0 {
				id := w.open(true, edgetest.Get("app.example", "/hold")...)
				f.Check(w.WriteRSTStream(id, http2.ErrCodeCancel))
			} else {
				kept = append(kept, w.open(true, edgetest.Get("text.example", "/")...))
			}
		}
		w.flush()
		answers(t, f, "200", kept...)
	}
}

// resetsLate as clients do that close what they have read.
func resetsLate(t *testing.T, edge *edgetest.Edge) {
	f, w := honest(t, edge, "text.example")
	for range 3000 {
		id := w.open(true, edgetest.Get("text.example", "/")...)
		w.flush()
		answers(t, f, "200", id)
		f.Check(w.WriteRSTStream(id, http2.ErrCodeNo))
	}
}

// pingsWhileItReads as gRPC does, which measures the line with them: one ping and two
// windows for each frame.
func pingsWhileItReads(t *testing.T, edge *edgetest.Edge) {
	f, w := honest(t, edge, "app.example")
	w.open(true, edgetest.Get("app.example", "/download")...)
	w.flush()
	got := 0
	for got < download {
		frame, err := f.Framer.ReadFrame()
		if err != nil {
			t.Fatalf("%v after %d bytes", err, got)
		}
		switch frame := frame.(type) {
		case *http2.GoAwayFrame:
			t.Fatalf("%v after %d bytes", frame, got)
		case *http2.DataFrame:
			n := frame.Header().Length
			got += int(n)
			f.Check(w.WriteWindowUpdate(0, n))
			f.Check(w.WriteWindowUpdate(1, n))
			f.Check(w.WritePing(false, [8]byte{2, 4, 16, 16, 9, 14, 7, 7}))
			w.flush()
		}
	}
}

func pingsBetween(t *testing.T, edge *edgetest.Edge) {
	f, w := honest(t, edge, "text.example")
	for range 3000 {
		id := w.open(true, edgetest.Get("text.example", "/")...)
		f.Check(w.WritePing(false, [8]byte{}))
		f.Check(w.WriteWindowUpdate(0, 4))
		w.flush()
		answers(t, f, "200", id)
	}
}

// prioritizes as Firefox and Safari do: a tree of idle streams first, then a priority
// in each head, and a frame of RFC 9218 with it.
func prioritizes(t *testing.T, edge *edgetest.Edge) {
	const update = http2.FrameType(0x10)
	f, w := honest(t, edge, "text.example")
	for id := uint32(3); id <= 13; id += 2 {
		f.Check(w.WritePriority(id, http2.PriorityParam{Weight: 200}))
	}
	for w.next = 15; w.next < 6000; {
		var ids []uint32
		for range 10 {
			id := w.next
			w.next += 2
			w.raw(update, 0, 0, string([]byte{0, 0, byte(id >> 8), byte(id)})+"u=1")
			f.Check(w.WriteHeaders(http2.HeadersFrameParam{
				StreamID: id, EndStream: true, EndHeaders: true,
				BlockFragment: f.Block(edgetest.Get("text.example", "/", "priority: u=1, i")...),
				Priority:      http2.PriorityParam{StreamDep: 3, Weight: 41},
			}))
			f.Check(w.WritePriority(id, http2.PriorityParam{StreamDep: 11, Weight: 30}))
			ids = append(ids, id)
		}
		w.flush()
		answers(t, f, "200", ids...)
	}
}

// trickles sends a body a byte at a time, as some who type do.
func trickles(t *testing.T, edge *edgetest.Edge) {
	f, w := honest(t, edge, "app.example")
	id := w.open(false, edgetest.Post("app.example", "/")...)
	for range 20_000 {
		f.Check(w.WriteData(id, false, []byte("x")))
	}
	f.Check(w.WriteData(id, true, nil))
	w.flush()
	answers(t, f, "200", id)
}

// hurries does not wait for our settings.
func hurries(t *testing.T, edge *edgetest.Edge) {
	f, w := honest(t, edge, "app.example")
	const all = 250
	for range all {
		w.open(true, edgetest.Get("app.example", "/")...)
	}
	w.flush()
	refused := 0
	for id := uint32(1); id < w.next; id += 2 {
		r, err := f.TryWait(id)
		switch {
		case err != nil:
			t.Fatalf("stream %d: %v, GOAWAY %+v %q", id, err, f.GoAway, f.Debug())
		case r.Reset && r.Code == http2.ErrCodeRefusedStream:
			refused++
		case r.Status != "200":
			t.Errorf("stream %d: %+v", id, r)
		}
	}
	if refused > all-100 {
		t.Errorf("%d of %d streams were refused", refused, all)
	}
}

func resizes(t *testing.T, edge *edgetest.Edge) {
	f, w := honest(t, edge, "text.example")
	for i := range uint32(10) {
		table := http2.Setting{ID: http2.SettingHeaderTableSize, Val: i << 9}
		f.Check(w.WriteSettings(window(1<<16+i), table))
		id := w.open(true, edgetest.Get("text.example", "/")...)
		w.flush()
		answers(t, f, "200", id)
	}
}

// sendsTooMuch goes on with bodies that were refused, until it hears of that.
func sendsTooMuch(t *testing.T, edge *edgetest.Edge) {
	f, w := honest(t, edge, "small.example")
	for range 300 {
		id := w.open(false, edgetest.Post("small.example", "/", "content-length: 100000")...)
		for range 20 {
			f.Check(w.WriteData(id, false, []byte(strings.Repeat("x", 1000))))
		}
		w.flush()
		answers(t, f, "413", id)
	}
}

// crosses ends bodies, with and without trailers, that we had no use for any more.
func crosses(t *testing.T, edge *edgetest.Edge) {
	f, w := honest(t, edge, "small.example")
	for range 100 {
		id := w.open(false, edgetest.Post("closed.example", "/")...)
		w.head(id, true, "x: y")
		next := w.open(false, edgetest.Post("closed.example", "/")...)
		f.Check(w.WriteData(next, true, nil))
		w.flush()
		answers(t, f, "403", id, next)
	}
}
