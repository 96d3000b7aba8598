package h2

import (
	"errors"
	"strings"

	"golang.org/x/net/http2"

	"doorward/proxy/h1"
)

var (
	errPseudo    = errors.New("pseudo-header fields missing or in excess")
	errScheme    = errors.New("a scheme that is not the connection's")
	errConnect   = errors.New("CONNECT to what is offered nowhere")
	errAuthority = errors.New("an authority that is no host")
	errHead      = errors.New("malformed head")
)

// badRequest is the status of errors that break the rules of HTTP/2 too.
const badRequest = 400

// openStream makes a stream of the head that was read.
func (c *Conn) openStream() error {
	b := &c.block
	s := b.stream
	s.c, s.id = c, b.id
	malformed := c.judge(s)
	c.mu.Lock()
	c.last = b.id
	c.opened++
	switch {
	case malformed != nil:
		return c.turnAway(s, http2.ErrCodeProtocol)
	case c.draining == drained, c.active >= c.o.Streams, c.running >= 2*c.o.Streams:
		return c.turnAway(s, http2.ErrCodeRefusedStream)
	}
	s.window, s.send = c.o.StreamWindow, c.initial
	s.remote = b.end
	c.streams[s.id] = s
	c.active++
	c.running++
	c.mu.Unlock()
	c.o.Crew.handle(s)
	return nil
}

// turnAway resets a stream that was never opened. It is called with the lock held and
// returns without it.
func (c *Conn) turnAway(s *Stream, code http2.ErrCode) error {
	id := s.id
	c.putReset(id, code)
	c.noteReset(id)
	c.flushAside()
	c.recycle(s)
	return c.spend(&c.purses.resets, "resets")
}

// judge makes the request of the head. The error says that it breaks the rules of
// HTTP/2; what is in order and cannot be served is a refusal.
func (c *Conn) judge(s *Stream) error {
	b, r := &c.block, &s.req
	r.Minor, r.Length = 1, -1
	if b.fault != "" {
		return errHead
	}
	err := c.pseudoFields(r)
	if err == nil {
		upgrade := r.Upgrade
		if err = c.parser.Assemble(r); err == nil {
			s.joinCrumbs(b.crumbs)
			err = b.frameBody(r, upgrade)
		}
	}
	switch {
	case b.large: // and perhaps cut off where something else would be wrong
		err = h1.ErrLarge
	case err == nil:
		return nil
	case !answerable(err):
		return err
	}
	s.refusal = err
	if r.Path == nil { // nobody has looked at the bytes of the target
		r.Method, r.Target, r.Host, r.Fields = nil, nil, nil, r.Fields[:0]
	}
	return nil
}

// answerable tells whether an error has a status that says more than that the request
// is malformed, which RFC 9113, section 8.1.1, has reset.
func answerable(err error) bool {
	var e *h1.SyntaxError
	return errors.As(err, &e) && e.Status != badRequest
}

// pseudoFields takes method, target and host from where HTTP/2 has them.
func (c *Conn) pseudoFields(r *h1.Request) error {
	p := &c.block.pseudo
	const always = hasMethod | hasScheme | hasPath
	if p.has&always != always {
		return errPseudo
	}
	want := "http"
	if c.o.Secure {
		want = "https"
	}
	if !h1.EqualFold(p.scheme, want) {
		return errScheme
	}
	r.Method, r.Target, r.Host = p.method, p.path, nil
	if p.has&hasAuthority != 0 {
		if r.Host = p.authority; !isAuthority(r.Host) {
			return errAuthority
		}
	}
	connect := string(p.method) == "CONNECT"
	if connect != (p.has&hasProtocol != 0) {
		return errConnect
	}
	if connect {
		if !c.o.ExtendedConnect || string(p.protocol) != "websocket" {
			return errConnect
		}
		r.Method, r.Upgrade = []byte("GET"), p.protocol
	}
	return nil
}

// isAuthority tells whether a text holds nothing that is no part of a host and a port.
// Whether that host exists is another question.
func isAuthority(text []byte) bool {
	for _, c := range text {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`/?#@\,"<>`, c) >= 0 {
			return false
		}
	}
	return len(text) > 0
}

// frameBody says how long the body is.
func (b *block) frameBody(r *h1.Request, upgrade []byte) error {
	r.Upgrade = upgrade
	switch {
	case upgrade != nil:
		if b.end || r.Length >= 0 {
			return errConnect
		}
	case b.end && r.Length > 0:
		return errHead
	case !b.end && r.Length < 0:
		r.Chunked = true
	}
	if r.Continue && !r.HasBody() {
		return h1.ErrExpect
	}
	return nil
}

// joinCrumbs makes one field of the cookies (RFC 9113, section 8.2.3).
func (s *Stream) joinCrumbs(n int) {
	if n < 2 {
		return
	}
	start := len(s.arena)
	rest := s.req.Fields[:0]
	var whole h1.Field
	for _, f := range s.req.Fields {
		switch {
		case f.Kind != h1.Cookie:
			rest = append(rest, f)
			continue
		case whole.Name == nil:
			whole = f
		default:
			s.arena = append(s.arena, "; "...)
		}
		s.arena = append(s.arena, f.Value...)
	}
	whole.Value = s.arena[start:len(s.arena):len(s.arena)]
	s.req.Fields = append(rest, whole)
}

// endTrailers gives a stream the fields behind its body.
func (c *Conn) endTrailers() error {
	b := &c.block
	kept := b.stream
	var bad error
	for i := range kept.req.Fields {
		if err := h1.CheckTrailer(&kept.req.Fields[i]); err != nil {
			bad = err
		}
	}
	c.mu.Lock()
	s := c.streams[b.id]
	switch {
	case s == nil: // ended meanwhile
		c.mu.Unlock()
		c.recycle(kept)
		return c.spend(&c.purses.others, "frames without meaning")
	case b.fault != "", b.large, bad != nil, s.req.Length >= 0 && s.received != s.req.Length:
		c.mu.Unlock()
		c.recycle(kept)
		return c.faulty(b.id, http2.ErrCodeProtocol)
	}
	s.trailers = kept.req.Fields // with what they stand in: that stream is not used again
	s.endRemote()
	signal(s.ready)
	c.mu.Unlock()
	return nil
}
