package state

import (
	"bytes"
	"context"
	"encoding/binary"

	"go.etcd.io/bbolt"
)

// Get is Entries.Get.
func (f *file) Get(_ context.Context, key string) (Entry, error) {
	var entry Entry
	now := f.now()
	err := f.view(func(tx *bbolt.Tx) error {
		data := tx.Bucket(entriesBucket).Get([]byte(key))
		if data == nil {
			return ErrNotFound
		}
		r, err := f.parse(data)
		switch {
		case err != nil:
			return err
		case expired(r.expires, now):
			return ErrNotFound
		}
		entry = r.entry(key)
		return nil
	})
	return entry, err
}

// parse is parse with the error of a damaged file.
func (f *file) parse(data []byte) (record, error) {
	r, err := parse(data)
	if err != nil {
		return record{}, damaged(f.path, err.Error())
	}
	return r, nil
}

// List is Entries.List.
func (f *file) List(_ context.Context, r Range) ([]Entry, error) {
	var found []Entry
	now := f.now()
	err := f.view(func(tx *bbolt.Tx) error {
		size, prefix := 0, []byte(r.Prefix)
		cursor := tx.Bucket(entriesBucket).Cursor()
		key, data := cursor.Seek([]byte(max(r.Prefix, r.After)))
		if r.After != "" && string(key) == r.After {
			key, data = cursor.Next()
		}
		for ; bytes.HasPrefix(key, prefix) && key != nil; key, data = cursor.Next() {
			record, err := f.parse(data)
			if err != nil {
				return err
			}
			if expired(record.expires, now) {
				continue
			}
			found = append(found, record.entry(string(key)))
			size += len(record.value)
			if len(found) == r.Limit || size >= pageBytes {
				break
			}
		}
		return nil
	})
	return found, err
}

// look returns the events after a position that are there.
func (f *file) look(t Tail) ([]Event, error) {
	var found []Event
	err := f.view(func(tx *bbolt.Tx) error {
		events := tx.Bucket(logsBucket).Bucket([]byte(t.Log))
		switch {
		case events == nil && t.After == 0:
			return nil
		case events == nil:
			return ErrTrimmed
		case t.After == events.Sequence():
			return nil
		}
		size, next := 0, t.After+1
		cursor := events.Cursor()
		key, data := cursor.Seek(number(next))
		// None at all when the position is beyond the newest.
		if key == nil || binary.BigEndian.Uint64(key) != next {
			return ErrTrimmed
		}
		for ; key != nil && len(found) < t.Limit && size < pageBytes; key, data = cursor.Next() {
			position := binary.BigEndian.Uint64(key)
			found = append(found, Event{Position: position, Data: bytes.Clone(data)})
			size += len(data)
		}
		return nil
	})
	return found, err
}
