package h2

import (
	"bytes"
	"strconv"
)

// tableBytes is how large the dynamic table of our encoder may become: the default of
// the standard, whatever more the client would allow.
const tableBytes = 4096

// encoder writes the heads of a connection's answers as HPACK (RFC 7541). Lines that
// the dictionary knows are sent whole once, and are a byte or two from then on. What
// it does not know goes as a literal that leaves no trace.
type encoder struct {
	dictionary *Dictionary
	edition    uint64
	// at is, by the number of a line, when it was put into the table: how many were
	// there before it, plus one. 0 is never.
	at []uint64

	// The table as the client has it. Sizes are those of the entries that are there,
	// oldest first, behind first.
	sizes      []uint32
	first      int
	inserted   uint64
	used, most uint32
	// smallest and changed say that the client has changed the size of its table since
	// the last head.
	smallest uint32
	changed  bool
}

func newEncoder(d *Dictionary) encoder {
	return encoder{dictionary: d, most: tableBytes, smallest: tableBytes}
}

// allow takes the size that the client gives the table (RFC 7541, section 4.2).
func (e *encoder) allow(size uint32) {
	size = min(size, tableBytes)
	if !e.changed {
		e.smallest = size
	}
	e.changed = true
	e.smallest = min(e.smallest, size)
	e.most = size
}

// begin writes what comes before the fields of a head.
func (e *encoder) begin(b []byte) []byte {
	if !e.changed {
		return b
	}
	e.changed = false
	if e.smallest < e.most {
		// It was smaller between. To empty it is more than must be said then, but some
		// decoders take a second update for an empty table only.
		e.smallest = 0
		b = appendInt(b, 0x20, 5, 0)
	}
	e.evict(e.smallest)
	e.smallest = e.most
	return appendInt(b, 0x20, 5, uint64(e.most))
}

// head writes a head that is given as HTTP/1 has it.
func (e *encoder) head(b, text []byte) []byte {
	w := e.dictionary.words.Load()
	if w.edition != e.edition {
		e.edition = w.edition
		clear(e.at)
	}
	b = e.begin(b)
	b = appendStatus(b, statusOf(text))
	for text = afterLine(text); ; {
		i := bytes.IndexByte(text, '\r')
		if i <= 0 {
			return b
		}
		b = e.line(b, w, text[:i])
		text = text[min(i+2, len(text)):]
	}
}

func (e *encoder) line(b []byte, w *words, text []byte) []byte {
	if l := e.dictionary.find(w, text); l != nil {
		if l.drop {
			return b
		}
		return e.known(b, l)
	}
	name, value := cutLine(text)
	return appendField(b, name, value)
}

// known writes a line of the dictionary.
func (e *encoder) known(b []byte, l *line) []byte {
	for len(e.at) <= l.number {
		e.at = append(e.at, 0)
	}
	gone := e.inserted - uint64(len(e.sizes)-e.first)
	if at := e.at[l.number]; at > gone {
		return appendInt(b, 0x80, 7, staticLast+1+e.inserted-at)
	}
	if l.size > e.most {
		return appendPlain(b, l)
	}
	e.evict(e.most - l.size)
	if e.first > 64 && e.first*2 > len(e.sizes) {
		e.sizes = append(e.sizes[:0], e.sizes[e.first:]...)
		e.first = 0
	}
	e.sizes = append(e.sizes, l.size)
	e.used += l.size
	e.inserted++
	e.at[l.number] = e.inserted
	return append(b, l.wire...)
}

// appendPlain writes a line that has no place in the table.
func appendPlain(b []byte, l *line) []byte {
	n := len(b)
	b = append(b, l.wire...)
	if b[n]&0x3f == 0 { // a literal name
		b[n] = 0
		return b
	}
	i := uint64(b[n] & 0x3f) // an index below 63 fits into six bits, but not into four
	return append(appendInt(b[:n], 0, 4, i), l.wire[1:]...)
}

// evict forgets the oldest entries until those that are left take no more than most.
func (e *encoder) evict(most uint32) {
	for e.used > most {
		e.used -= e.sizes[e.first]
		e.first++
	}
}

// appendField writes a field that leaves no trace in any table.
func appendField(b, name, value []byte) []byte {
	var room [64]byte
	lower := appendLower(room[:0], name)
	switch {
	case ofConnection(lower):
		return b
	case string(lower) == "set-cookie": // nobody on the way may index it
		b = appendName(b, sensitive, lower)
	default:
		b = appendName(b, plain, lower)
	}
	return appendString(b, value)
}

// appendLower appends a name in lower case.
func appendLower(b, name []byte) []byte {
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 32
		}
		b = append(b, c)
	}
	return b
}

func appendStatus(b []byte, status int) []byte {
	if i := staticStatus(status); i > 0 {
		return appendInt(b, 0x80, 7, uint64(i))
	}
	first, bits := plain.first()
	b = appendInt(b, first, bits, statusName)
	b = append(b, 3)
	return strconv.AppendInt(b, int64(status), 10)
}

// statusOf reads the three digits of a status line.
func statusOf(head []byte) int {
	const at = len("HTTP/1.1 ")
	if len(head) < at+3 {
		return 0
	}
	return int(head[at]-'0')*100 + int(head[at+1]-'0')*10 + int(head[at+2]-'0')
}

func afterLine(b []byte) []byte {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[i+1:]
	}
	return nil
}
