package health_test

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"doorward/health"
)

// A storm of checks that hang leaves no more goroutines behind than the usual
// work needs.
func TestFewGoroutinesStayForChecks(t *testing.T) {
	const servers, stay, few = 300, 64, 8
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t, health.Options{})
		before := runtime.NumGoroutine()
		var targets []health.Target
		for i := range servers {
			p := newFake()
			p.answer = slow(9 * time.Second)
			o := health.CheckOptions{
				Kind: health.TCP, Timing: health.Timing{Interval: 10 * time.Second},
			}
			targets = append(targets, target(t, fmt.Sprint(i), p, o))
		}
		m.Set(targets)
		pass(9 * time.Second)
		if n := runtime.NumGoroutine() - before; n < servers+servers/2 {
			t.Fatalf("%d goroutines while checks hang: nothing is tested", n)
		}
		for i := range targets {
			targets[i].Maintained = true
		}
		m.Set(targets)
		pass(time.Second)
		// The other ends of the connections of fakes live as long as these, and the runtime
		// may have begun one of its own.
		if n := runtime.NumGoroutine() - before; n > servers+stay+few {
			t.Errorf("%d goroutines for %d servers in maintenance", n, servers)
		}
	})
}

// What is left of one answer is no part of the next one.
func TestAnswersDoNotMix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t, health.Options{})
		n := 0
		m.Set([]health.Target{target(t, "s1", &piped{deal: func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1000))
			if n++; n%2 == 1 {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
			}
		}}, health.CheckOptions{Timing: health.Timing{Interval: time.Second}})})
		for i := range 6 {
			pass(10 * time.Millisecond)
			want := "L7OK 200"
			if i%2 == 1 {
				want = "L7RSP: closed without an answer"
			}
			if got := status(t, m, "s1").Last.String(); got != want {
				t.Errorf("check %d says %q, want %q", i+1, got, want)
			}
			pass(990 * time.Millisecond)
		}
	})
}
