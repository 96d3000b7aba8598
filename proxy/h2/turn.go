package h2

import (
	"slices"
	"time"

	"golang.org/x/net/http2"
)

// sendData sends data in frames, as far as windows and room allow, and waits for its
// turn to send more until all is sent. It is called with the lock held and returns
// without it.
func (s *Stream) sendData(data []byte, end bool) error {
	var p patience
	defer p.end(s)
	for {
		left := s.put(data, end)
		if left == nil {
			s.c.flush()
			return nil
		}
		if !p.begin(s, len(data)-len(left)) {
			s.reset(http2.ErrCodeCancel, ErrTimeout)
			s.c.flush()
			return ErrTimeout
		}
		data = left
		if err := s.wait(&p); err != nil {
			return err
		}
	}
}

// put sends what may go now: as much as there is room for, but one frame only when
// others wait too. It returns what is left, nil for nothing.
func (s *Stream) put(data []byte, end bool) []byte {
	c := s.c
	if len(data) == 0 { // which needs neither window nor room
		s.putData(nil, end)
		return nil
	}
	for !c.out.full() && (s.turn || len(c.queue) == 0 && c.granted == 0) {
		n := s.allowance(len(data))
		if n == 0 {
			break
		}
		s.endTurn()
		s.putData(data[:n], end && n == len(data))
		if data = data[n:]; len(data) == 0 {
			return nil
		}
	}
	s.passOn()
	return data
}

// passOn gives a turn that is of no use to the next.
func (s *Stream) passOn() {
	if s.turn {
		s.endTurn()
		s.c.turns()
	}
}

func (s *Stream) endTurn() {
	if s.turn {
		s.turn = false
		s.c.granted--
	}
}

// turns lets those send a frame that wait longest, as many as there is room for. Every
// turn leads to others: by what is written then, or when it is passed on.
func (c *Conn) turns() {
	for len(c.queue) > 0 {
		taken := c.granted * smallestFrame
		if int64(taken) >= c.send || len(c.out.buf)+taken >= pendingBytes {
			return
		}
		s := c.queue[0]
		c.queue = slices.Delete(c.queue, 0, 1)
		s.queued, s.turn = false, true
		c.granted++
		signal(s.room)
	}
}

// wait waits for the stream's turn, or for its window. It is called with the lock held,
// and returns with it unless it fails.
func (s *Stream) wait(p *patience) error {
	c := s.c
	shut := s.send <= 0
	if !shut && !s.queued {
		s.queued = true
		c.queue = append(c.queue, s)
	}
	sent := c.sentBytes
	c.flush()
	began, late := time.Now(), false
	select {
	case <-s.room:
	case <-p.expired:
		late = true
	}
	if shut {
		p.shut += time.Since(began)
	}
	c.mu.Lock()
	err := s.writeError()
	switch {
	case err != nil || !late:
	case s.inLine(c.sentBytes - sent):
		p.expired = nil
	default:
		s.reset(http2.ErrCodeCancel, ErrTimeout)
		err = ErrTimeout
	}
	if err != nil {
		s.leaveQueue()
		c.flush()
	}
	return err
}

// inLine tells whether the stream, which waited long, only waited for its turn: others
// have sent so many bytes meanwhile that the client is none that takes next to nothing.
func (s *Stream) inLine(bytes int64) bool {
	return s.queued && bytes > 0 && bytes >= int64(s.writeIdle/time.Second)*leastPace
}

func (s *Stream) leaveQueue() {
	if s.queued {
		i := slices.Index(s.c.queue, s)
		s.c.queue = slices.Delete(s.c.queue, i, i+1)
		s.queued = false
	}
	s.passOn()
}

// leastPace is how many bytes a second the windows of a client must let through, once
// they were shut for paceGrace during one write.
const (
	leastPace = 240
	paceGrace = 10 * time.Second
)

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
	over := p.shut - paceGrace
	return n == 0 || over <= 0 || p.sent >= int(over/time.Second)*leastPace
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
	c.sentBytes += int64(len(data))
	if end {
		s.finish()
	}
}
