package h2

import "golang.org/x/net/http2"

// readSettings takes what the client says of itself.
func (c *Conn) readSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	c.heard = true
	c.mu.Lock()
	err := f.ForeachSetting(c.set)
	if err == nil {
		c.out.frame(http2.FrameSettings, http2.FlagSettingsAck, 0, 0)
		for _, s := range c.streams {
			signal(s.room)
		}
	}
	c.flushAside()
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
