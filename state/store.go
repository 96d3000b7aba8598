package state

import (
	"context"
	"fmt"
	"iter"
	"time"
	"unicode"
	"unicode/utf8"
)

// Store is an engine with the methods that are convenient to use. They may be
// called by many goroutines. All errors but those of [Open] and Close are a
// [KeyError], also the context's own.
//
// A key is 1 to MaxKey bytes of UTF-8 without control characters. By custom it is
// a path that begins with what it is about, but no part of it has a meaning here:
// ".." is as good as any other name.
type Store struct {
	engine Engine
}

// New makes a Store of an engine, which then belongs to it.
func New(engine Engine) *Store { return &Store{engine: engine} }

// Get returns an entry, or ErrNotFound.
func (s *Store) Get(ctx context.Context, key string) (Entry, error) {
	if err := ready(ctx, key); err != nil {
		return Entry{}, named("get", key, err)
	}
	entry, err := s.engine.Get(ctx, key)
	return entry, named("get", key, err)
}

// Set writes an entry whatever it was before, and returns its version. It lives
// for ttl, rounded up to milliseconds; 0 is for ever.
func (s *Store) Set(
	ctx context.Context, key string, value []byte, ttl time.Duration,
) (uint64, error) {
	return s.one(ctx, Put(key, value, ttl))
}

// CompareAndSwap is Set for an entry that still has the version it was read with,
// or 0 for one that must not be there yet. ErrConflict if it has not.
func (s *Store) CompareAndSwap(
	ctx context.Context, key string, version uint64, value []byte, ttl time.Duration,
) (uint64, error) {
	return s.one(ctx, Put(key, value, ttl).If(version))
}

// Delete removes an entry. One that is absent is no error.
func (s *Store) Delete(ctx context.Context, key string) error {
	_, err := s.one(ctx, Delete(key))
	return err
}

func (s *Store) one(ctx context.Context, c Change) (uint64, error) {
	results, err := s.Write(ctx, c)
	if err != nil {
		return 0, err
	}
	return results[0], nil
}

// Write makes all changes or none. It returns one number for each: the version of
// what was put, the position of what was appended, else 0. The guards are
// compared with how things were before the first change.
//
// When it returns nil the changes are safe: a file has them on the disk. After
// ErrConflict, and errors about the changes themselves, nothing was changed. After
// any other error they were made as a whole or not at all. The context can keep a
// write from beginning, but may not end one that has begun.
func (s *Store) Write(ctx context.Context, changes ...Change) ([]uint64, error) {
	if len(changes) == 0 {
		return nil, nil
	}
	first := changes[0].Key
	if err := ready(ctx, first); err != nil {
		return nil, named("write", first, err)
	}
	if len(changes) > MaxChanges {
		err := fmt.Errorf("%w: %d changes, at most %d", ErrTooLarge, len(changes), MaxChanges)
		return nil, named("write", first, err)
	}
	size := 0
	for _, c := range changes {
		if err := c.check(); err != nil {
			return nil, named("write", c.Key, err)
		}
		size += len(c.Key) + len(c.Value)
	}
	if size > MaxWrite {
		err := fmt.Errorf("%w: a write of %d bytes, at most %d", ErrTooLarge, size, MaxWrite)
		return nil, named("write", first, err)
	}
	results, err := s.engine.Write(ctx, changes)
	return results, named("write", first, err)
}

// List returns a page of entries. It may be shorter than asked for, but is empty
// only when nothing is left. What is written meanwhile may be in it or not; an
// entry that is there all the time comes exactly once in the pages together.
func (s *Store) List(ctx context.Context, r Range) ([]Entry, error) {
	for _, part := range []string{r.Prefix, r.After} {
		if len(part) > MaxKey {
			return nil, named("list", part, fmt.Errorf("%w: %w key", ErrInvalid, ErrTooLarge))
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, named("list", r.Prefix, err)
	}
	r.Limit = page(r.Limit)
	entries, err := s.engine.List(ctx, r)
	return entries, named("list", r.Prefix, err)
}

// All is the entries whose keys begin with prefix, in order, read page by page as
// List does. An error is the last thing that comes.
func (s *Store) All(ctx context.Context, prefix string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for r := (Range{Prefix: prefix}); ; {
			entries, err := s.List(ctx, r)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if len(entries) == 0 {
				return
			}
			for _, entry := range entries {
				if !yield(entry, nil) {
					return
				}
				r.After = entry.Key
			}
		}
	}
}

// Close ends the use of the store: calls that wait return ErrClosed, as do later
// ones. What was written is kept by engines that keep things. A second Close does
// nothing.
func (s *Store) Close() error { return s.engine.Close() }

// check tells whether every engine could do the change.
func (c Change) check() error {
	if err := checkKey(c.Key); err != nil {
		return err
	}
	switch {
	case len(c.Value) > MaxValue:
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(c.Value), MaxValue)
	case c.TTL < 0:
		return fmt.Errorf("%w time to live %s", ErrInvalid, c.TTL)
	case c.Do > DoExpect:
		return fmt.Errorf("%w action %d", ErrInvalid, c.Do)
	case c.Do == DoAppend && c.Guarded:
		return fmt.Errorf("%w: an event has no version to expect", ErrInvalid)
	case c.Do == DoAppend && c.Keep < 1:
		return fmt.Errorf("%w: a log that keeps %d events", ErrInvalid, c.Keep)
	}
	return nil
}

// ready is what all methods ask first.
func ready(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	return ctx.Err()
}

func checkKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: an empty key", ErrInvalid)
	case len(key) > MaxKey:
		return fmt.Errorf("%w: %w key of %d bytes, at most %d",
			ErrInvalid, ErrTooLarge, len(key), MaxKey)
	case !utf8.ValidString(key):
		return fmt.Errorf("%w: the key is not UTF-8", ErrInvalid)
	}
	for _, r := range key {
		if unicode.IsControl(r) {
			return fmt.Errorf("%w: the control character %U in the key", ErrInvalid, r)
		}
	}
	return nil
}

func page(limit int) int {
	if limit <= 0 || limit > MaxPage {
		return MaxPage
	}
	return limit
}
