package h2_test

import (
	"io"
	"net"
	"testing"
	"time"

	"doorward/internal/safe"
	"doorward/proxy/h1"
	"doorward/proxy/h2"
)

// socket is a Transport over a plain connection.
type socket struct{ net.Conn }

func (s socket) ReadLazy(take func() []byte, _ func()) (int, error) { return s.Read(take()) }
func (s socket) Abort()                                             { _ = s.SetReadDeadline(time.Unix(1, 0)) }

// bound limits the next read.
func (s socket) bound(d time.Duration) {
	if d == 0 {
		_ = s.SetReadDeadline(time.Time{})
	} else {
		_ = s.SetReadDeadline(time.Now().Add(d))
	}
}

// options are those of tests.
func options() h2.Options {
	return h2.Options{
		Limits: h1.Limits{HeadBytes: 32 << 10, HeadFields: 100, TargetBytes: 8 << 10},
		Head:   5 * time.Second, Frame: 5 * time.Second, KeepAlive: 5 * time.Second,
		ExtendedConnect: true, Crew: h2.NewCrew(64, nil),
	}
}

// listen serves connections until the test ends, and returns the address.
func listen(t testing.TB, o h2.Options, h h2.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	safe.Go(nil, "accept", func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			safe.Go(nil, "serve", func() {
				defer c.Close()
				o := o
				o.Bound = socket{c}.bound
				_ = h2.New(socket{c}, o, h).Serve(nil)
			})
		}
	})
	return l.Addr().String()
}

// echo answers with the body of the request.
func echo(s *h2.Stream) {
	if s.Refusal() != nil {
		_ = s.Answer([]byte("HTTP/1.1 431 \r\nContent-Length: 0\r\n\r\n"), nil, true)
		return
	}
	if r := s.Request(); !r.HasBody() {
		_ = s.Answer([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: test\r\n\r\n"),
			[]byte("hello"), true)
		return
	}
	if s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), nil, false) != nil {
		return
	}
	b := make([]byte, 16<<10)
	for {
		n, err := s.Read(b)
		if n > 0 && s.Write(b[:n], false) != nil {
			return
		}
		if err == io.EOF {
			_ = s.Write(nil, true)
			return
		}
		if err != nil {
			return
		}
	}
}
