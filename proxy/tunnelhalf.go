package proxy

import (
	"errors"
	"io"
	"sync"

	"doorward/proxy/netio"
)

// tunnelEnd is one side of a tunnel.
type tunnelEnd interface {
	// ReadLazy takes a buffer when there is something to read, and gives it back when
	// there is not.
	ReadLazy(take func() []byte, give func()) (int, error)
	Write(p []byte) (int, error)
	CloseWrite() error
}

// half is one direction of a tunnel. While nothing moves it holds no buffer.
type half struct {
	t        *tunnel
	e        *Engine
	from, to tunnelEnd
	buf      *[bulkBytes]byte
	bytes    int64
	// reads and writes are the letters of the sides in the termination state.
	reads, writes byte
}

func (h *half) take() []byte {
	if h.buf == nil {
		h.buf = h.e.bulk.Get().(*[bulkBytes]byte)
	}
	return h.buf[:]
}

func (h *half) give() {
	if h.buf != nil {
		h.e.bulk.Put(h.buf)
		h.buf = nil
	}
}

// run copies until this direction ends, and tells the other side so. After an
// error nothing can be made good: both directions end.
func (h *half) run() {
	who, err := h.reads, errPanicked
	defer h.give()
	defer func() {
		h.t.once.Do(func() { h.t.who, h.t.err = who, err })
		if err != nil {
			h.t.cut()
		}
	}()
	if who, err = h.copy(); err == nil {
		who, err = h.writes, h.to.CloseWrite()
	}
}

// copy moves bytes until the reading side ends, and tells whose error stopped
// it.
func (h *half) copy() (who byte, err error) {
	for {
		n, err := h.from.ReadLazy(h.take, h.give)
		switch {
		case n > 0:
			h.t.moved.Store(netio.Now())
			if _, err := h.to.Write(h.buf[:n]); err != nil {
				return h.writes, err
			}
			h.bytes += int64(n)
			h.give()
		case errors.Is(err, io.EOF):
			return h.reads, nil
		case isTimeout(err) && h.t.active():
			continue
		case err != nil:
			return h.reads, err
		}
	}
}

// active tells whether the other direction has moved bytes in time.
func (t *tunnel) active() bool { return netio.Now()-t.moved.Load() < int64(t.limit) }

// tunnelSet are the tunnels of a connection: one on HTTP/1, any number on a
// connection that carries streams.
type tunnelSet struct {
	mu   sync.Mutex
	open map[*tunnel]struct{}
}

func (s *tunnelSet) add(t *tunnel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[*tunnel]struct{}, 1)
	}
	s.open[t] = struct{}{}
}

func (s *tunnelSet) remove(t *tunnel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, t)
}

func (s *tunnelSet) each(f func(*tunnel)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.open {
		f(t)
	}
}
