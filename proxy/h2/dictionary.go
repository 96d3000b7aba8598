package h2

import (
	"bytes"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"

	"doorward/proxy/h1"
)

// Dictionary knows the lines of answer heads that came more than once, in the form
// that the wire needs: one look-up finds the whole of a line. It may be used by any
// number of connections at once; reading it takes no lock.
type Dictionary struct {
	words atomic.Pointer[words]
	mu    sync.Mutex // of those who add
	begun time.Time  // when the lines were forgotten last
	seed  maphash.Seed
	// seen are hashes of lines that came once.
	seen [2048]atomic.Uint64
}

// words is one state of a Dictionary.
type words struct {
	// edition changes when all lines are forgotten: their numbers mean others then.
	edition uint64
	lines   map[string]*line
}

// line is one line of a head.
type line struct {
	number int
	drop   bool // belongs to an HTTP/1 connection
	// size is what the line takes in a dynamic table (RFC 7541, section 4.1), wire the
	// literal that puts it there.
	size uint32
	wire []byte
}

// mostLines bounds a Dictionary, longestLine each of its lines.
const (
	mostLines   = 512
	longestLine = 1 << 10
)

// NewDictionary makes an empty Dictionary.
func NewDictionary() *Dictionary {
	d := &Dictionary{seed: maphash.MakeSeed()}
	d.words.Store(&words{lines: map[string]*line{}})
	return d
}

// find returns what is known of a line, nil for one that came for the first time.
func (d *Dictionary) find(w *words, text []byte) *line {
	if l := w.lines[string(text)]; l != nil {
		return l
	}
	if len(text) > longestLine || volatile(text) {
		return nil
	}
	h := maphash.Bytes(d.seed, text)
	if slot := &d.seen[h%uint64(len(d.seen))]; slot.Swap(h) != h {
		return nil
	}
	d.add(text)
	return nil
}

// volatile tells whether a line is not worth knowing, or better not known: these are
// others for every second, or for every page, and cookies are nobody else's business.
func volatile(text []byte) bool {
	name, _, _ := bytes.Cut(text, []byte(":"))
	switch len(name) {
	case 4:
		return h1.EqualFold(name, "date") || h1.EqualFold(name, "etag")
	case 7:
		return h1.EqualFold(name, "expires")
	case 8:
		return h1.EqualFold(name, "location")
	case 10:
		return h1.EqualFold(name, "set-cookie")
	case 12:
		return h1.EqualFold(name, "x-request-id")
	case 13:
		return h1.EqualFold(name, "last-modified") || h1.EqualFold(name, "content-range")
	}
	return false
}

// lasting is how long lines are remembered at least. Adding one costs a copy of all, and
// forgetting them costs every connection what it has in its table: neither may depend
// on what pages say.
const lasting = time.Minute

// add takes a line that came again into the dictionary, for connections that look at
// it from now on. One that is full begins anew: what is still used comes back.
func (d *Dictionary) add(text []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.words.Load()
	if old.lines[string(text)] != nil {
		return // by somebody else, in an edition that the asker may not have
	}
	if len(old.lines) == mostLines {
		if time.Since(d.begun) < lasting {
			return
		}
		d.begun = time.Now()
	}
	next := &words{edition: old.edition, lines: make(map[string]*line, len(old.lines)+1)}
	if len(old.lines) < mostLines {
		for k, v := range old.lines {
			next.lines[k] = v
		}
	} else {
		next.edition++
	}
	next.lines[string(text)] = newLine(text, len(next.lines))
	d.words.Store(next)
}

func newLine(text []byte, number int) *line {
	name, value := cutLine(text)
	lower := appendLower(nil, name)
	l := &line{number: number, drop: ofConnection(lower)}
	l.size = uint32(len(name) + len(value) + 32)
	l.wire = appendName(nil, indexed, lower)
	l.wire = appendShort(l.wire, value)
	return l
}

// cutLine parts a line of a head into name and value.
func cutLine(text []byte) (name, value []byte) {
	name, value, _ = bytes.Cut(text, []byte(":"))
	return name, bytes.TrimLeft(value, " \t")
}

// ofConnection tells whether a field is about an HTTP/1 connection (RFC 9113, section
// 8.2.2).
func ofConnection(name []byte) bool {
	switch string(name) {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return true
	}
	return false
}

// representation is a kind of literal (RFC 7541, section 6.2).
type representation uint8

// The representations of a field: one that goes into the table, one that leaves no
// trace here, and one that must not leave any on the way either.
const (
	indexed representation = iota
	plain
	sensitive
)

// first is the first byte of the representation, and how many bits of it an index may
// use.
func (r representation) first() (b byte, bits int) {
	switch r {
	case indexed:
		return 0x40, 6
	case sensitive:
		return 0x10, 4
	}
	return 0x00, 4
}

// appendName begins a literal. The name is in lower case.
func appendName(b []byte, r representation, name []byte) []byte {
	first, bits := r.first()
	if i := staticName(name); i > 0 {
		return appendInt(b, first, bits, uint64(i))
	}
	return appendString(append(b, first), name)
}

// appendInt writes an integer whose first byte has other bits too (RFC 7541, section
// 5.1).
func appendInt(b []byte, first byte, bits int, v uint64) []byte {
	most := uint64(1)<<bits - 1
	if v < most {
		return append(b, first|byte(v))
	}
	b = append(b, first|byte(most))
	for v -= most; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

// appendString writes a string as it is: to compress what is sent once costs more
// than it saves.
func appendString(b, s []byte) []byte {
	return append(appendInt(b, 0, 7, uint64(len(s))), s...)
}

// appendShort writes a string compressed where that makes it shorter.
func appendShort(b, s []byte) []byte {
	text := string(s)
	n := hpack.HuffmanEncodeLength(text)
	if n >= uint64(len(s)) {
		return appendString(b, s)
	}
	return hpack.AppendHuffmanString(appendInt(b, 0x80, 7, n), text)
}
