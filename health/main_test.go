package health_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"testing"
	"time"

	"doorward/health"
	"doorward/proxy/backend"
)

// serverMode is set in the environment of a test binary that is to be a server.
const serverMode = "HEALTH_TEST_SERVER"

// TestMain fails the package when goroutines outlive their tests.
func TestMain(m *testing.M) {
	if os.Getenv(serverMode) != "" {
		answerChecks()
		return
	}
	before := runtime.NumGoroutine()
	code := m.Run()
	if code == 0 && !within(5*time.Second, func() bool { return runtime.NumGoroutine() <= before }) {
		buf := make([]byte, 1<<20)
		fmt.Printf("goroutines left:\n%s\n", buf[:runtime.Stack(buf, true)])
		code = 1
	}
	os.Exit(code)
}

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

// answerChecks is a server in a process of its own: it prints its address and
// lives until its input ends.
func answerChecks() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"))
				}
				_ = c.Close()
			}()
		}
	}()
	_, _ = os.Stdin.Read(make([]byte, 1))
}

// check makes a check of options that must be right.
func check(t testing.TB, o health.CheckOptions) *health.Check {
	t.Helper()
	if o.Request.Host == "" {
		o.Request.Host = "app.example"
	}
	c, err := health.NewCheck(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// socket is a peer at an address, with TLS if it has a configuration.
type socket struct {
	address string
	tls     *tls.Config
}

func (s *socket) Dial(
	ctx context.Context, to backend.DialTo,
) (net.Conn, backend.DialTimes, error) {
	times := backend.DialTimes{Address: s.address}
	if to.Address != "" {
		times.Address = to.Address
	}
	d := net.Dialer{KeepAlive: -1}
	start := time.Now()
	conn, err := d.DialContext(ctx, "tcp", times.Address)
	times.Connect = time.Since(start)
	if err != nil || s.tls == nil || to.Plain {
		return conn, times, err
	}
	start = time.Now()
	secure := tls.Client(conn, s.tls)
	err = secure.HandshakeContext(ctx)
	times.TLS = time.Since(start)
	if err != nil {
		_ = conn.Close()
		return nil, times, err
	}
	return secure, times, nil
}

func (s *socket) SetUp(bool, bool)        {}
func (s *socket) Observe(backend.Watcher) {}
