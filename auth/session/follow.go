package session

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.uber.org/zap"

	"doorward/state"
)

// logName is the store's log of changes, logKeep how many another process may be
// behind before it has to read everything again.
const (
	logName = "sessions"
	logKeep = 10_000
)

// event tells other processes what changed. One of the fields is set.
type event struct {
	By string `json:"by"` // the process
	// Changed is a session to read again, Ended one that is over.
	Changed string `json:"changed,omitempty"`
	Ended   string `json:"ended,omitempty"`
	// Seen are uses, in milliseconds since 1970.
	Seen map[string]int64 `json:"seen,omitempty"`
}

// announce is the part of a write that tells others.
func (m *Manager) announce(e event) state.Change {
	e.By = m.self
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return m.events.Appending(data)
}

// followAgain is how long to wait after a store that fails.
const followAgain = time.Second

// follow does what other processes tell, until the context ends.
func (m *Manager) follow(ctx context.Context, position uint64) {
	for ctx.Err() == nil {
		var err error
		position, err = m.followFrom(ctx, position)
		if errors.Is(err, state.ErrTrimmed) {
			m.log.Warn("missed changes of sessions, reading all again")
			position, err = m.load(ctx)
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		m.log.Warn("changes of sessions cannot be read, trying again", zap.Error(err))
		select {
		case <-time.After(followAgain):
		case <-ctx.Done():
		}
	}
}

// followFrom returns where it came to, and why not further.
func (m *Manager) followFrom(ctx context.Context, position uint64) (uint64, error) {
	for e, err := range m.events.Follow(ctx, position) {
		if err != nil {
			return position, err
		}
		if err := m.obey(ctx, e.Data); err != nil {
			return position, err
		}
		position = e.Position
	}
	return position, nil
}

// obey does what an event says. Our own were done before they were written.
func (m *Manager) obey(ctx context.Context, data []byte) error {
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		m.log.Error("a change of sessions cannot be understood", zap.Error(err))
		return nil
	}
	switch {
	case e.By == m.self:
	case e.Changed != "":
		return m.reread(ctx, e.Changed)
	case e.Ended != "":
		m.forget(e.Ended)
	default:
		m.mu.RLock()
		defer m.mu.RUnlock()
		for id, ms := range e.Seen {
			if s := m.sessions[id]; s != nil {
				s.merge(ms)
			}
		}
	}
	return nil
}

// forget ends a session that another process has ended.
func (m *Manager) forget(id string) {
	m.writing.Lock()
	defer m.writing.Unlock()
	m.mu.RLock()
	s := m.sessions[id]
	m.mu.RUnlock()
	if s != nil && m.leave(s) {
		m.ring()
	}
}
