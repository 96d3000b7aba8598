package logs

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"doorward/internal/access"
)

const (
	maxField  = 2 << 10 // of what a client sent, per field
	maxTarget = 1 << 10
	// textPerLine sizes the room for text: twice what a browser's request takes.
	textPerLine = 512
	// flushLines is how many lines are worth waking the writer for at once, so
	// that memory stays small while the output keeps up.
	flushLines = 512
)

// batch is a list of records with copies of what they point to. It grows as far
// as needed and is used again, so that it allocates no more after a while.
type batch struct {
	records []access.Record
	text    []byte
}

// holds reports whether the batch has reached the size of so many lines.
func (b *batch) holds(lines int) bool {
	return len(b.records) >= lines || len(b.text) >= lines*textPerLine
}

// add copies a record. Strings in it are shared: they cannot change.
func (b *batch) add(r *access.Record, query bool) {
	b.records = append(b.records, *r)
	k := &b.records[len(b.records)-1]
	k.Method = b.keep(r.Method, maxField)
	k.Host = b.keep(r.Host, maxField)
	k.Target = b.keepURL(r.Target, query, maxTarget)
	k.RequestID = b.keep(r.RequestID, maxField)
	k.UserAgent = b.keep(r.UserAgent, maxField)
	k.Referer = b.keepURL(r.Referer, query, maxField)
}

// keep copies s. Of more than limit bytes the beginning stays, with a mark of
// how many were cut: "...(+6144)".
func (b *batch) keep(s []byte, limit int) []byte {
	from := len(b.text)
	if len(s) <= limit {
		b.text = append(b.text, s...)
	} else {
		end := runeStart(s, limit)
		b.text = append(b.text, s[:end]...)
		b.text = append(b.text, "...(+"...)
		b.text = strconv.AppendInt(b.text, int64(len(s)-end), 10)
		b.text = append(b.text, ')')
	}
	return b.text[from:len(b.text):len(b.text)]
}

// runeStart returns the last index up to at where s may be cut without dividing
// a rune.
func runeStart(s []byte, at int) int {
	for i := at; i > at-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			return i
		}
	}
	return at // not UTF-8
}

// keepURL copies a request target or a referer without what may be secret in it:
// the user and password of an absolute form, and the query unless it is wanted.
func (b *batch) keepURL(u []byte, query bool, limit int) []byte {
	if !query {
		if end := bytes.IndexAny(u, "?#"); end >= 0 {
			u = u[:end]
		}
	}
	if len(u) == 0 || u[0] == '/' {
		return b.keep(u, limit)
	}
	scheme, rest, ok := bytes.Cut(u, []byte("://"))
	if !ok || bytes.ContainsAny(scheme, "/?#") {
		return b.keep(u, limit)
	}
	end := bytes.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	at := bytes.LastIndexByte(rest[:end], '@')
	if at < 0 {
		return b.keep(u, limit)
	}
	return b.keep(bytes.Join([][]byte{scheme, rest[at+1:]}, []byte("://")), limit)
}

// reset empties the batch for further use, and lets go of what it pointed to.
func (b *batch) reset() {
	clear(b.records)
	b.records = b.records[:0]
	b.text = b.text[:0]
}
