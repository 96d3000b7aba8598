package app_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"doorward/internal/porttest"
)

// withHTTP3 is on for a TLS listener, with HTTP/3.
func withHTTP3(address, url, more string) string {
	listen := fmt.Sprintf("[listen]\nhttp = [%q]\nhttp_redirect = false\nhttps = [%q]\n",
		plainAddress, tlsAddress)
	return strings.Replace(site(url, more), listen,
		fmt.Sprintf("[listen]\nhttp = []\nhttp3 = true\nhttps = [%q]\n", address), 1)
}

// quicTLS is what a client of the edge says in the handshake.
func (e *edge) quicTLS() *tls.Config {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(e.Root())
	return &tls.Config{RootCAs: roots, ServerName: "app.test", NextProtos: []string{"h3"}}
}

// quicDial connects to an address with QUIC, from a socket of its own.
func (e *edge) quicDial(address string, within time.Duration) (*quic.Conn, error) {
	e.t.Helper()
	ctx, cancel := timeout(within)
	defer cancel()
	c, err := quic.DialAddr(ctx, address, e.quicTLS(), nil)
	if err == nil {
		e.t.Cleanup(func() { _ = c.CloseWithError(0x100, "") })
	}
	return c, err
}

// ask3 asks for the one page of the site over a connection.
func ask3(c *quic.Conn) (string, error) {
	ctx, cancel := timeout(patience)
	defer cancel()
	client := (&http3.Transport{}).NewClientConn(c)
	r, err := http.NewRequestWithContext(ctx, "GET", "https://app.test/", nil)
	if err != nil {
		return "", err
	}
	resp, err := client.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// get3 fails the test unless a new connection is served.
func (e *edge) get3(address string) {
	e.t.Helper()
	c, err := e.quicDial(address, patience)
	if err != nil {
		e.t.Fatal(err)
	}
	if body, err := ask3(c); body != "app" {
		e.t.Fatalf("%q, %v", body, err)
	}
}

func TestReloadMovesHTTP3(t *testing.T) {
	url := server(t, "app")
	port := strconv.Itoa(porttest.Free(t))
	e := start(t, withHTTP3("127.0.0.1:"+port, url, ""))
	e.get3("127.0.0.1:" + port)
	for _, address := range []string{":" + port, "127.0.0.1:" + port, "0.0.0.0:" + port} {
		e.mustReload(withHTTP3(address, url, ""))
		e.get3("127.0.0.1:" + port)
	}
	other := strconv.Itoa(porttest.Free(t))
	e.mustReload(withHTTP3("127.0.0.1:"+other, url, ""))
	e.get3("127.0.0.1:" + other)
	if _, err := e.quicDial("127.0.0.1:"+port, 200*time.Millisecond); err == nil {
		t.Error("the old port still listens")
	}
	// Nobody is left on the old one, so it closes.
	eventually(t, "the old port is free", func() bool {
		c, err := net.ListenPacket("udp", "127.0.0.1:"+port)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
}

func TestUDPPortInUse(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.LocalAddr().String()
	e := newEdge(t, withHTTP3(address, server(t, "app"), ""))
	err = e.Start()
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "ss -lunp") {
		t.Errorf("%v, want %v with a hint", err, syscall.EADDRINUSE)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("TCP is still open: %v", err)
	}
	_ = l.Close()
}

// A certificate that a reload takes away is gone for new connections, and what is open
// goes on.
func TestReloadChangesTheTLSOfHTTP3(t *testing.T) {
	url := server(t, "app")
	address := porttest.Address(t)
	config := withHTTP3(address, url, "")
	e := start(t, config)
	old, err := e.quicDial(address, patience)
	if err != nil {
		t.Fatal(err)
	}
	e.mustReload(strings.Replace(config, `"*.test"`, `"*.other"`, 1))
	if _, err := e.quicDial(address, time.Second); err == nil {
		t.Error("a name that is not served any more was shown a certificate")
	}
	if body, err := ask3(old); body != "app" {
		t.Errorf("the connection that was open: %q, %v", body, err)
	}
}

func TestConnectionLimitsHoldForHTTP3(t *testing.T) {
	url := server(t, "app")
	address := porttest.Address(t)
	t.Run("of all", func(t *testing.T) {
		e := start(t, withHTTP3(address, url, "[limits]\nconnections = 2\n"))
		one, err := e.quicDial(address, patience)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.quicDial(address, patience); err != nil {
			t.Fatal(err)
		}
		var refused *quic.TransportError
		if _, err := e.quicDial(address, patience); !errors.As(err, &refused) ||
			refused.ErrorCode != quic.ConnectionRefused {
			t.Errorf("a third: %v, want it refused", err)
		}
		if n := e.View().Node.Refused; n == 0 {
			t.Error("nobody counted it")
		}
		_ = one.CloseWithError(0x100, "")
		eventually(t, "a place is free", func() bool {
			_, err := e.quicDial(address, patience)
			return err == nil
		})
	})
	t.Run("of a client", func(t *testing.T) {
		e := start(t, withHTTP3(address, url, "[limits]\nconnections_per_client = 1\n"))
		e.get3(address)
		second, err := e.quicDial(address, patience)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := ask3(second); err == nil {
			t.Errorf("a second: %q", body)
		}
	})
}

// muted is a socket that hears nothing: handshakes over it go no further than their
// first packet. It counts the packets with which a server wants the address proved.
type muted struct {
	net.PacketConn
	hears   bool
	retries atomic.Int64
}

// ReadFrom implements net.PacketConn.
func (m *muted) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, a, err := m.PacketConn.ReadFrom(p)
		if n > 0 && p[0]&0xf0 == 0xf0 { // RFC 9000, section 17.2.5
			m.retries.Add(1)
		}
		if m.hears || err != nil {
			return n, a, err
		}
	}
}

// A flood of first packets under false addresses costs clients a round trip, and us
// little.
func TestSecurityDOS_handshakes_over_QUIC(t *testing.T) {
	address := porttest.Address(t)
	e := start(t, withHTTP3(address, server(t, "app"), "[limits]\nhandshakes = 2\n"))
	to, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	dial := func(ctx context.Context, hears bool) (*muted, error) {
		sock, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		m := &muted{PacketConn: sock, hears: hears}
		tr := &quic.Transport{Conn: m}
		t.Cleanup(func() { _, _ = tr.Close(), sock.Close() })
		c, err := tr.Dial(ctx, to, e.quicTLS(), nil)
		if err == nil {
			_ = c.CloseWithError(0x100, "")
		}
		return m, err
	}
	calm, err := dial(t.Context(), true)
	if err != nil || calm.retries.Load() != 0 {
		t.Errorf("without a flood: %v, %d retries", err, calm.retries.Load())
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for range 6 {
		go func() { _, _ = dial(ctx, false) }()
	}
	eventually(t, "clients must prove their addresses", func() bool {
		m, err := dial(t.Context(), true)
		return err == nil && m.retries.Load() > 0
	})
}
