package test_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"

	"doorward/internal/edgetest"
)

// The calls of the test's service. Messages are bytes.
const (
	callOne   = "/test.Parrot/One"   // answers what it gets
	callMany  = "/test.Parrot/Many"  // one question, its words one by one
	callUp    = "/test.Parrot/Up"    // many questions, one answer
	callTalk  = "/test.Parrot/Talk"  // each question is answered at once
	callHangs = "/test.Parrot/Hangs" // never answers
)

// bytesCodec passes messages on as they are.
type bytesCodec struct{}

func (bytesCodec) Name() string                  { return "bytes" }
func (bytesCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (bytesCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

// parrot is a server of gRPC that is not ours.
type parrot struct {
	*grpc.Server
	address string
	// calls counts those that came, ended gets one for each that its caller gave up.
	calls atomic.Int64
	ended chan struct{}
}

// newParrot starts a parrot on an address (with port 0, a free one), with TLS if there
// is a configuration.
func newParrot(t testing.TB, address string, secure *tls.Config) *parrot {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	p := &parrot{address: l.Addr().String(), ended: make(chan struct{}, 100)}
	options := []grpc.ServerOption{
		grpc.ForceServerCodec(bytesCodec{}), grpc.MaxRecvMsgSize(1 << 26),
	}
	if secure != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(secure)))
	}
	p.Server = grpc.NewServer(options...)
	p.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Parrot", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "One", Handler: p.one}},
		Streams: []grpc.StreamDesc{
			{StreamName: "Many", Handler: p.many, ServerStreams: true},
			{StreamName: "Up", Handler: p.up, ClientStreams: true},
			{StreamName: "Talk", Handler: p.talk, ServerStreams: true, ClientStreams: true},
			{StreamName: "Hangs", Handler: p.hangs, ServerStreams: true, ClientStreams: true},
		},
	}, p)
	var running sync.WaitGroup
	running.Go(func() { _ = p.Serve(l) })
	t.Cleanup(func() { p.Stop(); running.Wait() })
	return p
}

// one answers what it gets, with the fields of the call that begin with x- in its own.
// A question "fail N text" is a failure, "who" asks for the fields.
func (p *parrot) one(
	_ any, ctx context.Context, read func(any) error, _ grpc.UnaryServerInterceptor,
) (any, error) {
	p.calls.Add(1)
	var question []byte
	if err := read(&question); err != nil {
		return nil, err
	}
	fields, _ := metadata.FromIncomingContext(ctx)
	_ = grpc.SetHeader(ctx, metadata.Pairs("x-head", "1", "x-bin", "\x00\xff"))
	_ = grpc.SetTrailer(ctx, metadata.Pairs("x-tail", "2", "x-tail-bin", "\x01\xfe"))
	text := string(question)
	var code int
	switch {
	case text == "who":
		text = fmt.Sprint(map[string][]string(fields)) // the type of fields shows few of them
	case text == "deadline":
		<-ctx.Done()
		return nil, ctx.Err()
	case strings.HasPrefix(text, "fail "):
		rest := text[len("fail "):]
		if _, err := fmt.Sscan(rest, &code); err != nil {
			return nil, err
		}
		return nil, grpcstatus.Error(codes.Code(code), rest)
	}
	answer := []byte(text)
	return &answer, nil
}

func (p *parrot) many(_ any, s grpc.ServerStream) error {
	p.calls.Add(1)
	var question []byte
	if err := s.RecvMsg(&question); err != nil {
		return err
	}
	for word := range strings.FieldsSeq(string(question)) {
		answer := []byte(word)
		if err := s.SendMsg(&answer); err != nil {
			return err
		}
	}
	s.SetTrailer(metadata.Pairs("x-tail", "many"))
	return nil
}

func (p *parrot) up(_ any, s grpc.ServerStream) error {
	p.calls.Add(1)
	bytes, messages := 0, 0
	for {
		var question []byte
		err := s.RecvMsg(&question)
		if err == io.EOF {
			answer := fmt.Appendf(nil, "%d in %d", bytes, messages)
			return s.SendMsg(&answer)
		}
		if err != nil {
			return err
		}
		bytes += len(question)
		messages++
	}
}

func (p *parrot) talk(_ any, s grpc.ServerStream) error {
	p.calls.Add(1)
	for {
		var message []byte
		if err := s.RecvMsg(&message); err != nil {
			if err == io.EOF {
				return nil
			}
			p.ended <- struct{}{}
			return err
		}
		if string(message) == "break" {
			return grpcstatus.Error(codes.Aborted, "as asked: 100 % ✓")
		}
		if err := s.SendMsg(&message); err != nil {
			return err
		}
	}
}

func (p *parrot) hangs(_ any, s grpc.ServerStream) error {
	p.calls.Add(1)
	<-s.Context().Done()
	p.ended <- struct{}{}
	return s.Context().Err()
}

// caller is a client of gRPC that is not ours.
func caller(t testing.TB, e *edgetest.Edge, host string) *grpc.ClientConn {
	t.Helper()
	secure := credentials.NewTLS(&tls.Config{ServerName: host, RootCAs: e.Roots()})
	c, err := grpc.NewClient("passthrough:///"+e.HTTPS,
		grpc.WithTransportCredentials(secure), grpc.WithAuthority(host),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodec(bytesCodec{}), grpc.MaxCallRecvMsgSize(1<<26)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// askGRPC makes a call with one question and one answer.
func askGRPC(ctx context.Context, c *grpc.ClientConn, text string, o ...grpc.CallOption) (string, error) {
	question, answer := []byte(text), []byte(nil)
	err := c.Invoke(ctx, callOne, &question, &answer, o...)
	return string(answer), err
}

// open begins a call with many messages.
func open(ctx context.Context, t testing.TB, c *grpc.ClientConn, call string) grpc.ClientStream {
	t.Helper()
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, call)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func say(t testing.TB, s grpc.ClientStream, text string) {
	t.Helper()
	message := []byte(text)
	if err := s.SendMsg(&message); err != nil {
		t.Fatal(err)
	}
}

func hear(s grpc.ClientStream) (string, error) {
	var message []byte
	err := s.RecvMsg(&message)
	return string(message), err
}

// wantCode fails the test unless a call ended with a code, and a text in its message.
func wantCode(t testing.TB, err error, code codes.Code, text string) {
	t.Helper()
	if s := grpcstatus.Convert(err); s.Code() != code || !strings.Contains(s.Message(), text) {
		t.Errorf("%v %q, want %v with %q", s.Code(), s.Message(), code, text)
	}
}

// eventually fails the test unless a condition comes about.
func eventually(t testing.TB, condition func() bool) {
	t.Helper()
	if !edgetest.Until(condition) {
		t.Fatal("it does not come about")
	}
}

// selfSigned is a certificate for 127.0.0.1, and the file that says to trust it.
func selfSigned(t testing.TB) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}
