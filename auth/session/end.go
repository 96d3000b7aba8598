package session

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"doorward/state"
)

// End ends a session, here at once. A store that fails is asked again until it has
// taken the end, as long as this process lives.
func (m *Manager) End(ctx context.Context, s *Session, reason string) {
	m.writing.Lock()
	defer m.writing.Unlock()
	m.end(ctx, s, reason)
}

// end is End with the writing lock held. It tells whether the session had not ended.
func (m *Manager) end(ctx context.Context, s *Session, reason string) bool {
	if !m.leave(s) {
		return false
	}
	m.log.Info("session ended", zap.String("session", s.record.ID),
		zap.String("user", s.UserName()), zap.String("reason", reason))
	m.ring()
	if err := m.writeEnd(ctx, s.record.ID); err != nil {
		m.mu.Lock()
		m.undone[s.record.ID] = reason
		m.mu.Unlock()
		m.log.Warn("the end of a session could not be written, trying again",
			zap.String("session", s.record.ID), zap.Error(err))
	}
	return true
}

// writeEnd takes a session out of the store.
func (m *Manager) writeEnd(ctx context.Context, id string) error {
	_, err := m.store.Write(context.WithoutCancel(ctx), state.Delete(sessionPrefix+id),
		state.Delete(seenPrefix+id), state.Delete(secretsPrefix+id), m.announce(event{Ended: id}))
	return err
}

// retryEnds writes the ends that the store did not take.
func (m *Manager) retryEnds(ctx context.Context) error {
	m.mu.RLock()
	var ids []string
	for id := range m.undone {
		ids = append(ids, id)
	}
	m.mu.RUnlock()
	var errs []error
	for _, id := range ids {
		if err := m.writeEnd(ctx, id); err != nil {
			errs = append(errs, err)
			continue
		}
		m.mu.Lock()
		delete(m.undone, id)
		m.mu.Unlock()
	}
	return errors.Join(errs...)
}

// EndID ends the session with a public id, and tells whether there was one.
func (m *Manager) EndID(ctx context.Context, id, reason string) bool {
	return m.endAll(ctx, reason, func(s *Session) bool { return s.record.ID == id }) > 0
}

// EndUser ends all sessions of a user, and tells how many there were.
func (m *Manager) EndUser(ctx context.Context, userID, reason string) int {
	return m.endAll(ctx, reason, func(s *Session) bool { return s.record.UserID == userID })
}

// EndUpstream ends the sessions that a provider knows by this name, because its user
// signed out there.
func (m *Manager) EndUpstream(ctx context.Context, provider, sid string) int {
	if sid == "" {
		return 0
	}
	return m.endAll(ctx, "signed out at the provider", func(s *Session) bool {
		return s.record.Provider == provider && s.record.UpstreamSID == sid
	})
}

// EndSubject ends the sessions of a provider's account.
func (m *Manager) EndSubject(ctx context.Context, provider, subject string) int {
	if subject == "" {
		return 0
	}
	return m.endAll(ctx, "signed out at the provider", func(s *Session) bool {
		return s.record.Provider == provider && s.record.Subject == subject
	})
}

// EndProvider ends all sessions that began at a provider, because it is none any more
// (security case OIDC-40).
func (m *Manager) EndProvider(ctx context.Context, provider string) int {
	return m.endAll(ctx, "the provider was removed", func(s *Session) bool {
		return s.record.Provider == provider
	})
}

func (m *Manager) endAll(ctx context.Context, reason string, which func(*Session) bool) (n int) {
	m.mu.RLock()
	var list []*Session
	for _, s := range m.sessions {
		if which(s) {
			list = append(list, s)
		}
	}
	m.mu.RUnlock()
	m.writing.Lock()
	defer m.writing.Unlock()
	for _, s := range list {
		if m.end(ctx, s, reason) {
			n++
		}
	}
	return n
}

// Changed is to be called when a user was changed: sessions that may not go on end,
// and what the others hold open is looked at.
func (m *Manager) Changed(userID string) {
	m.mu.RLock()
	n := len(m.byUser[userID])
	m.mu.RUnlock()
	if n > 0 {
		m.ring()
	}
}

// ring has Ended called soon.
func (m *Manager) ring() {
	select {
	case m.rang <- struct{}{}:
	default:
	}
}

func (m *Manager) telling(ctx context.Context) {
	for {
		select {
		case <-m.rang:
			m.ended()
		case <-ctx.Done():
			return
		}
	}
}
