package h2

import (
	"errors"

	"golang.org/x/net/http2"
)

// connError ends the connection, with a word to the client.
type connError struct {
	code   http2.ErrCode
	reason string
}

// Error gives the reason.
func (e *connError) Error() string { return e.reason + " (" + e.code.String() + ")" }

func broken(reason string) error { return &connError{http2.ErrCodeProtocol, reason} }

// readFrame reads one frame and does what it says. What there are many of is read in
// place, without the framer's copy.
func (c *Conn) readFrame() error {
	c.in.next(c.o.Head)
	if !c.heard { // the settings are part of the preface
		c.in.within = true
	}
	fh, err := c.framer.ReadFrameHeader()
	if err != nil {
		return c.framing(fh, err)
	}
	if !c.heard && fh.Type != http2.FrameSettings {
		return broken("the first frame is not SETTINGS")
	}
	switch fh.Type {
	case http2.FrameHeaders:
		return c.readHead(fh)
	case http2.FrameContinuation:
		return c.readMore(fh)
	case http2.FrameData:
		return c.readData(fh)
	}
	if err := c.charge(fh.Type); err != nil {
		return err
	}
	if _, err := c.expired(); err != nil { // frames without a stream gain no time
		return err
	}
	switch {
	case fh.Type == http2.FrameWindowUpdate:
		return c.readWindow(fh)
	case fh.Type > http2.FrameContinuation: // unknown here
		_, err := c.in.payload(int(fh.Length))
		return err
	}
	return c.readRare(fh)
}

// readRare reads a frame with the framer, which checks all that can be wrong with it.
func (c *Conn) readRare(fh http2.FrameHeader) error {
	f, err := c.framer.ReadFrameForHeader(fh)
	if err != nil {
		return c.framing(fh, err)
	}
	switch f := f.(type) {
	case *http2.RSTStreamFrame:
		return c.readReset(f)
	case *http2.SettingsFrame:
		return c.readSettings(f)
	case *http2.PingFrame:
		return c.readPing(f)
	case *http2.PriorityFrame:
		if f.StreamDep == f.StreamID {
			return broken("a stream that depends on itself")
		}
	case *http2.PushPromiseFrame:
		return broken("PUSH_PROMISE from a client")
	}
	return nil
}

// framing makes of the framer's error ours.
func (c *Conn) framing(fh http2.FrameHeader, err error) error {
	var ce http2.ConnectionError
	var se http2.StreamError
	switch {
	case errors.Is(err, http2.ErrFrameTooLarge):
		return &connError{http2.ErrCodeFrameSize, "frame too large"}
	case errors.As(err, &ce):
		reason := "malformed frame"
		if d := c.framer.ErrorDetail(); d != nil {
			reason = d.Error()
		}
		return &connError{http2.ErrCode(ce), reason}
	case errors.As(err, &se):
		return c.faulty(se.StreamID, se.Code)
	}
	return err
}

// faulty resets a stream on which the client broke the rules, which counts as if it
// had reset it itself: the work is the same.
func (c *Conn) faulty(id uint32, code http2.ErrCode) error {
	c.mu.Lock()
	s := c.streams[id]
	if s == nil {
		c.putReset(id, code)
		c.noteReset(id)
		c.flushAside()
	} else {
		s.reset(code, errBroken)
		c.flushAside()
		s.leave()
	}
	return c.spend(&c.purses.resets, "resets")
}

// readReset ends a stream that the client gives up.
func (c *Conn) readReset(f *http2.RSTStreamFrame) error {
	c.mu.Lock()
	if f.StreamID > c.last || f.StreamID%2 == 0 {
		c.mu.Unlock()
		return broken("RST_STREAM on an idle stream")
	}
	s := c.streams[f.StreamID]
	if s == nil { // crossed our end of the stream, and costs nothing
		c.mu.Unlock()
		return c.spend(&c.purses.others, "frames without meaning")
	}
	s.fail(ErrGone)
	c.mu.Unlock()
	s.leave()
	return c.spend(&c.purses.resets, "resets")
}

// readPing answers a ping, or takes the answer to ours: all that the client sent
// before it knew that we drain is here then.
func (c *Conn) readPing(f *http2.PingFrame) error {
	c.mu.Lock()
	if f.IsAck() {
		if c.draining == warned && f.Data == drainPing() {
			c.lastCall()
			return nil
		}
		c.mu.Unlock()
		return nil
	}
	c.putPing(true, f.Data)
	c.flushAside()
	return nil
}
