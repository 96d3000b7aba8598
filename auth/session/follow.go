package session

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.uber.org/zap"

	"doorward/state"
)

// The store's logs: of changes, with how many another process may be behind before it
// has to read everything again; and of uses, which are long and of which the newest
// are enough.
const (
	logName  = "sessions"
	logKeep  = 10_000
	usesName = "session-uses"
	usesKeep = 100
)

// event tells other processes what changed. One of the fields is set.
type event struct {
	By string `json:"by"` // the process
	// Changed is a session to read again, Ended are those that are over.
	Changed string   `json:"changed,omitempty"`
	Ended   []string `json:"ended,omitempty"`
	// Seen are uses, in milliseconds since 1970.
	Seen map[string]int64 `json:"seen,omitempty"`
}

// announce is the part of a write that tells others.
func (m *Manager) announce(l *state.Log, e event) state.Change {
	e.By = m.self
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return l.Appending(data)
}

// followAgain is how long to wait after a store that fails.
const followAgain = time.Second

// follow does what other processes tell, until the context ends.
func (m *Manager) follow(ctx context.Context, l *state.Log, position uint64) {
	for ctx.Err() == nil {
		var err error
		m.guarded("follow", func() { position, err = m.followFrom(ctx, l, position) })
		if errors.Is(err, state.ErrTrimmed) {
			position, err = m.catchUp(ctx, l)
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

// catchUp begins anew after events were missed.
func (m *Manager) catchUp(ctx context.Context, l *state.Log) (uint64, error) {
	if l == m.uses {
		return l.Newest(ctx)
	}
	m.log.Warn("missed changes of sessions, reading all again")
	return m.load(ctx)
}

// followFrom returns where it came to, and why not further.
func (m *Manager) followFrom(ctx context.Context, l *state.Log, position uint64) (uint64, error) {
	for e, err := range l.Follow(ctx, position) {
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
	case len(e.Ended) > 0:
		m.forget(e.Ended)
	default:
		m.mu.RLock()
		defer m.mu.RUnlock()
		for id, ms := range e.Seen {
			if s := m.index.byID[id]; s != nil {
				s.merge(ms)
			}
		}
	}
	return nil
}

// forget ends sessions that another process has ended.
func (m *Manager) forget(ids []string) {
	var list []*Session
	m.mu.Lock()
	for _, id := range ids {
		if s := m.index.byID[id]; s != nil {
			list = append(list, s)
		} else if !m.gone.has(id) {
			m.gone[id] = ending{m.now(), true} // it may be about to be read
		}
		delete(m.strangers, id)
	}
	m.mu.Unlock()
	if len(m.leave(list, true)) > 0 {
		m.ring()
	}
}
