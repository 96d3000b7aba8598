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
	// seenEvery is how often uses are written: what a crash may lose, and how much
	// later other processes know.
	seenEvery = time.Minute
	// seenBatch is how many go into one write.
	seenBatch = 400
	// idleGrace is how long a session that is idle here waits for word of a use
	// elsewhere before it ends everywhere.
	idleGrace = 2 * seenEvery
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
		m.guarded("sweep", func() { m.sweep(ctx) })
		if now := m.now(); now.Sub(written) >= seenEvery {
			written = now
			m.guarded("write uses", func() {
				if err := m.writeSeen(ctx); err != nil {
					m.log.Warn("uses of sessions not written", zap.Error(err))
				}
			})
		}
	}
}

// sweep ends the sessions whose limits or users end them, and does what was left over.
func (m *Manager) sweep(ctx context.Context) {
	for why, list := range m.expired() {
		m.end(ctx, list, why)
	}
	if err := m.writeEnds(ctx); err != nil {
		m.log.Debug("ends of sessions still not written", zap.Error(err))
	}
	m.mu.Lock()
	m.gone.forget(m.now())
	m.mu.Unlock()
	m.welcomeStrangers(ctx)
}

// expired are the sessions that are to end, by reason. One that is idle is told of at
// once, and ends when nobody else has seen it either.
func (m *Manager) expired() map[string][]*Session {
	now, told := m.now(), false
	ending := map[string][]*Session{}
	m.mu.RLock()
	for _, s := range m.index.byID {
		why := s.reason(now)
		idle := why == reasonIdle
		told = idle && !s.idle.Load() || told
		s.idle.Store(idle)
		if idle && now.Sub(s.LastSeen()) < m.limits.Load().Idle+idleGrace {
			continue
		}
		if why != "" {
			ending[why] = append(ending[why], s)
		}
	}
	m.mu.RUnlock()
	if told {
		m.ring()
	}
	return ending
}

// writeSeen writes when sessions were last used, of those that were since the last
// time, and tells other processes.
func (m *Manager) writeSeen(ctx context.Context) error {
	var batch []*Session
	m.mu.RLock()
	for _, s := range m.index.byID {
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
	if _, err := m.store.Write(ctx, append(changes, m.announce(m.uses, told))...); err != nil {
		return err
	}
	for _, s := range some {
		s.written.Store(told.Seen[s.record.ID])
	}
	return nil
}
