package h2

import (
	"sync"

	"go.uber.org/zap"

	"doorward/internal/safe"
)

// Crew are goroutines that handle streams, one after the other: their stacks have
// grown to what that needs already, which a fresh one would have to do each time. It
// may be shared by any number of connections. Close it when the last of them has
// ended.
type Crew struct {
	log  *zap.Logger
	work chan *Stream
	quit chan struct{}
	once sync.Once
	// parked has room for as many as may wait for work.
	parked chan struct{}
}

// NewCrew makes a Crew of which at most idle goroutines wait for work. Log gets the
// panics of handlers; nil is standard error.
func NewCrew(idle int, log *zap.Logger) *Crew {
	return &Crew{
		log: log, work: make(chan *Stream), quit: make(chan struct{}),
		parked: make(chan struct{}, idle),
	}
}

// Close lets those go who wait for work. Who works goes when that is done.
func (w *Crew) Close() { w.once.Do(func() { close(w.quit) }) }

// handle lets somebody handle the stream.
func (w *Crew) handle(s *Stream) {
	select {
	case w.work <- s:
	default:
		safe.Go(w.log, "stream", func() { w.run(s) })
	}
}

// run handles a stream, and those that come while there is a place to wait for them.
func (w *Crew) run(s *Stream) {
	for s != nil {
		s.c.handle(s)
		s = w.next()
	}
}

func (w *Crew) next() *Stream {
	select {
	case w.parked <- struct{}{}:
	default:
		return nil
	}
	defer func() { <-w.parked }()
	select {
	case s := <-w.work:
		return s
	case <-w.quit:
		return nil
	}
}
