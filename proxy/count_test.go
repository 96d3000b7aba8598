package proxy_test

import (
	"io"
	"net"
	"net/http"
	"testing"

	"doorward/internal/tally"
	"doorward/proxy"
	"doorward/proxy/backend"
)

// Each end of a request moves the counters of its listener, its route and its
// server, or its backend when it came to none.
func TestCounters(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	all := func(e tally.Event) [4]tally.Event { return [4]tally.Event{e, e, e, e} }
	for name, c := range map[string]struct {
		request string
		server  script
		class   int
		event   [4]tally.Event // of listener, route, server and backend
		counted [4]bool
	}{
		"refused by syntax": {
			"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", answering(emptyAnswer), 4,
			all(tally.Invalid), [4]bool{true},
		},
		"connecting fails": {get, nil, 5, all(tally.ConnectFailed), [4]bool{true, true, true}},
		"no answer":        {get, hangUp, 5, all(tally.AnswerFailed), [4]bool{true, true, true}},
		"no HTTP":          {get, answering("junk\r\n\r\n"), 5, all(tally.AnswerFailed), [4]bool{true, true, true}},
		"an answer that breaks off": {get, func(_ int64, c net.Conn, _ *http.Request) bool {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
			return false
		}, 2, all(tally.ServerAborted), [4]bool{true, true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			counts, route := proxy.NewListenerCounts(), tally.New()
			f := newFlow(t, flowOptions{server: c.server, snapshot: func(s *proxy.Snapshot, r *proxy.Route) {
				r.Tally, s.Answers = route, r.Answer
			}})
			f.face.Counts = counts
			got := f.ask(c.request)
			f.record()
			sums := [4]tally.Totals{counts.Tally.Sum(), route.Sum(),
				f.backend.Servers()[0].Tally().Sum(), f.backend.Tally().Sum()}
			for i, want := range c.counted {
				if n := sums[i].Of(c.event[i]); (n == 1) != want || n > 1 {
					t.Errorf("counter %d: %d, want it to count: %v", i, n, want)
				}
			}
			if sums[0].Requests != 1 || sums[0].Classes[c.class] != 1 ||
				sums[0].BytesOut != int64(len(got)) || c.counted[1] && sums[0].BytesIn != int64(len(c.request)) {
				t.Errorf("listener: %+v, answer %q", sums[0], got)
			}
		})
	}
}

// Another try is counted as one at the same server or as one at another, never as
// both.
func TestCountersOfRetries(t *testing.T) {
	one := []backend.ServerOptions{{Name: "s1", Weight: 1}}
	two := append(one[:1:1], backend.ServerOptions{Name: "s2", Weight: 1})
	for name, c := range map[string]struct {
		servers               []backend.ServerOptions
		retried, redispatched int64
	}{
		"to another":        {two, 0, 2},
		"there is no other": {one, 2, 0},
	} {
		f := newFlow(t, flowOptions{
			server: hangUp,
			backend: backend.Options{
				Retries: 2, Redispatch: true, RetryOn: backend.RetryOn{EmptyResponse: true},
				Servers: c.servers,
			},
		})
		f.ask(getWith(""))
		f.record()
		var sum tally.Totals
		for _, s := range f.backend.Servers() {
			n := s.Tally().Sum()
			sum.Add(&n)
		}
		if sum.Requests != 1 || sum.Of(tally.Retried) != c.retried ||
			sum.Of(tally.Redispatched) != c.redispatched {
			t.Errorf("%s: %+v", name, sum)
		}
	}
}

func TestCountersOfAListener(t *testing.T) {
	f := newFlow(t, flowOptions{server: answering(emptyAnswer)})
	f.face.Counts = proxy.NewListenerCounts()
	for range 3 {
		f.ask(getWith(""))
		f.record()
	}
	// A connection ends behind the record of its last request.
	waitFor(t, "the end of the connections", func() bool { return f.face.Counts.Open() == 0 })
	if n := f.face.Counts.Total(); n != 3 {
		t.Errorf("%d connections", n)
	}
}
