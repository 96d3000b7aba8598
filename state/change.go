package state

import "time"

// Action is what a [Change] does.
type Action uint8

// The actions.
const (
	// DoPut writes an entry.
	DoPut Action = iota
	// DoDelete removes an entry; one that is absent is no error.
	DoDelete
	// DoAppend adds an event to a log.
	DoAppend
	// DoExpect does nothing: only its guard matters.
	DoExpect
)

// Change is one part of a write. The functions below make them.
type Change struct {
	Do    Action        // what the other fields are for
	Key   string        // of the entry, or the name of the log
	Value []byte        // of the entry, or the event
	TTL   time.Duration // of the entry; 0: for ever
	Keep  int           // of a log: how many events have to stay

	// Guarded makes the whole write depend on the entry having Version, where 0 is
	// an entry that is absent.
	Guarded bool
	Version uint64
}

// Put writes an entry that lives for ttl, rounded up to milliseconds; 0 is
// for ever.
func Put(key string, value []byte, ttl time.Duration) Change {
	return Change{Do: DoPut, Key: key, Value: value, TTL: ttl}
}

// Delete removes an entry.
func Delete(key string) Change { return Change{Do: DoDelete, Key: key} }

// Append adds an event to a log that has to keep that many; older ones may be
// gone at any time.
func Append(log string, event []byte, keep int) Change {
	return Change{Do: DoAppend, Key: log, Value: event, Keep: keep}
}

// Expect changes nothing, and lets the write happen only if the entry has
// this version, where 0 is an entry that is absent.
func Expect(key string, version uint64) Change {
	return Change{Do: DoExpect, Key: key, Guarded: true, Version: version}
}

// If returns the same change of an entry, made only if the entry has this
// version, where 0 is an entry that is absent.
func (c Change) If(version uint64) Change {
	c.Guarded, c.Version = true, version
	return c
}
