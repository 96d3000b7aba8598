package test_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"doorward/internal/edgetest"
)

// behind is an edge with a parrot behind it. More are further lines of the backend.
func behind(t *testing.T, url, more string, routes ...string) *edgetest.Edge {
	t.Helper()
	return edgetest.Start(t, edgetest.Config{Text: fmt.Sprintf(
		"[backends.app]\nservers = [%q]\n%s\n[[route]]\nhosts = [\"app.example\"]\nbackend = \"app\"\n%s\n",
		url, more, strings.Join(routes, "\n"))})
}

// TestGRPC lets a client and a server of gRPC talk through Doorward, over each kind of
// connection to the server.
func TestGRPC(t *testing.T) {
	t.Run("h2c", func(t *testing.T) {
		p := newParrot(t, "127.0.0.1:0", nil)
		talkGRPC(t, behind(t, "h2c://"+p.address, ""), p)
	})
	t.Run("https", func(t *testing.T) {
		cert, file := selfSigned(t)
		p := newParrot(t, "127.0.0.1:0", &tls.Config{
			Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"},
		})
		talkGRPC(t, behind(t, "https://"+p.address,
			fmt.Sprintf("http2 = true\ntls = { ca_file = %q }", file)), p)
	})
}

func talkGRPC(t *testing.T, e *edgetest.Edge, p *parrot) {
	c := caller(t, e, "app.example")
	for name, test := range map[string]func(*testing.T, *grpc.ClientConn, *parrot){
		"one question one answer": grpcOne, "fields": grpcFields, "failures": grpcFailures,
		"answers one by one": grpcMany, "questions one by one": grpcUp, "conversation": grpcTalk,
		"large messages": grpcLarge, "cancelled": grpcCancelled, "deadline": grpcDeadline,
		"thousand calls": grpcCrowd,
	} {
		t.Run(name, func(t *testing.T) { test(t, c, p) })
	}
}

func grpcOne(t *testing.T, c *grpc.ClientConn, _ *parrot) {
	for _, text := range []string{"hello", "", "\x00\xff"} {
		if got, err := askGRPC(t.Context(), c, text); err != nil || got != text {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func grpcFields(t *testing.T, c *grpc.ClientConn, _ *parrot) {
	ctx := metadata.AppendToOutgoingContext(t.Context(),
		"x-twice", "a", "x-twice", "b", "x-raw-bin", "\x00\x01\xff", "x-forwarded-for", "192.0.2.66")
	var head, tail metadata.MD
	got, err := askGRPC(ctx, c, "who", grpc.Header(&head), grpc.Trailer(&tail))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"x-twice:[a b]", "x-raw-bin:[\x00\x01\xff]", "x-forwarded-for:[127.0.0.1]",
		"x-forwarded-proto:[https]", ":authority:[app.example]", "x-request-id:[",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the server saw %q, want %q in it", got, want)
		}
	}
	if strings.Contains(got, "192.0.2.66") {
		t.Errorf("the server believes the client: %q", got)
	}
	if fmt.Sprint(head["x-head"], head["x-bin"], tail["x-tail"], tail["x-tail-bin"]) !=
		"[1] [\x00\xff] [2] [\x01\xfe]" {
		t.Errorf("head %q, tail %q", head, tail)
	}
	if len(head["x-request-id"]) != 1 {
		t.Errorf("head without a request id: %q", head)
	}
}

func grpcFailures(t *testing.T, c *grpc.ClientConn, _ *parrot) {
	_, err := askGRPC(t.Context(), c, "fail 7 not you: 50 % ✓")
	wantCode(t, err, codes.PermissionDenied, "not you: 50 % ✓")
	question, answer := []byte("x"), []byte(nil)
	err = c.Invoke(t.Context(), "/test.Parrot/None", &question, &answer)
	wantCode(t, err, codes.Unimplemented, "None")
}

func grpcMany(t *testing.T, c *grpc.ClientConn, _ *parrot) {
	s := open(t.Context(), t, c, callMany)
	say(t, s, "a bb ccc")
	_ = s.CloseSend()
	for _, want := range []string{"a", "bb", "ccc"} {
		if got, err := hear(s); got != want || err != nil {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
	}
	if _, err := hear(s); err != io.EOF || s.Trailer()["x-tail"][0] != "many" {
		t.Errorf("end %v, %v", err, s.Trailer())
	}
}

func grpcUp(t *testing.T, c *grpc.ClientConn, _ *parrot) {
	s := open(t.Context(), t, c, callUp)
	for range 100 {
		say(t, s, strings.Repeat("x", 1000))
	}
	_ = s.CloseSend()
	if got, err := hear(s); got != "100000 in 100" || err != nil {
		t.Error(got, err)
	}
}

// Each message has to arrive before the next one is sent.
func grpcTalk(t *testing.T, c *grpc.ClientConn, _ *parrot) {
	s := open(t.Context(), t, c, callTalk)
	for i := range 100 {
		want := fmt.Sprint("message ", i)
		say(t, s, want)
		if got, err := hear(s); got != want || err != nil {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
	}
	say(t, s, "break")
	_, err := hear(s)
	wantCode(t, err, codes.Aborted, "as asked: 100 % ✓")
	s = open(t.Context(), t, c, callTalk)
	_ = s.CloseSend()
	if _, err := hear(s); err != io.EOF {
		t.Error(err)
	}
}

func grpcLarge(t *testing.T, c *grpc.ClientConn, _ *parrot) {
	large := strings.Repeat("0123456789abcdef", 1<<20)
	if got, err := askGRPC(t.Context(), c, large); err != nil || got != large {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func grpcCancelled(t *testing.T, c *grpc.ClientConn, p *parrot) {
	for _, call := range []string{callHangs, callTalk} {
		calls := p.calls.Load()
		ctx, cancel := context.WithCancel(t.Context())
		s := open(ctx, t, c, call)
		say(t, s, "hello")
		if call == callTalk {
			if _, err := hear(s); err != nil {
				t.Fatal(err)
			}
		} else {
			eventually(t, func() bool { return p.calls.Load() > calls })
		}
		cancel()
		_, err := hear(s)
		wantCode(t, err, codes.Canceled, "")
		select {
		case <-p.ended:
		case <-time.After(edgetest.Patience):
			t.Errorf("%s: the server has not heard of it", call)
		}
	}
}

func grpcDeadline(t *testing.T, c *grpc.ClientConn, _ *parrot) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := askGRPC(ctx, c, "deadline")
	wantCode(t, err, codes.DeadlineExceeded, "")
}

func grpcCrowd(t *testing.T, c *grpc.ClientConn, _ *parrot) {
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			want := fmt.Sprint("call ", i)
			if got, err := askGRPC(t.Context(), c, want); err != nil || got != want {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	all.Wait()
}

// What Doorward itself has to say to a caller is said in gRPC's words.
func TestGRPCFailuresOfOurOwn(t *testing.T) {
	p := newParrot(t, "127.0.0.1:0", nil)
	e := behind(t, "h2c://"+p.address, "timeouts = { server = \"300ms\" }",
		"[[route]]\nhosts = [\"closed.example\"]\nbackend = \"app\"\naccess = { networks = [\"192.0.2.0/24\"] }",
		"[[route]]\nhosts = [\"small.example\"]\nbackend = \"app\"\nbody_bytes = \"1KiB\"",
		"[[route]]\nhosts = [\"away.example\"]\nbackend = \"away\"",
		"[[route]]\nhosts = [\"busy.example\"]\nbackend = \"app\"\nrate_limits = [\"one\"]",
		"[rate_limits.one]\nrequests = 1\nper = \"1h\"",
		fmt.Sprintf("[backends.away]\nservers = [%q]", "h2c://"+closedPort(t)))
	for _, test := range []struct {
		host, text, says string
		code             codes.Code
	}{
		{"closed.example", "x", "You may not see this.", codes.PermissionDenied},
		{"unknown.example", "x", "", codes.Unknown},
		{"away.example", "x", "No server is available", codes.Unavailable},
		{"app.example", "deadline", "took too long", codes.DeadlineExceeded},
		{"busy.example", "x", "Too many requests", codes.Unavailable},
		{"small.example", strings.Repeat("x", 2000), "larger than", codes.ResourceExhausted},
	} {
		t.Run(test.host, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), edgetest.Patience)
			defer cancel()
			c := caller(t, e, test.host)
			if test.host == "busy.example" {
				if _, err := askGRPC(ctx, c, test.text); err != nil {
					t.Fatal(err)
				}
			}
			_, err := askGRPC(ctx, c, test.text)
			wantCode(t, err, test.code, test.says)
		})
	}
}

// A server that ends in good order refuses what it has not begun, and that goes to the
// one that takes its place.
func TestGRPCServerRestarts(t *testing.T) {
	p := newParrot(t, "127.0.0.1:0", nil)
	e := behind(t, "h2c://"+p.address, "retries = 10\nredispatch = false\ntimeouts = { connect = \"100ms\" }")
	c := caller(t, e, "app.example")
	ctx, cancel := context.WithTimeout(t.Context(), edgetest.Patience)
	defer cancel()
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got, err := askGRPC(ctx, c, "x"); err != nil || got != "x" {
					t.Errorf("%q, %v", got, err)
					return
				}
			}
		})
	}
	for range 3 {
		eventually(t, func() bool { return p.calls.Load() > 50 })
		p.GracefulStop()
		p = newParrot(t, p.address, nil)
	}
	eventually(t, func() bool { return p.calls.Load() > 50 })
	close(stop)
	all.Wait()
}

// A server that dies ends the calls that it was at.
func TestGRPCServerDies(t *testing.T) {
	p := newParrot(t, "127.0.0.1:0", nil)
	c := caller(t, behind(t, "h2c://"+p.address, ""), "app.example")
	s := open(t.Context(), t, c, callTalk)
	say(t, s, "hello")
	if _, err := hear(s); err != nil {
		t.Fatal(err)
	}
	p.Stop()
	_, err := hear(s)
	wantCode(t, err, codes.Unavailable, "broke off")
}

// A conversation may be silent for as long as one of the two says something.
func TestGRPCStreamsLiveWhileEitherSideSpeaks(t *testing.T) {
	p := newParrot(t, "127.0.0.1:0", nil)
	e := behind(t, "h2c://"+p.address, "timeouts = { server = \"300ms\" }")
	c := caller(t, e, "app.example")
	s := open(t.Context(), t, c, callTalk)
	for range 6 {
		pause := time.NewTimer(150 * time.Millisecond)
		<-pause.C
		say(t, s, "still here")
		if _, err := hear(s); err != nil {
			t.Fatal(err)
		}
	}
	_, err := hear(s)
	wantCode(t, err, codes.DeadlineExceeded, "")
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
