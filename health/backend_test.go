package health_test

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"doorward/health"
	"doorward/internal/porttest"
	"doorward/proxy/backend"
)

// Two servers of a real backend: one of them dies, hangs, answers wrongly, and
// comes back, and requests go where they are answered.
func TestRealBackendFollowsItsChecks(t *testing.T) {
	var mood atomic.Value
	mood.Store("200")
	steady := serve(t, answers("HTTP/1.1 200 OK\r\n\r\n"))
	moody := serve(t, func(c net.Conn) {
		(&theatre{}).act(c.(counting).Conn, mood.Load().(string))
	})
	b, err := backend.New(backend.Options{Name: "app", Servers: []backend.ServerOptions{
		{Name: "steady", URL: "http://" + steady.Addr().String(), Weight: 1},
		{Name: "moody", URL: "http://" + moody.Addr().String(), Weight: 1},
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Start()
	t.Cleanup(func() { b.Retire(nil) })
	m := monitor(t, health.Options{})
	c := check(t, health.CheckOptions{
		Timing: health.Timing{Interval: 50 * time.Millisecond, Timeout: 200 * time.Millisecond},
	})
	var targets []health.Target
	for _, s := range b.Servers() {
		targets = append(targets, health.Target{
			Backend: "app", Server: s.Name(), Key: c.Key(), Check: c, Peer: s,
		})
	}
	m.Set(targets)
	is := func(counter, outcome string) func() bool {
		return func() bool {
			s := status(t, m, "moody")
			return s.Counter.String() == counter && s.Last.Outcome.String() == outcome
		}
	}
	for _, step := range []struct{ mood, counter, outcome string }{
		{"200", "UP", "L7OK"},
		{"500", "DOWN", "L7STS"},
		{"200", "UP", "L7OK"},
		{"hang", "DOWN", "L7TOUT"},
		{"200", "UP", "L7OK"},
		{"reset", "DOWN", "SOCKERR"},
		{"garbage", "DOWN", "L7RSP"},
		{"200", "UP", "L7OK"},
	} {
		mood.Store(step.mood)
		if !within(20*time.Second, is(step.counter, step.outcome)) {
			t.Fatalf("while its answer is %s, the server is %+v", step.mood, status(t, m, "moody"))
		}
		share := map[string]int{}
		for range 10 {
			s, err := b.Claim(backend.Wish{})
			if err != nil {
				t.Fatal(err)
			}
			share[s.Name()]++
			s.Release()
		}
		if up := step.counter == "UP"; (share["moody"] > 0) != up || share["steady"] == 0 {
			t.Errorf("while its answer is %s, requests go to %v", step.mood, share)
		}
	}
	if s := status(t, m, "steady"); s.Counter.String() != "UP" || s.Fails != 0 {
		t.Errorf("the other server is %v with %d failed checks", s.Counter, s.Fails)
	}
}

func TestRealServerThatIsNotThere(t *testing.T) {
	free := porttest.Free(t)
	for url, want := range map[string]string{
		fmt.Sprintf("http://127.0.0.1:%d", free): "L4CON: connection refused",
		fmt.Sprintf("http://localhost:%d", free): "L4CON: ",
		"http://nobody.invalid":                  "L4CON: ",
		"unix:///nowhere/at/all.sock":            "L4CON: no such file or directory",
	} {
		b, err := backend.New(backend.Options{Name: "app", Servers: []backend.ServerOptions{
			{Name: "s1", URL: url, Weight: 1},
		}}, nil)
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		b.Start()
		got := health.Probe(t.Context(), check(t, health.CheckOptions{}), b.Server("s1"))
		b.Retire(nil)
		if !strings.HasPrefix(got.String(), want) || strings.Contains(got.String(), "server s1") {
			t.Errorf("%s: the check says %q, want %q", url, got, want)
		}
	}
}
