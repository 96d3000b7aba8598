// Package tally counts requests without a lock: what the request path adds to,
// and what the statistics add up. It exists so that packages proxy, proxy/backend
// and stats need not know each other.
//
// A Tally belongs to one thing that is counted: a listener, a route, a server, a
// backend. It has several cells, and a connection always adds to the same one, so
// that processors hardly ever write to one cache line at a time.
package tally

import (
	"runtime"
	"sync/atomic"
)

// maxCells bounds the memory of a Tally: with thousands of servers a cell per
// processor of a large machine would add up.
const maxCells = 8

// Tally is a set of counters. Its methods may be called by many goroutines. A nil
// *Tally counts nothing and sums up to zero.
type Tally struct {
	cells []Cell
}

// New makes a Tally that is fit for the number of processors in use.
func New() *Tally {
	n := 1
	for n < maxCells && n < runtime.GOMAXPROCS(0) {
		n *= 2
	}
	return &Tally{cells: make([]Cell, n)}
}

// At is the cell for connection n, any number that stays the same for it.
func (t *Tally) At(n int) *Cell {
	if t == nil {
		return nil
	}
	return &t.cells[uint(n)%uint(len(t.cells))]
}

// Cell is one part of a Tally. A nil *Cell takes everything and counts nothing.
type Cell struct {
	requests, bytesIn, bytesOut atomic.Int64
	classes                     [6]atomic.Int64
	events                      [events]atomic.Int64
	timers                      [Timers]histogram

	_ [64]byte // neighbours do not share a cache line
}

// Request counts a finished request: its status, 0 for none, and the bytes read
// from and written to the client for it.
func (c *Cell) Request(status int, in, out int64) {
	if c == nil {
		return
	}
	c.requests.Add(1)
	c.classes[class(status)].Add(1)
	c.bytesIn.Add(in)
	c.bytesOut.Add(out)
}

// class is the first digit of a status that is one, else 0.
func class(status int) int {
	if status < 100 || status > 599 {
		return 0
	}
	return status / 100
}

// Count counts one event.
func (c *Cell) Count(e Event) {
	if c != nil {
		c.events[e].Add(1)
	}
}

// Event is something worth a counter that most requests do without.
type Event uint8

// The events, with HAProxy's names for them in its CSV.
const (
	// Denied is a request that rules refused (dreq).
	Denied Event = iota
	// Invalid is a request that was wrong (ereq).
	Invalid
	// ConnectFailed is a connection to a server that came to nothing (econ).
	ConnectFailed
	// AnswerFailed is an answer that was none, or broke off (eresp).
	AnswerFailed
	// Retried is another try at the same server (wretr).
	Retried
	// Redispatched is another try at another server (wredis).
	Redispatched
	// ClientAborted is a client that left in the middle (cli_abrt).
	ClientAborted
	// ServerAborted is a server that left in the middle (srv_abrt).
	ServerAborted
	// Local is an answer that Doorward gave itself (intercepted).
	Local
	// Sticky is a request whose server persistence chose; the others were balanced
	// (lbtot).
	Sticky

	events
)
