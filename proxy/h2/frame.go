package h2

import (
	"errors"
	"time"

	"golang.org/x/net/http2"
)

// connError ends the connection, with a word to the client.
type connError struct {
	code   http2.ErrCode
	reason string
}

// Error gives the reason.
func (e *connError) Error() string { return e.reason + " (" + e.code.String() + ")" }

// overdone is the error of a client that used up a budget.
func (c *Conn) overdone(budget string) error {
	c.o.Report(Event{Budget: budget, Streams: c.opened})
	return &connError{http2.ErrCodeEnhanceYourCalm, "too many " + budget}
}

func broken(reason string) error { return &connError{http2.ErrCodeProtocol, reason} }

// readFrame reads one frame and does what it says.
func (c *Conn) readFrame() error {
	c.in.next(c.o.Head)
	if !c.heard { // the settings are part of the preface
		c.in.within = true
	}
	fh, err := c.framer.ReadFrameHeader()
	if err != nil {
		return c.framing(fh, err)
	}
	if fh.Type == http2.FrameData {
		c.in.since, c.in.limit = time.Time{}, c.o.Frame
	}
	if !c.heard && fh.Type != http2.FrameSettings {
		return broken("the first frame is not SETTINGS")
	}
	f, err := c.framer.ReadFrameForHeader(fh)
	if err != nil {
		return c.framing(fh, err)
	}
	if err := c.charge(fh); err != nil {
		return err
	}
	switch f := f.(type) {
	case *http2.HeadersFrame:
		return c.readHead(f)
	case *http2.ContinuationFrame:
		return c.readMore(f)
	case *http2.DataFrame:
		return c.readData(f)
	case *http2.WindowUpdateFrame:
		return c.readWindow(f)
	case *http2.RSTStreamFrame:
		return c.readReset(f)
	case *http2.SettingsFrame:
		return c.readSettings(f)
	case *http2.PingFrame:
		return c.readPing(f)
	case *http2.PriorityFrame:
		if f.StreamDep == f.StreamID {
			return c.faulty(f.StreamID, http2.ErrCodeProtocol)
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
	case errors.As(err, &se) && fh.Type == http2.FrameHeaders:
		return broken("malformed head") // the table has lost its thread
	case errors.As(err, &se):
		return c.faulty(se.StreamID, se.Code)
	}
	return err
}

// charge takes from the budgets what the frame costs.
func (c *Conn) charge(fh http2.FrameHeader) error {
	var p *purse
	budget := ""
	switch fh.Type {
	case http2.FrameHeaders, http2.FrameContinuation, http2.FrameRSTStream, http2.FrameData:
		return nil
	case http2.FrameSettings:
		p, budget = &c.purses.settings, "settings"
	case http2.FramePing:
		p, budget = &c.purses.pings, "pings"
	case http2.FrameWindowUpdate:
		p, budget = &c.purses.windows, "window updates"
	default:
		p, budget = &c.purses.others, "frames without meaning"
	}
	return c.spend(p, budget)
}

// spend takes one from a budget, after adding what work has earned since.
func (c *Conn) spend(p *purse, budget string) error {
	if p.left < p.Burst/2 {
		c.earn()
	}
	if !p.spend(time.Now()) {
		return c.overdone(budget)
	}
	return nil
}

// earn adds what the work since the last time has earned.
func (c *Conn) earn() {
	c.mu.Lock()
	ends, data := c.ends-c.sawEnds, c.sentData-c.sawData
	c.sawEnds, c.sawData = c.ends, c.sentData
	c.mu.Unlock()
	c.purses.resets.earn(float64(ends) / 2)
	c.purses.others.earn(float64(ends) * 2)
	c.purses.pings.earn(float64(ends + data))
	c.purses.windows.earn(float64(ends+data) * 4)
}

// faulty resets a stream on which the client broke the rules, which counts as if it
// had reset it itself: the work is the same.
func (c *Conn) faulty(id uint32, code http2.ErrCode) error {
	c.mu.Lock()
	s := c.streams[id]
	switch {
	case s != nil:
		s.reset(code, errBroken)
	case id > c.last:
		c.mu.Unlock()
		if id%2 == 0 {
			return broken("frame on a stream that the client cannot open")
		}
		c.mu.Lock()
		c.putReset(id, code)
	default:
		c.putReset(id, code)
		c.noteReset(id)
	}
	c.flush()
	if s != nil {
		s.leave()
	}
	return c.spend(&c.purses.resets, "resets")
}

// readData takes a part of a body.
func (c *Conn) readData(f *http2.DataFrame) error {
	id, size := f.StreamID, int(f.Length)
	if len(f.Data()) == 0 && !f.StreamEnded() {
		if err := c.spend(&c.purses.empty, "empty frames"); err != nil {
			return err
		}
	}
	c.mu.Lock()
	if size > c.window {
		c.mu.Unlock()
		return &connError{http2.ErrCodeFlowControl, "more data than the connection's window"}
	}
	c.window -= size
	s := c.streams[id]
	if s == nil || s.remote {
		return c.strayData(id, size)
	}
	if size > s.window {
		c.returnWindow(size)
		c.mu.Unlock()
		return c.faulty(id, http2.ErrCodeFlowControl)
	}
	s.window -= size
	data := f.Data()
	s.received += int64(len(data))
	if s.req.Length >= 0 && s.received > s.req.Length ||
		f.StreamEnded() && s.req.Length >= 0 && s.received != s.req.Length {
		c.returnWindow(size)
		c.mu.Unlock()
		return c.faulty(id, http2.ErrCodeProtocol)
	}
	s.push(data, size-len(data))
	if f.StreamEnded() {
		s.endRemote()
	}
	signal(s.ready)
	c.flush()
	return nil
}

// push keeps data until it is read, and gives the room for padding back.
func (s *Stream) push(data []byte, padding int) {
	if s.discarded {
		s.c.returnWindow(len(data) + padding)
		return
	}
	s.body.write(data)
	if padding > 0 {
		s.consumed(padding)
	}
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
	c.flush()
	if ours {
		return nil
	}
	return c.faulty(id, http2.ErrCodeStreamClosed)
}

// readReset ends a stream that the client gives up.
func (c *Conn) readReset(f *http2.RSTStreamFrame) error {
	c.mu.Lock()
	if f.StreamID > c.last || f.StreamID%2 == 0 {
		c.mu.Unlock()
		return broken("RST_STREAM on an idle stream")
	}
	s := c.streams[f.StreamID]
	if s != nil {
		s.fail(ErrGone)
	}
	c.mu.Unlock()
	if s != nil {
		s.leave()
	}
	return c.spend(&c.purses.resets, "resets")
}

// readWindow lets us send more.
func (c *Conn) readWindow(f *http2.WindowUpdateFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.StreamID == 0 {
		if c.send += int64(f.Increment); c.send > maxWindow {
			return &connError{http2.ErrCodeFlowControl, "window too large"}
		}
		for _, s := range c.starved {
			signal(s.room)
		}
		c.starved = c.starved[:0]
		return nil
	}
	s := c.streams[f.StreamID]
	if s == nil {
		if f.StreamID > c.last || f.StreamID%2 == 0 {
			return broken("WINDOW_UPDATE on an idle stream")
		}
		return nil
	}
	if s.send += int64(f.Increment); s.send > maxWindow {
		c.mu.Unlock()
		err := c.faulty(f.StreamID, http2.ErrCodeFlowControl)
		c.mu.Lock()
		return err
	}
	signal(s.room)
	return nil
}

const maxWindow = 1<<31 - 1

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
	if len(c.out.buf) > controlBytes+pendingBytes { // the client does not read
		c.mu.Unlock()
		return c.overdone("pings that are not read")
	}
	c.putPing(true, f.Data)
	c.flush()
	return nil
}

// readSettings takes what the client says of itself.
func (c *Conn) readSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	if !c.heard {
		c.heard = true
	}
	c.mu.Lock()
	err := f.ForeachSetting(c.set)
	if err == nil {
		c.out.frame(http2.FrameSettings, http2.FlagSettingsAck, 0, 0)
		for _, s := range c.streams {
			signal(s.room)
		}
	}
	c.flush()
	return err
}

// set takes one setting. It wants the lock.
func (c *Conn) set(s http2.Setting) error {
	if err := s.Valid(); err != nil {
		code := http2.ErrCodeProtocol
		if ce, ok := err.(http2.ConnectionError); ok {
			code = http2.ErrCode(ce)
		}
		return &connError{code, "illegal setting"}
	}
	switch s.ID {
	case http2.SettingHeaderTableSize:
		c.encoder.allow(s.Val)
	case http2.SettingInitialWindowSize:
		by := int64(s.Val) - c.initial
		c.initial = int64(s.Val)
		for _, st := range c.streams {
			if st.send += by; st.send > maxWindow {
				return &connError{http2.ErrCodeFlowControl, "window too large"}
			}
		}
	case http2.SettingMaxFrameSize:
		c.frameSize = min(int(s.Val), smallestFrame)
	}
	return nil
}
