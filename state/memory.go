package state

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"doorward/internal/safe"
)

// memory is the engine of an instance without a folder: everything is lost when
// the process ends.
type memory struct {
	now     func() time.Time
	bell    bell
	closing sync.Once
	closed  chan struct{}
	stopped chan struct{} // no more sweeping

	mu      sync.RWMutex
	version uint64
	entries map[string]record
	keys    order
	logs    map[string]*events
	swept   string // the key to sweep on after
}

// record is an entry in memory. Its value is never written to again.
type record struct {
	value   []byte
	version uint64
	expires int64
}

// events is a log in memory.
type events struct {
	newest uint64
	data   [][]byte // the last one has position newest
}

func newMemory(o Options) *memory {
	m := &memory{
		now:     o.Now,
		closed:  make(chan struct{}),
		stopped: make(chan struct{}),
		entries: map[string]record{},
		logs:    map[string]*events{},
	}
	safe.Go(o.Log, "state: sweep", m.run)
	return m
}

func (m *memory) run() {
	defer close(m.stopped)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.sweep()
		case <-m.closed:
			return
		}
	}
}

// Close is Engine.Close.
func (m *memory) Close() error {
	m.closing.Do(func() { close(m.closed) })
	<-m.stopped
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries, m.keys, m.logs = nil, order{}, nil
	return nil
}

// open returns ErrClosed after the end.
func (m *memory) open() error {
	select {
	case <-m.closed:
		return ErrClosed
	default:
		return nil
	}
}

// Get is Entries.Get.
func (m *memory) Get(_ context.Context, key string) (Entry, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.open(); err != nil {
		return Entry{}, err
	}
	r, ok := m.live(key, m.now())
	if !ok {
		return Entry{}, ErrNotFound
	}
	return r.entry(key), nil
}

func (m *memory) live(key string, now time.Time) (record, bool) {
	r, ok := m.entries[key]
	if !ok || expired(r.expires, now) {
		return record{}, false
	}
	return r, true
}

func (r record) entry(key string) Entry {
	return Entry{
		Key: key, Value: bytes.Clone(r.value), Version: r.version, Expires: expiryTime(r.expires),
	}
}

// List is Entries.List. It needs the lock of writers to bring the keys in order.
func (m *memory) List(_ context.Context, r Range) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.open(); err != nil {
		return nil, err
	}
	var found []Entry
	now, size := m.now(), 0
	for _, key := range m.sorted(r.Prefix, r.After) {
		if !strings.HasPrefix(key, r.Prefix) || len(found) == r.Limit || size >= pageBytes {
			break
		}
		if record, ok := m.live(key, now); ok {
			found = append(found, record.entry(key))
			size += len(record.value)
		}
	}
	return found, nil
}

// sorted returns the keys that are at or behind prefix, and behind after.
func (m *memory) sorted(prefix, after string) []string {
	m.keys.settle(m.has)
	start, found := slices.BinarySearch(m.keys.sorted, max(prefix, after))
	if found && after >= prefix && after != "" {
		start++
	}
	return m.keys.sorted[start:]
}

// Write is Entries.Write.
func (m *memory) Write(_ context.Context, changes []Change) ([]uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.open(); err != nil {
		return nil, err
	}
	now := m.now()
	for _, c := range changes {
		if r, _ := m.live(c.Key, now); c.Guarded && r.version != c.Version {
			return nil, Conflict(c.Key)
		}
	}
	results := make([]uint64, len(changes))
	m.version++
	for i, c := range changes {
		switch c.Do {
		case DoPut:
			results[i] = m.version
			m.put(c, now)
		case DoDelete:
			m.remove(c.Key)
		case DoAppend:
			results[i] = m.append(c)
		}
	}
	if m.keys.crowded() {
		m.keys.settle(m.has)
	}
	m.bell.ring(changes)
	return results, nil
}

func (m *memory) has(key string) bool {
	_, ok := m.entries[key]
	return ok
}

func (m *memory) put(c Change, now time.Time) {
	if !m.has(c.Key) {
		m.keys.added(c.Key)
	}
	m.entries[c.Key] = record{bytes.Clone(c.Value), m.version, expiry(now, c.TTL)}
}

func (m *memory) remove(key string) {
	if m.has(key) {
		delete(m.entries, key)
		m.keys.removed()
	}
}

func (m *memory) append(c Change) uint64 {
	log := m.logs[c.Key]
	if log == nil {
		log = &events{}
		m.logs[c.Key] = log
	}
	log.newest++
	log.data = append(log.data, bytes.Clone(c.Value))
	if over := len(log.data) - c.Keep; over > 0 {
		clear(log.data[:over]) // what the array still holds is not to be kept alive
		log.data = log.data[over:]
	}
	return log.newest
}

// Newest is Events.Newest.
func (m *memory) Newest(_ context.Context, log string) (uint64, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.open(); err != nil {
		return 0, err
	}
	if log := m.logs[log]; log != nil {
		return log.newest, nil
	}
	return 0, nil
}

// Follow is Events.Follow.
func (m *memory) Follow(ctx context.Context, t Tail) ([]Event, error) {
	return m.bell.follow(ctx, t, m.closed, m.look)
}

func (m *memory) look(t Tail) ([]Event, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.open(); err != nil {
		return nil, err
	}
	var log events
	if l := m.logs[t.Log]; l != nil {
		log = *l
	}
	gone := log.newest - uint64(len(log.data))
	if t.After < gone || t.After > log.newest {
		return nil, ErrTrimmed
	}
	var found []Event
	size := 0
	for i, data := range log.data[t.After-gone:] {
		if len(found) == t.Limit || size >= pageBytes {
			break
		}
		found = append(found, Event{t.After + uint64(i) + 1, bytes.Clone(data)})
		size += len(data)
	}
	return found, nil
}

// sweep removes what has expired among the next keys.
func (m *memory) sweep() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, looked := m.now(), 0
	for _, key := range m.sorted("", m.swept) {
		if looked == sweepSpan {
			return
		}
		looked++
		m.swept = key
		if r := m.entries[key]; expired(r.expires, now) {
			m.remove(key)
		}
	}
	m.swept = "" // from the start again
}
