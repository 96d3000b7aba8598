package proxy_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"doorward/internal/gate"
	"doorward/proxy"
	"doorward/proxy/backend"
)

// never lets nobody pass or stay.
type never struct{}

func (never) Check(*gate.Question) gate.Verdict { return gate.Verdict{Status: http.StatusForbidden} }

func (never) Holds(gate.Pass, *gate.Question) bool { return false }

// A head that begins before a reload and ends behind it is judged by the gate of now.
func TestSlowHeadsMeetTheGateOfNow(t *testing.T) {
	for name, old := range map[string]gate.Gate{
		"public before": nil, "for bob before": &doorkeeper{verdict: bob},
	} {
		for _, upgrade := range []string{"", "Connection: upgrade\r\nUpgrade: echo\r\n"} {
			t.Run(name, func(t *testing.T) {
				var route *proxy.Route
				var snap *proxy.Snapshot
				f := newFlow(t, flowOptions{
					server: answering("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"),
					snapshot: func(s *proxy.Snapshot, r *proxy.Route) {
						r.Upgrades, r.Gate, route, snap = []string{"echo"}, old, r, s
					},
				})
				client, br := f.dial()
				_, _ = io.WriteString(client, "G")
				waitFor(t, "the first byte", func() bool {
					all := f.engine.Connections(1)
					return len(all) == 1 && all[0].State == "request"
				})
				f.engine.Swap(behind(never{}, snap, route))
				f.engine.Review()
				_, _ = io.WriteString(client, "ET / HTTP/1.1\r\nHost: a\r\n"+upgrade+"\r\n")
				if line, err := br.ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 403 ") {
					t.Errorf("%q, %v", line, err)
				}
				_ = client.Close()
			})
		}
	}
}

// behind is a snapshot as it was but for the gate of its route.
func behind(g gate.Gate, s *proxy.Snapshot, r *proxy.Route) *proxy.Snapshot {
	next := *s
	next.Routes = []*proxy.Route{{
		Name: r.Name, Backend: r.Backend, Gate: g,
		Request: r.Request, Answer: r.Answer, ClientTimeout: flowPatience,
	}}
	next.Prepare()
	return &next
}

// The word of a gate in whose place a reload has put another one meanwhile counts no more,
// whatever it was; the other one is asked. Where that never ends, nobody passes.
func TestWordsOfGatesThatAreGoneDoNotCount(t *testing.T) {
	for name, c := range map[string]struct {
		word    gate.Verdict
		instead gate.Gate // nil: another one like that, again and again
		status  string
	}{
		"yes, then no": {bob(nil), never{}, "403"},
		"no, then yes": {never{}.Check(nil), &doorkeeper{verdict: bob}, "200"},
		"for ever":     {bob(nil), nil, "503"},
	} {
		t.Run(name, func(t *testing.T) {
			var f *flow
			var route *proxy.Route
			var snap *proxy.Snapshot
			old := &doorkeeper{}
			old.verdict = func(*gate.Question) gate.Verdict {
				if c.instead == nil {
					f.engine.Swap(behind(old, snap, route))
				} else {
					f.engine.Swap(behind(c.instead, snap, route))
				}
				f.engine.Review()
				return c.word
			}
			f = newFlow(t, flowOptions{server: tellAll, snapshot: func(s *proxy.Snapshot, r *proxy.Route) {
				r.Gate, route, snap = old, r, s
			}})
			got := f.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			if !strings.HasPrefix(got, "HTTP/1.1 "+c.status+" ") {
				t.Errorf("%q, want %s", got, c.status)
			}
			want := int64(0)
			if c.status == "200" {
				want = 1
			}
			if n := f.requests.Load(); n != want {
				t.Errorf("the server got %d requests, want %d", n, want)
			}
		})
	}
}

// A review that a reload overtakes goes by the gates of now: the groups of now are theirs.
func TestReviewsGoByTheGatesOfNow(t *testing.T) {
	var route *proxy.Route
	var snap *proxy.Snapshot
	asked, stay := make(chan struct{}), make(chan struct{})
	old := &doorkeeper{verdict: bob}
	f := newFlow(t, flowOptions{
		server: func(_ int64, c net.Conn, _ *http.Request) bool {
			close(asked)
			<-stay
			_, _ = io.WriteString(c, emptyAnswer)
			return false
		},
		snapshot: func(s *proxy.Snapshot, r *proxy.Route) { r.Gate, route, snap = old, r, s },
	})
	c, br := f.dial()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-asked
	old.shut.Store(true)
	old.judging = func() { f.engine.Swap(behind(&doorkeeper{verdict: bob}, snap, route)) }
	if n := f.engine.Review(); n != 0 {
		t.Errorf("%d were ended", n)
	}
	close(stay)
	if line, err := br.ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 2") {
		t.Errorf("%q, %v", line, err)
	}
}

// A request that waits for the place of another one does not get to the server when a
// review has begun that has not come to it, and would end it.
func TestNoPlaceIsForOutcasts(t *testing.T) {
	asked, stay := make(chan struct{}, 4), make(chan struct{})
	d := &doorkeeper{verdict: bob}
	f := newFlow(t, flowOptions{
		backend: backend.Options{
			Servers:  []backend.ServerOptions{{Name: "s", Weight: 1, MaxConnections: 1}},
			Timeouts: backend.Timeouts{Queue: flowPatience, Connect: flowPatience},
		},
		server: func(_ int64, c net.Conn, _ *http.Request) bool {
			asked <- struct{}{}
			<-stay
			_, _ = io.WriteString(c, emptyAnswer)
			return false
		},
		snapshot: func(_ *proxy.Snapshot, r *proxy.Route) { r.Gate = d },
	})
	first, _ := f.dial()
	_, _ = io.WriteString(first, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
	<-asked
	second, _ := f.dial()
	_, _ = io.WriteString(second, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
	waitFor(t, "the second in the queue", func() bool { return f.backend.Waiting() > 0 })
	var judged atomic.Int64
	again := make(chan struct{})
	d.judging = func() {
		switch judged.Add(1) {
		case 1: // the review, which goes on once the second has its turn
			close(stay)
			select {
			case <-again:
			case <-time.After(flowPatience):
			}
		case 2:
			close(again)
		}
	}
	d.shut.Store(true)
	f.engine.Review()
	f.record()
	f.record()
	if n := f.requests.Load(); n != 1 {
		t.Errorf("the server got %d requests, want 1", n)
	}
}

// One whose name cannot be had, which is a mistake of ours, is not missed by a review, and
// makes it miss nobody else.
func TestPanicLeavesOthersInTheList(t *testing.T) {
	stay := make(chan struct{})
	f, d := gated(t, func(_ int64, c net.Conn, _ *http.Request) bool {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nhi")
		<-stay
		return false
	}, func(q *gate.Question) gate.Verdict {
		if string(q.Path) == "/bad" {
			return gate.Verdict{Pass: &nameless{}}
		}
		return bob(q)
	})
	defer close(stay)
	const many = 32 // in all shards
	for range many {
		c, br := f.dial()
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if _, err := br.ReadString('i'); err != nil {
			t.Fatal(err)
		}
	}
	for range many {
		c, br := f.dial()
		_, _ = io.WriteString(c, "GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")
		_, _ = br.ReadString('\n')
	}
	d.shut.Store(true)
	if n := f.engine.Review(); n < many {
		t.Errorf("%d were ended, want %d", n, many)
	}
}

// nameless is somebody whose name cannot be had.
type nameless struct{}

func (*nameless) UserName() string { panic("no name") }
