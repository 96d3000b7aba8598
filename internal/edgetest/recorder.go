package edgetest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Recorder is a server that keeps every byte it gets and answers by a script.
type Recorder struct {
	// Addr is where it listens, URL the same for a configuration.
	Addr, URL string

	script   Script
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	messages []*Message // since Take, without canaries
	raw      []byte     // since Take
	open     map[net.Conn]bool
	accepted int
	closed   bool
}

// Script answers the requests of one connection; when it returns, the connection
// closes. It runs in a goroutine of its own.
type Script func(*Peer)

// Record starts a plain server that ends with the test.
func Record(t testing.TB, script Script) *Recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return record(t, l, "http", script)
}

// RecordTLS starts a server that speaks TLS.
func RecordTLS(t testing.TB, cfg *tls.Config, script Script) *Recorder {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return record(t, l, "https", script)
}

func record(t testing.TB, l net.Listener, scheme string, script Script) *Recorder {
	addr := l.Addr().String()
	r := &Recorder{
		Addr: addr, URL: scheme + "://" + addr,
		script: script, listener: l, open: map[net.Conn]bool{},
	}
	r.running.Go(r.accept)
	t.Cleanup(r.Close)
	return r
}

// Backend is a backend with this server alone, its further keys, and a route by
// host for canaries, as lines of a configuration.
func (r *Recorder) Backend(name string, keys ...string) string {
	return fmt.Sprintf("[backends.%[1]s]\nservers = [%[2]q]\n%[3]s\n"+
		"[[route]]\nname = \"canary-%[1]s\"\nhosts = [%[4]q]\nbackend = %[1]q\n",
		name, r.URL, strings.Join(keys, "\n"), canaryHost)
}

// Take returns the requests that came since it was called last, canaries left
// out, and all bytes of that time. A request that was not whole, or not one by
// the strict parser, has an Err.
func (r *Recorder) Take() (requests []*Message, raw string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.messages {
		now := *m // its script may still be at work on it
		requests = append(requests, &now)
	}
	raw = string(r.raw)
	r.messages, r.raw = nil, nil
	return requests, raw
}

// Count is the number of requests since Take, whole ones and others.
func (r *Recorder) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.messages)
}

// Accepted is the number of connections since the start, Open of those that are
// open.
func (r *Recorder) Accepted() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.accepted
}

// Open is the number of connections that are open.
func (r *Recorder) Open() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)
}

// Close closes the listener and all connections and waits for the scripts.
func (r *Recorder) Close() {
	r.mu.Lock()
	r.closed = true
	for c := range r.open {
		_ = c.Close()
	}
	r.mu.Unlock()
	_ = r.listener.Close()
	r.running.Wait()
}

func (r *Recorder) accept() {
	for {
		c, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		p := &Peer{Number: r.accepted, rec: r, conn: c}
		r.accepted++
		if r.closed {
			_ = c.Close()
		} else {
			r.open[c] = true
		}
		r.mu.Unlock()
		p.wire = wire{Reader: bufio.NewReaderSize(p, 64<<10)}
		r.running.Go(p.serve)
	}
}

func (r *Recorder) keep(m *Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, m)
}

// Peer is one connection of the edge to a Recorder.
type Peer struct {
	// Number counts the connections of the recorder, from 0.
	Number int

	rec  *Recorder
	conn net.Conn
	wire wire
}

// Recorder is the server that the connection was made to.
func (p *Peer) Recorder() *Recorder { return p.rec }

func (p *Peer) serve() {
	defer func() {
		_ = p.conn.Close()
		p.rec.mu.Lock()
		delete(p.rec.open, p.conn)
		p.rec.mu.Unlock()
	}()
	p.rec.script(p)
}

// Read reads bytes of the connection, which are recorded. Those that were read
// ahead with a head are not among them: see Rest.
func (p *Peer) Read(b []byte) (int, error) {
	n, err := p.conn.Read(b)
	p.rec.mu.Lock()
	p.rec.raw = append(p.rec.raw, b[:n]...)
	p.rec.mu.Unlock()
	return n, err
}

// Rest is the stream behind what Head or Request returned last.
func (p *Peer) Rest() io.Reader { return p.wire.Reader }

// Head reads the head of the next request, nil when there is none. Its body is
// for Body. Canaries are answered on the way.
func (p *Peer) Head() *Message {
	for {
		m, err := p.wire.requestHead()
		switch {
		case m == nil:
			return nil
		case err != nil:
			p.rec.keep(m)
			// What follows tells what went wrong; it is recorded, not read.
			_, _ = io.Copy(io.Discard, p.wire.Reader)
			return nil
		case !strings.HasPrefix(m.Path, canaryPath):
			if m.Chunked || m.Length > 0 {
				m.Err = errUnread
			}
			p.rec.keep(m)
			return m
		}
		p.Send(EchoOf(m))
	}
}

// errUnread is the state of a request between Head and Body.
var errUnread = errors.New("body not read yet")

// Body reads the body of the request whose head came last, and tells whether it
// was whole.
func (p *Peer) Body(m *Message) bool {
	whole := *m
	err := p.wire.body(&whole, false)
	p.rec.mu.Lock()
	defer p.rec.mu.Unlock()
	*m = whole
	return err == nil
}

// Request reads the next request with its body, nil when there is none or it is
// not whole.
func (p *Peer) Request() *Message {
	if m := p.Head(); m != nil && p.Body(m) {
		return m
	}
	return nil
}

// Send writes text, with ⏎ for CR LF.
func (p *Peer) Send(text string) { _, _ = io.WriteString(p.conn, Bytes(text)) }

// Write writes bytes and tells what became of them.
func (p *Peer) Write(b []byte) (int, error) { return p.conn.Write(b) }

// CloseWrite ends our half.
func (p *Peer) CloseWrite() {
	if c, ok := p.conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
}

// Reset closes the connection with a reset, on a plain one.
func (p *Peer) Reset() {
	if c, ok := p.conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	_ = p.conn.Close()
}

// Gone waits until the edge ends the connection, and tells whether it did within
// Patience. Bytes that still come are recorded.
func (p *Peer) Gone() bool {
	_ = p.conn.SetReadDeadline(time.Now().Add(Patience))
	_, err := io.Copy(io.Discard, p.wire.Reader)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// Echo answers every request with 200 and the request line without its version.
func Echo(p *Peer) {
	for m := p.Request(); m != nil; m = p.Request() {
		p.Send(EchoOf(m))
	}
}

// EchoOf is the answer of Echo to a request.
func EchoOf(m *Message) string {
	body := m.Method + " " + m.Path
	text := fmt.Sprintf("HTTP/1.1 200 OK⏎Content-Length: %d⏎⏎", len(body))
	if m.Method == "HEAD" {
		return text
	}
	return text + body
}

// Answers answers the first requests, over all connections, with the given texts
// one after the other, and later ones as Echo does. An empty text closes the
// connection instead.
func Answers(texts ...string) Script {
	var next atomic.Int64
	return func(p *Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			n := int(next.Add(1)) - 1
			switch {
			case n >= len(texts):
				p.Send(EchoOf(m))
			case texts[n] == "":
				return
			default:
				p.Send(texts[n])
			}
		}
	}
}

// Contains tells whether the bytes since Take hold the text, letters in any case.
func (r *Recorder) Contains(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Contains(bytes.ToLower(r.raw), []byte(strings.ToLower(Bytes(text))))
}
