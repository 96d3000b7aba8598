package h3

import (
	"errors"
	"io"

	"github.com/quic-go/qpack"

	"doorward/proxy/h1"
)

// mostCrumbs bounds the cookie fields of a head, which are joined (RFC 9114, section
// 4.2.1).
const mostCrumbs = 100

// badRequest is the status of what is malformed.
const badRequest = 400

// block is a section of fields that is being read.
type block struct {
	s           *Stream
	trailer     bool
	size, count int
	large       bool // more than the limits allow
	fault       error
	pseudo      h1.Pseudo
	regular     bool // a field that is no pseudo-header field came
	crumbs      int
}

func malformed(reason string) error { return &streamError{codeMessageError, reason} }

// readHead reads the stream up to the body. The error is a fault of the client; what is
// in order and cannot be served is a refusal.
func (s *Stream) readHead() error {
	for {
		kind, length, err := s.in.frame()
		switch {
		case err == io.EOF:
			return &streamError{codeRequestIncomplete, "no request on the stream"}
		case err != nil:
			return err
		case kind == frameHeaders:
			return s.readRequest(length)
		case kind == frameData, !onRequests(kind):
			return &connError{codeFrameUnexpected, "a frame before the head"}
		}
		if err := s.in.skip(length); err != nil {
			return err
		}
	}
}

func (s *Stream) readRequest(length uint64) error {
	r := &s.req
	b := block{s: s}
	if err := b.read(length); err != nil {
		return err
	}
	switch {
	case b.fault != nil:
		return malformed(b.fault.Error())
	case b.large, b.crumbs > mostCrumbs:
		s.refuse(h1.ErrLarge)
		return nil
	}
	if err := b.pseudo.Fill(r, "https", true); err != nil {
		return malformed(err.Error())
	}
	upgrade := r.Upgrade
	if err := s.c.parser.Assemble(r); err != nil {
		var e *h1.SyntaxError
		if !errors.As(err, &e) || e.Status == badRequest {
			return malformed(err.Error())
		}
		s.refuse(err)
		return nil
	}
	if r.Host == nil {
		return malformed("neither :authority nor Host")
	}
	if b.crumbs > 1 {
		s.arena = h1.JoinCookies(r, s.arena)
	}
	return s.frameBody(upgrade)
}

// refuse has the handler answer with an error. The body is of no interest.
func (s *Stream) refuse(err error) {
	s.refusal = err
	s.req.Minor, s.req.Length = 1, -1
}

// read decodes a section of fields. One that is too large is not read to its end: the
// next has no need of it, without a dynamic table.
func (b *block) read(length uint64) error {
	s := b.s
	if length > uint64(s.c.o.Limits.HeadBytes) {
		b.large = true
		return nil
	}
	raw, err := s.in.take(length)
	if err != nil {
		return err
	}
	s.arena = make([]byte, 0, 2*len(raw))
	next := qpack.NewDecoder().Decode(raw)
	for !b.large {
		f, err := next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &connError{codeDecompression, "head cannot be decoded"}
		}
		b.take(f)
	}
	return nil
}

// take gets the fields of a section, one by one.
func (b *block) take(f qpack.HeaderField) {
	b.size += len(f.Name) + len(f.Value) + 32
	b.count++
	s := b.s
	if l := &s.c.o.Limits; b.size > l.HeadBytes || b.count > l.HeadFields {
		b.large = true
		return
	}
	if f.IsPseudo() {
		b.takePseudo(f)
		return
	}
	b.regular = true
	if f.Name == "cookie" {
		b.crumbs++
	}
	field := h1.Field{Name: s.keep(f.Name), Value: s.keep(f.Value)}
	if b.trailer {
		s.trailers = append(s.trailers, field)
	} else {
		s.req.Fields = append(s.req.Fields, field)
	}
}

// keep copies a text to where it lives as long as the stream.
func (s *Stream) keep(text string) []byte {
	n := len(s.arena)
	s.arena = append(s.arena, text...)
	return s.arena[n:len(s.arena):len(s.arena)]
}

func (b *block) takePseudo(f qpack.HeaderField) {
	at, err := b.pseudo.Place(f.Name, b.trailer || b.regular)
	if err != nil {
		b.fault = err
		return
	}
	*at = b.s.keep(f.Value)
}

// frameBody says how long the body is.
func (s *Stream) frameBody(upgrade []byte) error {
	r := &s.req
	r.Upgrade = upgrade
	end := s.in.ended()
	if !end && upgrade == nil && r.Length < 0 && seldomBody(r.Method) {
		// That the stream has ended may come in a packet of its own, and nothing else
		// tells that there is no body.
		err := s.advance()
		if end = err == io.EOF; err != nil && !end && !isTimeout(err) {
			return err
		}
	}
	switch {
	case upgrade != nil:
		if end || r.Length >= 0 {
			return malformed("CONNECT with a body")
		}
	case end && r.Length > 0:
		return malformed("a body shorter than its length")
	case !end && r.Length < 0:
		r.Chunked = true
	}
	if end {
		s.over = true
		r.Continue = false
	}
	return nil
}

// seldomBody tells whether a request without a length is likely to have no body, so
// that it is worth to wait for its end. A stream of messages, which may wait for the
// answer first, is a POST.
func seldomBody(method []byte) bool {
	switch string(method) {
	case "POST", "PUT", "PATCH":
		return false
	}
	return true
}

// readTrailers reads the fields behind the body.
func (s *Stream) readTrailers(length uint64) error {
	b := block{s: s, trailer: true}
	err := b.read(length)
	switch {
	case err != nil:
	case b.fault != nil:
		err = malformed(b.fault.Error())
	case b.large:
		err = &streamError{codeExcessiveLoad, "trailers too large"}
	}
	for i := range s.trailers {
		if bad := h1.CheckTrailer(&s.trailers[i]); bad != nil && err == nil {
			err = malformed(bad.Error())
		}
	}
	return err
}
