package session

import (
	"context"

	"go.uber.org/zap"

	"doorward/internal/safe"
	"doorward/state"
)

// endBatch is how many ends go into one write.
const endBatch = 200

// End ends a session, here at once. A store that fails is asked again until it has
// taken the end, as long as this process lives.
func (m *Manager) End(ctx context.Context, s *Session, reason string) {
	m.end(ctx, []*Session{s}, reason)
}

// end ends sessions and tells how many had not ended before.
func (m *Manager) end(ctx context.Context, list []*Session, reason string) int {
	left := m.leave(list, false)
	if len(left) == 0 {
		return 0
	}
	m.ring()
	for _, s := range left {
		m.log.Info("session ended", zap.String("session", s.record.ID),
			zap.String("user", s.UserName()), zap.String("reason", reason))
	}
	if err := m.writeEnds(context.WithoutCancel(ctx)); err != nil {
		m.log.Warn("the end of a session could not be written, trying again", zap.Error(err))
	}
	return len(left)
}

// writeEnds takes out of the store what has ended here.
func (m *Manager) writeEnds(ctx context.Context) error {
	m.ending.Lock()
	defer m.ending.Unlock()
	for {
		ids := m.unwritten()
		if len(ids) == 0 {
			return nil
		}
		changes := make([]state.Change, 0, 3*len(ids)+1)
		for _, id := range ids {
			changes = append(changes, state.Delete(sessionPrefix+id),
				state.Delete(seenPrefix+id), state.Delete(secretsPrefix+id))
		}
		changes = append(changes, m.announce(m.events, event{Ended: ids}))
		if _, err := m.store.Write(ctx, changes...); err != nil {
			return err
		}
		m.wrote(ids)
	}
}

func (m *Manager) unwritten() (ids []string) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for id, e := range m.gone {
		if !e.written {
			if ids = append(ids, id); len(ids) == endBatch {
				break
			}
		}
	}
	return ids
}

func (m *Manager) wrote(ids []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		m.gone[id] = ending{m.now(), true}
	}
}

// EndID ends the session with a public id, and tells whether there was one.
func (m *Manager) EndID(ctx context.Context, id, reason string) bool {
	m.mu.RLock()
	s := m.index.byID[id]
	m.mu.RUnlock()
	return s != nil && m.end(ctx, []*Session{s}, reason) > 0
}

// EndUser ends all sessions of a user, and tells how many there were.
func (m *Manager) EndUser(ctx context.Context, userID, reason string) int {
	return m.end(ctx, m.list(ofUser(userID)), reason)
}

// EndProvider ends all sessions that began at a provider, because it is none any more
// (security case OIDC-40).
func (m *Manager) EndProvider(ctx context.Context, provider string) int {
	var list []*Session
	m.mu.RLock()
	for _, s := range m.index.byID {
		if s.record.Provider == provider {
			list = append(list, s)
		}
	}
	m.mu.RUnlock()
	return m.end(ctx, list, "people no longer sign in there")
}

// Changed is to be called when a user was changed: sessions that may not go on end,
// and what is held open is looked at, also by those who came without a session.
func (m *Manager) Changed() { m.ring() }

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
			m.guarded("what follows the end of sessions", m.ended)
		case <-ctx.Done():
			return
		}
	}
}

// guarded lets a panic end one round, not all that would follow.
func (m *Manager) guarded(what string, do func()) {
	defer safe.Recover(m.log, "sessions: "+what)
	do()
}
