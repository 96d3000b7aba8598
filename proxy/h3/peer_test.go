package h3_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
	"go.uber.org/zap"

	"doorward/proxy/h1"
	"doorward/proxy/h3"
)

const patience = 5 * time.Second

// server serves HTTP/3 with a handler, on loopback.
type server struct {
	t     *testing.T
	ln    *quic.Listener
	o     h3.Options
	conns chan *h3.Conn
	ended chan error
}

// serve starts a server that ends with the test.
func serve(t *testing.T, o h3.Options, h h3.Handler) *server {
	t.Helper()
	if o.Limits == (h1.Limits{}) {
		o.Limits = h1.Limits{HeadBytes: 8 << 10, HeadFields: 50, TargetBytes: 1 << 10}
	}
	o.Log = zap.NewNop()
	ln, err := quic.ListenAddr("127.0.0.1:0", certificate(t), h3.Config(&quic.Config{
		MaxIncomingStreams: 10, MaxIdleTimeout: patience,
	}))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, ln: ln, o: o, conns: make(chan *h3.Conn, 100), ended: make(chan error, 100)}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			q, err := ln.Accept(context.Background())
			if err != nil {
				return
			}
			c := h3.New(q, o, h)
			s.conns <- c
			go func() { s.ended <- c.Serve() }()
		}
	}()
	return s
}

func certificate(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"app.test"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:   []string{"h3"},
	}
}

// client is a connection that sends whatever a test wants.
type client struct {
	t *testing.T
	*quic.Conn
}

// dial connects, with settings unless bare.
func (s *server) dial(bare ...bool) *client {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	q, err := quic.DialAddr(ctx, s.ln.Addr().String(), &tls.Config{
		InsecureSkipVerify: true, NextProtos: []string{"h3"}, ServerName: "app.test",
	}, &quic.Config{MaxIdleTimeout: patience})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = q.CloseWithError(0x100, "") })
	c := &client{s.t, q}
	if len(bare) == 0 {
		c.uni(0x0, frame(0x4))
	}
	return c
}

// uni opens a stream of one direction.
func (c *client) uni(kind uint64, data ...[]byte) *quic.SendStream {
	c.t.Helper()
	s, err := c.OpenUniStream()
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := s.Write(append(quicvarint.Append(nil, kind), bytes.Join(data, nil)...)); err != nil {
		c.t.Fatal(err)
	}
	return s
}

// request opens a stream with those bytes, and ends it if whole.
func (c *client) request(whole bool, data ...[]byte) *quic.Stream {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := c.OpenStreamSync(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	_ = s.SetDeadline(time.Now().Add(patience))
	_, _ = s.Write(bytes.Join(data, nil)) // what comes of it the test sees when it reads
	if whole {
		_ = s.Close()
	}
	return s
}

// frame is a frame as it stands on the wire.
func frame(kind uint64, payload ...byte) []byte {
	b := quicvarint.Append(nil, kind)
	return append(quicvarint.Append(b, uint64(len(payload))), payload...)
}

// head is a HEADERS frame. A name "-x" is left out of the usual ones.
func head(fields ...string) []byte {
	usual := []string{":method", "GET", ":scheme", "https", ":authority", "app.test", ":path", "/"}
	given := map[string]bool{}
	for i := 0; i < len(fields); i += 2 {
		name := fields[i]
		if left, ok := strings.CutPrefix(name, "-"); ok {
			name = ":" + left
		}
		given[name] = true
	}
	var all []string
	for i := 0; i < len(usual); i += 2 {
		if !given[usual[i]] {
			all = append(all, usual[i], usual[i+1])
		}
	}
	for i := 0; i < len(fields); i += 2 {
		if !strings.HasPrefix(fields[i], "-") {
			all = append(all, fields[i], fields[i+1])
		}
	}
	return frame(0x1, section(all...)...)
}

// section is a section of fields.
func section(fields ...string) []byte {
	var b bytes.Buffer
	e := qpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = e.WriteField(qpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return b.Bytes()
}

// answer is what came on a stream.
type answer struct {
	status int
	fields map[string]string
	body   string
	// trailers came behind the body, err is how the stream ended otherwise than it should.
	trailers map[string]string
	err      error
}

func read(s *quic.Stream) (a answer) {
	all, err := io.ReadAll(s)
	a.err = err
	for len(all) > 0 {
		kind, n, err := quicvarint.Parse(all)
		if err != nil {
			break
		}
		length, m, err := quicvarint.Parse(all[n:])
		if err != nil || uint64(len(all)-n-m) < length {
			break
		}
		payload := all[n+m : n+m+int(length)]
		all = all[n+m+int(length):]
		switch kind {
		case 0x0:
			a.body += string(payload)
		case 0x1:
			fields := map[string]string{}
			next := qpack.NewDecoder().Decode(payload)
			for f, err := next(); err == nil; f, err = next() {
				fields[f.Name] += f.Value
			}
			if a.status >= 200 {
				a.trailers = fields
			} else {
				a.status, _ = strconv.Atoi(fields[":status"])
				a.fields = fields
			}
		}
	}
	return a
}

// codeOf is the code that ended a stream or a connection, 0 if none did.
func codeOf(err error) uint64 {
	var s *quic.StreamError
	var c *quic.ApplicationError
	switch {
	case errors.As(err, &s):
		return uint64(s.ErrorCode)
	case errors.As(err, &c):
		return uint64(c.ErrorCode)
	}
	return 0
}

// closedWith waits for the end of the connection and returns its code.
func (c *client) closedWith() uint64 {
	c.t.Helper()
	select {
	case <-c.Context().Done():
		return codeOf(context.Cause(c.Context()))
	case <-time.After(patience):
		c.t.Error("the connection is still open")
		return 0
	}
}

// alive fails the test when the connection serves no more requests.
func (c *client) alive() {
	c.t.Helper()
	if a := read(c.request(true, head())); a.status != 200 {
		c.t.Errorf("the next request: %d, %v", a.status, a.err)
	}
}

// describe answers with what it was asked.
func describe(s *h3.Stream) {
	r := s.Request()
	if e := (*h1.SyntaxError)(nil); errors.As(s.Refusal(), &e) {
		_ = s.Answer([]byte("HTTP/1.1 "+strconv.Itoa(e.Status)+" No\r\n\r\n"), nil, true)
		return
	}
	var b bytes.Buffer
	b.WriteString(string(r.Method) + " " + string(r.Host) + " " + string(r.Target) + " " +
		string(r.Upgrade) + "\n")
	for _, f := range r.Fields {
		b.WriteString(string(f.Name) + ": " + string(f.Value) + "\n")
	}
	if r.HasBody() {
		body, err := io.ReadAll(s)
		if err != nil {
			s.Reset(0x2)
			return
		}
		if len(body) > 0 { // whether an empty one ends with the head is the network's doing
			b.WriteString("body " + string(body) + "\n")
		}
	}
	for _, f := range s.Trailers() {
		b.WriteString("trailer " + string(f.Name) + ": " + string(f.Value) + "\n")
	}
	_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), b.Bytes(), true)
}
