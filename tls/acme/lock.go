package acme

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"go.uber.org/zap"

	"doorward/internal/safe"
	"doorward/state"
)

// lockPoll is about how long somebody waits before he asks for a lock again.
const lockPoll = 250 * time.Millisecond

// errLockLost means that a lock ended before its holder gave it back, for the
// store could not be written for as long as the lease.
var errLockLost = errors.New("the lock was lost to somebody else")

// lock is a lock that this process holds. It is an entry of the store that
// expires; a goroutine writes it anew long before.
type lock struct {
	key     string
	mark    []byte
	version uint64
	stop    chan struct{}
	stopped chan struct{}
}

// Lock waits until nobody holds the lock, and takes it. A holder that died loses
// it after the lease.
func (s *Storage) Lock(ctx context.Context, name string) error {
	l := &lock{key: lockPrefix + name, mark: []byte(rand.Text())}
	for {
		taken, err := s.take(ctx, name, l)
		if err != nil {
			return err
		}
		if taken {
			break
		}
		// Not all at once: those who wait for the same lock would meet again.
		wait := time.NewTimer(lockPoll/2 + mathrand.N(lockPoll))
		select {
		case <-ctx.Done():
			wait.Stop()
			return fmt.Errorf("waiting for the lock %s: %w", name, ctx.Err())
		case <-wait.C:
		}
	}
	l.stop, l.stopped = make(chan struct{}), make(chan struct{})
	s.mu.Lock()
	s.held[name] = l
	s.mu.Unlock()
	safe.Go(s.log, "acme lock", func() {
		defer close(l.stopped)
		s.keep(l)
	})
	return nil
}

// take tries once. It reads first: a write that fails costs more. A holder in this
// process has the lock until it gives it back, even one that has lost it: Unlock knows
// holders by no more than the name of the lock.
func (s *Storage) take(ctx context.Context, name string, l *lock) (bool, error) {
	s.mu.Lock()
	ours := s.held[name] != nil
	s.mu.Unlock()
	if ours {
		return false, nil
	}
	_, err := s.store.Get(ctx, l.key)
	if err == nil {
		return false, nil
	}
	if !errors.Is(err, state.ErrNotFound) {
		return false, err
	}
	l.version, err = s.store.CompareAndSwap(ctx, l.key, 0, l.mark, s.lease)
	if errors.Is(err, state.ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

// keep renews a lock until it is given back or lost.
func (s *Storage) keep(l *lock) {
	renew := time.NewTicker(s.lease / 3)
	defer renew.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-renew.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), s.lease/3)
		version, err := s.store.CompareAndSwap(ctx, l.key, l.version, l.mark, s.lease)
		cancel()
		switch {
		case err == nil:
			l.version = version
		case errors.Is(err, state.ErrConflict), errors.Is(err, state.ErrClosed):
			return
		default:
			s.log.Warn("lock not renewed", zap.String("lock", l.key), zap.Error(err))
		}
	}
}

// Unlock gives a lock back.
func (s *Storage) Unlock(ctx context.Context, name string) error {
	s.mu.Lock()
	l := s.held[name]
	delete(s.held, name)
	s.mu.Unlock()
	if l == nil {
		return fmt.Errorf("unlock %s: %w", name, errLockLost)
	}
	close(l.stop)
	<-l.stopped
	_, err := s.store.Write(ctx, state.Delete(l.key).If(l.version))
	if errors.Is(err, state.ErrConflict) {
		return fmt.Errorf("unlock %s: %w", name, errLockLost)
	}
	return err
}
