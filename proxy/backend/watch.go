package backend

// Event is what a request saw of a server.
type Event uint8

// The events.
const (
	// OK is an answer that speaks for the server, whatever its status.
	OK Event = iota
	// ConnectFailed is a connection that could not be opened.
	ConnectFailed
	// BadStatus is an answer with a status of 500 or above, but 501 and 505.
	BadStatus
	// NoAnswer is a connection that ended before an answer came, or an answer that
	// was none.
	NoAnswer
	// TimedOut is an answer that did not come in time.
	TimedOut
)

// String is a word for logs.
func (e Event) String() string {
	switch e {
	case OK:
		return "ok"
	case ConnectFailed:
		return "connect failed"
	case BadStatus:
		return "bad status"
	case NoAnswer:
		return "no answer"
	case TimedOut:
		return "timed out"
	}
	return "unknown"
}

// Watcher is told what requests see of a server. Saw is called on the path of the
// request, by many goroutines, and has to be quick.
type Watcher interface {
	Saw(Event)
}

// Observe sets who is told from now on; nil is nobody.
func (s *Server) Observe(w Watcher) {
	if w == nil {
		s.watcher.Store(nil)
		return
	}
	s.watcher.Store(&w)
}

// Saw tells the watcher, if there is one, what a request saw.
func (s *Server) Saw(e Event) {
	if w := s.watcher.Load(); w != nil {
		(*w).Saw(e)
	}
}
