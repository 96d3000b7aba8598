package h2_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"doorward/proxy/h1"
	"doorward/proxy/h2"
)

// The signs between fields, and between names and values, in the inputs of FuzzRequestHead.
const (
	betweenFields = "\x1e"
	betweenParts  = "\x1f"
)

// FuzzRequestHead has any fields in any order: what gets to a handler is a head that, as text,
// has as many lines as it has fields, and is read as the same again.
func FuzzRequestHead(f *testing.F) {
	for _, c := range malformed() {
		f.Add(joined(c.fields...), true, true)
		f.Add(joined(c.fields...), false, false)
	}
	f.Add(joined(post("/a?b", "content-length", "3", "expect", "100-continue", "cookie", "a=b",
		"cookie", "c=d", "te", "trailers", "content_length", "5")...), false, true)
	f.Add(joined(":protocol", "websocket", ":method", "CONNECT", ":scheme", "http",
		":authority", "app.example", ":path", "/"), false, true)
	f.Fuzz(func(t *testing.T, fields string, end, host bool) {
		var wire, block bytes.Buffer
		e := hpack.NewEncoder(&block)
		for field := range strings.SplitSeq(fields, betweenFields) {
			name, value, _ := strings.Cut(field, betweenParts)
			_ = e.WriteField(hpack.HeaderField{Name: name, Value: value})
		}
		if host {
			_ = e.WriteField(hpack.HeaderField{Name: "host", Value: "app.example"})
		}
		head := block.Bytes()
		first := head[:min(len(head), 16<<10)]
		fr := http2.NewFramer(&wire, nil)
		_ = fr.WriteHeaders(http2.HeadersFrameParam{
			StreamID: 1, BlockFragment: first, EndStream: end, EndHeaders: len(first) == len(head),
		})
		_ = h2.New(tape{strings.NewReader(prefaced + wire.String())}, options(), func(s *h2.Stream) {
			if s.Refusal() == nil {
				readAgain(t, s.Request())
			}
		}).Serve(nil)
	})
}

// joined are names and values in pairs as one input.
func joined(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			b.WriteString(betweenFields)
		}
		b.WriteString(pairs[i] + betweenParts + pairs[i+1])
	}
	return b.String()
}

var (
	textLine  = regexp.MustCompile(`^[!#-'*+.^_\x60|~0-9A-Za-z-]{1,32} [!"$-~]+ HTTP/1\.1$`)
	textField = regexp.MustCompile(`^[!#-'*+.^_\x60|~0-9A-Za-z-]+: ([^\x00-\x08\x0a-\x20\x7f]` +
		`([^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?$`)
)

// readAgain writes a request as text, and reads that.
func readAgain(t *testing.T, r *h1.Request) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nhost: %s\r\n", r.Method, r.Target, r.Host)
	lines := 1
	for _, f := range r.Fields {
		if f.Kind != h1.Host {
			fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
			lines++
		}
	}
	if r.Chunked {
		b.WriteString("transfer-encoding: chunked\r\n")
		lines++
	}
	b.WriteString("\r\n")
	text := strings.Split(b.String(), "\r\n")
	if len(text) != lines+3 || !textLine.MatchString(text[0]) {
		t.Errorf("%q", b.String())
	}
	for _, line := range text[1 : len(text)-2] {
		if !textField.MatchString(line) {
			t.Errorf("line %q", line)
		}
	}
	p := h1.Parser{Limits: h1.Limits{HeadBytes: 1 << 20, HeadFields: 1000, TargetBytes: 1 << 16}}
	var again h1.Request
	n, err := p.Parse(b.Bytes(), &again)
	switch {
	case err != nil || n != b.Len():
		t.Errorf("%q: %d bytes, %v", b.String(), n, err)
	case len(again.Fields) != lines || again.Length != r.Length || again.Chunked != r.Chunked ||
		again.Continue != r.Continue || string(again.Path) != string(r.Path) || again.Form != r.Form:
		t.Errorf("%q: %+v, want %+v", b.String(), again, r)
	}
}
