package proxy_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"doorward/proxy"
	"doorward/proxy/backend"
)

// drain lets the engine end, with so much time for what is at work.
func (f *flow) drain(d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return f.engine.Drain(ctx)
}

// idleConn is a connection that has had an answer and waits.
func (f *flow) idleConn() (net.Conn, io.Reader) {
	c, br := f.dial()
	_, _ = io.WriteString(c, get11)
	readHeadOf(f.t, br)
	_, _ = io.ReadFull(br, make([]byte, 5))
	f.record()
	return c, br
}

func TestDrainEndsIdleConnectionsAtOnce(t *testing.T) {
	f := newFlow(t, flowOptions{server: answering(ok5)})
	_, br := f.idleConn()
	if n := f.engine.Open(); n != 1 {
		t.Errorf("%d connections are open", n)
	}
	if err := f.drain(flowPatience); err != nil {
		t.Errorf("drain: %v", err)
	}
	if rest, err := io.ReadAll(br); len(rest) != 0 || err != nil {
		t.Errorf("%q, %v on an idle connection", rest, err)
	}
	if n := f.engine.Requests(); n != 1 || f.engine.Open() != 0 {
		t.Errorf("%d requests, %d connections", n, f.engine.Open())
	}
}

// A request that a drain meets is answered, and its client told that this was
// the last one.
func TestDrainLetsRequestsEnd(t *testing.T) {
	goOn, arrived := make(chan struct{}), make(chan struct{})
	f := newFlow(t, flowOptions{server: func(n int64, c net.Conn, r *http.Request) bool {
		close(arrived)
		<-goOn
		return answering(ok5)(n, c, r)
	}})
	client, br := f.dial()
	_, _ = io.WriteString(client, get11)
	<-arrived
	drained := make(chan error)
	go func() { drained <- f.drain(flowPatience) }()
	select {
	case err := <-drained:
		t.Fatalf("drained (%v) with a request at work", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(goOn)
	got, _ := io.ReadAll(br)
	if !strings.Contains(string(got), "\r\nConnection: close\r\n") || !strings.HasSuffix(string(got), "hello") {
		t.Errorf("the client got %q", got)
	}
	_ = client.Close()
	if err := <-drained; err != nil {
		t.Errorf("drain: %v", err)
	}
}

// When the time of a drain is over, whatever a request waits for is over too.
func TestDrainCutsEveryWait(t *testing.T) {
	one := []backend.ServerOptions{{Name: "s", Weight: 1, MaxConnections: 1}}
	for name, c := range map[string]struct {
		o    flowOptions
		want int // requests at work
	}{
		"a server that is silent": {flowOptions{server: silent}, 1},
		"a queue":                 {flowOptions{server: silent, backend: backend.Options{Servers: one}}, 3},
		"a pause before a repeat": {flowOptions{backend: backend.Options{
			Retries: 1000, RetryOn: backend.RetryOn{Connect: true}}}, 1},
		"repeats": {flowOptions{server: silent, backend: backend.Options{
			Retries: 1000, Redispatch: true, RetryOn: backend.RetryOn{EmptyResponse: true}}}, 1},
		"the rest of a body": {flowOptions{server: func(_ int64, c net.Conn, r *http.Request) bool {
			_, _ = io.WriteString(c, ok5[:len(ok5)-1])
			return silent(0, c, r)
		}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFlow(t, c.o)
			for range c.want {
				client, _ := f.dial()
				_, _ = io.WriteString(client, get11)
			}
			await(t, func() string {
				if n := f.backend.Active() + f.backend.Waiting(); n != int64(c.want) {
					return "not all requests are at work"
				}
				return ""
			})
			if err := f.drain(50 * time.Millisecond); err == nil {
				t.Error("nothing was cut")
			}
			if err := f.drain(time.Second); err != nil || f.engine.Open() != 0 {
				t.Errorf("%v, %d connections are still open", err, f.engine.Open())
			}
			for range c.want {
				if r := f.record(); r.Termination[0] == '-' {
					t.Errorf("termination %s", r.Termination)
				}
			}
		})
	}
}

// A listener that is closed still serves what has come in on it.
func TestClosedListenerServesWhatIsHere(t *testing.T) {
	f := newFlow(t, flowOptions{server: answering(ok5)})
	idle, idleReader := f.idleConn()
	f.face.Close()
	for range 10 {
		c, br := f.dial()
		_, _ = io.WriteString(c, get11)
		got, err := io.ReadAll(br)
		if err != nil || !strings.HasSuffix(string(got), "hello") ||
			!strings.Contains(string(got), "\r\nConnection: close\r\n") {
			t.Errorf("%q, %v", got, err)
		}
	}
	_, _ = io.WriteString(idle, get11)
	if got, err := io.ReadAll(idleReader); err != nil || !strings.HasSuffix(string(got), "hello") {
		t.Errorf("on a connection from before: %q, %v", got, err)
	}
	_, br := f.dial()
	if got, err := io.ReadAll(br); len(got) != 0 || err != nil {
		t.Errorf("a connection that says nothing gets %q, %v", got, err)
	}
}

// A reload ends the tunnels whose route it takes away, or puts behind a gate that they did
// not pass, and no others.
func TestSwapEndsTunnels(t *testing.T) {
	for name, change := range map[string]func(next, before *proxy.Route){
		"without a route": func(next, _ *proxy.Route) { next.Name = "other" },
		"behind a gate": func(next, before *proxy.Route) {
			next.Name, next.Gate = before.Name, &doorkeeper{verdict: bob}
		},
	} {
		t.Run(name, func(t *testing.T) { swapEndsTunnel(t, change) })
	}
}

func swapEndsTunnel(t *testing.T, change func(next, before *proxy.Route)) {
	accept := "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"
	var route *proxy.Route
	var snap *proxy.Snapshot
	f := newFlow(t, flowOptions{
		server: func(_ int64, c net.Conn, _ *http.Request) bool {
			_, _ = io.WriteString(c, accept)
			_, _ = io.Copy(c, c)
			return false
		},
		snapshot: func(s *proxy.Snapshot, r *proxy.Route) {
			r.Upgrades, route, snap = []string{"echo"}, r, s
		},
	})
	client, br := f.dial()
	_, _ = io.WriteString(client, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
	readHeadOf(t, br)
	echo := func() error {
		_, _ = io.WriteString(client, "hello")
		_, err := io.ReadFull(br, make([]byte, 5))
		return err
	}
	same := *snap
	same.Prepare()
	f.engine.Swap(&same)
	if err := echo(); err != nil {
		t.Errorf("after a reload without changes: %v", err)
	}
	next := &proxy.Route{Backend: route.Backend}
	change(next, route)
	gone := same
	gone.Routes = []*proxy.Route{next}
	gone.Prepare()
	f.engine.Swap(&gone)
	if err := echo(); err == nil {
		t.Error("the tunnel is open as before")
	}
	if r := f.record(); r.Status != 101 || r.BytesOut < 5 {
		t.Errorf("status %d, %d bytes out", r.Status, r.BytesOut)
	}
}
