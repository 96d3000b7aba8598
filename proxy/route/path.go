package route

import (
	"bytes"
	"unicode/utf8"
)

// Flags say what in a canonical path a server may read in a second way.
type Flags uint8

const (
	// EncodedSlash: a %2F, which some servers decode to a slash.
	EncodedSlash Flags = 1 << iota
	// Params: a segment with parameters ("/a;v=1"), which some servers cut off.
	Params
	// EncodedDelim: one of !$&'()*+,=:@ as an escape, which is equal to the
	// plain character for most servers, but not by RFC 3986 section 2.2.
	EncodedDelim
)

// CanonicalPath returns the one spelling of raw, the path of a request target
// without its query. Escapes of unreserved characters are decoded, once, the
// hexadecimal digits of the others put in upper case; characters that RFC 3986
// section 3.3 has no place for, and UTF-8, are escaped; slashes are merged; dot
// segments, plain or escaped, are removed as in section 5.2.4. Letters keep
// their case and nothing is folded. Canonical paths are left as they are.
//
// Spellings by which attackers make two parsers disagree have no canonical form,
// and ok is false: bad escapes, control characters, "\", "#" and "?", plain or
// escaped, an escaped ";", a raw space, an escaped "%" before two hexadecimal
// digits, text that is not UTF-8, parameters or %2F next to a dot segment
// ("..;", "..%2F"), parameters and %2F in one path.
//
// The result is raw itself when nothing had to change, else dst, overwritten
// from its start and grown where it is too small; dst may be nil but must not
// overlap raw. Flags may be set for a segment that a later ".." removed.
func CanonicalPath(dst, raw []byte) (path []byte, flags Flags, ok bool) {
	if len(raw) == 0 || raw[0] != '/' {
		return nil, 0, false
	}
	if isCanonical(raw) {
		return raw, 0, true
	}
	c := cleaner{out: append(dst[:0], '/'), start: 1}
	for i := 1; i < len(raw); {
		n := c.next(raw[i:])
		if n == 0 {
			return nil, 0, false
		}
		i += n
	}
	if !c.endSegment() || c.flags&Params != 0 && c.flags&EncodedSlash != 0 {
		return nil, 0, false
	}
	if c.percent && hasDoubleEscape(c.out) {
		return nil, 0, false
	}
	return c.out, c.flags, true
}

// isCanonical reports whether path, which starts with a slash, is canonical and
// free of everything that sets a flag. It may say no to one that is canonical.
func isCanonical(path []byte) bool {
	for i, c := range path {
		switch pathClasses[c] {
		case unreserved, delim:
		case slash:
			if i+1 < len(path) && (path[i+1] == '/' || path[i+1] == '.' && dotsLead(path[i+1:])) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// dotsLead reports whether the first segment of path, which has no leading
// slash, is a dot segment.
func dotsLead(path []byte) bool {
	segment, _, _ := cutSegment(path)
	return isDots(segment)
}

func isDots(segment []byte) bool {
	return string(segment) == "." || string(segment) == ".."
}

// cleaner writes a canonical path.
type cleaner struct {
	// out is canonical up to start, where the segment being written begins.
	out   []byte
	start int
	flags Flags
	// percent says that an escaped "%" was written.
	percent bool
}

// next writes what the head of raw stands for and returns how many bytes of raw
// that was; 0 means the path is refused.
func (c *cleaner) next(raw []byte) int {
	switch b := raw[0]; pathClasses[b] {
	case unreserved, delim:
		c.out = append(c.out, b)
	case slash:
		if !c.endSegment() {
			return 0
		}
		if len(c.out) > c.start {
			c.out = append(c.out, '/')
			c.start = len(c.out)
		}
	case semicolon:
		c.flags |= Params
		c.out = append(c.out, b)
	case quoted:
		c.writeEscape(b)
	case percent:
		return c.escape(raw)
	case high:
		return c.rune(raw)
	default:
		return 0
	}
	return 1
}

// escape is next for a raw that starts with an escape.
func (c *cleaner) escape(raw []byte) int {
	b, ok := unhex(raw)
	if !ok {
		return 0
	}
	switch pathClasses[b] {
	case unreserved:
		c.out = append(c.out, b)
		return 3
	case high:
		return c.rune(raw)
	case refused, semicolon:
		return 0
	case slash:
		c.flags |= EncodedSlash
	case delim:
		c.flags |= EncodedDelim
	case percent:
		c.percent = true
	}
	c.writeEscape(b)
	return 3
}

// rune is next for a raw that starts with a character beyond ASCII, whose bytes
// may each be escaped or not.
func (c *cleaner) rune(raw []byte) int {
	var text [utf8.UTFMax]byte
	var ends [utf8.UTFMax]int
	n, end := 0, 0
	for n < len(text) && end < len(raw) {
		b, width := raw[end], 1
		if escaped, ok := unhex(raw[end:]); ok {
			b, width = escaped, 3
		}
		if b < utf8.RuneSelf {
			break
		}
		end += width
		text[n], ends[n] = b, end
		n++
	}
	r, size := utf8.DecodeRune(text[:n])
	if r == utf8.RuneError && size <= 1 {
		return 0
	}
	for _, b := range text[:size] {
		c.writeEscape(b)
	}
	return ends[size-1]
}

func (c *cleaner) writeEscape(b byte) {
	const hex = "0123456789ABCDEF"
	c.out = append(c.out, '%', hex[b>>4], hex[b&15])
}

// endSegment resolves the segment written last, unless it is a name. It reports
// false for one that a server might take for a dot segment.
func (c *cleaner) endSegment() bool {
	switch segment := c.out[c.start:]; string(segment) {
	case ".":
		c.out = c.out[:c.start]
	case "..":
		if c.start > 1 {
			c.start = bytes.LastIndexByte(c.out[:c.start-1], '/') + 1
		}
		c.out = c.out[:c.start]
	default:
		return c.flags&(Params|EncodedSlash) == 0 || !hidesDots(segment)
	}
	return true
}

// hidesDots reports whether segment holds a dot segment once it is split at %2F
// and parameters are cut off.
func hidesDots(segment []byte) bool {
	for more := true; more; {
		var part []byte
		part, segment, more = bytes.Cut(segment, []byte("%2F"))
		name, _, _ := bytes.Cut(part, []byte{';'})
		if isDots(name) {
			return true
		}
	}
	return false
}

// hasDoubleEscape reports whether a second decoding of path would find an
// escape: %25 and two hexadecimal digits.
func hasDoubleEscape(path []byte) bool {
	for {
		_, rest, found := bytes.Cut(path, []byte("%25"))
		if !found {
			return false
		}
		if len(rest) >= 2 && isHex(rest[0]) && isHex(rest[1]) {
			return true
		}
		path = rest
	}
}

// unhex decodes the escape at the head of text.
func unhex(text []byte) (b byte, ok bool) {
	if len(text) < 3 || text[0] != '%' || !isHex(text[1]) || !isHex(text[2]) {
		return 0, false
	}
	return digit(text[1])<<4 | digit(text[2]), true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func digit(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
