package backend_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"doorward/proxy/backend"
)

// TestMain fails the package when goroutines outlive their tests.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	if code == 0 && !within(5*time.Second, func() bool { return runtime.NumGoroutine() <= before }) {
		buf := make([]byte, 1<<20)
		fmt.Printf("goroutines left:\n%s\n", buf[:runtime.Stack(buf, true)])
		code = 1
	}
	os.Exit(code)
}

// patience is how long a test waits for what has to come.
const patience = 5 * time.Second

// within polls a condition that other processes or the kernel bring about.
func within(limit time.Duration, ok func() bool) bool {
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(limit); !ok(); <-poll.C {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// started makes and starts a backend that is retired with the test.
func started(t testing.TB, o backend.Options) *backend.Backend {
	t.Helper()
	b, err := backend.New(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Start()
	t.Cleanup(func() { b.Retire(nil) })
	return b
}

// at makes options with servers of weight 1 at the given URLs.
func at(urls ...string) backend.Options {
	o := backend.Options{Name: "app", KeepAlive: true}
	for i, url := range urls {
		o.Servers = append(o.Servers, backend.ServerOptions{
			Name: fmt.Sprintf("s%d", i+1), URL: url, Weight: 1,
		})
	}
	return o
}

// nowhere are URLs of servers that no test connects to.
func nowhere(n int) (urls []string) {
	for i := range n {
		urls = append(urls, fmt.Sprintf("http://192.0.2.%d:80", i+1))
	}
	return urls
}

// peer is a server that answers each line with "ok".
type peer struct {
	net.Listener
	accepted atomic.Int64
	open     atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]bool
	all   sync.WaitGroup
}

// serve starts a peer on a listener and stops it with the test.
func serve(t testing.TB, l net.Listener) *peer {
	p := &peer{Listener: l, conns: map[net.Conn]bool{}}
	p.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.accepted.Add(1)
			p.open.Add(1)
			p.mu.Lock()
			p.conns[c] = true
			p.mu.Unlock()
			p.all.Go(func() { p.talk(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.hangUp()
		p.all.Wait()
	})
	return p
}

// plain is a peer on a free port of the loopback.
func plain(t testing.TB) *peer { return serve(t, listen(t, "tcp", "127.0.0.1:0")) }

func listen(t testing.TB, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (p *peer) talk(c net.Conn) {
	in := bufio.NewScanner(c)
	for in.Scan() {
		if _, err := c.Write([]byte("ok\n")); err != nil {
			break
		}
	}
	_ = c.Close()
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
	p.open.Add(-1)
}

// hangUp closes the connections that are open.
func (p *peer) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *peer) port() int { return p.Addr().(*net.TCPAddr).Port }

func (p *peer) url() string { return "http://" + p.Addr().String() }

// exchange sends a line and reads the answer.
func exchange(c *backend.Conn) error {
	c.ReadIdle = 5 * time.Second
	var in [8]byte
	_, n, err := c.Ask([]byte("hello\n"), in[:], c.Reused())
	if err == nil && string(in[:n]) != "ok\n" {
		err = fmt.Errorf("answer %q", in[:n])
	}
	return err
}

// connect opens or reuses a connection and proves that it works.
func connect(t testing.TB, s *backend.Server, fresh bool) *backend.Conn {
	t.Helper()
	c, err := s.Connect(fresh)
	if err != nil {
		t.Fatal(err)
	}
	if err := exchange(c); err != nil {
		t.Fatal(err)
	}
	return c
}

// when is a Wish.Gone that is closed with c.
func when(c <-chan struct{}) func() <-chan struct{} {
	return func() <-chan struct{} { return c }
}
