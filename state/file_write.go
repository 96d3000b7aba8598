package state

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"
)

const (
	// maxGather is how many writes share one wait for the disk.
	maxGather = 256
	// maxTrim is how many events one append removes, so that a log that has to keep
	// fewer than before shrinks little by little.
	maxTrim = 16
	// logFill is how full the pages of a log are made: they are written in order.
	logFill = 0.9
)

// errUnchanged makes a transaction end without a wait for the disk.
var errUnchanged = errors.New("nothing changed")

// write is one Write on its way to the disk.
type write struct {
	changes []Change
	results []uint64
	err     error
	done    chan struct{}
}

// Write is Entries.Write. One goroutine writes for all: what comes while it waits
// for the disk goes there together the next time, so that many writers cost
// little more than one, and one alone waits for nobody.
func (f *file) Write(ctx context.Context, changes []Change) ([]uint64, error) {
	w := &write{changes: changes, done: make(chan struct{})}
	select {
	case f.writes <- w:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.stopped:
		return nil, ErrClosed
	}
	<-w.done
	return w.results, w.err
}

// run is the writer.
func (f *file) run() {
	defer close(f.stopped)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case w := <-f.writes:
			f.commit(f.gather(w))
		case <-tick.C:
			f.sweep()
		case <-f.closed:
			return
		}
	}
}

// gather returns the write together with those that wait behind it.
func (f *file) gather(first *write) []*write {
	writes := []*write{first}
	for size := first.size(); len(writes) < maxGather && size < MaxWrite; {
		select {
		case w := <-f.writes:
			writes = append(writes, w)
			size += w.size()
		default:
			return writes
		}
	}
	return writes
}

func (w *write) size() int {
	size := 0
	for _, c := range w.changes {
		size += len(c.Value)
	}
	return size
}

// commit makes the writes one transaction. Each finds what those before it did,
// and a conflict of one is nothing to the others.
func (f *file) commit(writes []*write) {
	now := f.now()
	err := f.update(func(tx *bbolt.Tx) error {
		result := errUnchanged
		for _, w := range writes {
			w.results, w.err = f.apply(tx, w.changes, now)
			switch {
			case w.err == nil:
				result = nil
			case !errors.Is(w.err, ErrConflict):
				return w.err
			}
		}
		return result
	})
	for _, w := range writes {
		if err != nil && err != errUnchanged {
			w.results, w.err = nil, err
		}
		if w.err == nil {
			f.bell.ring(w.changes)
		}
		close(w.done)
	}
}

// apply makes the changes of one write. It changes nothing before it has looked
// at all guards.
func (f *file) apply(tx *bbolt.Tx, changes []Change, now time.Time) ([]uint64, error) {
	entries, logs := tx.Bucket(entriesBucket), tx.Bucket(logsBucket)
	for _, c := range changes {
		if !c.Guarded {
			continue
		}
		version, err := f.version(entries, c.Key, now)
		if err != nil {
			return nil, err
		}
		if version != c.Version {
			return nil, Conflict(c.Key)
		}
	}
	version, err := entries.NextSequence()
	if err != nil {
		return nil, err
	}
	results := make([]uint64, len(changes))
	for i, c := range changes {
		switch c.Do {
		case DoPut:
			results[i] = version
			record := record{value: c.Value, version: version, expires: expiry(now, c.TTL)}
			err = entries.Put([]byte(c.Key), record.format())
		case DoDelete:
			err = entries.Delete([]byte(c.Key))
		case DoAppend:
			results[i], err = appendEvent(logs, c)
		}
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}

// version is that of an entry, 0 if it is absent.
func (f *file) version(entries *bbolt.Bucket, key string, now time.Time) (uint64, error) {
	data := entries.Get([]byte(key))
	if data == nil {
		return 0, nil
	}
	r, err := f.parse(data)
	if err != nil || expired(r.expires, now) {
		return 0, err
	}
	return r.version, nil
}

// appendEvent adds an event to its log, and removes what the log need not keep.
func appendEvent(logs *bbolt.Bucket, c Change) (uint64, error) {
	log, err := logs.CreateBucketIfNotExists([]byte(c.Key))
	if err != nil {
		return 0, err
	}
	log.FillPercent = logFill
	position, err := log.NextSequence()
	if err != nil {
		return 0, err
	}
	// An empty event must not look like the bucket of a log in a log.
	if err := log.Put(number(position), append([]byte{}, c.Value...)); err != nil {
		return 0, err
	}
	for range maxTrim {
		oldest, _ := log.Cursor().First()
		if position-binary.BigEndian.Uint64(oldest) < uint64(c.Keep) {
			break
		}
		if err := log.Delete(oldest); err != nil {
			return 0, err
		}
	}
	return position, nil
}

// sweep removes what has expired among the next entries. Only the writer changes
// entries, so what it saw in the first transaction holds in the second.
func (f *file) sweep() {
	var dead [][]byte
	next, now := f.swept, f.now()
	err := f.view(func(tx *bbolt.Tx) (err error) {
		dead, next, err = f.dead(tx, now)
		return err
	})
	if err == nil && len(dead) > 0 {
		err = f.update(func(tx *bbolt.Tx) error {
			entries := tx.Bucket(entriesBucket)
			for _, key := range dead {
				if err := entries.Delete(key); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil && !f.sweepErr {
		f.log.Error("expired state stays in the file", zap.String("file", f.path), zap.Error(err))
	}
	f.sweepErr = err != nil
	if err == nil {
		f.swept = next
	}
}

// dead returns the keys that have expired among the next entries, and where to go
// on the next time.
func (f *file) dead(tx *bbolt.Tx, now time.Time) (dead [][]byte, last []byte, err error) {
	cursor := tx.Bucket(entriesBucket).Cursor()
	key, data := cursor.Seek(f.swept)
	for range sweepSpan {
		if key == nil {
			return dead, nil, nil // from the start again
		}
		r, err := f.parse(data)
		if err != nil {
			return nil, nil, err
		}
		if expired(r.expires, now) {
			dead = append(dead, bytes.Clone(key))
		}
		last = bytes.Clone(key)
		key, data = cursor.Next()
	}
	return dead, last, nil
}
