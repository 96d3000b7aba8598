package session

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"doorward/internal/safe"
	"doorward/state"
)

const (
	// saveEvery is how often it is written when sessions were seen, and so how much
	// of that is lost when the process dies.
	saveEvery = time.Minute
	// askBefore is how long before the end of an idle session the store is asked
	// whether another instance has seen it: it takes two rounds of saving to tell.
	// Where the limit is shorter than twice that, half of it.
	askBefore = 3 * time.Minute
)

// saving writes what may be written later.
func (m *Manager) saving(ctx context.Context) {
	every, soon := time.NewTicker(saveEvery), time.NewTicker(again)
	defer every.Stop()
	defer soon.Stop()
	for {
		select {
		case <-every.C:
			m.saveOnce(ctx)
		case <-soon.C:
			m.retryOnce(ctx)
		case <-m.work:
			m.retryOnce(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (m *Manager) saveOnce(ctx context.Context) {
	defer safe.Recover(m.log, "sessions: last seen")
	if err := errors.Join(m.ask(ctx), m.save(ctx)); err != nil && ctx.Err() == nil {
		m.log.Error("the store does not take when sessions were last seen; it is asked again",
			errField(err))
	}
}

func (m *Manager) retryOnce(ctx context.Context) {
	defer safe.Recover(m.log, "sessions: ends")
	ctx, cancel := context.WithTimeout(ctx, endWithin)
	defer cancel()
	_ = m.retry(ctx) // it logs, and what is not written stays to be
}

// save writes when sessions were seen of which the store knows less.
func (m *Manager) save(ctx context.Context) error {
	var news []*Session
	for s := range m.each {
		if s.seen.Load() > s.saved.Load() {
			news = append(news, s)
		}
	}
	for chunk := range slices.Chunk(news, state.MaxChanges) {
		changes := make([]state.Change, len(chunk))
		seen := make([]int64, len(chunk))
		for i, s := range chunk {
			seen[i] = s.seen.Load()
			plain := binary.BigEndian.AppendUint64(nil, uint64(seen[i]))
			changes[i] = m.put(seenPurpose, seenKey(s.public), plain, m.limits.Load().Idle)
		}
		if _, err := m.store.Write(ctx, changes...); err != nil {
			return err
		}
		for i, s := range chunk {
			s.saved.Store(seen[i])
		}
	}
	return nil
}

// ask learns from the store about sessions that would soon have been idle for too
// long, were it for this instance alone.
func (m *Manager) ask(ctx context.Context) error {
	now, idle := m.now().UnixNano(), int64(m.limits.Load().Idle)
	before := min(int64(askBefore), idle/2)
	for s := range m.each {
		if now-s.seen.Load() < idle-before {
			continue
		}
		entry, err := m.store.Get(ctx, seenKey(s.public))
		if errors.Is(err, state.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if seen, ok := m.readSeen(entry); ok {
			s.heard(seen)
			s.saved.Store(max(s.saved.Load(), seen))
		}
	}
	return nil
}

// allSeen reads when sessions were last seen, by public ID.
func (m *Manager) allSeen(ctx context.Context) (map[id]int64, error) {
	all := map[id]int64{}
	for entry, err := range m.store.All(ctx, seenPrefix) {
		if err != nil {
			return nil, err
		}
		seen, ok := m.readSeen(entry)
		if public, named := publicOf(entry.Key, seenPrefix); ok && named {
			all[public] = seen
		}
	}
	return all, nil
}

// readSeen reads one of these times. One that is still to come is now: the clock of
// who wrote it is not ours.
func (m *Manager) readSeen(entry state.Entry) (int64, bool) {
	plain, err := m.open(seenPurpose, entry)
	if err != nil || len(plain) != 8 {
		m.unreadable(errors.Join(err, errRecord))
		return 0, false
	}
	return min(int64(binary.BigEndian.Uint64(plain)), m.now().UnixNano()), true
}
