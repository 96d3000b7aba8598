package proxy

import (
	"net/http"
	"sync/atomic"

	"doorward/internal/access"
	"doorward/internal/tally"
	"doorward/proxy/backend"
)

// ListenerCounts are what a listener has counted. They may outlive it. A nil
// *ListenerCounts counts nothing.
type ListenerCounts struct {
	// Tally counts its requests.
	Tally *tally.Tally

	open, total atomic.Int64
}

// NewListenerCounts makes counts that begin at zero.
func NewListenerCounts() *ListenerCounts { return &ListenerCounts{Tally: tally.New()} }

// Open is how many connections the listener has.
func (c *ListenerCounts) Open() int64 {
	if c == nil {
		return 0
	}
	return c.open.Load()
}

// Total is how many connections the listener had.
func (c *ListenerCounts) Total() int64 { return c.total.Load() }

func (c *ListenerCounts) begin() {
	if c != nil {
		c.open.Add(1)
		c.total.Add(1)
	}
}

func (c *ListenerCounts) end() {
	if c != nil {
		c.open.Add(-1)
	}
}

func (c *ListenerCounts) at(n int) *tally.Cell {
	if c == nil {
		return nil
	}
	return c.Tally.At(n)
}

// count adds the finished exchange to what its listener, its route and its server
// have counted, each in the cell of this connection.
func (x *exchange) count() {
	x.countAt(x.c.l.Counts.at(x.c.shard))
	if x.route == nil {
		return
	}
	x.countAt(x.route.Tally.At(x.c.shard))
	switch {
	case x.last != nil:
		x.countAt(x.last.Tally().At(x.c.shard))
	case x.backend != nil:
		x.countAt(x.backend.Tally().At(x.c.shard))
	}
}

func (x *exchange) countAt(c *tally.Cell) {
	r := &x.rec
	c.Request(r.Status, r.BytesIn, r.BytesOut)
	if r.Termination[0] != 'L' { // our own pages may be open for hours
		c.Took(tally.Queue, r.Queue)
		c.Took(tally.Connect, r.Connect)
		c.Took(tally.Response, r.Response)
		c.Took(tally.Total, r.Active)
	}
	if r.Termination[0] != '-' {
		if e, ok := endOf(r); ok {
			c.Count(e)
		}
	}
}

// endOf is what a termination state means to the counters.
func endOf(r *access.Record) (e tally.Event, ok bool) {
	who, phase := r.Termination[0], r.Termination[1]
	switch {
	case who == 'L':
		return tally.Local, true
	case who == 'C', who == 'c':
		return tally.ClientAborted, true
	case who == 'P' && phase == 'R':
		switch r.Status {
		case http.StatusForbidden, http.StatusTooManyRequests:
			return tally.Denied, true
		}
		return tally.Invalid, true
	case who == 'P', phase == 'H':
		return tally.AnswerFailed, true
	case (who == 'S' || who == 's') && phase == 'D':
		return tally.ServerAborted, true
	}
	return 0, false
}

// countEvent counts what happened to the exchange at a server on its way.
func (x *exchange) countEvent(e tally.Event, s *backend.Server) {
	x.c.l.Counts.at(x.c.shard).Count(e)
	x.route.Tally.At(x.c.shard).Count(e)
	s.Tally().At(x.c.shard).Count(e)
}
