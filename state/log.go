package state

import (
	"context"
	"iter"
)

// Log is an ordered log of events in a store. Its methods may be called by many
// goroutines.
type Log struct {
	store *Store
	name  string
	keep  int
}

// Log returns the log of that name, which is a key of its own kind: a log and an
// entry may have the same. Appending keeps at least the newest keep events.
func (s *Store) Log(name string, keep int) *Log {
	return &Log{store: s, name: name, keep: keep}
}

// Append adds an event and returns its position.
func (l *Log) Append(ctx context.Context, event []byte) (uint64, error) {
	return l.store.one(ctx, l.Appending(event))
}

// Appending is an Append that is part of a larger [Store.Write].
func (l *Log) Appending(event []byte) Change { return Append(l.name, event, l.keep) }

// Newest returns the position of the last event, 0 before the first.
func (l *Log) Newest(ctx context.Context) (uint64, error) {
	if err := ready(ctx, l.name); err != nil {
		return 0, named("follow", l.name, err)
	}
	position, err := l.store.engine.Newest(ctx, l.name)
	return position, named("follow", l.name, err)
}

// Follow is the events after the position, in order and without a gap, those that
// are there and then those that come, until the context ends or the caller stops.
// An error is the last thing that comes: the context's own, [ErrClosed], or
// [ErrTrimmed] when the next event is gone.
func (l *Log) Follow(ctx context.Context, after uint64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for tail := (Tail{Log: l.name, After: after, Limit: MaxPage}); ; {
			events, err := l.next(ctx, tail)
			if err != nil {
				yield(Event{}, named("follow", l.name, err))
				return
			}
			for _, event := range events {
				if !yield(event, nil) {
					return
				}
				tail.After = event.Position
			}
		}
	}
}

func (l *Log) next(ctx context.Context, tail Tail) ([]Event, error) {
	if err := ready(ctx, l.name); err != nil {
		return nil, err
	}
	return l.store.engine.Follow(ctx, tail)
}
