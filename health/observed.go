package health

import (
	"sync/atomic"

	"doorward/proxy/backend"
)

// Level says which faults of requests count.
type Level string

// The levels, in HAProxy's words.
const (
	Off    Level = "off"
	Layer4 Level = "layer4" // the server cannot be reached
	Layer7 Level = "layer7" // and also: no answer, a bad one, or too late
)

// Passive says what requests tell about a server.
type Passive struct {
	// Level is Off if empty.
	Level Level
	// Limit is how many bad requests in a row are too many, 0 means 10; OnError says
	// what happens then. One that is good in between starts the count over, and so
	// does a good check.
	Limit   int
	OnError OnError
}

// observed hears what becomes of each request to a server. A good one costs one
// atomic load.
type observed struct {
	limit  int64
	layer7 bool
	errors atomic.Int64
	// strikes is how often the limit was reached, and not yet dealt with; last is what
	// the last error was, and poke wakes up who deals with it.
	strikes atomic.Int64
	last    atomic.Uint32
	poke    chan<- struct{}
}

// newObserved is nil where nothing is to be heard.
func newObserved(p Passive, poke chan<- struct{}) *observed {
	if p.Level == Off {
		return nil
	}
	return &observed{limit: int64(p.Limit), layer7: p.Level == Layer7, poke: poke}
}

// Saw is called on the path of requests, by many goroutines.
func (o *observed) Saw(e backend.Event) {
	bad := e == backend.ConnectFailed || o.layer7 && e != backend.OK
	if !bad {
		o.forgive()
		return
	}
	n := o.errors.Add(1)
	if n < o.limit || !o.errors.CompareAndSwap(n, 0) {
		return
	}
	o.last.Store(uint32(e))
	o.strikes.Add(1)
	nudge(o.poke)
}

// nudge wakes up whoever reads the channel, once for any number of reasons.
func nudge(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// forgive starts the count over.
func (o *observed) forgive() {
	if o.errors.Load() != 0 {
		o.errors.Store(0)
	}
}
