package session

import (
	"context"
	"encoding/binary"
	"time"

	"go.uber.org/zap"

	"doorward/state"
)

const (
	// sweepEvery is how soon it is noticed that a session has come to an end by
	// itself: what it holds open is closed then. At its next use that is known
	// without.
	sweepEvery = time.Second
	// seenEvery is how often uses are written: what a crash may lose.
	seenEvery = time.Minute
	// seenBatch is how many go into one write.
	seenBatch = 400
)

// sweeping ends what is over, and writes uses, until the context ends.
func (m *Manager) sweeping(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for written := m.now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		m.sweep(ctx)
		if err := m.retryEnds(ctx); err != nil {
			m.log.Debug("ends of sessions still not written", zap.Error(err))
		}
		if now := m.now(); now.Sub(written) >= seenEvery {
			written = now
			if err := m.writeSeen(ctx); err != nil {
				m.log.Warn("uses of sessions not written", zap.Error(err))
			}
		}
	}
}

// sweep ends the sessions whose limits or users end them.
func (m *Manager) sweep(ctx context.Context) {
	now := m.now()
	type ending struct {
		session *Session
		reason  string
	}
	var endings []ending
	m.mu.RLock()
	for _, s := range m.sessions {
		if why := s.reason(now); why != "" {
			endings = append(endings, ending{s, why})
		}
	}
	m.mu.RUnlock()
	if len(endings) == 0 {
		return
	}
	m.writing.Lock()
	defer m.writing.Unlock()
	for _, e := range endings {
		m.end(ctx, e.session, e.reason)
	}
}

// writeSeen writes when sessions were last used, of those that were since the last
// time, and tells other processes.
func (m *Manager) writeSeen(ctx context.Context) error {
	var batch []*Session
	m.mu.RLock()
	for _, s := range m.sessions {
		if s.seen.Load() > s.written.Load() {
			batch = append(batch, s)
		}
	}
	m.mu.RUnlock()
	for len(batch) > 0 {
		n := min(len(batch), seenBatch)
		if err := m.writeSome(ctx, batch[:n]); err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

func (m *Manager) writeSome(ctx context.Context, some []*Session) error {
	told := event{Seen: make(map[string]int64, len(some))}
	changes := make([]state.Change, 0, len(some)+1)
	for _, s := range some {
		ms := s.seen.Load()
		told.Seen[s.record.ID] = ms
		changes = append(changes, state.Put(seenPrefix+s.record.ID,
			binary.BigEndian.AppendUint64(nil, uint64(ms)), m.left(&s.record)))
	}
	if _, err := m.store.Write(ctx, append(changes, m.announce(told))...); err != nil {
		return err
	}
	for _, s := range some {
		s.written.Store(told.Seen[s.record.ID])
	}
	return nil
}
