package h2

import (
	"errors"

	"golang.org/x/net/http2"

	"doorward/proxy/h1"
)

var (
	errConnect = errors.New("CONNECT with a body")
	errHead    = errors.New("malformed head")
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
	if b.fault != nil {
		return b.fault
	}
	err := b.pseudo.Fill(r, c.scheme(), c.o.ExtendedConnect)
	if err == nil {
		upgrade := r.Upgrade
		if err = c.parser.Assemble(r); err == nil {
			if b.crumbs > 1 {
				s.arena = h1.JoinCookies(r, s.arena)
			}
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

// scheme is what requests on the connection must ask for.
func (c *Conn) scheme() string {
	if c.o.Secure {
		return "https"
	}
	return "http"
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
	case b.fault != nil, b.large, bad != nil, s.req.Length >= 0 && s.received != s.req.Length:
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
