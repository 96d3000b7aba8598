package h2_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"doorward/internal/safe"
	"doorward/proxy/h1"
	"doorward/proxy/h2"
	"doorward/proxy/netio"
)

// long is a limit that no test reaches unless something is wrong.
const long = 10 * time.Second

// TestMain fails the package when goroutines of the engine outlive its tests.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && !within(func() bool { return len(engines()) == 0 }) {
		fmt.Printf("goroutines left:\n%s\n", strings.Join(engines(), "\n\n"))
		code = 1
	}
	os.Exit(code)
}

// engines are the stacks of goroutines that run the engine.
func engines() (stacks []string) {
	buf := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "doorward/proxy/h2.") {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// within waits for what other goroutines bring about.
func within(ok func() bool) bool {
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(long); !ok(); <-poll.C {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// options are those of tests.
func options() h2.Options {
	return h2.Options{
		Limits: h1.Limits{HeadBytes: 16 << 10, HeadFields: 100, TargetBytes: 8 << 10},
		Head:   long, Frame: long, KeepAlive: long, ExtendedConnect: true,
	}
}

// serve serves one connection that was accepted, as an edge would.
func serve(sock net.Conn, o h2.Options, h h2.Handler, begun func(*h2.Conn)) error {
	t := netio.New(sock)
	defer t.Close()
	o.Bound = func(d time.Duration) {
		if t.ReadUntil = 0; d > 0 {
			t.ReadUntil = netio.Now() + int64(d)
		}
	}
	o.Crew = h2.NewCrew(100, zap.NewNop())
	defer o.Crew.Close()
	c := h2.New(t, o, h)
	begun(c)
	err := c.Serve(nil)
	t.Linger(time.Second, 64<<20, make([]byte, 64<<10))
	return err
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
			sock, err := l.Accept()
			if err != nil {
				return
			}
			safe.Go(nil, "serve", func() { _ = serve(sock, o, h, func(*h2.Conn) {}) })
		}
	})
	return l.Addr().String()
}

// peer is a client for exact frames, and the connection that serves it. It belongs to
// the goroutine of the test.
type peer struct {
	t    testing.TB
	sock net.Conn
	// conn is our end, ended gets what its Serve returned.
	conn  *h2.Conn
	ended chan error

	*http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
	decoder *hpack.Decoder
	open    uint32 // the stream whose head is being read

	answers  map[uint32]*answer
	settings map[http2.SettingID]uint32
	goAways  []http2.GoAwayFrame
	debug    string
	pings    int
	acks     int  // of settings
	mute     bool // it acknowledges nothing
	windows  map[uint32]int
}

// answer is what came on a stream.
type answer struct {
	status           string
	early            []string
	fields, trailers []hpack.HeaderField
	body             []byte
	ended, reset     bool
	code             http2.ErrCode
	frames           int // with data
}

func (a *answer) get(name string) string {
	for _, f := range a.fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// dial makes a peer that has said nothing yet.
func dial(t testing.TB, o h2.Options, h h2.Handler) *peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := &peer{
		t: t, ended: make(chan error, 1), answers: map[uint32]*answer{},
		settings: map[http2.SettingID]uint32{}, windows: map[uint32]int{},
	}
	begun := make(chan struct{})
	safe.Go(nil, "serve", func() {
		sock, err := l.Accept()
		if err == nil {
			err = serve(sock, o, h, func(c *h2.Conn) { p.conn = c; close(begun) })
		}
		p.ended <- err
	})
	if p.sock, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	<-begun
	t.Cleanup(func() {
		_ = p.sock.Close()
		select {
		case <-p.ended:
		case <-time.After(long):
			t.Error("the connection is served although the client has left")
		}
	})
	_ = p.sock.SetDeadline(time.Now().Add(3 * long))
	p.Framer = http2.NewFramer(p.sock, p.sock)
	p.AllowIllegalWrites, p.AllowIllegalReads = true, true
	p.encoder = hpack.NewEncoder(&p.block)
	p.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) { p.field(f) })
	return p
}

// start makes a peer that has exchanged prefaces.
func start(t testing.TB, o h2.Options, h h2.Handler, settings ...http2.Setting) *peer {
	t.Helper()
	p := dial(t, o, h)
	p.raw(http2.ClientPreface)
	_ = p.WriteSettings(settings...)
	p.until("settings", func() bool { return p.acks == 1 && len(p.settings) > 0 })
	return p
}

func (p *peer) raw(text string) { _, _ = io.WriteString(p.sock, text) }

// get are the fields of a request, and further ones as names and values.
func get(path string, more ...string) []string {
	return append([]string{
		":method", "GET", ":scheme", "http", ":authority", "app.example", ":path", path,
	}, more...)
}

func post(path string, more ...string) []string {
	return append([]string{
		":method", "POST", ":scheme", "http", ":authority", "app.example", ":path", path,
	}, more...)
}

// encode makes the block of a head.
func (p *peer) encode(fields ...string) []byte {
	p.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = p.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return p.block.Bytes()
}

// head sends HEADERS.
func (p *peer) head(id uint32, end bool, fields ...string) error {
	return p.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: p.encode(fields...), EndStream: end, EndHeaders: true,
	})
}

func (p *peer) answer(id uint32) *answer {
	if p.answers[id] == nil {
		p.answers[id] = &answer{}
	}
	return p.answers[id]
}

// until reads frames until something has come about.
func (p *peer) until(what string, ok func() bool) {
	p.t.Helper()
	for !ok() {
		if err := p.read(); err != nil {
			p.t.Fatalf("waiting for %s: %v (GOAWAY %v %q)", what, err, p.goAways, p.debug)
		}
	}
}

// wait reads until the answer on a stream is over.
func (p *peer) wait(id uint32) *answer {
	p.t.Helper()
	a := p.answer(id)
	p.until(fmt.Sprintf("the end of stream %d", id), func() bool { return a.ended || a.reset })
	return a
}

// ask sends a request without a body and waits for its answer.
func (p *peer) ask(id uint32, fields ...string) *answer {
	p.t.Helper()
	_ = p.head(id, true, fields...)
	return p.wait(id)
}

// sync waits until all that was sent has been read.
func (p *peer) sync() {
	p.t.Helper()
	want := p.pings + 1
	_ = p.WritePing(false, [8]byte{1})
	p.until("a ping", func() bool { return p.pings >= want })
}

// farewell reads until the connection ends, and returns the code of the last GOAWAY.
func (p *peer) farewell() http2.ErrCode {
	p.t.Helper()
	for {
		if err := p.read(); err != nil {
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				p.t.Fatal("the connection stays open")
			}
			break
		}
	}
	if len(p.goAways) == 0 {
		p.t.Fatal("no GOAWAY")
	}
	return p.goAways[len(p.goAways)-1].ErrCode
}

// read reads one frame.
func (p *peer) read() error {
	f, err := p.ReadFrame()
	if err != nil {
		return err
	}
	id := f.Header().StreamID
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if f.IsAck() {
			p.acks++
			return nil
		}
		_ = f.ForeachSetting(func(s http2.Setting) error { p.settings[s.ID] = s.Val; return nil })
		if !p.mute {
			_ = p.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if f.IsAck() {
			p.pings++
		} else if !p.mute {
			_ = p.WritePing(true, f.Data)
		}
	case *http2.GoAwayFrame:
		p.goAways, p.debug = append(p.goAways, *f), string(f.DebugData())
	case *http2.RSTStreamFrame:
		a := p.answer(id)
		a.reset, a.code = true, f.ErrCode
	case *http2.WindowUpdateFrame:
		p.windows[id] += int(f.Increment)
	case *http2.DataFrame:
		a := p.answer(id)
		a.body = append(a.body, f.Data()...)
		a.frames++
		a.ended = a.ended || f.StreamEnded()
	case *http2.HeadersFrame:
		p.open = id
		a := p.answer(id)
		a.ended = f.StreamEnded()
		return p.decode(f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.ContinuationFrame:
		return p.decode(f.HeaderBlockFragment(), f.HeadersEnded())
	}
	return nil
}

func (p *peer) decode(part []byte, whole bool) error {
	_, err := p.decoder.Write(part)
	if whole && err == nil {
		err = p.decoder.Close()
	}
	return err
}

func (p *peer) field(f hpack.HeaderField) {
	a := p.answer(p.open)
	switch {
	case f.Name == ":status" && f.Value[0] == '1':
		a.early = append(a.early, f.Value)
	case f.Name == ":status":
		a.status = f.Value
	case a.status != "" && a.ended && a.frames > 0:
		a.trailers = append(a.trailers, f)
	default:
		a.fields = append(a.fields, f)
	}
}

// echo answers with the body of the request.
func echo(s *h2.Stream) {
	if s.Refusal() != nil {
		_ = s.Answer([]byte("HTTP/1.1 431 Too Large\r\n\r\n"), nil, true)
		return
	}
	if !s.Request().HasBody() {
		_ = s.Answer([]byte("HTTP/1.1 200 OK\r\nServer: test\r\n\r\n"), []byte("hello"), true)
		return
	}
	if s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), nil, false) != nil {
		return
	}
	for b := make([]byte, 16<<10); ; {
		n, err := s.Read(b)
		if n > 0 && s.Write(b[:n], false) != nil {
			return
		}
		if err == io.EOF {
			if t := s.Trailers(); len(t) > 0 {
				_ = s.End(t)
			} else {
				_ = s.Write(nil, true)
			}
		}
		if err != nil {
			return
		}
	}
}

// linger is a handler that does nothing until the client has gone.
func linger(s *h2.Stream) {
	gone := make(chan struct{})
	s.Watch(func() { close(gone) })
	<-gone
	s.Watch(nil)
}

// heap is what lives on the heap after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
