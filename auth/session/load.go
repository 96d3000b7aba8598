package session

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"

	"go.uber.org/zap"

	"doorward/state"
)

// load reads all sessions from the store, and forgets those that are not there. It
// returns the position of the log from which on changes have to be followed.
func (m *Manager) load(ctx context.Context) (position uint64, err error) {
	if position, err = m.events.Newest(ctx); err != nil {
		return 0, err
	}
	seen, err := m.loadSeen(ctx)
	if err != nil {
		return 0, err
	}
	m.writing.Lock()
	defer m.writing.Unlock()
	m.mu.RLock()
	unread := maps.Clone(m.sessions)
	m.mu.RUnlock()
	for e, err := range m.store.All(ctx, sessionPrefix) {
		if err != nil {
			return 0, err
		}
		id := strings.TrimPrefix(e.Key, sessionPrefix)
		m.take(id, e, seen[id])
		delete(unread, id)
	}
	for _, s := range unread {
		if m.leave(s) {
			m.ring()
		}
	}
	return position, nil
}

func (m *Manager) loadSeen(ctx context.Context) (map[string]int64, error) {
	seen := map[string]int64{}
	for e, err := range m.store.All(ctx, seenPrefix) {
		if err != nil {
			return nil, err
		}
		if len(e.Value) == 8 {
			seen[strings.TrimPrefix(e.Key, seenPrefix)] = int64(binary.BigEndian.Uint64(e.Value))
		}
	}
	return seen, nil
}

// take makes the store's entry the session that is known. One that cannot be read is
// none, and is left for people to look at. The writing lock is held.
func (m *Manager) take(id string, e state.Entry, seen int64) {
	r, tickets, err := m.opened(id, e.Value)
	if err != nil {
		m.log.Error("a session in the store cannot be read; its user signs in again", zap.Error(err))
		return
	}
	m.mu.RLock()
	known, ended := m.sessions[id], m.undone[id] != ""
	m.mu.RUnlock()
	switch {
	case ended:
		return
	case known != nil:
		m.retake(known, tickets, e.Version)
		known.merge(seen)
		return
	}
	person := m.people(r.UserID)
	if person == nil {
		return
	}
	s := &Session{record: r, person: person, m: m, version: e.Version, tickets: tickets}
	s.seen.Store(max(seen, r.Created.UnixMilli()))
	s.written.Store(s.seen.Load())
	if s.reason(m.now()) == "" {
		m.enter(s)
	}
}

// retake gives a known session the tickets that the store has. The writing lock is
// held.
func (m *Manager) retake(s *Session, tickets []ticket, version uint64) {
	if s.version == version {
		return
	}
	for _, t := range s.tickets {
		if !slices.Contains(tickets, t) {
			m.shards.drop(t.ID)
		}
	}
	s.tickets, s.version = tickets, version
	for _, t := range tickets {
		m.shards.put(entry{s, t})
	}
}

// reread takes over a session that another process has begun or changed.
func (m *Manager) reread(ctx context.Context, id string) error {
	m.writing.Lock()
	defer m.writing.Unlock()
	e, err := m.store.Get(ctx, sessionPrefix+id)
	if errors.Is(err, state.ErrNotFound) {
		return nil // it has ended meanwhile: that event follows
	}
	if err != nil {
		return err
	}
	m.take(id, e, 0)
	return nil
}
