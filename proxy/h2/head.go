package h2

import (
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"doorward/proxy/h1"
)

const (
	// mostContinued and mostEmpty bound the CONTINUATION frames of a head.
	mostContinued = 64
	mostEmpty     = 8
	// mostCrumbs bounds the cookie fields of a head, which are joined (RFC 9113, section
	// 8.2.3).
	mostCrumbs = 100
)

// block is the head that is being read. It belongs to the goroutine that reads.
type block struct {
	c *Conn
	// open says that more frames of it follow.
	open    bool
	id      uint32
	end     bool // no body follows
	since   time.Time
	frames  int
	empty   int
	wire    int // bytes of it, compressed
	stream  *Stream
	trailer bool

	// What came of it.
	size, count int
	large       bool // more than the limits allow: only counted from there
	fault       string
	pseudo      pseudo
	regular     bool // a field that is no pseudo-header field came
	crumbs      int
}

// pseudo are the pseudo-header fields (RFC 9113, section 8.3.1).
type pseudo struct {
	method, scheme, authority, path, protocol []byte
	has                                       uint8
}

//house:allow global a pool that all connections share: streams come and go
var streams = sync.Pool{New: func() any {
	return &Stream{
		ready: make(chan struct{}, 1), room: make(chan struct{}, 1),
		arena: make([]byte, 0, 1<<10),
	}
}}

// keptArena is what a stream may hold to be used again.
const keptArena = 8 << 10

// recycle gives a stream back that nobody has any more.
func (c *Conn) recycle(s *Stream) {
	drain(s.ready)
	drain(s.room)
	pieces, arena, fields := s.body.pieces[:0], s.arena[:0], s.req.Fields[:0]
	if cap(arena) > keptArena {
		arena = make([]byte, 0, 1<<10)
	}
	ready, room, reading, writing := s.ready, s.room, s.reading, s.writing
	*s = Stream{}
	s.body.pieces, s.arena, s.req.Fields = pieces, arena, fields
	s.ready, s.room, s.reading, s.writing = ready, room, reading, writing
	streams.Put(s)
}

func drain(c chan struct{}) {
	select {
	case <-c:
	default:
	}
}

// readHead begins a head: of a request, or the trailers of one.
func (c *Conn) readHead(f *http2.HeadersFrame) error {
	id := f.StreamID
	if id%2 == 0 {
		return broken("HEADERS on a stream that the client cannot open")
	}
	if f.HasPriority() && f.Priority.StreamDep == id {
		return c.skipHead(f)
	}
	c.mu.Lock()
	s, last := c.streams[id], c.last
	ours := c.wasReset(id)
	c.mu.Unlock()
	b := &c.block
	*b = block{c: c, id: id, end: f.StreamEnded(), since: time.Now()}
	switch {
	case s != nil && s.remote, s == nil && id <= last && !ours:
		return &connError{http2.ErrCodeStreamClosed, "HEADERS on a closed stream"}
	case s != nil:
		b.trailer = true
		if !b.end {
			b.fault = "a second head without an end"
		}
	case id <= last: // reset by us: only the table matters
		b.trailer = true
	}
	b.stream = streams.Get().(*Stream)
	return c.readBlock(f.HeaderBlockFragment(), f.HeadersEnded())
}

// skipHead reads a head whose frame is wrong, for the table's sake.
func (c *Conn) skipHead(f *http2.HeadersFrame) error {
	c.block = block{
		c: c, id: f.StreamID, end: f.StreamEnded(), since: time.Now(),
		stream: streams.Get().(*Stream), fault: "a stream that depends on itself",
	}
	return c.readBlock(f.HeaderBlockFragment(), f.HeadersEnded())
}

// readMore goes on with a head.
func (c *Conn) readMore(f *http2.ContinuationFrame) error {
	b := &c.block
	b.frames++
	if len(f.HeaderBlockFragment()) == 0 {
		b.empty++
	}
	if b.frames > mostContinued || b.empty > mostEmpty {
		return c.overdone("frames of one head")
	}
	return c.readBlock(f.HeaderBlockFragment(), f.HeadersEnded())
}

// readBlock decodes a part of a head. However wrong it is, it is decoded to the end:
// the table of the connection lives on.
func (c *Conn) readBlock(part []byte, whole bool) error {
	b := &c.block
	if b.wire += len(part); b.wire > 2*c.o.Limits.HeadBytes {
		return c.overdone("bytes of one head")
	}
	if _, err := c.decoder.Write(part); err != nil {
		return &connError{http2.ErrCodeCompression, "head cannot be decoded"}
	}
	if b.open = !whole; b.open {
		return nil
	}
	c.decoder.SetEmitEnabled(true)
	if err := c.decoder.Close(); err != nil {
		return &connError{http2.ErrCodeCompression, "head ends within a field"}
	}
	if b.trailer {
		return c.endTrailers()
	}
	return c.openStream()
}

// take gets the fields of a head, one by one.
func (b *block) take(f hpack.HeaderField) {
	b.size += len(f.Name) + len(f.Value) + 32
	b.count++
	if b.large {
		return
	}
	if l := &b.c.o.Limits; b.size > l.HeadBytes || b.count > l.HeadFields {
		b.large = true
		b.c.decoder.SetEmitEnabled(false)
		return
	}
	if len(f.Name) > 0 && f.Name[0] == ':' {
		b.takePseudo(f)
		return
	}
	b.regular = true
	s := b.stream
	name, value := s.keep(f.Name), s.keep(f.Value)
	if f.Name == "cookie" {
		b.crumbs++
	}
	s.req.Fields = append(s.req.Fields, h1.Field{Name: name, Value: value})
}

// keep copies a text to where it lives as long as the stream.
func (s *Stream) keep(text string) []byte {
	n := len(s.arena)
	s.arena = append(s.arena, text...)
	return s.arena[n:len(s.arena):len(s.arena)]
}

// The bits of pseudo.has.
const (
	hasMethod = 1 << iota
	hasScheme
	hasAuthority
	hasPath
	hasProtocol
)

func (b *block) takePseudo(f hpack.HeaderField) {
	var bit uint8
	var at *[]byte
	switch p := &b.pseudo; f.Name {
	case ":method":
		bit, at = hasMethod, &p.method
	case ":scheme":
		bit, at = hasScheme, &p.scheme
	case ":authority":
		bit, at = hasAuthority, &p.authority
	case ":path":
		bit, at = hasPath, &p.path
	case ":protocol":
		bit, at = hasProtocol, &p.protocol
	}
	switch {
	case b.trailer:
		b.fault = "pseudo-header field among the trailers"
	case bit == 0:
		b.fault = "unknown pseudo-header field"
	case b.pseudo.has&bit != 0:
		b.fault = "pseudo-header field twice"
	case b.regular:
		b.fault = "pseudo-header field behind others"
	default:
		b.pseudo.has |= bit
		*at = b.stream.keep(f.Value)
	}
}
