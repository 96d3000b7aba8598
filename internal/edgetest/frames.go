package edgetest

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Frames is one HTTP/2 connection to the edge, for exact frames: nothing is checked
// or mended on the way out. It belongs to one goroutine and closes with its test.
type Frames struct {
	// Framer writes frames of the test's own, also such as must not be.
	Framer *http2.Framer
	// GoAway is the edge's GOAWAY, nil while there was none.
	GoAway *http2.GoAwayFrame
	// Settings are those of the edge.
	Settings map[http2.SettingID]uint32

	replies map[uint32]*Reply
	t       testing.TB
	client  *Client
	encoded bytes.Buffer
	encoder *hpack.Encoder
	decoder *hpack.Decoder
	block   []byte
	debug   string
}

// Reply is what the edge said on one stream.
type Reply struct {
	// Status is that of the final answer, 0 without one; Early those of 1xx.
	Status string
	Early  []string
	// Fields are the lines of the final head, "name: value", without :status;
	// Trailers those behind the body.
	Fields, Trailers []string
	Body             []byte
	// Ended says that the answer came to its end, Reset that the stream was reset, for
	// the reason in Code.
	Ended, Reset bool
	Code         http2.ErrCode
}

// Get is the value of the first field of a name, in lower case.
func (r *Reply) Get(name string) string {
	for _, line := range r.Fields {
		if n, v, _ := strings.Cut(line, ": "); n == name {
			return v
		}
	}
	return ""
}

// over tells whether nothing more can come.
func (r *Reply) over() bool { return r.Ended || r.Reset }

// DialHTTP2 connects to the TLS listener for a host with ALPN h2, and exchanges
// prefaces and settings.
func (e *Edge) DialHTTP2(t testing.TB, host string, settings ...http2.Setting) *Frames {
	t.Helper()
	f := e.DialFrames(t, &tls.Config{ServerName: host})
	f.Start(settings...)
	return f
}

// DialFrames connects with ALPN h2 and sends nothing yet.
func (e *Edge) DialFrames(t testing.TB, cfg *tls.Config) *Frames {
	t.Helper()
	cfg.NextProtos = []string{"h2"}
	c := e.DialWith(t, cfg)
	if p := c.Conn().(*tls.Conn).ConnectionState().NegotiatedProtocol; p != "h2" {
		t.Fatalf("ALPN chose %q", p)
	}
	return NewFrames(t, c)
}

// NewFrames speaks HTTP/2 over a connection.
func NewFrames(t testing.TB, c *Client) *Frames {
	f := &Frames{
		t: t, client: c, Framer: http2.NewFramer(c.Conn(), c.Rest()),
		Settings: map[http2.SettingID]uint32{}, replies: map[uint32]*Reply{},
	}
	f.Framer.AllowIllegalWrites, f.Framer.AllowIllegalReads = true, true
	f.encoder = hpack.NewEncoder(&f.encoded)
	f.decoder = hpack.NewDecoder(4096, nil)
	return f
}

// Start exchanges prefaces and settings.
func (f *Frames) Start(settings ...http2.Setting) {
	f.t.Helper()
	f.Raw(http2.ClientPreface)
	f.Check(f.Framer.WriteSettings(settings...))
	for len(f.Settings) == 0 {
		if err := f.Read(); err != nil {
			f.t.Fatalf("settings of the edge: %v", err)
		}
	}
}

// Check fails the test when a frame could not be made. That the edge has closed
// meanwhile is no error here: what is read tells.
func (f *Frames) Check(err error) {
	f.t.Helper()
	if _, closed := err.(*net.OpError); err != nil && !closed {
		f.t.Logf("write: %v", err)
	}
}

// Raw writes bytes as they are.
func (f *Frames) Raw(text string) { _, _ = io.WriteString(f.client.Conn(), text) }

// Conn is the connection itself.
func (f *Frames) Conn() net.Conn { return f.client.Conn() }

// Close closes the connection.
func (f *Frames) Close() { f.client.Close() }

// Block encodes fields given as "name: value", pseudo-header fields with their
// colon in front, exactly as they are.
func (f *Frames) Block(lines ...string) []byte {
	f.encoded.Reset()
	for _, line := range lines {
		i := strings.Index(line[min(1, len(line)):], ": ") + min(1, len(line))
		field := hpack.HeaderField{Name: line[:i], Value: line[i+2:]}
		f.Check(f.encoder.WriteField(field))
	}
	return bytes.Clone(f.encoded.Bytes())
}

// Get are the fields of a GET request, and further ones.
func Get(host, path string, lines ...string) []string {
	return append([]string{
		":method: GET", ":scheme: https", ":authority: " + host, ":path: " + path,
	}, lines...)
}

// Post are the fields of a POST request, and further ones.
func Post(host, path string, lines ...string) []string {
	return append([]string{
		":method: POST", ":scheme: https", ":authority: " + host, ":path: " + path,
	}, lines...)
}

// Headers opens a stream.
func (f *Frames) Headers(id uint32, end bool, lines ...string) *Frames {
	f.Check(f.Framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: f.Block(lines...), EndStream: end, EndHeaders: true,
	}))
	return f
}

// Data sends a part of a body.
func (f *Frames) Data(id uint32, end bool, data string) *Frames {
	f.Check(f.Framer.WriteData(id, end, []byte(data)))
	return f
}

// Ask sends a request without a body and waits for its answer.
func (f *Frames) Ask(id uint32, lines ...string) *Reply {
	f.t.Helper()
	return f.Headers(id, true, lines...).Wait(id)
}

// Wait reads until the stream's answer has ended, and fails the test when it does
// not.
func (f *Frames) Wait(id uint32) *Reply {
	f.t.Helper()
	r, err := f.TryWait(id)
	if err != nil {
		f.t.Fatalf("stream %d: %v after %+v", id, err, r)
	}
	return r
}

// TryWait is Wait for connections that may end before.
func (f *Frames) TryWait(id uint32) (*Reply, error) {
	for {
		if r := f.Reply(id); r.over() {
			return r, nil
		}
		if err := f.Read(); err != nil {
			return f.Reply(id), err
		}
	}
}

// End reads until the edge closes the connection, and tells how it did.
func (f *Frames) End() End {
	for {
		if err := f.Read(); err != nil {
			return f.client.End()
		}
	}
}

// Reply is what a stream got so far.
func (f *Frames) Reply(id uint32) *Reply {
	if f.replies[id] == nil {
		f.replies[id] = &Reply{}
	}
	return f.replies[id]
}

// Read reads one frame. Settings and pings are acknowledged, windows are given back.
func (f *Frames) Read() error {
	frame, err := f.Framer.ReadFrame()
	if err != nil {
		return err
	}
	switch fr := frame.(type) {
	case *http2.SettingsFrame:
		if fr.IsAck() {
			return nil
		}
		f.Settings[0] = 0
		_ = fr.ForeachSetting(func(s http2.Setting) error {
			f.Settings[s.ID] = s.Val
			return nil
		})
		f.Check(f.Framer.WriteSettingsAck())
	case *http2.PingFrame:
		if !fr.IsAck() {
			f.Check(f.Framer.WritePing(true, fr.Data))
		}
	case *http2.GoAwayFrame:
		f.debug = string(fr.DebugData())
		f.GoAway = &http2.GoAwayFrame{LastStreamID: fr.LastStreamID, ErrCode: fr.ErrCode}
	case *http2.RSTStreamFrame:
		r := f.Reply(fr.StreamID)
		r.Reset, r.Code = true, fr.ErrCode
	case *http2.DataFrame:
		f.data(fr)
	case *http2.HeadersFrame:
		f.block = append(f.block[:0], fr.HeaderBlockFragment()...)
		return f.head(fr.StreamID, fr.HeadersEnded(), fr.StreamEnded())
	case *http2.ContinuationFrame:
		f.block = append(f.block, fr.HeaderBlockFragment()...)
		return f.head(fr.StreamID, fr.HeadersEnded(), false)
	}
	return nil
}

// Debug is the text of the edge's GOAWAY.
func (f *Frames) Debug() string { return f.debug }

func (f *Frames) data(fr *http2.DataFrame) {
	r := f.Reply(fr.StreamID)
	r.Body = append(r.Body, fr.Data()...)
	r.Ended = fr.StreamEnded()
	if n := fr.Length; n > 0 {
		f.Check(f.Framer.WriteWindowUpdate(0, n))
		if !r.Ended {
			f.Check(f.Framer.WriteWindowUpdate(fr.StreamID, n))
		}
	}
}

func (f *Frames) head(id uint32, whole, end bool) error {
	r := f.Reply(id)
	r.Ended = r.Ended || end
	if !whole {
		return nil
	}
	fields, err := f.decoder.DecodeFull(f.block)
	if err != nil {
		return fmt.Errorf("head of stream %d: %w", id, err)
	}
	if len(fields) > 0 && fields[0].Name == ":status" {
		if status := fields[0].Value; status[0] == '1' {
			r.Early = append(r.Early, status)
			return nil
		}
		r.Status = fields[0].Value
		for _, h := range fields[1:] {
			r.Fields = append(r.Fields, h.Name+": "+h.Value)
		}
		return nil
	}
	for _, h := range fields {
		r.Trailers = append(r.Trailers, h.Name+": "+h.Value)
	}
	return nil
}
