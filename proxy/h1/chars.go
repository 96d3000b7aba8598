package h1

import "encoding/binary"

// charClass says of each byte what it may be part of.
type charClass uint8

const (
	// tokenChar: field names and methods (RFC 9110, section 5.6.2).
	tokenChar charClass = 1 << iota
	// targetChar: a request target as we take it, visible ASCII but '#', which no
	// client may send and which servers read differently.
	targetChar
	// hexChar: a digit of a chunk size.
	hexChar
)

var classes = func() (t [256]charClass) {
	for c := 0x21; c < 0x7f; c++ {
		if c != '#' {
			t[c] |= targetChar
		}
	}
	for c := '0'; c <= '9'; c++ {
		t[c] |= tokenChar | hexChar
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c] |= tokenChar
		t[c-32] |= tokenChar
	}
	for c := 'a'; c <= 'f'; c++ {
		t[c] |= hexChar
		t[c-32] |= hexChar
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		t[c] |= tokenChar
	}
	return t
}()

func all(b []byte, class charClass) bool {
	for _, c := range b {
		if classes[c]&class == 0 {
			return false
		}
	}
	return true
}

// IsToken tells whether b is a token (RFC 9110, section 5.6.2).
func IsToken(b []byte) bool { return len(b) > 0 && all(b, tokenChar) }

const (
	high  = 0x8080808080808080
	ones  = 0x0101010101010101
	space = 0x2020202020202020
	del   = 0x7f7f7f7f7f7f7f7f
)

// plainValue tells whether b holds no control character but tab. It looks at
// eight bytes at a time: a byte below 0x20, or 0x7f, makes a bit in the word.
func plainValue(b []byte) bool {
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		below := (w - space) & ^w & high
		x := w ^ del
		isDel := (x - ones) & ^x & high
		if below|isDel != 0 && !slowPlain(b[:8]) {
			return false
		}
		b = b[8:]
	}
	return slowPlain(b)
}

func slowPlain(b []byte) bool {
	for _, c := range b {
		if (c < 0x20 && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}

// lower is c in lower case, for ASCII letters.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 32
	}
	return c
}

// EqualFold compares b with s, which is in lower case already, without regard
// to the case of ASCII letters.
func EqualFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if lower(b[i]) != s[i] {
			return false
		}
	}
	return true
}

// trim cuts spaces and tabs, and nothing else, from both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// nextElement cuts the first element off a comma-separated list (RFC 9110,
// section 5.6.1), without its white space.
func nextElement(list []byte) (element, rest []byte) {
	for i, c := range list {
		if c == ',' {
			return trim(list[:i]), list[i+1:]
		}
	}
	return trim(list), nil
}
