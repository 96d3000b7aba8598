package h1

import "bytes"

// Budgets for what surrounds the data of chunks.
const (
	maxSizeDigits   = 15
	maxExtension    = 256
	maxExtensionSum = 16 << 10
)

type chunkState uint8

const (
	inSize chunkState = iota
	inExtension
	inSizeLF
	inData
	inDataCR
	inDataLF
	inTrailer
	finished
)

// Chunks decodes a chunked body (RFC 9112, section 7.1) as it arrives, strictly:
// digits alone in a size, no white space around it, CR LF at the end of every
// line. The zero value with limits set is ready; Reset makes it so again.
type Chunks struct {
	Limits

	state   chunkState
	digits  int
	left    int64
	ext     int
	extSum  int
	quoted  bool // in an extension
	escaped bool
	trailer []byte
	fields  []Field
}

// Reset makes c ready for another body.
func (c *Chunks) Reset(l Limits) {
	*c = Chunks{Limits: l, trailer: c.trailer[:0], fields: c.fields[:0]}
}

// Done tells whether the body, trailers included, has ended.
func (c *Chunks) Done() bool { return c.state == finished }

// Trailers are the fields after the last chunk, without those that have no
// business there; valid once Done, until Reset.
func (c *Chunks) Trailers() []Field { return c.fields }

// Decode takes encoded bytes and moves the data among them to the front of b: n
// bytes of it. It takes all of b, unless the body ends before: taken says how
// much belonged to it.
func (c *Chunks) Decode(b []byte) (n, taken int, err error) {
	i := 0
	for i < len(b) && c.state != finished {
		switch c.state {
		case inData:
			k := len(b) - i
			if int64(k) > c.left {
				k = int(c.left)
			}
			if n != i {
				copy(b[n:], b[i:i+k])
			}
			n, i, c.left = n+k, i+k, c.left-int64(k)
			if c.left == 0 {
				c.state = inDataCR
			}
		case inTrailer:
			k, err := c.trailerBytes(b[i:])
			if err != nil {
				return n, i, err
			}
			i += k
		default:
			if err := c.framingByte(b[i]); err != nil {
				return n, i, err
			}
			i++
		}
	}
	return n, i, nil
}

// framingByte takes one byte of a size line or of the line end after data.
func (c *Chunks) framingByte(b byte) error {
	switch c.state {
	case inSize:
		return c.sizeByte(b)
	case inExtension:
		return c.extensionByte(b)
	case inSizeLF:
		if b != '\n' {
			return errChunkSize
		}
		c.digits, c.ext = 0, 0
		c.state = inData
		if c.left == 0 {
			c.state = inTrailer
		}
	case inDataCR:
		if b != '\r' {
			return errChunkEnd
		}
		c.state = inDataLF
	case inDataLF:
		if b != '\n' {
			return errChunkEnd
		}
		c.state = inSize
	}
	return nil
}

func (c *Chunks) sizeByte(b byte) error {
	switch {
	case classes[b]&hexChar != 0:
		if c.digits == maxSizeDigits {
			return errChunkSize
		}
		c.digits++
		c.left = c.left<<4 | int64(hexValue(b))
		return nil
	case c.digits == 0:
		return errChunkSize
	case b == '\r':
		c.state = inSizeLF
		return nil
	case b == ';':
		c.state = inExtension
		return nil
	}
	return errChunkSize
}

// extensionByte passes over an extension. Nobody uses them but attackers; they
// are not forwarded. A line end inside quotes is refused, since to some it ends no
// line (security case H1-30).
func (c *Chunks) extensionByte(b byte) error {
	if b == '\r' {
		if c.ext == 0 || c.quoted {
			return errChunkExt
		}
		c.state = inSizeLF
		return nil
	}
	switch {
	case c.escaped:
		c.escaped = false
	case b == '\\':
		c.escaped = c.quoted
	case b == '"':
		c.quoted = !c.quoted
	}
	c.ext++
	c.extSum++
	if c.ext > maxExtension || c.extSum > maxExtensionSum ||
		(b < 0x20 && b != '\t') || b == 0x7f {
		return errChunkExt
	}
	return nil
}

func hexValue(b byte) byte {
	switch {
	case b <= '9':
		return b - '0'
	case b <= 'F':
		return b - 'A' + 10
	}
	return b - 'a' + 10
}

// trailerBytes gathers the trailer section until its empty line.
func (c *Chunks) trailerBytes(b []byte) (int, error) {
	// The common end: no trailers at all.
	if len(c.trailer) == 0 && len(b) >= 2 && b[0] == '\r' && b[1] == '\n' {
		c.state = finished
		return 2, nil
	}
	before := len(c.trailer)
	k := bytes.IndexByte(b, '\n') + 1
	if k == 0 {
		k = len(b)
	}
	if before+k > c.HeadBytes {
		return 0, errHeadBytes
	}
	c.trailer = append(c.trailer, b[:k]...)
	end := len(c.trailer)
	if c.trailer[end-1] != '\n' {
		return k, nil
	}
	if end < 2 || c.trailer[end-2] != '\r' {
		return 0, errBareLF
	}
	if end == 2 || c.trailer[end-3] == '\n' {
		if err := c.parseTrailer(); err != nil {
			return 0, err
		}
		c.state = finished
	}
	return k, nil
}

func (c *Chunks) parseTrailer() error {
	fields, _, err := parseFields(c.trailer, c.fields[:0], c.HeadFields)
	if err != nil {
		return err
	}
	for i := range fields {
		if fields[i].Kind.headOnly() {
			return errTrailer
		}
	}
	c.fields = fields
	return nil
}

// AppendChunkHead appends the size line of a chunk of n bytes.
func AppendChunkHead(b []byte, n int) []byte {
	const digits = "0123456789abcdef"
	var tmp [16]byte
	i := len(tmp)
	for {
		i--
		tmp[i] = digits[n&15]
		if n >>= 4; n == 0 {
			break
		}
	}
	b = append(b, tmp[i:]...)
	return append(b, '\r', '\n')
}

// LastChunk ends a chunked body, but for its trailers and the empty line.
const LastChunk = "0\r\n"
