package proxy

import (
	"io"

	"doorward/proxy/h1"
	"doorward/proxy/netio"
)

// handlerBody is the body of the request as a handler reads it.
type handlerBody struct {
	x       *exchange
	plain   []byte // decoded and not yet read
	left    int64  // of a body of known length, what is not decoded yet
	decoder h1.Chunks
	buf     []byte
	total   int64 // decoded
	pace    pace
	begun   bool
	over    bool
	err     error // what was wrong with it; nothing is read after that
}

// Read implements io.Reader.
func (b *handlerBody) Read(p []byte) (int, error) {
	if !b.begun {
		b.err = b.begin()
	}
	for len(b.plain) == 0 && b.err == nil {
		if b.over {
			return 0, io.EOF
		}
		b.err = b.fill()
	}
	if b.err != nil {
		return 0, b.err
	}
	n := copy(p, b.plain)
	b.plain = b.plain[n:]
	return n, nil
}

// begin takes what came with the head, and tells a client that waits for it to
// send the rest.
func (b *handlerBody) begin() error {
	x := b.x
	b.begun = true
	b.left = x.req.Length
	b.decoder.Reset(x.snap.Limits.Limits)
	b.buf = make([]byte, answerBytes)
	x.boundUpload()
	if x.req.Continue && x.up.waiting && x.req.Minor == 1 {
		x.inform([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	}
	if x.stream != nil {
		return nil
	}
	return b.decode(append([]byte(nil), x.up.bytes()...))
}

func (b *handlerBody) fill() error {
	if b.x.stream != nil {
		return b.fillStream()
	}
	p := b.buf
	if !b.x.req.Chunked {
		p = p[:min(int64(len(p)), b.left)]
	}
	n, err := b.receive(p)
	switch {
	case err == errBodySlow:
		return err
	case n == 0 && err != nil:
		return io.ErrUnexpectedEOF
	}
	return b.decode(p[:n])
}

// receive reads from the client, which may not drip: a form would keep its handler for
// days (security case SLOW-04).
func (b *handlerBody) receive(p []byte) (int, error) {
	before := netio.Now()
	n, err := b.x.readBody(p)
	b.pace.bytes += n
	b.pace.waited += netio.Now() - before
	if n > 0 && err == nil && netio.TooSlow(b.pace.bytes, b.pace.waited) {
		return 0, errBodySlow
	}
	return n, err
}

func (b *handlerBody) fillStream() error {
	n, err := b.receive(b.buf)
	b.plain, b.over = b.buf[:n], err == io.EOF
	b.total += int64(n)
	switch most := b.x.route.BodyBytes; {
	case most > 0 && b.total > most:
		return errBodyLarge
	case err == errBodySlow:
		return err
	case err != nil && !b.over:
		return io.ErrUnexpectedEOF
	}
	return nil
}

func (b *handlerBody) decode(raw []byte) error {
	if !b.x.req.Chunked {
		b.plain = raw
		b.left -= int64(len(raw))
		b.over = b.left == 0
		return nil
	}
	n, _, err := b.decoder.Decode(raw)
	b.plain, b.over = raw[:n], b.decoder.Done()
	b.total += int64(n)
	if most := b.x.route.BodyBytes; err == nil && most > 0 && b.total > most {
		return errBodyLarge
	}
	return err
}
