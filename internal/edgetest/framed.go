package edgetest

import (
	"bufio"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Framed is a request as HTTP/2 carries it. Nothing in it is checked.
type Framed struct {
	// Head and Trailers are their fields in order, pseudo-header fields with their
	// colon. Without Trailers there are none.
	Head, Trailers []hpack.HeaderField
	// Body is the data; HasBody is for one that is empty.
	Body    string
	HasBody bool
	// Cut leaves the end of the stream out.
	Cut bool
}

// String shows the request with its fields as "name: value".
func (q *Framed) String() string {
	var b strings.Builder
	for _, f := range q.Head {
		fmt.Fprintf(&b, "%q ", f.Name+": "+f.Value)
	}
	fmt.Fprintf(&b, "body %.100q", q.Body)
	for _, f := range q.Trailers {
		fmt.Fprintf(&b, " %q", f.Name+": "+f.Value)
	}
	return b.String()
}

// Get is the value of the first field of a name, in lower case.
func (q *Framed) Get(name string) string {
	for _, f := range q.Head {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// InFrames is the same request over HTTP/2, byte by byte where both have a place for
// it. It is false for what only text can say: other versions, lines without a colon,
// chunks that are none, a second request behind the first.
func InFrames(input string) (q Framed, ok bool) {
	head, body, whole := strings.Cut(Bytes(input), "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	method, target, _ := strings.Cut(lines[0], " ")
	target, known := strings.CutSuffix(target, " HTTP/1.1")
	if !whole || !known {
		return q, false
	}
	q.Head = []hpack.HeaderField{
		{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"},
		{Name: ":path", Value: target},
	}
	var rest []hpack.HeaderField
	for _, line := range lines[1:] {
		name, value, found := strings.Cut(line, ":")
		if !found {
			return q, false
		}
		f := hpack.HeaderField{Name: lowered(name), Value: strings.Trim(value, " \t")}
		if f.Name == "host" && len(q.Head) == 3 {
			f.Name = ":authority"
			q.Head = append(q.Head, f)
			continue
		}
		rest = append(rest, f)
	}
	q.Head = append(q.Head, rest...)
	return q, q.takeBody(body)
}

// takeBody finds the body in what follows the head.
func (q *Framed) takeBody(text string) bool {
	var lengths, codings []string
	for _, f := range q.Head {
		switch f.Name {
		case "content-length":
			lengths = append(lengths, f.Value)
		case "transfer-encoding":
			codings = append(codings, f.Value)
		}
	}
	switch {
	case len(lengths)+len(codings) == 0:
		return text == ""
	case len(lengths) == 0 && len(codings) == 1 && codings[0] == "chunked":
		return q.takeChunks(text)
	case len(lengths) == 1 && len(codings) == 0:
		if n, err := strconv.ParseUint(lengths[0], 10, 64); err == nil {
			q.Cut = n > uint64(len(text))
			if n < uint64(len(text)) {
				return false
			}
		}
	}
	q.Body, q.HasBody = text, q.Cut || text != ""
	return true
}

// takeChunks has data and trailers in place of chunks, which need no field.
func (q *Framed) takeChunks(text string) bool {
	w := wire{Reader: bufio.NewReader(strings.NewReader(text))}
	m := &Message{Chunked: true}
	if err := w.chunks(m); err != nil || len(w.raw) < len(text) {
		return false
	}
	kept := q.Head[:0]
	for _, f := range q.Head {
		if f.Name != "transfer-encoding" {
			kept = append(kept, f)
		}
	}
	q.Head, q.Body, q.HasBody = kept, m.Body, true
	for _, f := range m.Trailers {
		q.Trailers = append(q.Trailers, hpack.HeaderField{Name: lowered(f.Name), Value: f.Value})
	}
	return true
}

// lowered is a text with the letters of ASCII in lower case.
func lowered(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

// fits tells whether HTTP/2 allows the request: fields of a connection have no place in
// it, nor has a target with a host in it (RFC 9113, sections 8.2.2 and 8.3.1).
func (q *Framed) fits() bool {
	for _, f := range append(q.Head[:len(q.Head):len(q.Head)], q.Trailers...) {
		switch f.Name {
		case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
			"http2-settings":
			return false
		case "te":
			if !strings.EqualFold(f.Value, "trailers") {
				return false
			}
		case ":path":
			if f.Value != "*" && !strings.HasPrefix(f.Value, "/") {
				return false
			}
		case "content-length": // where text may have more zeros than needed
			if len(f.Value) > 1 && f.Value[0] == '0' {
				return false
			}
		}
	}
	return true
}

// The limits of heads that an edge has when nobody changes them.
const (
	headBytes  = 32 << 10
	headFields = 100
	nameBytes  = 256
)

// sizeOf is how large a head is by the count of HTTP/2 (RFC 9113, section 6.5.2), and
// whether that, or the number of its fields, is more than an edge takes.
func sizeOf(head []hpack.HeaderField) (bytes int, large bool) {
	fields := 0
	for _, f := range head {
		bytes += len(f.Name) + len(f.Value) + 32
		if !strings.HasPrefix(f.Name, ":") {
			fields++
		}
		large = large || len(f.Name) > nameBytes
	}
	return bytes, large || bytes > headBytes || fields > headFields
}

// largestFrame is what everybody takes.
const largestFrame = 16 << 10

// Encode makes a block of fields exactly as they are.
func (f *Frames) Encode(fields []hpack.HeaderField) []byte {
	f.encoded.Reset()
	for _, field := range fields {
		f.Check(f.encoder.WriteField(field))
	}
	return slices.Clone(f.encoded.Bytes())
}

// Head sends a head in as many frames as it needs.
func (f *Frames) Head(id uint32, end bool, fields []hpack.HeaderField) {
	block := f.Encode(fields)
	n := min(len(block), largestFrame)
	f.Check(f.Framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: block[:n], EndStream: end, EndHeaders: n == len(block),
	}))
	for block = block[n:]; len(block) > 0; block = block[n:] {
		n = min(len(block), largestFrame)
		f.Check(f.Framer.WriteContinuation(id, n == len(block), block[:n]))
	}
}

// Send sends a request, and calls ready when its head is out.
func (f *Frames) Send(id uint32, q Framed, ready func()) {
	last := !q.HasBody && q.Body == "" && len(q.Trailers) == 0 && !q.Cut
	f.Head(id, last, q.Head)
	if last {
		return
	}
	ready()
	ends := len(q.Trailers) == 0 && !q.Cut
	for n := 0; n < len(q.Body); n += largestFrame {
		part := q.Body[n:min(n+largestFrame, len(q.Body))]
		f.Data(id, ends && n+len(part) == len(q.Body), part)
	}
	if q.Body == "" && ends {
		f.Data(id, true, "")
	}
	if len(q.Trailers) > 0 {
		f.Head(id, true, q.Trailers)
	}
}
