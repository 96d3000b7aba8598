package test_test

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"doorward/internal/edgetest"
)

// download is the size of the answer to /download.
const download = 100 << 20

// holder answers requests as edgetest.Echo does, but those below /hold get no answer until
// the edge gives them up, and those for /download a large one.
func holder(p *edgetest.Peer) {
	for m := p.Head(); m != nil; m = p.Head() {
		if strings.HasPrefix(m.Path, "/hold") {
			p.Gone()
			return
		}
		if !p.Body(m) {
			return
		}
		if m.Path != "/download" {
			p.Send(edgetest.EchoOf(m))
			continue
		}
		p.Send(fmt.Sprintf("HTTP/1.1 200 OK⏎Content-Length: %d⏎⏎", download))
		piece := make([]byte, 1<<16)
		for left := download; left > 0; left -= len(piece) {
			_, _ = p.Write(piece)
		}
	}
}

// besieged starts a server that holds requests, and an edge before it that does not log
// them.
func besieged(t *testing.T, more string) (*edgetest.Edge, *edgetest.Recorder) {
	t.Helper()
	rec := edgetest.Record(t, holder)
	site := tunnelSite(rec, more)
	site.Log = `access = "off"`
	return edgetest.Start(t, site), rec
}

// wire collects frames for one connection, legal or not, so that many go out at once.
// Somebody else may read from the connection meanwhile.
type wire struct {
	*http2.Framer
	f    *edgetest.Frames
	out  bytes.Buffer
	next uint32 // the number of the next stream
}

func newWire(f *edgetest.Frames) *wire {
	w := &wire{f: f, next: 1}
	w.Framer = http2.NewFramer(&w.out, nil)
	w.AllowIllegalWrites = true
	return w
}

// open opens a stream for a request and returns its number.
func (w *wire) open(end bool, lines ...string) uint32 {
	id := w.next
	w.next += 2
	w.head(id, end, lines...)
	return id
}

func (w *wire) head(id uint32, end bool, lines ...string) {
	w.f.Check(w.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: w.f.Block(lines...), EndStream: end, EndHeaders: true,
	}))
}

// raw is a frame of any type.
func (w *wire) raw(kind http2.FrameType, flags http2.Flags, id uint32, payload string) {
	w.f.Check(w.WriteRawFrame(kind, flags, id, []byte(payload)))
}

// flush sends what was collected, and tells whether the edge still takes it.
func (w *wire) flush() bool {
	_, err := w.f.Conn().Write(w.out.Bytes())
	w.out.Reset()
	return err == nil
}

// pour sends round after round until the edge takes no more.
func (w *wire) pour(rounds int, round func(*wire)) {
	for range rounds {
		round(w)
		if w.out.Len() > 8<<10 && !w.flush() {
			return
		}
	}
	w.flush()
}

// weigh runs an attack and tells by how much the heap grew at most meanwhile. What the
// attackers and the test's servers hold counts too: they live in the same process.
func weigh(attack func()) (grown int64) {
	before := live()
	over, most := make(chan struct{}), make(chan int64, 1)
	go func() {
		peak, tick := int64(0), time.NewTicker(50*time.Millisecond)
		defer tick.Stop()
		for {
			peak = max(peak, live())
			select {
			case <-tick.C:
			case <-over:
				most <- max(peak, live())
				return
			}
		}
	}()
	func() {
		defer close(over)
		attack()
	}()
	return <-most - before
}

// live is what of the heap is in use, free of the garbage that others make meanwhile.
func live() int64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// inTime is how long an answer to a neighbour may take. The machine may be busy with
// other tests too.
const inTime = 5 * time.Second

// neighbours are clients that mind their own business while others attack.
type neighbours struct {
	t      *testing.T
	all    sync.WaitGroup
	over   atomic.Bool
	served [2]atomic.Int64
}

// startNeighbours starts one over HTTP/1 and one over HTTP/2.
func startNeighbours(t *testing.T, edge *edgetest.Edge) *neighbours {
	t.Helper()
	n := &neighbours{t: t}
	one, two := edge.DialTLS(t, "canary.example"), edge.DialHTTP2(t, "canary.example")
	n.all.Go(func() {
		defer one.Close()
		n.ask(0, func(path string) (string, error) {
			_ = one.Conn().SetDeadline(time.Now().Add(inTime))
			m, err := one.Send(request("GET "+path+" HTTP/1.1", "Host: canary.example")).TryAnswer("GET")
			if err != nil {
				return "", err
			}
			return m.Body, nil
		})
	})
	n.all.Go(func() {
		defer two.Close()
		id := uint32(1)
		n.ask(1, func(path string) (string, error) {
			_ = two.Conn().SetDeadline(time.Now().Add(inTime))
			r, err := two.Headers(id, true, edgetest.Get("canary.example", path)...).TryWait(id)
			id += 2
			return string(r.Body), err
		})
	})
	return n
}

func (n *neighbours) ask(which int, get func(path string) (string, error)) {
	for i := 0; !n.over.Load(); i++ {
		path := fmt.Sprintf("/canary-%d-%d", which, i)
		if body, err := get(path); err != nil || body != "GET "+path {
			n.t.Errorf("neighbour %d got %q, %v for request %d", which, body, err, i)
			return
		}
		n.served[which].Add(1)
	}
}

// leave ends them, once each was served so many times.
func (n *neighbours) leave(times int64) {
	n.t.Helper()
	if !edgetest.Until(func() bool {
		return n.served[0].Load() >= times && n.served[1].Load() >= times
	}) {
		n.t.Errorf("neighbours were served %d and %d times", n.served[0].Load(), n.served[1].Load())
	}
	n.over.Store(true)
	n.all.Wait()
}

// abuses is how many connections were ended for too many of something, by the log.
func abuses(edge *edgetest.Edge, what string) (n int) {
	for line := range strings.Lines(edge.Log()) {
		if strings.Contains(line, `"HTTP/2 connection closed`) && strings.Contains(line, `"warn"`) &&
			strings.Contains(line, `"too_many":"`+what+`"`) {
			n++
		}
	}
	return n
}
