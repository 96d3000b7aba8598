package state

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
)

// secretSize is the length of a secret in bytes.
const secretSize = 32

// Secret returns 32 random bytes that are made the first time somebody asks for
// the name, and are the same for everybody who shares the store. They are kept
// under "secret/NAME"; deleting that entry makes another secret.
func (s *Store) Secret(ctx context.Context, name string) ([]byte, error) {
	key := "secret/" + name
	if err := checkKey(name); err != nil {
		return nil, named("get", key, err)
	}
	entry, err := s.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		entry, err = s.makeSecret(ctx, key)
	}
	if err != nil {
		return nil, err
	}
	if len(entry.Value) != secretSize {
		return nil, named("get", key, fmt.Errorf(
			"%w: %d bytes are no secret of ours, which has %d; delete the entry for a new one",
			ErrInvalid, len(entry.Value), secretSize))
	}
	return entry.Value, nil
}

// makeSecret lets the first of several win, so that all get the same.
func (s *Store) makeSecret(ctx context.Context, key string) (Entry, error) {
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret) // never fails, by its documentation
	_, err := s.CompareAndSwap(ctx, key, 0, secret, 0)
	if errors.Is(err, ErrConflict) {
		return s.Get(ctx, key)
	}
	return Entry{Value: secret}, err
}
