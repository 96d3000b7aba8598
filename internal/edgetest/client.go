package edgetest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// Client is one connection to the edge, for exact bytes. It belongs to one
// goroutine and closes with its test.
type Client struct {
	t    testing.TB
	sock *net.TCPConn
	conn net.Conn // sock, or TLS over it
	wire wire
}

// End says how the edge ended a connection.
type End int

// The ends of a connection. Open is none: nothing happened within Patience.
const (
	Open End = iota
	Closed
	Reset
	Talking // further bytes came instead
)

func (e End) String() string {
	return [...]string{"open", "closed", "reset", "further bytes"}[e]
}

// Dial connects to the plain listener.
func (e *Edge) Dial(t testing.TB) *Client { return Dial(t, e.HTTP) }

// DialTLS connects to the TLS listener for a host, with ALPN http/1.1.
func (e *Edge) DialTLS(t testing.TB, host string) *Client {
	t.Helper()
	return e.DialWith(t, &tls.Config{
		ServerName: host, RootCAs: e.roots, NextProtos: []string{"http/1.1"},
	})
}

// DialWith connects to the TLS listener with a configuration of the test's own.
// Without RootCAs and InsecureSkipVerify the edge's own authority is trusted.
func (e *Edge) DialWith(t testing.TB, cfg *tls.Config) *Client {
	t.Helper()
	c := Dial(t, e.HTTPS)
	if err := c.StartTLS(e, cfg); err != nil {
		t.Fatalf("TLS handshake: %v", err)
	}
	return c
}

// Dial connects to an address.
func Dial(t testing.TB, address string) *Client {
	t.Helper()
	return DialThrough(t, address, func(c net.Conn) net.Conn { return c })
}

// DialThrough connects to an address with something of the test's own between
// the client and the socket.
func DialThrough(t testing.TB, address string, between func(net.Conn) net.Conn) *Client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, Patience)
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{t: t, sock: conn.(*net.TCPConn)}
	t.Cleanup(c.Close)
	c.over(between(conn))
	return c
}

// StartTLS does a handshake over what was sent so far, a PROXY header for
// example, and returns its error.
func (c *Client) StartTLS(e *Edge, cfg *tls.Config) error {
	if cfg.RootCAs == nil {
		cfg = cfg.Clone()
		cfg.RootCAs = e.roots
	}
	conn := tls.Client(c.conn, cfg)
	c.over(conn)
	return conn.Handshake()
}

func (c *Client) over(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(Patience))
	c.conn = conn
	c.wire = wire{Reader: bufio.NewReader(conn)}
}

// Conn is the connection itself, TLS if that was started.
func (c *Client) Conn() net.Conn { return c.conn }

// Send writes text, with ⏎ for CR LF. That the edge has closed meanwhile is no
// error here: End tells.
func (c *Client) Send(text string) *Client {
	_, _ = io.WriteString(c.conn, Bytes(text))
	return c
}

// SendPieces writes text n bytes at a time, each with a system call of its own.
func (c *Client) SendPieces(text string, n int) *Client {
	for b := []byte(Bytes(text)); len(b) > 0; {
		n = min(n, len(b))
		if _, err := c.conn.Write(b[:n]); err != nil {
			break
		}
		b = b[n:]
	}
	return c
}

// CloseWrite ends the client's half.
func (c *Client) CloseWrite() {
	if t, ok := c.conn.(*tls.Conn); ok {
		_ = t.CloseWrite()
	}
	_ = c.sock.CloseWrite()
}

// Reset closes the connection with a reset.
func (c *Client) Reset() {
	_ = c.sock.SetLinger(0)
	_ = c.sock.Close()
}

// Close closes the connection. Later calls do nothing.
func (c *Client) Close() { _ = c.sock.Close() }

// Answer reads the next answer, 1xx too, to a request that is no HEAD.
func (c *Client) Answer() *Message {
	c.t.Helper()
	return c.AnswerTo("GET")
}

// AnswerTo reads the next answer to a request of the method. An answer that is
// not whole or not well formed fails the test.
func (c *Client) AnswerTo(method string) *Message {
	c.t.Helper()
	m, err := c.TryAnswer(method)
	if err != nil {
		c.t.Fatalf("answer: %v\n%+v", err, m)
	}
	return m
}

// TryAnswer is AnswerTo for answers that may break off: then Err of the message
// is set, and the message nil when not one byte came.
func (c *Client) TryAnswer(method string) (*Message, error) { return c.wire.answer(method) }

// Rest is the stream behind what Answer returned last.
func (c *Client) Rest() io.Reader { return c.wire.Reader }

// End waits for the end of the connection and tells which one it was.
func (c *Client) End() End {
	_, err := c.wire.ReadByte()
	switch {
	case err == nil:
		return Talking
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Open
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Closed
	}
	return Reset
}
