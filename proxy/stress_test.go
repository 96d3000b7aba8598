package proxy_test

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"doorward/internal/access"
	"doorward/proxy"
	"doorward/proxy/backend"
	"doorward/proxy/h1"
	"doorward/proxy/route"
)

var (
	stressSeed = flag.Uint64("stress.seed", 1, "seed of the stress test, 0 is another every time")
	stressTime = flag.Duration("stress.time", 3*time.Second, "how long the stress test goes on")
)

// stressPatience is how long one connection may take, and how long it may take
// until everything is given back.
const stressPatience = 20 * time.Second

const stressClients = 12

var errTimedOut = os.ErrDeadlineExceeded

// isReset tells whether the peer left without reading everything. The answer
// that it may have sent before is lost with that, as TCP has it.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// stress is an engine with listeners, three backends and their servers.
type stress struct {
	t       *testing.T
	engine  *proxy.Engine
	servers []*httptest.Server
	cert    tls.Certificate

	mu       sync.Mutex
	backends []*backend.Backend // of all generations
	current  []*backend.Backend

	plain, secure net.Listener
	all           sync.WaitGroup
	records       recordCheck
}

// recordCheck looks for records that cannot be.
type recordCheck struct {
	n     atomic.Int64
	wrong atomic.Pointer[string]
}

func (c *recordCheck) Record(r *access.Record) {
	c.n.Add(1)
	sum := time.Duration(0)
	for _, d := range []time.Duration{r.Request, r.Queue, r.Connect, r.Response} {
		if d < access.NotReached {
			c.complain(r)
		}
		sum += max(d, 0)
	}
	whole := sum <= r.Active && r.BytesIn >= 0 && r.BytesOut >= 0
	answered := r.Status != 0 || r.Termination[0] != '-'
	if !whole || !answered || r.Status != 0 && r.BytesOut == 0 && r.Termination[0] == '-' {
		c.complain(r)
	}
}

func (c *recordCheck) complain(r *access.Record) {
	text := fmt.Sprintf("%s %s: %+v", r.Method, r.Target, *r)
	c.wrong.CompareAndSwap(nil, &text)
}

func newStress(t *testing.T) *stress {
	s := &stress{t: t}
	for i := range 4 {
		server := httptest.NewUnstartedServer(http.HandlerFunc(serveStress))
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		if i == 3 {
			server.StartTLS()
			s.cert = server.TLS.Certificates[0]
		} else {
			server.Start()
		}
		s.servers = append(s.servers, server)
	}
	s.engine = proxy.New(proxy.Options{
		Log: zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)), Access: &s.records,
	})
	s.reload()
	s.plain, s.secure = s.listen(false), s.listen(true)
	return s
}

func (s *stress) listen(secure bool) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	face := &proxy.Listener{Name: "stress", TLS: secure}
	s.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.all.Go(func() { s.engine.ServeConn(c, face) })
		}
	})
	return l
}

// reload does what the instance does: new backends that take over from the old
// ones, the swap, and the end of the old.
func (s *stress) reload() {
	retry := backend.RetryOn{Connect: true, EmptyResponse: true}
	options := []backend.Options{
		{Name: "a", KeepAlive: true, Retries: 3, Redispatch: true, RetryOn: retry,
			Servers: []backend.ServerOptions{
				{Name: "0", URL: s.servers[0].URL, Weight: 1, MaxConnections: 3},
				{Name: "1", URL: s.servers[1].URL, Weight: 2, MaxConnections: 3},
			}},
		{Name: "b", Servers: []backend.ServerOptions{
			{Name: "2", URL: s.servers[2].URL, Weight: 1, MaxConnections: 2},
		}},
		{Name: "c", KeepAlive: true, TLS: &backend.TLSOptions{},
			Servers: []backend.ServerOptions{{Name: "3", URL: s.servers[3].URL, Weight: 1}}},
	}
	var next []*backend.Backend
	for i, o := range options {
		var old *backend.Backend
		if s.current != nil {
			old = s.current[i]
		}
		b, err := backend.New(o, old)
		if err != nil {
			s.t.Error(err)
			return
		}
		next = append(next, b)
	}
	s.engine.Swap(s.snapshot(next))
	for i, b := range next {
		b.Start()
		if s.current != nil {
			s.current[i].Retire(b)
		}
	}
	s.mu.Lock()
	s.current, s.backends = next, append(s.backends, next...)
	s.mu.Unlock()
}

func (s *stress) snapshot(backends []*backend.Backend) *proxy.Snapshot {
	snap := &proxy.Snapshot{
		TLS: &tls.Config{Certificates: []tls.Certificate{s.cert}},
		Timeouts: proxy.Timeouts{
			Handshake: stressPatience, RequestHead: stressPatience,
			KeepAlive: stressPatience, Client: stressPatience,
		},
		Limits: proxy.Limits{
			Limits:     h1.Limits{HeadBytes: 16 << 10, HeadFields: 64, TargetBytes: 4 << 10},
			Handshakes: 2,
		},
		RequestIDHeader: "X-Request-Id", Answers: answers(s.t, proxy.ChangeList{}),
	}
	var rules []route.Rule
	for _, b := range backends {
		rules = append(rules, route.Rule{Name: b.Name(), Hosts: []string{b.Name() + ".example"}})
		snap.Routes = append(snap.Routes, &proxy.Route{
			Name: b.Name(), Backend: b, Upgrades: []string{"websocket"},
			Request: request(s.t, proxy.ChangeList{}), Answer: answers(s.t, proxy.ChangeList{}),
			ClientTimeout: stressPatience, ServerTimeout: stressPatience,
			TunnelTimeout: stressPatience,
		})
	}
	table, err := route.Compile(rules)
	if err != nil {
		s.t.Fatal(err)
	}
	snap.Table = table
	snap.Prepare()
	return snap
}

// run lets the clients loose until the time is over, with a reload now and then.
func (s *stress) run(seed uint64, d time.Duration) (answered int) {
	clients := make([]stressClient, stressClients)
	end := time.Now().Add(d)
	var all sync.WaitGroup
	for i := range clients {
		c := &clients[i]
		address, secure := s.plain.Addr().String(), i%3 == 2
		if secure {
			address = s.secure.Addr().String()
		}
		c.r, c.name = rand.New(rand.NewPCG(seed, uint64(i))), fmt.Sprintf("c%d", i)
		c.dial = func() (net.Conn, error) { return dialStress(address, secure) }
		all.Go(func() {
			for time.Now().Before(end) && !s.t.Failed() {
				if err := c.session(); err != nil {
					s.t.Errorf("seed %d, client %d: %v", seed, i, err)
				}
			}
		})
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ; time.Now().Before(end); <-tick.C {
		s.reload()
	}
	all.Wait()
	for i := range clients {
		answered += clients[i].done
	}
	return answered
}

// settled says what is still held, "" when nothing is.
func (s *stress) settled() string {
	for _, b := range s.backends {
		if b.Active() != 0 || b.Waiting() != 0 {
			return fmt.Sprintf("backend %s: %d active, %d waiting", b.Name(), b.Active(), b.Waiting())
		}
	}
	if n := s.engine.Open(); n != 0 {
		return fmt.Sprintf("%d connections open", n)
	}
	return ""
}

// stop ends everything.
func (s *stress) stop() {
	_ = s.plain.Close()
	_ = s.secure.Close()
	s.all.Wait()
	for _, b := range s.current {
		b.Retire(nil)
	}
	for _, server := range s.servers {
		server.CloseClientConnections()
		server.Close()
	}
}

// Clients, servers and reloads do what they like, all at once. Every answer that
// comes whole is the one to its request, and in the end nothing is left.
func TestStress(t *testing.T) {
	seed := *stressSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	d := *stressTime
	if testing.Short() {
		d = min(d, time.Second)
	}
	first, _ := net.Listen("tcp", "127.0.0.1:0") // opens what stays open
	_ = first.Close()
	goroutines, files := runtime.NumGoroutine(), openFiles()
	s := newStress(t)
	answered := s.run(seed, d)
	await(t, func() string { return s.settled() })
	s.stop()
	await(t, func() string {
		runtime.GC() // splice keeps pipes in a pool, which only a collection empties
		if n, f := runtime.NumGoroutine(), openFiles(); n > goroutines || f > files {
			return fmt.Sprintf("%d goroutines, %d before; %d files, %d before", n, goroutines, f, files)
		}
		return ""
	})
	if wrong := s.records.wrong.Load(); wrong != nil {
		t.Errorf("a record that cannot be: %s", *wrong)
	}
	if n := s.engine.Counters().Panics.Load(); n != 0 {
		t.Errorf("%d panics", n)
	}
	t.Logf("seed %d: %d answers, %d records", seed, answered, s.records.n.Load())
	if answered < stressClients {
		t.Errorf("only %d answers", answered)
	}
}

// await waits until nothing is the matter.
func await(t *testing.T, matter func() string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	text := matter()
	for end := time.Now().Add(stressPatience); text != ""; text = matter() {
		if time.Now().After(end) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%s\n%s", text, buf[:runtime.Stack(buf, true)])
		}
		<-tick.C
	}
}

// openFiles is the number of open file descriptors, 0 where nobody tells.
func openFiles() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}
