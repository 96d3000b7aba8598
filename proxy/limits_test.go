package proxy_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"doorward/proxy"
	"doorward/proxy/limit"
)

func limited(by proxy.KeyKind, o limit.Options) (*limit.Limiter, func(*proxy.Snapshot, *proxy.Route)) {
	o.Size, o.Name = 100, "few"
	l := limit.New(o, nil)
	return l, func(_ *proxy.Snapshot, r *proxy.Route) {
		r.Limits = append(r.Limits, proxy.RateLimit{Limiter: l, By: by})
	}
}

func TestRateLimit(t *testing.T) {
	for _, by := range []proxy.KeyKind{proxy.ByAddress, proxy.ByRoute, proxy.ByUser} {
		l, set := limited(by, limit.Options{Requests: 2, Per: time.Hour})
		f := newFlow(t, flowOptions{server: answering(emptyAnswer), snapshot: set})
		for i, want := range []string{"200", "200", "429", "429"} {
			got := f.ask(getWith(""))
			r := f.record()
			if !strings.HasPrefix(got, "HTTP/1.1 "+want) {
				t.Fatalf("by %d, request %d: %.200q", by, i, got)
			}
			if refused := want == "429"; refused && (!strings.Contains(got, "\r\nRetry-After: 3") ||
				r.RateLimit != "few" || string(r.Termination[:]) != "PR") || !refused && r.RateLimit != "" {
				t.Errorf("by %d, request %d: %.300q, limit %q", by, i, got, r.RateLimit)
			}
		}
		if n := l.Counters(); n.Passed != 2 || n.Refused != 2 {
			t.Errorf("%+v", n)
		}
	}
}

func TestRateLimitThatOnlyLogs(t *testing.T) {
	l, set := limited(proxy.ByAddress, limit.Options{Requests: 1, Per: time.Hour, LogOnly: true})
	f := newFlow(t, flowOptions{server: answering(emptyAnswer), snapshot: set})
	for i, want := range []string{"", "few", "few"} {
		got := f.ask(getWith(""))
		if r := f.record(); !strings.HasPrefix(got, "HTTP/1.1 200") || r.RateLimit != want {
			t.Errorf("request %d: %.40q, limit %q, want %q", i, got, r.RateLimit, want)
		}
	}
	if n := l.Counters(); n.Spared != 2 {
		t.Errorf("%+v", n)
	}
}

// The place of a request is given back when it has ended, however it did.
func TestConcurrencyLimit(t *testing.T) {
	l, set := limited(proxy.ByAddress, limit.Options{Concurrent: 1})
	arrived, answer := make(chan bool), make(chan bool)
	f := newFlow(t, flowOptions{snapshot: set, server: func(_ int64, c net.Conn, r *http.Request) bool {
		if r.URL.Path == "/gone" {
			return false
		}
		if r.URL.Path == "/slow" {
			arrived <- true
			<-answer
		}
		_, err := io.WriteString(c, emptyAnswer)
		return err == nil
	}})
	c, br := f.dial()
	_, _ = io.WriteString(c, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-arrived
	if got := f.ask(getWith("")); !strings.HasPrefix(got, "HTTP/1.1 429") ||
		!strings.Contains(got, "\r\nRetry-After: 1\r\n") {
		t.Errorf("%.200q", got)
	}
	answer <- true
	if _, err := http.ReadResponse(br, nil); err != nil {
		t.Fatal(err)
	}
	f.record() // the refusal
	f.record() // the slow one: its place is free once it is counted
	for _, request := range []string{
		"GET /gone HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", getWith(""), getWith(""),
	} {
		if got := f.ask(request); strings.HasPrefix(got, "HTTP/1.1 429") {
			t.Errorf("%q: %.40q", request, got)
		}
		f.record()
	}
	if n := l.Counters(); n.Refused != 1 {
		t.Errorf("%+v", n)
	}
}

// A tunnel is a request that has not ended.
func TestConcurrencyLimitHoldsForTunnels(t *testing.T) {
	_, set := limited(proxy.ByAddress, limit.Options{Concurrent: 1})
	f := newFlow(t, flowOptions{
		snapshot: func(s *proxy.Snapshot, r *proxy.Route) {
			set(s, r)
			r.Upgrades = []string{"echo"}
		},
		server: func(_ int64, c net.Conn, r *http.Request) bool {
			if r.Header.Get("Upgrade") == "" {
				_, err := io.WriteString(c, emptyAnswer)
				return err == nil
			}
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"+
				"Upgrade: echo\r\n\r\n")
			_, _ = io.Copy(c, c)
			return false
		},
	})
	c, br := f.dial()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	if r, err := http.ReadResponse(br, nil); err != nil || r.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", r, err)
	}
	if got := f.ask(getWith("")); !strings.HasPrefix(got, "HTTP/1.1 429") {
		t.Errorf("beside a tunnel: %.40q", got)
	}
	f.record()
	_ = c.Close()
	f.record()
	if got := f.ask(getWith("")); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("after it: %.40q", got)
	}
	f.record()
}

// A panic gives a place back, and not twice: that would be somebody else's.
func TestConcurrencyLimitAfterPanics(t *testing.T) {
	_, set := limited(proxy.ByAddress, limit.Options{Concurrent: 2})
	arrived, answer := make(chan bool), make(chan bool)
	f := newFlow(t, flowOptions{snapshot: set, server: func(_ int64, c net.Conn, r *http.Request) bool {
		if r.URL.Path == "/slow" {
			arrived <- true
			<-answer
		}
		_, err := io.WriteString(c, emptyAnswer)
		return err == nil
	}})
	slow := func() {
		c, _ := f.dial()
		_, _ = io.WriteString(c, "GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		<-arrived
	}
	slow()
	f.engine.SetAccessLog(panicking{})
	for range 3 {
		f.ask(getWith(""))
	}
	f.engine.SetAccessLog(f)
	if n := f.engine.Counters().Panics.Load(); n != 3 {
		t.Errorf("%d panics", n)
	}
	slow()
	if got := f.ask(getWith("")); !strings.HasPrefix(got, "HTTP/1.1 429") {
		t.Errorf("the third at a time: %.40q", got)
	}
	close(answer)
	for range 3 {
		f.record()
	}
}

func TestLimitWithQueue(t *testing.T) {
	_, set := limited(proxy.ByAddress, limit.Options{Concurrent: 1, Queue: flowPatience})
	arrived, answer := make(chan bool, 2), make(chan bool)
	f := newFlow(t, flowOptions{snapshot: set, server: func(_ int64, c net.Conn, _ *http.Request) bool {
		arrived <- true
		<-answer
		_, err := io.WriteString(c, emptyAnswer)
		return err == nil
	}})
	first, br1 := f.dial()
	_, _ = io.WriteString(first, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
	<-arrived
	second, br2 := f.dial()
	_, _ = io.WriteString(second, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
	answer <- true
	if _, err := http.ReadResponse(br1, nil); err != nil {
		t.Fatal(err)
	}
	<-arrived
	answer <- true
	if r, err := http.ReadResponse(br2, nil); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", r, err)
	}
}
