package h2

import (
	"io"
	"time"

	"doorward/proxy/h1"
)

// Transport is the connection that frames go over.
type Transport interface {
	io.Writer
	// ReadLazy waits until there is something to read and only then takes a buffer for
	// it, which it gives back when there was nothing after all.
	ReadLazy(take func() []byte, give func()) (int, error)
	// Abort makes the pending and every later read fail. It may come from any
	// goroutine.
	Abort()
}

// Handler answers a stream, in a goroutine of its own. When it returns the stream is
// over: one without a whole answer is reset.
type Handler func(*Stream)

// Options of a connection. They do not change.
type Options struct {
	// Crew handles the streams. Share one among connections; nil is one where nobody
	// waits for work.
	Crew *Crew
	// Limits bound a head. Its size is counted after decompression, with 32 bytes more
	// for each field (RFC 9113, section 6.5.2).
	Limits h1.Limits
	// Streams is how many may be open, 0 is 100.
	Streams int
	// StreamWindow and ConnWindow are how many bytes of bodies the client may send
	// ahead of who reads them: 0 is 256 KiB for a stream, and 1 MiB for the
	// connection, which has 64 KiB at least (RFC 9113, section 6.9.2).
	StreamWindow, ConnWindow int
	// Head bounds the preface, and a head from its first frame to its last. Frame bounds
	// any other frame. KeepAlive bounds the time without any stream. 0 is no bound.
	Head, Frame, KeepAlive time.Duration
	// Bound says how long the next read of the transport may take, 0 is for ever. It is
	// called by the goroutine that reads. Nil: the transport has no limits.
	Bound func(time.Duration)
	// Secure says that the connection is encrypted, which :scheme must say too.
	Secure bool
	// ExtendedConnect offers WebSockets over streams (RFC 8441).
	ExtendedConnect bool
	// Dictionary knows the lines of answer heads that come again and again. Share one
	// among connections; nil is one of its own.
	Dictionary *Dictionary
	// Budgets bound what a client may ask for that leads to nothing. The zero value is
	// DefaultBudgets.
	Budgets Budgets
	// Report is told when a budget is used up, which ends the connection; nil is
	// nobody. It is called by the goroutine that reads.
	Report func(Event)
}

// Event is the end of a connection whose client overdid something.
type Event struct {
	// Budget is what was used up: "resets", "settings", "pings", ...
	Budget string
	// Streams is how many the client had opened.
	Streams int
}

const (
	defaultStreams      = 100
	defaultStreamWindow = 256 << 10
	defaultConnWindow   = 1 << 20
)

// complete puts the defaults where nothing was said.
func (o Options) complete() Options {
	if o.Streams <= 0 {
		o.Streams = defaultStreams
	}
	if o.StreamWindow <= 0 {
		o.StreamWindow = defaultStreamWindow
	}
	if o.ConnWindow <= 0 {
		o.ConnWindow = max(defaultConnWindow, o.StreamWindow)
	}
	o.ConnWindow = max(o.ConnWindow, defaultWindow)
	if o.Crew == nil {
		o.Crew = NewCrew(0, nil)
	}
	if o.Dictionary == nil {
		o.Dictionary = NewDictionary()
	}
	if o.Budgets == (Budgets{}) {
		o.Budgets = DefaultBudgets()
	}
	if o.Bound == nil {
		o.Bound = func(time.Duration) {}
	}
	if o.Report == nil {
		o.Report = func(Event) {}
	}
	return o
}
