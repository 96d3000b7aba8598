package acme

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"doorward/state"
)

// Where things are in the store. What certmagic keeps has a branch of its own,
// so that none of its keys can be taken for one of ours.
const (
	keptPrefix      = "acme/kept/"
	lockPrefix      = "acme/lock/"
	ordersPrefix    = "acme/orders/"
	triesPrefix     = "acme/tries/"
	accountPrefix   = "acme/account/"
	challengePrefix = "acme/challenge/"
)

// Storage is a store in the form certmagic takes: files in folders, with locks
// that all users of the store share. It may be used by many goroutines.
type Storage struct {
	store *state.Store
	log   *zap.Logger
	lease time.Duration

	mu   sync.Mutex
	held map[string]*lock
}

var _ certmagic.Storage = (*Storage)(nil)

// NewStorage makes a Storage of a store. A lock outlives a holder that died by
// lease; while he lives he renews it.
func NewStorage(store *state.Store, lease time.Duration, log *zap.Logger) *Storage {
	return &Storage{store: store, log: log, lease: lease, held: map[string]*lock{}}
}

// Store writes a file. One larger than state.MaxValue is state.ErrTooLarge.
func (s *Storage) Store(ctx context.Context, key string, value []byte) error {
	_, err := s.store.Set(ctx, keptPrefix+key, value, 0)
	return err
}

// Load reads a file; fs.ErrNotExist when there is none.
func (s *Storage) Load(ctx context.Context, key string) ([]byte, error) {
	entry, err := s.store.Get(ctx, keptPrefix+key)
	return entry.Value, absent(key, err)
}

// Delete removes a file, or a folder with all that is in it. One that is absent
// is no error.
func (s *Storage) Delete(ctx context.Context, key string) error {
	changes := []state.Change{state.Delete(keptPrefix + key)}
	for entry, err := range s.store.All(ctx, keptPrefix+key+"/") {
		if err != nil {
			return err
		}
		if len(changes) == state.MaxChanges {
			if _, err := s.store.Write(ctx, changes...); err != nil {
				return err
			}
			changes = changes[:0]
		}
		changes = append(changes, state.Delete(entry.Key))
	}
	_, err := s.store.Write(ctx, changes...)
	return err
}

// Exists reports whether there is a file, or a folder with something in it.
func (s *Storage) Exists(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return err == nil
}

// List returns what is in a folder, as whole keys: files and folders in it, or
// with recursive the files in it and below. fs.ErrNotExist when it has nothing.
func (s *Storage) List(ctx context.Context, folder string, recursive bool) ([]string, error) {
	prefix := keptPrefix
	if folder != "" {
		prefix += folder + "/"
	}
	var keys []string
	for entry, err := range s.store.All(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		name := entry.Key[len(prefix):]
		if !recursive {
			name, _, _ = strings.Cut(name, "/")
		}
		key := prefix[len(keptPrefix):] + name
		if len(keys) == 0 || keys[len(keys)-1] != key {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, absent(folder, state.ErrNotFound)
	}
	return keys, nil
}

// Stat tells what is at a key, without the time it was written.
func (s *Storage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	entry, err := s.store.Get(ctx, keptPrefix+key)
	if err == nil {
		return certmagic.KeyInfo{Key: key, Size: int64(len(entry.Value)), IsTerminal: true}, nil
	}
	if !errors.Is(err, state.ErrNotFound) {
		return certmagic.KeyInfo{}, err
	}
	below, err := s.store.List(ctx, state.Range{Prefix: keptPrefix + key + "/", Limit: 1})
	if err == nil && len(below) == 0 {
		err = state.ErrNotFound
	}
	return certmagic.KeyInfo{Key: key}, absent(key, err)
}

// absent says "there is none" in the words that certmagic understands.
func absent(key string, err error) error {
	if errors.Is(err, state.ErrNotFound) {
		return fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	}
	return err
}
