package health_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"doorward/health"
	"doorward/internal/porttest"
	"doorward/proxy/backend"
)

// quick is a check that does not wait long.
func quick(kind health.Kind) health.CheckOptions {
	return health.CheckOptions{Kind: kind, Timing: health.Timing{Interval: 200 * time.Millisecond}}
}

func reset(c net.Conn) {
	_ = c.(counting).Conn.(*net.TCPConn).SetLinger(0)
}

func TestServersThatMisbehave(t *testing.T) {
	body := health.Expect{Body: "fine"}
	for _, c := range []struct {
		name   string
		deal   func(net.Conn)
		kind   health.Kind
		expect health.Expect
		want   string
	}{
		{"accepts", hangs, health.TCP, health.Expect{}, "L4OK"},
		{"accepts and closes", func(net.Conn) {}, health.TCP, health.Expect{}, "L4OK"},
		{"closes", func(c net.Conn) { _, _ = c.Read(make([]byte, 999)) }, health.HTTP,
			health.Expect{}, "L7RSP: closed without an answer"},
		{"resets", func(c net.Conn) { _, _ = c.Read(make([]byte, 999)); reset(c) }, health.HTTP,
			health.Expect{}, "SOCKERR: connection reset by peer"},
		{"hangs", hangs, health.HTTP, health.Expect{}, "L7TOUT: no answer in time"},
		{"hangs in the head", func(c net.Conn) {
			answers("HTTP/1.1 200 OK\r\nServer: x\r\n")(c)
			hangs(c)
		}, health.HTTP, health.Expect{}, "L7TOUT: no answer in time"},
		{"hangs in the body", func(c net.Conn) {
			answers("HTTP/1.1 200 OK\r\n\r\nfi")(c)
			hangs(c)
		}, health.HTTP, body, "L7TOUT 200: no answer in time"},
		{"hangs when all is said", func(c net.Conn) {
			answers("HTTP/1.1 200 OK\r\n\r\nall fine")(c)
			hangs(c)
		}, health.HTTP, body, "L7OK 200"},
		{"hangs before what must not come", func(c net.Conn) {
			answers("HTTP/1.1 200 OK\r\n\r\nall")(c)
			hangs(c)
		}, health.HTTP, health.Expect{Body: "fire", Not: true}, "L7TOUT 200: no answer in time"},
		{"closes in the head", answers("HTTP/1.1 200 OK\r\nServer: x\r\n"), health.HTTP,
			health.Expect{}, "L7RSP: closed without an answer"},
		{"speaks another protocol", answers("220 mail.example ESMTP\r\n"), health.HTTP,
			health.Expect{}, `L7RSP: malformed HTTP status code "mail.example"`},
		{"speaks in control characters", answers("\x1b[2J\x07\u202e\n"), health.HTTP,
			health.Expect{}, `L7RSP: malformed HTTP response "\x1b[2J\a\u202e"`},
		{"hangs in the handshake", hangs, health.TLS, health.Expect{},
			"L6TOUT: no TLS handshake in time"},
		{"hangs up in the handshake", func(c net.Conn) {
			_, _ = c.Read(make([]byte, 9999)) // what is unread at the end resets the connection
		}, health.TLS, health.Expect{}, "L6RSP: EOF"},
		{"speaks no TLS", func(c net.Conn) {
			_, _ = c.Read(make([]byte, 999))
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		}, health.TLS, health.Expect{},
			"L6RSP: tls: first record does not look like a TLS handshake"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.deal)
			p := &socket{address: s.Addr().String()}
			if c.kind == health.TLS {
				p.tls = &tls.Config{ServerName: "app.example"}
			}
			o := quick(c.kind)
			o.Expect = c.expect
			got := health.Probe(t.Context(), check(t, o), p)
			if got.String() != c.want {
				t.Errorf("the check says %q, want %q", got, c.want)
			}
			if got.Took > 2*time.Second {
				t.Errorf("the check took %v, and 200ms are allowed", got.Took)
			}
		})
	}
}

func TestServersThatAreNotThere(t *testing.T) {
	free := porttest.Address(t)
	got := health.Probe(t.Context(), check(t, quick(health.HTTP)), &socket{address: free})
	if got.String() != "L4CON: connection refused" {
		t.Errorf("the check says %q, want L4CON: connection refused", got)
	}
}

// unreachable is a peer whose Dial comes this far.
type unreachable struct {
	socket
	times backend.DialTimes
	err   error
}

func (u *unreachable) Dial(
	ctx context.Context, _ backend.DialTo,
) (net.Conn, backend.DialTimes, error) {
	if u.err != nil {
		return nil, u.times, u.err
	}
	<-ctx.Done()
	return nil, u.times, ctx.Err()
}

func TestHowFarAConnectionCame(t *testing.T) {
	const some = time.Millisecond
	failed := errors.New("went wrong")
	for _, c := range []struct {
		name  string
		times backend.DialTimes
		err   error // nil: it takes too long
		want  string
	}{
		{"no address", backend.DialTimes{Resolve: some}, failed, "L4CON: went wrong"},
		{"no address in time", backend.DialTimes{Resolve: some}, nil, "L4TOUT: no address in time"},
		{"no connection", backend.DialTimes{Resolve: some, Connect: some}, failed, "L4CON: went wrong"},
		{"no connection in time", backend.DialTimes{Connect: some}, nil, "L4TOUT: no connection in time"},
		{"nothing known", backend.DialTimes{}, nil, "L4TOUT: no connection in time"},
		{"no TLS", backend.DialTimes{Connect: some, TLS: some}, failed, "L6RSP: went wrong"},
		{
			"no TLS in time", backend.DialTimes{Connect: some, TLS: some}, nil,
			"L6TOUT: no TLS handshake in time",
		},
		{
			"no files left here", backend.DialTimes{Connect: some},
			&net.OpError{Op: "dial", Err: syscall.EMFILE}, "SOCKERR: too many open files",
		},
		{
			"two addresses", backend.DialTimes{Connect: some}, &backend.ConnectError{
				Server: "s1", Err: errors.Join(errors.New("10.0.0.1: no"), errors.New("10.0.0.2: no")),
			}, "L4CON: 10.0.0.1: no; 10.0.0.2: no",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := health.Probe(t.Context(), check(t, tcp()), &unreachable{times: c.times, err: c.err})
				if got.String() != c.want || got.Dial != c.times {
					t.Errorf("the check says %q, want %q", got, c.want)
				}
			})
		})
	}
}

// piped connects to a server at the other end of a pipe, after some time.
type piped struct {
	socket
	after time.Duration
	deal  func(net.Conn)
}

func (p *piped) Dial(ctx context.Context, _ backend.DialTo) (net.Conn, backend.DialTimes, error) {
	select {
	case <-time.After(p.after):
	case <-ctx.Done():
		return nil, backend.DialTimes{Connect: p.after}, ctx.Err()
	}
	ours, theirs := net.Pipe()
	go func() {
		p.deal(theirs)
		_ = theirs.Close()
	}()
	return ours, backend.DialTimes{Connect: p.after}, nil
}

func TestHowLongACheckMayTake(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name   string
		timing health.Timing
		dial   time.Duration // how long the connection takes
		want   time.Duration
	}{
		{"all in the interval", health.Timing{Interval: 1000 * ms}, 600 * ms, 1000 * ms},
		{"connection late for the interval", health.Timing{Interval: 1000 * ms}, 2000 * ms, 1000 * ms},
		{
			"its own time for the answer",
			health.Timing{Interval: 1000 * ms, Timeout: 3000 * ms}, 600 * ms, 3600 * ms,
		},
		{"connect shorter", health.Timing{Interval: 1000 * ms, Connect: 300 * ms}, 600 * ms, 300 * ms},
		{
			"connect longer",
			health.Timing{Interval: 1000 * ms, Connect: 5000 * ms, Timeout: 1 * ms}, 2000 * ms, 1000 * ms,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := health.CheckOptions{Timing: c.timing}
				got := health.Probe(t.Context(), check(t, o), &piped{after: c.dial, deal: hangs})
				if got.Took != c.want || got.Outcome.OK() {
					t.Errorf("%v after %v, want a failure after %v", got, got.Took, c.want)
				}
			})
		})
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		got := health.Probe(ctx, check(t, health.CheckOptions{}), &piped{deal: hangs})
		if got.Took != 100*time.Millisecond {
			t.Errorf("it took %v, want 100ms", got.Took)
		}
	})
}

func TestTLSServers(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	address := server.Listener.Addr().String()
	for _, c := range []struct {
		name string
		kind health.Kind
		tls  *tls.Config
		want string
	}{
		{"good", health.TLS, &tls.Config{RootCAs: trusted, ServerName: "example.com"}, "L6OK"},
		{"good, HTTP", health.HTTP, &tls.Config{RootCAs: trusted, ServerName: "example.com"},
			"L7STS 404: Not Found"},
		{"nobody we trust", health.TLS, &tls.Config{ServerName: "example.com"},
			"L6RSP: tls: failed to verify certificate: x509: "},
		{"somebody else", health.HTTP, &tls.Config{RootCAs: trusted, ServerName: "other.example"},
			"L6RSP: tls: failed to verify certificate: x509: certificate is valid for example.com"},
		{"TCP alone", health.TCP, &tls.Config{ServerName: "other.example"}, "L4OK"},
		{"no TLS configured", health.TLS, nil, "L6RSP: requests to this server go without TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := health.CheckOptions{Kind: c.kind}
			got := health.Probe(t.Context(), check(t, o), &socket{address: address, tls: c.tls})
			if !strings.HasPrefix(got.String(), c.want) {
				t.Errorf("the check says %q, want %q", got, c.want)
			}
			if c.kind == health.HTTP && got.Dial.TLS == 0 {
				t.Error("no time for the handshake")
			}
		})
	}
}
