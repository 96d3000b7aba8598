package h2

import "doorward/proxy/h1"

// Answer sends a head, given as HTTP/1 has it, and the first part of the body with it.
// Heads of 1xx may come before the final one. It returns when the frames are on their
// way, or waits as Write does; data may be used again then.
func (s *Stream) Answer(head, data []byte, end bool) error {
	c := s.c
	c.mu.Lock()
	if err := s.awaitRoom(); err != nil {
		c.mu.Unlock()
		return err
	}
	final := statusOf(head) >= 200
	c.putHead(s.id, head, final && end && len(data) == 0)
	if final && end && len(data) == 0 {
		s.finish()
	}
	if len(data) > 0 {
		return s.sendData(data, end)
	}
	c.flush()
	return nil
}

// Write sends more of the body, and waits while the client takes no more. The error
// is ErrGone, or ErrTimeout when nothing moved for too long, which resets the stream.
func (s *Stream) Write(data []byte, end bool) error {
	c := s.c
	c.mu.Lock()
	if err := s.writeError(); err != nil {
		c.mu.Unlock()
		return err
	}
	return s.sendData(data, end)
}

// End sends the trailers, which end the answer.
func (s *Stream) End(trailers []h1.Field) error {
	c := s.c
	c.mu.Lock()
	if err := s.awaitRoom(); err != nil {
		c.mu.Unlock()
		return err
	}
	start := c.beginHead(s.id, true)
	c.out.buf = c.encoder.begin(c.out.buf)
	for i := range trailers {
		c.out.buf = appendField(c.out.buf, trailers[i].Name, trailers[i].Value)
	}
	c.endHead(s.id, start)
	s.finish()
	c.flush()
	return nil
}

// awaitRoom waits while too much is to be written already. Heads need no window, so those
// for a client that reads nothing would pile up (security case H2-34). How long it may
// take is up to who writes. It wants the lock, and returns with it.
func (s *Stream) awaitRoom() error {
	for s.c.out.full() && s.writeError() == nil {
		s.c.room.Wait()
	}
	return s.writeError()
}

// writeError is why nothing may be sent any more.
func (s *Stream) writeError() error {
	switch {
	case s.err != nil:
		return s.err
	case s.local:
		return errEnded
	}
	return nil
}

// finish notes that the answer has ended.
func (s *Stream) finish() {
	s.local = true
	if s.remote {
		s.close()
	}
}
