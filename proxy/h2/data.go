package h2

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// readData takes a part of a body. All of the frame counts for the windows, padding
// too (RFC 9113, section 6.9.1).
func (c *Conn) readData(fh http2.FrameHeader) error {
	c.in.limit = c.o.Frame
	p, err := c.in.payload(int(fh.Length))
	if err != nil {
		return err
	}
	data, ok := unpad(p, fh.Flags.Has(http2.FlagDataPadded))
	end := fh.Flags.Has(http2.FlagDataEndStream)
	switch {
	case fh.StreamID == 0:
		return broken("DATA on stream 0")
	case !ok:
		return broken("DATA that is all padding, and more")
	case len(data) == 0 && !end:
		if err := c.spend(&c.purses.empty, "empty frames"); err != nil {
			return err
		}
	}
	c.mu.Lock()
	if len(p) > c.window {
		c.mu.Unlock()
		return &connError{http2.ErrCodeFlowControl, "more data than the connection's window"}
	}
	c.window -= len(p)
	s := c.streams[fh.StreamID]
	if s == nil || s.remote {
		return c.strayData(fh.StreamID, len(p))
	}
	if fault := s.receive(data, len(p), end); fault != http2.ErrCodeNo {
		c.returnWindow(len(p))
		c.mu.Unlock()
		return c.faulty(fh.StreamID, fault)
	}
	signal(s.ready)
	c.flushAside()
	return nil
}

// unpad cuts off padding (RFC 9113, section 6.1); ok is false when there is more of it
// than there can be.
func unpad(p []byte, padded bool) (rest []byte, ok bool) {
	if !padded {
		return p, true
	}
	if len(p) == 0 || int(p[0]) >= len(p) {
		return nil, false
	}
	return p[1 : len(p)-int(p[0])], true
}

// receive keeps data that came in a frame of a size until it is read. It tells what was
// wrong.
func (s *Stream) receive(data []byte, size int, end bool) http2.ErrCode {
	if size > s.window {
		return http2.ErrCodeFlowControl
	}
	s.received += int64(len(data))
	if n := s.req.Length; n >= 0 && (s.received > n || end && s.received != n) {
		return http2.ErrCodeProtocol
	}
	s.window -= size
	if s.discarded {
		s.c.returnWindow(size)
	} else {
		s.body.write(data)
		s.consumed(size - len(data))
	}
	if end {
		s.endRemote()
	}
	return http2.ErrCodeNo
}

// endRemote notes that the client has sent all.
func (s *Stream) endRemote() {
	s.remote = true
	if s.local {
		s.close()
	}
}

// strayData answers data on a stream that takes none. It is called with the lock held
// and returns without it.
func (c *Conn) strayData(id uint32, size int) error {
	c.returnWindow(size)
	if id > c.last || id%2 == 0 {
		c.mu.Unlock()
		return broken("DATA on an idle stream")
	}
	ours := c.wasReset(id)
	c.flushAside()
	switch {
	case !ours:
		return c.faulty(id, http2.ErrCodeStreamClosed)
	case size == 0: // one may have crossed our reset, with the end of the body
		return c.spend(&c.purses.empty, "empty frames")
	}
	return nil
}

const maxWindow = 1<<31 - 1

// readWindow lets us send more.
func (c *Conn) readWindow(fh http2.FrameHeader) error {
	p, err := c.in.payload(int(fh.Length))
	if err != nil {
		return err
	}
	if len(p) != 4 {
		return &connError{http2.ErrCodeFrameSize, "WINDOW_UPDATE of a wrong size"}
	}
	by := int64(binary.BigEndian.Uint32(p) & maxWindow)
	if fh.StreamID == 0 {
		return c.widen(by)
	}
	c.mu.Lock()
	s := c.streams[fh.StreamID]
	switch {
	case s == nil && (fh.StreamID > c.last || fh.StreamID%2 == 0):
		c.mu.Unlock()
		return broken("WINDOW_UPDATE on an idle stream")
	case s == nil: // that has ended meanwhile
	case by == 0:
		c.mu.Unlock()
		return c.faulty(fh.StreamID, http2.ErrCodeProtocol)
	case s.send+by > maxWindow:
		c.mu.Unlock()
		return c.faulty(fh.StreamID, http2.ErrCodeFlowControl)
	default:
		s.send += by
		signal(s.room)
	}
	c.mu.Unlock()
	return nil
}

// widen lets us send more on the whole connection.
func (c *Conn) widen(by int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if by == 0 {
		return broken("WINDOW_UPDATE by nothing")
	}
	if c.send += by; c.send > maxWindow {
		return &connError{http2.ErrCodeFlowControl, "window too large"}
	}
	c.turns()
	return nil
}
