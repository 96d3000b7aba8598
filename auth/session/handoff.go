package session

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"doorward/state"
)

// handoffTime is how long a code is good: a redirect of a browser.
const handoffTime = 30 * time.Second

// Handoff carries a session from the sign-in host to another one.
type Handoff struct {
	// Host is where it may be redeemed, Bind the hash of what tells the browser there
	// from others.
	Host string `json:"host"`
	Bind string `json:"bind"`
	// Return is where the browser goes then.
	Return string `json:"return"`
}

// ErrCode is a code that is none of ours, or was used, or is too old.
var ErrCode = errors.New("the code is not valid, or not any more")

// carried is a Handoff in the store.
type carried struct {
	Handoff
	Session string `json:"session"`
}

// Handoff makes a code by which the browser gets a ticket on another host. It is good
// once, for thirty seconds, on every process.
func (m *Manager) Handoff(ctx context.Context, s *Session, h Handoff) (string, error) {
	if !s.Valid() {
		return "", ErrEnded
	}
	plain, err := json.Marshal(carried{h, s.record.ID})
	if err != nil {
		return "", fmt.Errorf("handoff: %w", err)
	}
	code := rand.Text() + rand.Text()
	key := handoffPrefix + hashed(code)
	value := []byte(m.box.Seal("handoff", plain, []byte(key)))
	if _, err := m.store.Write(ctx, state.Put(key, value, handoffTime).If(0)); err != nil {
		return "", fmt.Errorf("handoff: %w", err)
	}
	return code, nil
}

// Redeem takes a code. Of several who try, one gets it.
func (m *Manager) Redeem(ctx context.Context, code string) (*Session, Handoff, error) {
	if len(code) == 0 || len(code) > 100 {
		return nil, Handoff{}, ErrCode
	}
	key := handoffPrefix + hashed(code)
	e, err := m.store.Get(ctx, key)
	switch {
	case errors.Is(err, state.ErrNotFound):
		return nil, Handoff{}, ErrCode
	case err != nil:
		return nil, Handoff{}, fmt.Errorf("handoff: %w", err)
	}
	switch _, err := m.store.Write(ctx, state.Delete(key).If(e.Version)); {
	case errors.Is(err, state.ErrConflict):
		return nil, Handoff{}, ErrCode
	case err != nil:
		return nil, Handoff{}, fmt.Errorf("handoff: %w", err)
	}
	plain, err := m.box.Open("handoff", string(e.Value), []byte(key))
	if err != nil {
		return nil, Handoff{}, ErrCode
	}
	var c carried
	if err := json.Unmarshal(plain, &c); err != nil {
		return nil, Handoff{}, ErrCode
	}
	s, err := m.known(ctx, c.Session)
	return s, c.Handoff, err
}

// known is the session with that id, read from the store if another process began it
// a moment ago.
func (m *Manager) known(ctx context.Context, id string) (*Session, error) {
	if s := m.ByID(id); s != nil {
		return s, nil
	}
	if err := m.reread(ctx, id); err != nil {
		return nil, err
	}
	if s := m.ByID(id); s != nil {
		return s, nil
	}
	return nil, ErrEnded
}

// Once tells whether nobody has marked the key before, on any process, and marks it
// for that long.
func (m *Manager) Once(ctx context.Context, key string, ttl time.Duration) (first bool, err error) {
	_, err = m.store.Write(ctx, state.Put(oncePrefix+hashed(key), nil, ttl).If(0))
	if errors.Is(err, state.ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

// putSecrets is the write of what only the store has.
func (m *Manager) putSecrets(r *record, secrets []byte) state.Change {
	sealed := m.box.Seal("session secrets", secrets, []byte(r.ID))
	return state.Put(secretsPrefix+r.ID, []byte(sealed), m.left(r))
}

// Secrets returns the tokens of the provider that were given for the session, nil when
// there are none.
func (m *Manager) Secrets(ctx context.Context, s *Session) ([]byte, error) {
	e, err := m.store.Get(ctx, secretsPrefix+s.record.ID)
	switch {
	case errors.Is(err, state.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("secrets of a session: %w", err)
	}
	return m.box.Open("session secrets", string(e.Value), []byte(s.record.ID))
}

// SetSecrets replaces them. Nothing is left behind for a session that has ended.
func (m *Manager) SetSecrets(ctx context.Context, s *Session, secrets []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	for s.Valid() {
		_, version := m.as(s)
		_, err := m.store.Write(ctx, m.putSecrets(&s.record, secrets),
			state.Expect(sessionPrefix+s.record.ID, version))
		if !errors.Is(err, state.ErrConflict) {
			return err
		}
		if err := m.refresh(ctx, s); err != nil {
			return err
		}
	}
	return ErrEnded
}
