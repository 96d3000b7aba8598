package h2

import (
	"encoding/binary"
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
	size, fields, crumbs int
	large                bool // more than the limits allow: nothing is kept from there
	fault                error
	pseudo               h1.Pseudo
	regular              bool // a field that is no pseudo-header field came
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
	arena := s.arena[:0]
	if cap(arena) > keptArena {
		arena = make([]byte, 0, 1<<10)
	}
	fields := s.req.Fields[:0]
	*s = Stream{
		arena: arena, ready: s.ready, room: s.room, reading: s.reading, writing: s.writing,
		body: body{pieces: s.body.pieces[:0]},
	}
	s.req.Fields = fields
	streams.Put(s)
}

func drain(c chan struct{}) {
	select {
	case <-c:
	default:
	}
}

// readHead begins a head: of a request, or the trailers of one.
func (c *Conn) readHead(fh http2.FrameHeader) error {
	p, err := c.in.payload(int(fh.Length))
	if err != nil {
		return err
	}
	part, ok := unpad(p, fh.Flags.Has(http2.FlagHeadersPadded))
	prior := fh.Flags.Has(http2.FlagHeadersPriority)
	id := fh.StreamID
	switch {
	case id%2 == 0:
		return broken("HEADERS on a stream that the client cannot open")
	case !ok, prior && len(part) < priorityBytes:
		return broken("malformed HEADERS")
	}
	if prior { // deprecated, and of no meaning here (RFC 9113, section 5.3.2)
		if binary.BigEndian.Uint32(part)&maxWindow == id {
			return broken("a stream that depends on itself")
		}
		part = part[priorityBytes:]
	}
	if err := c.beginBlock(id, fh.Flags.Has(http2.FlagHeadersEndStream)); err != nil {
		return err
	}
	whole := fh.Flags.Has(http2.FlagHeadersEndHeaders)
	if !whole {
		c.block.since = time.Now()
	}
	return c.readBlock(part, whole)
}

// priorityBytes is the size of the priority in HEADERS.
const priorityBytes = 5

// beginBlock finds out what a head on a stream is.
func (c *Conn) beginBlock(id uint32, end bool) error {
	b := &c.block
	*b = block{c: c, id: id, end: end}
	c.mu.Lock()
	s, used := c.streams[id], id <= c.last
	late := used && c.wasReset(id) // only the table matters
	open := s != nil && !s.remote
	c.mu.Unlock()
	if used && !open && !late {
		return &connError{http2.ErrCodeStreamClosed, "HEADERS on a closed stream"}
	}
	if b.trailer = used; open && !end {
		b.fault = errHead
	}
	b.stream = streams.Get().(*Stream)
	return nil
}

// readMore goes on with a head.
func (c *Conn) readMore(fh http2.FrameHeader) error {
	part, err := c.in.payload(int(fh.Length))
	if err != nil {
		return err
	}
	b := &c.block
	b.frames++
	if len(part) == 0 {
		b.empty++
	}
	if b.frames > mostContinued || b.empty > mostEmpty {
		return c.overdone("frames of one head")
	}
	return c.readBlock(part, fh.Flags.Has(http2.FlagContinuationEndHeaders))
}

// readBlock decodes a part of a head. However wrong it is, it is decoded to the end:
// the table of the connection lives on.
func (c *Conn) readBlock(part []byte, whole bool) error {
	b := &c.block
	if b.wire += len(part); b.wire > gross*c.o.Limits.HeadBytes {
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

// take gets the fields of a head, one by one. All count for the limits, also those that
// come to nothing (security case H2-44).
func (b *block) take(f hpack.HeaderField) {
	b.size += len(f.Name) + len(f.Value) + 32
	pseudo := len(f.Name) > 0 && f.Name[0] == ':'
	switch {
	case pseudo:
	case f.Name == "cookie":
		b.crumbs++
	default:
		b.fields++
	}
	l := &b.c.o.Limits
	b.large = b.large || b.size > l.HeadBytes || b.fields+min(b.crumbs, 1) > l.HeadFields ||
		b.crumbs > mostCrumbs
	switch {
	case b.large:
		b.c.decoder.SetEmitEnabled(false)
	case pseudo:
		b.takePseudo(f)
	default:
		b.regular = true
		s := b.stream
		s.req.Fields = append(s.req.Fields, h1.Field{Name: s.keep(f.Name), Value: s.keep(f.Value)})
	}
}

// keep copies a text to where it lives as long as the stream.
func (s *Stream) keep(text string) []byte {
	if len(text) > cap(s.arena)-len(s.arena) { // what was kept already stays where it is
		s.arena = make([]byte, 0, max(len(text), min(2*cap(s.arena), keptArena)))
	}
	n := len(s.arena)
	s.arena = append(s.arena, text...)
	return s.arena[n:len(s.arena):len(s.arena)]
}

func (b *block) takePseudo(f hpack.HeaderField) {
	at, err := b.pseudo.Place(f.Name, b.trailer || b.regular)
	if err != nil {
		b.fault = err
		return
	}
	*at = b.stream.keep(f.Value)
}
