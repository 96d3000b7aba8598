package assert

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"doorward/internal/safe"
)

// Algorithm is how tokens are signed, by its name in RFC 7518 section 3.1.
type Algorithm string

// The algorithms: ES256 for those who can choose, RS256 for those who cannot.
const (
	ES256 Algorithm = "ES256"
	RS256 Algorithm = "RS256"
)

// The life of keys. A key is published a day before it signs, so that everybody who
// keeps the list for a while has it by then; and for a week after, so that nobody
// wonders where it went.
const (
	keyLife     = 90 * 24 * time.Hour
	publishTime = 24 * time.Hour
	retainTime  = 7 * 24 * time.Hour
	lookEvery   = time.Hour
)

// ErrStale is a vault whose content somebody else has changed since it was read.
var ErrStale = errors.New("changed by somebody else meanwhile")

// Vault keeps the private keys, and keeps them secret.
type Vault interface {
	// Load returns what was saved last, and its version; nothing and 0 when there is
	// nothing yet.
	Load(ctx context.Context) (data []byte, version uint64, err error)
	// Save replaces what has that version, or returns ErrStale.
	Save(ctx context.Context, data []byte, version uint64) error
}

// KeyOptions describes Keys.
type KeyOptions struct {
	// Vault is where the keys are kept.
	Vault Vault
	// Now tells the time; nil is time.Now. A nil Log is silent.
	Now func() time.Time
	Log *zap.Logger
}

// Keys are the keys that tokens are signed with, the same for all processes that share
// the vault. They are renewed in time. The methods may be called by many goroutines.
type Keys struct {
	vault Vault
	now   func() time.Time
	log   *zap.Logger
	ring  atomic.Pointer[ring]
	mu    sync.Mutex // one Refresh at a time

	stop func()
	done chan struct{}
}

// NewKeys reads the keys, or makes the first ones, and looks after them until Close.
func NewKeys(ctx context.Context, o KeyOptions) (*Keys, error) {
	k := &Keys{vault: o.Vault, now: o.Now, log: o.Log, done: make(chan struct{})}
	if k.now == nil {
		k.now = time.Now
	}
	if k.log == nil {
		k.log = zap.NewNop()
	}
	if err := k.Refresh(ctx); err != nil {
		return nil, err
	}
	ctx, k.stop = context.WithCancel(context.WithoutCancel(ctx))
	safe.Go(k.log, "signing keys", func() {
		defer close(k.done)
		k.look(ctx)
	})
	return k, nil
}

// Close ends the looking after. The keys can still be used.
func (k *Keys) Close() {
	k.stop()
	<-k.done
}

func (k *Keys) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := k.Refresh(ctx); err != nil && ctx.Err() == nil {
			k.log.Warn("the signing keys stay as they are", zap.Error(err))
		}
	}
}

// maxTries is how often a change is made anew after somebody else made one.
const maxTries = 5

// Refresh reads the keys, and renews those that need it. After an error they stay as
// they were.
func (k *Keys) Refresh(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := ErrStale
	for range maxTries {
		if err = k.refresh(ctx); !errors.Is(err, ErrStale) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	return nil
}

func (k *Keys) refresh(ctx context.Context) error {
	data, version, err := k.vault.Load(ctx)
	if err != nil {
		return err
	}
	list, err := readKeys(data)
	if err != nil {
		return err
	}
	next, changed, err := renewed(list, k.now())
	if err != nil {
		return err
	}
	if changed {
		if data, err = writeKeys(next); err == nil {
			err = k.vault.Save(ctx, data, version)
		}
		if err != nil {
			return err
		}
	}
	r, err := newRing(next)
	if err == nil {
		k.ring.Store(r)
	}
	return err
}
