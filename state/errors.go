package state

import (
	"errors"
	"fmt"
)

// What can be wrong. [KeyError] says with which key.
var (
	// ErrNotFound is an entry that is absent or has expired.
	ErrNotFound = errors.New("not found")
	// ErrConflict is an entry whose version is not the one a write was made for.
	ErrConflict = errors.New("changed by somebody else meanwhile")
	// ErrTrimmed is a position whose next event is no longer in the log. The reader
	// has to read everything anew: first Log.Newest, then the entries, then Follow
	// from there.
	ErrTrimmed = errors.New("events after this position are gone")
	// ErrClosed is a store that was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrTooLarge is more than a store takes.
	ErrTooLarge = errors.New("too large")
	// ErrInvalid is a key that no engine could keep, or a time to live or a guard
	// that makes no sense.
	ErrInvalid = errors.New("invalid")
	// ErrDamaged is a file whose content cannot be right.
	ErrDamaged = errors.New("the file is damaged")
	// ErrLocked is a file that another process works with.
	ErrLocked = errors.New("another process has it open")
)

// KeyError is an error with the key or log that it concerns.
type KeyError struct {
	Op  string // get, list, write or follow
	Key string
	Err error
}

// maxShown is how much of a key an error shows.
const maxShown = 120

func (e *KeyError) Error() string {
	key, cut := e.Key, ""
	if len(key) > maxShown {
		key, cut = key[:maxShown], "..."
	}
	return fmt.Sprintf("state: %s %q%s: %s", e.Op, key, cut, e.Err)
}

func (e *KeyError) Unwrap() error { return e.Err }

// Conflict is the error of an engine for a write whose guard on key was wrong.
func Conflict(key string) error {
	return &KeyError{Op: "write", Key: key, Err: ErrConflict}
}

// named adds the key to an error that does not have it yet.
func named(op, key string, err error) error {
	var has *KeyError
	if err == nil || errors.As(err, &has) {
		return err
	}
	return &KeyError{Op: op, Key: key, Err: err}
}
