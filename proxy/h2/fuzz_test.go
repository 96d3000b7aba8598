package h2_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"doorward/proxy/h2"
)

// tape is a transport that plays bytes and takes everything.
type tape struct{ *strings.Reader }

func (tape) Write(p []byte) (int, error) { return len(p), nil }
func (tape) Abort()                      {}
func (t tape) ReadLazy(take func() []byte, _ func()) (int, error) {
	b := take()
	return t.Read(b[:min(len(b), 1000)])
}

// FuzzFrames plays any bytes behind a preface: nothing panics, everything ends, and what
// a handler gets is in order.
func FuzzFrames(f *testing.F) {
	var wire, block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, field := range []string{":method POST", ":scheme http", ":path /", ":authority a",
		"cookie a=b", "cookie c=d"} {
		name, value, _ := strings.Cut(field, " ")
		_ = e.WriteField(hpack.HeaderField{Name: name, Value: value})
	}
	fr := http2.NewFramer(&wire, nil)
	head := block.Bytes()
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head[:9], PadLength: 3})
	_ = fr.WriteContinuation(1, true, head[9:])
	_ = fr.WriteDataPadded(1, false, []byte("body"), make([]byte, 5))
	_ = fr.WritePing(false, [8]byte{})
	_ = fr.WriteWindowUpdate(1, 5)
	_ = fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 3})
	_ = fr.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 3, BlockFragment: head, EndHeaders: true,
		Priority: http2.PriorityParam{StreamDep: 1},
	})
	_ = fr.WriteRSTStream(1, http2.ErrCodeCancel)
	_ = fr.WritePriority(5, http2.PriorityParam{StreamDep: 3})
	_ = fr.WriteGoAway(0, http2.ErrCodeNo, nil)
	f.Add(wire.String())
	f.Add("")
	f.Fuzz(func(t *testing.T, frames string) {
		o := options()
		_ = h2.New(tape{strings.NewReader(prefaced + frames)}, o, func(s *h2.Stream) {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("panic: %v", p)
				}
			}()
			check(t, s)
			_, _ = io.Copy(io.Discard, s)
			_ = s.Answer([]byte("HTTP/1.1 200 OK\r\nA: b\r\n\r\n"), make([]byte, 100), true)
		}).Serve(nil)
	})
}

// check looks for what would change its meaning as text.
func check(t *testing.T, s *h2.Stream) {
	r := s.Request()
	texts := [][]byte{r.Method, r.Target, r.Host}
	for _, f := range r.Fields {
		texts = append(texts, f.Value)
		if bytes.ContainsAny(f.Name, ": \r\n\x00") {
			t.Errorf("name %q", f.Name)
		}
	}
	for _, text := range texts {
		if s.Refusal() == nil && bytes.ContainsAny(text, "\r\n\x00") {
			t.Errorf("%q in %q", text, spell(s))
		}
	}
	if bytes.ContainsAny(r.Target, " #") || bytes.ContainsAny(r.Method, " ") {
		t.Errorf("%q %q", r.Method, r.Target)
	}
}
