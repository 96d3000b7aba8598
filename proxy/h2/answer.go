package h2

import (
	"time"

	"golang.org/x/net/http2"

	"doorward/proxy/h1"
)

// Answer sends a head, given as HTTP/1 has it, and the first part of the body with it.
// Heads of 1xx may come before the final one. It returns when the frames are on their
// way, or waits as Write does; data may be used again then.
func (s *Stream) Answer(head, data []byte, end bool) error {
	c := s.c
	c.mu.Lock()
	if err := s.writeError(); err != nil {
		c.mu.Unlock()
		return err
	}
	final := statusOf(head) >= 200
	c.putHead(s.id, head, final && end && len(data) == 0)
	if final {
		s.answered = true
	}
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
	if err := s.writeError(); err != nil {
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

// sendData sends data in frames, as far as windows and room allow, and waits for more of
// them until all is sent. It is called with the lock held and returns without it.
func (s *Stream) sendData(data []byte, end bool) error {
	c := s.c
	var expired <-chan time.Time
	for {
		moved := false
		for !c.out.full() {
			n := s.allowance(len(data))
			if n == 0 && len(data) > 0 {
				break
			}
			last := n == len(data)
			s.putData(data[:n], last && end)
			if data, moved = data[n:], true; last {
				c.flush()
				return nil
			}
		}
		if c.out.full() {
			c.out.waiting = append(c.out.waiting, s)
		} else if c.send <= 0 {
			c.starved = append(c.starved, s)
		}
		c.flush()
		if s.writeIdle > 0 && (moved || expired == nil) {
			if expired == nil {
				defer s.writing.stop()
			}
			expired = s.writing.start(s.writeIdle)
		}
		if err := s.wait(expired); err != nil {
			return err
		}
	}
}

// wait waits for room to send, and returns with the lock held unless it fails.
func (s *Stream) wait(expired <-chan time.Time) error {
	c := s.c
	late := false
	select {
	case <-s.room:
	case <-expired:
		late = true
	}
	c.mu.Lock()
	err := s.writeError()
	if err == nil && late {
		s.reset(http2.ErrCodeCancel, ErrTimeout)
		err = ErrTimeout
	}
	if err != nil {
		c.flush()
	}
	return err
}

// allowance is how much of n bytes may go out as one frame now.
func (s *Stream) allowance(n int) int {
	c := s.c
	return int(max(0, min(int64(n), int64(c.frameSize), s.send, c.send)))
}

func (s *Stream) putData(data []byte, end bool) {
	c := s.c
	var flags http2.Flags
	if end {
		flags = http2.FlagDataEndStream
	}
	c.out.frame(http2.FrameData, flags, s.id, len(data))
	c.out.buf = append(c.out.buf, data...)
	s.send -= int64(len(data))
	c.send -= int64(len(data))
	c.sentData++
	if end {
		s.finish()
	}
}
