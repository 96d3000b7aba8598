package logs

import (
	"encoding/binary"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"go.uber.org/zap/zapcore"
)

// appendPrintable appends a finished line to dst with every rune escaped, as
// JSON does it, that is not printable. JSON asks that of control characters
// only, but a terminal obeys others too (U+009B begins a command), U+2028 ends
// a line for some readers, and U+202E turns what follows around.
func appendPrintable(dst, line []byte) []byte {
	if isPlain(line) {
		return append(dst, line...)
	}
	from := 0
	for i := 0; i < len(line); {
		if c := line[i]; ' ' <= c && c < 0x7f {
			i++
			continue
		}
		r, size := utf8.DecodeRune(line[i:])
		if strconv.IsPrint(r) && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		dst = append(dst, line[from:i]...)
		dst = appendEscaped(dst, r)
		i += size
		from = i
	}
	return append(dst, line[from:]...)
}

// isPlain reports whether line has printable ASCII only, as nearly all have. It
// looks at eight bytes at a time: borrowing from, or carrying into, the high bit
// of a byte shows that it is below a blank, or above a tilde.
func isPlain(line []byte) bool {
	const ones = 0x0101010101010101
	var odd uint64
	for ; len(line) >= 8; line = line[8:] {
		w := binary.LittleEndian.Uint64(line)
		odd |= w | (w + ones*(0x80-0x7f)) | (w - ones*' ')
	}
	for _, c := range line {
		if c < ' ' || c >= 0x7f {
			return false
		}
	}
	return odd&(ones<<7) == 0
}

func appendEscaped(dst []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return appendEscaped(appendEscaped(dst, high), low)
	}
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

// timeEncoder writes times in layout, in UTC when the layout ends in Z.
func timeEncoder(layout string) zapcore.TimeEncoder {
	plain := zapcore.TimeEncoderOfLayout(layout)
	if layout[len(layout)-1] != 'Z' {
		return plain
	}
	return func(t time.Time, enc zapcore.PrimitiveArrayEncoder) { plain(t.UTC(), enc) }
}
