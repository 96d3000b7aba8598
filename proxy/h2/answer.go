package h2

import (
	"slices"
	"time"

	"golang.org/x/net/http2"

	"doorward/proxy/h1"
	"doorward/proxy/netio"
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
	var p patience
	defer p.end(s)
	for {
		before := len(data)
		for !c.out.full() {
			n := s.allowance(len(data))
			if n == 0 && len(data) > 0 {
				break
			}
			last := n == len(data)
			s.putData(data[:n], last && end)
			if data = data[n:]; last {
				c.flush()
				return nil
			}
		}
		if !p.begin(s, before-len(data)) {
			s.reset(http2.ErrCodeCancel, ErrTimeout)
			c.flush()
			return ErrTimeout
		}
		s.queue()
		if err := s.wait(&p); err != nil {
			return err
		}
	}
}

// queue has the stream woken by what it waits for. Its own window needs nothing.
func (s *Stream) queue() {
	switch c := s.c; {
	case c.out.full():
		c.out.waiting = append(c.out.waiting, s)
	case s.send > 0:
		c.starved = append(c.starved, s)
	}
}

// wait waits for room to send. It is called with the lock held, and returns with it
// unless it fails.
func (s *Stream) wait(p *patience) error {
	c := s.c
	shut := s.send <= 0
	c.flush()
	began, late := netio.Now(), false
	select {
	case <-s.room:
	case <-p.expired:
		late = true
	}
	if shut {
		p.shut += time.Duration(netio.Now() - began)
	}
	c.mu.Lock()
	err := s.writeError()
	if err == nil && late {
		s.reset(http2.ErrCodeCancel, ErrTimeout)
		err = ErrTimeout
	}
	if err != nil { // nobody need wake it any more
		c.starved = slices.DeleteFunc(c.starved, s.is)
		c.out.waiting = slices.DeleteFunc(c.out.waiting, s.is)
		c.flush()
	}
	return err
}

func (s *Stream) is(other *Stream) bool { return s == other }

// patience is that with a client that takes nothing, or next to nothing (security case
// H2-34).
type patience struct {
	expired <-chan time.Time
	sent    int           // since the first wait
	shut    time.Duration // how long the stream's own window was
}

// begin begins a wait after n more bytes were sent. It tells whether there is patience
// left: windows that open by so little can only mean to keep us waiting.
func (p *patience) begin(s *Stream, n int) bool {
	if s.writeIdle <= 0 {
		return true
	}
	if p.expired != nil {
		p.sent += n
	}
	if p.expired == nil || n > 0 {
		p.expired = s.writing.start(s.writeIdle)
	}
	return n == 0 || !netio.TooSlow(p.sent, int64(p.shut))
}

func (p *patience) end(s *Stream) {
	if p.expired != nil {
		s.writing.stop()
	}
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
