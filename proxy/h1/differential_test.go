package h1_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"doorward/proxy/h1"
)

// TestDifferential feeds the same bytes to the server of net/http and to this
// package. Where the two differ in what they take, or in what they read in it,
// the group of inputs says why; a difference without a reason fails, and so does
// a reason without a difference.
func TestDifferential(t *testing.T) {
	inputs := 0
	for _, group := range append(soundGroups(), append(headGroups(), bodyGroups()...)...) {
		t.Run(group.name, func(t *testing.T) {
			inputs += len(group.inputs)
			// net/http lets time pass after an answer that ends a connection.
			synctest.Test(t, group.try)
		})
	}
	if inputs < 300 {
		t.Errorf("only %d inputs", inputs)
	}
}

// group is inputs that fare alike.
type group struct {
	name string
	// differs is why we read them unlike net/http, "" where we do not.
	differs string
	inputs  []string
}

func (g *group) try(t *testing.T) {
	for _, input := range g.inputs {
		ours, theirs := readOurs(wire(input)), readTheirs(wire(input))
		switch {
		case ours == theirs && g.differs != "":
			t.Errorf("%.200q: both read %.500s, so there is nothing to explain", input, ours)
		case ours != theirs && g.differs == "":
			t.Errorf("%.200q:\n    ours %.500s\nnet/http %.500s", input, ours, theirs)
		}
	}
}

// The ends of a connection in a verdict.
const (
	ended   = "end"     // nothing more, or the connection was to be closed
	refused = "refused" // a head that is answered with an error
	badBody = "bad body"
)

// byDefault are the limits that an edge has by default.
var byDefault = h1.Limits{HeadBytes: 32 << 10, HeadFields: 100, TargetBytes: 8 << 10}

// readOurs says what this package reads: each request, and how it ends.
func readOurs(b []byte) string {
	var out []string
	for len(b) > 0 {
		r := new(h1.Request)
		n, err := (&h1.Parser{Limits: byDefault}).Parse(b, r)
		if err == h1.ErrIncomplete {
			break
		}
		if err != nil {
			return verdict(append(out, refused))
		}
		body, rest, ok := bodyOf(r, b[n:])
		if !ok {
			return verdict(append(out, badBody))
		}
		host := r.Host
		if r.Form == h1.AbsoluteForm {
			host = r.Authority
		}
		var fields []string
		for _, f := range r.Fields {
			fields = append(fields, field(string(f.Name), string(f.Value)))
		}
		out = append(out, describe(string(r.Method), string(r.Target), string(host), body, fields))
		if b = rest; r.Close {
			break
		}
	}
	return verdict(append(out, ended))
}

// bodyOf reads the body at the start of b.
func bodyOf(r *h1.Request, b []byte) (body string, rest []byte, ok bool) {
	switch {
	case r.Chunked:
		var c h1.Chunks
		c.Reset(byDefault)
		data := slices.Clone(b)
		n, taken, err := c.Decode(data)
		return string(data[:n]), b[taken:], err == nil && c.Done()
	case r.Length > int64(len(b)):
		return "", nil, false
	case r.Length > 0:
		return string(b[:r.Length]), b[r.Length:], true
	}
	return "", b, true
}

// readTheirs says what net/http reads.
func readTheirs(b []byte) string {
	var out []string
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			out = append(out, badBody)
			w.Header().Set("Connection", "close")
			return
		}
		var fields []string
		for name, values := range r.Header {
			for _, v := range values {
				fields = append(fields, field(name, v))
			}
		}
		out = append(out, describe(r.Method, r.RequestURI, r.Host, string(body), fields))
	}
	c := &scripted{in: bytes.NewReader(b), closed: make(chan struct{})}
	s := http.Server{
		Handler: http.HandlerFunc(handler), ErrorLog: log.New(io.Discard, "", 0),
		MaxHeaderBytes: byDefault.HeadBytes,
	}
	_ = s.Serve(&once{conn: c})
	<-c.closed
	if slices.Contains(out, badBody) {
		return verdict(out)
	}
	answers := len(statusLines.FindAll(c.out.Bytes(), -1))
	if answers > len(out) {
		return verdict(append(out, refused))
	}
	return verdict(append(out, ended))
}

var statusLines = regexp.MustCompile(`HTTP/1\.[01] [2-5]`)

// scripted is a connection whose peer has said all it will say.
type scripted struct {
	net.Conn
	in     *bytes.Reader
	out    bytes.Buffer
	close  sync.Once
	closed chan struct{}
}

func (c *scripted) Read(b []byte) (int, error)       { return c.in.Read(b) }
func (c *scripted) Write(b []byte) (int, error)      { return c.out.Write(b) }
func (c *scripted) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *scripted) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *scripted) SetDeadline(time.Time) error      { return nil }
func (c *scripted) SetReadDeadline(time.Time) error  { return nil }
func (c *scripted) SetWriteDeadline(time.Time) error { return nil }
func (c *scripted) Close() error {
	c.close.Do(func() { close(c.closed) })
	return nil
}

// once is a listener with one connection.
type once struct{ conn net.Conn }

func (l *once) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	return nil, io.EOF
}

func (l *once) Close() error   { return nil }
func (l *once) Addr() net.Addr { return &net.TCPAddr{} }

// field is one line, "" for those that net/http takes out of the header.
func field(name, value string) string {
	switch name = http.CanonicalHeaderKey(name); name {
	case "Host", "Transfer-Encoding", "Trailer", "Content-Length":
		return ""
	}
	return name + "=" + value
}

func describe(method, target, host, body string, fields []string) string {
	slices.Sort(fields)
	return fmt.Sprintf("%s %s at %s, %q, body %q", method, target, host,
		strings.TrimLeft(strings.Join(fields, " "), " "), body)
}

func verdict(out []string) string { return strings.Join(out, "; ") }
