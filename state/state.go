// Package state keeps what has to outlive the process, or has to be the same on
// several of them: who put a server into maintenance, sessions, accounts,
// certificates, secrets.
//
// A [Store] holds two kinds of things. Entries are values under keys such as
// "admin/BACKEND/SERVER", with a version for compare-and-swap and perhaps a time
// to live. Logs are ordered events under a name, which others follow to learn
// what changed. One [Store.Write] may change both, all of it or nothing.
//
// Behind a Store is an [Engine]: a file (bbolt) or memory. What the package
// promises is what a file and Redis can both keep, and is written down once more
// as tests, in state/statetest, that every engine has to pass.
//
// The package knows no meaning of any key, and does not watch memory: who stores
// without bound fills the disk. The request path reads memory of its own and not
// the store, since an engine may be a network away.
package state

import (
	"context"
	"io"
	"time"
)

// The bounds of what a store takes. They are far above what we keep, and low
// enough for every engine. Larger things are [ErrTooLarge].
const (
	// MaxKey is the length of a key or of a log's name, in bytes.
	MaxKey = 1024
	// MaxValue is the length of a value or of an event, in bytes.
	MaxValue = 1 << 20
	// MaxChanges is how many changes one write may have.
	MaxChanges = 1000
	// MaxWrite is how many bytes of keys and values one write may have.
	MaxWrite = 8 << 20
	// MaxPage is how many entries or events come at once.
	MaxPage = 1000
)

// pageBytes is where a page of entries or events ends early.
const pageBytes = 4 << 20

// Entry is a value as it was read.
type Entry struct {
	Key   string // that it was read under
	Value []byte // the reader's own copy
	// Version changes with every write of the entry and never comes back, not even
	// after it was deleted. It is never 0: that stands for an entry that is absent.
	Version uint64
	Expires time.Time // zero: never
}

// Event is one element of a log.
type Event struct {
	// Position counts the events of the log from 1, without gaps.
	Position uint64
	Data     []byte // the reader's own copy
}

// Range asks for a page of entries in the order of the bytes of their keys.
type Range struct {
	Prefix string // of the keys; empty: all
	After  string // the last key of the page before; empty: from the start
	Limit  int    // at most MaxPage, which 0 stands for
}

// Tail asks for the events of a log after a position.
type Tail struct {
	Log   string
	After uint64
	Limit int // at most MaxPage, which 0 stands for
}

// Engine is where a [Store] keeps its things. The Store checks and completes what
// it passes on, so an engine sees valid keys, sizes and limits. Its methods are
// called by many goroutines, also during and after Close, when they return
// [ErrClosed].
type Engine interface {
	Entries
	Events
	io.Closer
}

// Entries is the part of an engine that has the entries. An entry that has
// expired is absent for all three methods, from that moment on.
type Entries interface {
	// Get returns ErrNotFound for an entry that is absent.
	Get(ctx context.Context, key string) (Entry, error)
	// List returns the next page. It may be shorter than asked for, but is empty
	// only when nothing is left. An entry that is there through all pages comes
	// exactly once.
	List(ctx context.Context, r Range) ([]Entry, error)
	// Write does all changes or none, and nobody sees some of them alone. The
	// guards are compared with the state before the first change; [Conflict] when
	// one differs. When it returns, the changes will survive what the engine is
	// there to survive. For each change it returns the new version (DoPut), the
	// position (DoAppend), or 0.
	Write(ctx context.Context, changes []Change) ([]uint64, error)
}

// Events is the part of an engine that has the logs.
type Events interface {
	// Newest returns the position of the last event, 0 before the first.
	Newest(ctx context.Context, log string) (uint64, error)
	// Follow waits until there are events after the position and returns them, in
	// order and without a gap. ErrTrimmed when the next one is gone already, or
	// when the log has never come as far as the position.
	Follow(ctx context.Context, t Tail) ([]Event, error)
}
