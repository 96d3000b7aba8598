package proxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"doorward/internal/access"
	"doorward/proxy"
	"doorward/proxy/backend"
)

// flowPatience bounds every wait of a flow.
const flowPatience = 10 * time.Second

// flow is an engine on real sockets, in front of a server that follows a script.
type flow struct {
	t       *testing.T
	engine  *proxy.Engine
	face    *proxy.Listener
	backend *backend.Backend
	front   net.Listener
	records chan access.Record

	// conns counts the connections that the server accepted, requests what it read.
	conns, requests atomic.Int64
	all             sync.WaitGroup
}

// script is what the server does with its nth request, counted from 1; false
// ends the connection.
type script func(n int64, c net.Conn, r *http.Request) bool

// answering is a script that always says the same.
func answering(answer string) script {
	return func(_ int64, c net.Conn, _ *http.Request) bool {
		_, err := io.WriteString(c, answer)
		return err == nil
	}
}

type flowOptions struct {
	backend  backend.Options
	snapshot func(*proxy.Snapshot, *proxy.Route)
	server   script // nil is no server at all
}

func newFlow(t *testing.T, o flowOptions) *flow {
	t.Helper()
	f := &flow{t: t, face: &proxy.Listener{Name: "flow"}, records: make(chan access.Record, 64)}
	back, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.backend.Name = "app"
	if o.backend.Servers == nil {
		o.backend.Servers = []backend.ServerOptions{{Name: "s", Weight: 1}}
	}
	for i := range o.backend.Servers {
		o.backend.Servers[i].URL = "http://" + back.Addr().String()
	}
	if o.server == nil {
		_ = back.Close()
	} else {
		f.accept(back, o.server)
	}
	s, r := setup(t)
	if f.backend, err = backend.New(o.backend, nil); err != nil {
		t.Fatal(err)
	}
	f.backend.Start()
	r.Backend = f.backend
	r.ClientTimeout, r.ServerTimeout, r.TunnelTimeout = flowPatience, flowPatience, flowPatience
	s.Timeouts.RequestHead, s.Timeouts.KeepAlive, s.Timeouts.Client = flowPatience, flowPatience, flowPatience
	if o.snapshot != nil {
		o.snapshot(s, r)
	}
	s.Prepare()
	f.engine = proxy.New(proxy.Options{Log: zaptest.NewLogger(t), Access: f})
	f.engine.Swap(s)
	if f.front, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = f.front.Close()
		f.backend.Retire(nil)
		_ = back.Close()
		f.all.Wait()
		if n := f.backend.Active(); n != 0 {
			t.Errorf("%d places are still taken", n)
		}
	})
	return f
}

// Record keeps the record for wantRecord, without what it borrows.
func (f *flow) Record(r *access.Record) {
	mine := *r
	mine.Method, mine.Host, mine.Target, mine.RequestID = nil, nil, nil, nil
	mine.UserAgent, mine.Referer = nil, nil
	f.records <- mine
}

// record waits for the next one.
func (f *flow) record() access.Record {
	f.t.Helper()
	select {
	case r := <-f.records:
		return r
	case <-time.After(flowPatience):
		f.t.Fatal("no record")
		return access.Record{}
	}
}

func (f *flow) accept(l net.Listener, s script) {
	f.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.conns.Add(1)
			f.all.Go(func() { f.serve(c, s) })
		}
	})
}

func (f *flow) serve(c net.Conn, s script) {
	defer c.Close()
	for r := bufio.NewReader(c); ; {
		request, err := http.ReadRequest(r)
		if err != nil || !s(f.requests.Add(1), c, request) {
			return
		}
	}
}

// dial connects a client to the engine.
func (f *flow) dial() (net.Conn, *bufio.Reader) {
	f.t.Helper()
	c, err := net.Dial("tcp", f.front.Addr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	served, err := f.front.Accept()
	if err != nil {
		f.t.Fatal(err)
	}
	f.all.Go(func() { f.engine.ServeConn(served, f.face) })
	f.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(flowPatience))
	return c, bufio.NewReader(c)
}

// ask sends a request and reads what is behind it until the connection ends.
func (f *flow) ask(request string) string {
	f.t.Helper()
	c, br := f.dial()
	_, _ = io.WriteString(c, request)
	got, _ := io.ReadAll(br)
	return string(got)
}

// waitFor waits until something is so.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(flowPatience); !so(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
