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
	m.mu.RLock()
	unread := maps.Clone(m.index.byID)
	m.mu.RUnlock()
	for e, err := range m.store.All(ctx, sessionPrefix) {
		if err != nil {
			return 0, err
		}
		id := strings.TrimPrefix(e.Key, sessionPrefix)
		m.take(id, e, seen[id])
		delete(unread, id)
	}
	m.forget(slices.Collect(maps.Keys(unread)))
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

// take makes the store's entry a session that is known. One that cannot be read is
// none, and is left for people to look at. What has ended meanwhile stays so.
func (m *Manager) take(id string, e state.Entry, seen int64) {
	r, tickets, err := m.opened(id, e.Value)
	if err != nil {
		m.log.Error("a session in the store cannot be read; its user signs in again", zap.Error(err))
		return
	}
	m.mu.RLock()
	known := m.index.byID[id]
	m.mu.RUnlock()
	if known != nil {
		if _, version := m.as(known); version < e.Version {
			m.settle(known, tickets, e.Version)
		}
		known.merge(seen)
		return
	}
	person := m.people(r.UserID)
	m.mu.Lock()
	delete(m.strangers, id)
	if person == nil {
		m.strangers[id] = r.UserID
	}
	m.mu.Unlock()
	if person == nil {
		return
	}
	s := &Session{record: r, person: person, m: m, version: e.Version, tickets: tickets}
	s.seen.Store(r.Created.UnixMilli())
	s.merge(seen)
	s.written.Store(s.seen.Load())
	m.enter(s)
}

// reread takes over a session that another process has begun or changed.
func (m *Manager) reread(ctx context.Context, id string) error {
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

// welcomeStrangers reads the sessions again whose users have become known: another
// process made them a moment before.
func (m *Manager) welcomeStrangers(ctx context.Context) {
	m.mu.RLock()
	strangers := maps.Clone(m.strangers)
	m.mu.RUnlock()
	for id, userID := range strangers {
		if m.people(userID) == nil {
			continue
		}
		if err := m.reread(ctx, id); err != nil {
			m.log.Warn("a session cannot be read", zap.Error(err))
			return
		}
		m.mu.Lock()
		delete(m.strangers, id)
		m.mu.Unlock()
	}
}
