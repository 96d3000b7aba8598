package netio_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"doorward/proxy/netio"
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

// within polls a condition that the kernel brings about.
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

// long is a limit that no test reaches unless something is wrong.
const long = 10 * time.Second

// ways are the kinds of connection that a test may run over. Each gives our end
// and the peer's, which is closed with the test.
func ways() map[string]func(t testing.TB) (*netio.Conn, net.Conn) {
	return map[string]func(t testing.TB) (*netio.Conn, net.Conn){
		"tcp": overTCP, "unix": overUnix, "pipe": overPipe, "tls": overTLS,
	}
}

func overTCP(t testing.TB) (*netio.Conn, net.Conn) {
	ours, theirs := sockets(t, "tcp", "127.0.0.1:0")
	return netio.New(ours), theirs
}

func overUnix(t testing.TB) (*netio.Conn, net.Conn) {
	ours, theirs := sockets(t, "unix", filepath.Join(t.TempDir(), "s"))
	return netio.New(ours), theirs
}

// overPipe has no file descriptor.
func overPipe(t testing.TB) (*netio.Conn, net.Conn) {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	return netio.New(ours), theirs
}

// overTLS has the handshake done. Ours is the client.
func overTLS(t testing.TB) (*netio.Conn, net.Conn) {
	ours, theirs := sockets(t, "tcp", "127.0.0.1:0")
	return secured(t, netio.New(ours), theirs)
}

func secured(t testing.TB, c *netio.Conn, theirs net.Conn) (*netio.Conn, *tls.Conn) {
	t.Helper()
	peer := tls.Server(theirs, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	c.StartClient(&tls.Config{InsecureSkipVerify: true, DynamicRecordSizingDisabled: true})
	done := make(chan error, 1)
	go func() { done <- peer.Handshake() }()
	if err := c.Handshake(long, nil); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return c, peer
}

// sockets are the two ends of a connection.
func sockets(t testing.TB, network, address string) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if ours, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if theirs, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	return ours, theirs
}

func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// send writes as the peer, which may not fail.
func send(t testing.TB, to net.Conn, text string) {
	t.Helper()
	if _, err := to.Write([]byte(text)); err != nil {
		t.Error(err)
	}
}
