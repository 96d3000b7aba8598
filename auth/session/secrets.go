package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"doorward/state"
)

// Secrets returns what is kept of the session in the store alone; nil when there is
// nothing.
func (m *Manager) Secrets(ctx context.Context, s *Session) ([]byte, error) {
	entry, err := m.store.Get(ctx, secretKey(s.public))
	if errors.Is(err, state.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	secrets, err := m.open(secretPurpose, entry)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return secrets, nil
}

// SetSecrets replaces them; nil removes them. ErrEnded when the session has ended,
// so that none are left behind.
func (m *Manager) SetSecrets(ctx context.Context, s *Session, secrets []byte) error {
	if len(secrets) > maxSecrets {
		return fmt.Errorf("session: %w: secrets of more than %d bytes", ErrInvalid, maxSecrets)
	}
	err := m.update(ctx, s, func() ([]state.Change, func([]uint64)) {
		change := state.Delete(secretKey(s.public))
		if len(secrets) > 0 {
			change = m.secret(s, secrets, s.rest(m.now().UnixNano()))
		}
		expect := state.Expect(recordKey(s.public), s.version)
		return []state.Change{expect, change}, func([]uint64) {}
	})
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	return nil
}

func (m *Manager) secret(s *Session, secrets []byte, rest time.Duration) state.Change {
	return m.put(secretPurpose, secretKey(s.public), secrets, rest)
}
