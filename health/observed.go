package health

import (
	"sync/atomic"
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

// Observed hears what becomes of each request to a server: one method for each
// end that there is. They may be called from any goroutine, and a good request
// costs one atomic load.
type Observed struct {
	limit  int64
	layer7 bool
	errors atomic.Int64
	// tooMany takes what the last error was, once for each time the limit is reached.
	tooMany chan string
}

// newObserved is nil where nothing is to be heard.
func newObserved(p Passive) *Observed {
	if p.Level == Off {
		return nil
	}
	return &Observed{
		limit: int64(p.Limit), layer7: p.Level == Layer7, tooMany: make(chan string, 1),
	}
}

// OK is for an answer that is not a fault of the server: a status code up to 499,
// 501 or 505.
func (o *Observed) OK() {
	if o.errors.Load() != 0 {
		o.errors.Store(0)
	}
}

// ConnectFailed is for a request that found no connection.
func (o *Observed) ConnectFailed() { o.bad("no connection") }

// BadStatus is for an answer with any other status code.
func (o *Observed) BadStatus() { o.content("bad status code") }

// NoAnswer is for a connection that broke before the answer, or in its head.
func (o *Observed) NoAnswer() { o.content("no answer") }

// TimedOut is for an answer that did not come in time.
func (o *Observed) TimedOut() { o.content("no answer in time") }

func (o *Observed) content(what string) {
	if !o.layer7 {
		o.OK()
		return
	}
	o.bad(what)
}

func (o *Observed) bad(what string) {
	n := o.errors.Add(1)
	if n < o.limit || !o.errors.CompareAndSwap(n, 0) {
		return
	}
	select {
	case o.tooMany <- what:
	default: // the one before has not been dealt with yet
	}
}
