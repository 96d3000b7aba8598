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
	fault       string
	pseudo      pseudo
	regular     bool // a field that is no pseudo-header field came
	crumbs      int
}

// pseudo are the pseudo-header fields (RFC 9114, section 4.3.1).
type pseudo struct {
	method, scheme, authority, path, protocol []byte
	has                                       uint8
}

// The bits of pseudo.has.
const (
	hasMethod = 1 << iota
	hasScheme
	hasAuthority
	hasPath
	hasProtocol
)

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
	case b.fault != "":
		return malformed(b.fault)
	case b.large, b.crumbs > mostCrumbs:
		s.refuse(h1.ErrLarge)
		return nil
	}
	if err := b.pseudoFields(r); err != nil {
		return err
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
	s.joinCrumbs(b.crumbs)
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
	var bit uint8
	var at *[]byte
	switch p := &b.pseudo; f.Name {
	case ":method":
		bit, at = hasMethod, &p.method
	case ":scheme":
		bit, at = hasScheme, &p.scheme
	case ":authority":
		bit, at = hasAuthority, &p.authority
	case ":path":
		bit, at = hasPath, &p.path
	case ":protocol":
		bit, at = hasProtocol, &p.protocol
	}
	switch {
	case b.trailer:
		b.fault = "pseudo-header field among the trailers"
	case bit == 0:
		b.fault = "unknown pseudo-header field"
	case b.pseudo.has&bit != 0:
		b.fault = "pseudo-header field twice"
	case b.regular:
		b.fault = "pseudo-header field behind others"
	default:
		b.pseudo.has |= bit
		*at = b.s.keep(f.Value)
	}
}

// pseudoFields takes method, target and host from where HTTP/3 has them.
func (b *block) pseudoFields(r *h1.Request) error {
	p := &b.pseudo
	const always = hasMethod | hasScheme | hasPath
	if p.has&always != always {
		return malformed("pseudo-header fields missing")
	}
	if !h1.EqualFold(p.scheme, "https") {
		return malformed("a scheme that is not the connection's")
	}
	r.Method, r.Target, r.Host = p.method, p.path, nil
	if p.has&hasAuthority != 0 {
		if r.Host = p.authority; len(r.Host) == 0 {
			return malformed("empty :authority")
		}
	}
	connect := string(p.method) == "CONNECT"
	if connect != (p.has&hasProtocol != 0) {
		return malformed("CONNECT to what is offered nowhere")
	}
	if connect {
		if string(p.protocol) != "websocket" {
			return malformed("CONNECT to what is offered nowhere")
		}
		r.Method, r.Upgrade = []byte("GET"), p.protocol
	}
	return nil
}

// joinCrumbs makes one field of the cookies.
func (s *Stream) joinCrumbs(n int) {
	if n < 2 {
		return
	}
	start := len(s.arena)
	rest := s.req.Fields[:0]
	for _, f := range s.req.Fields {
		if f.Kind != h1.Cookie {
			rest = append(rest, f)
			continue
		}
		if len(s.arena) > start {
			s.arena = append(s.arena, "; "...)
		}
		s.arena = append(s.arena, f.Value...)
	}
	value := s.arena[start:len(s.arena):len(s.arena)]
	s.req.Fields = append(rest, h1.Field{Name: []byte("cookie"), Value: value, Kind: h1.Cookie})
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
	case b.fault != "":
		err = malformed(b.fault)
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
