package session

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"doorward/auth/seal"
	"doorward/auth/user"
	"doorward/internal/safe"
	"doorward/state"
)

// Limits are how long sessions last.
type Limits struct {
	// Idle ends a session that is not used for so long, Lifetime one that has lasted
	// so long.
	Idle, Lifetime time.Duration
}

const (
	// mostPerUser is how many sessions a user may have; the one that was not used for
	// the longest time goes when there is another.
	mostPerUser = 100
	// mostPerHost is how many tickets a session has for one host: tabs that ask for
	// one at the same time may each keep theirs.
	mostPerHost = 4
	// mostTickets bounds those of a session.
	mostTickets = 1000
)

// Options is what a Manager is made of.
type Options struct {
	// Store is where sessions outlive the process.
	Store *state.Store
	// Box seals what goes to the store. It has to be the same on all processes.
	Box *seal.Box
	// People finds users; nil from it is nobody.
	People func(id string) *user.Person
	Limits Limits
	// Ended, when not nil, is called after sessions have ended, or were changed in
	// what they may do: what they hold open has to be looked at. Calls are gathered,
	// and come one after the other.
	Ended func()
	Log   *zap.Logger      // nil: silent
	Now   func() time.Time // nil: time.Now
}

// Manager is all sessions of this process. Its methods may be called by many
// goroutines.
type Manager struct {
	store  *state.Store
	events *state.Log
	box    *seal.Box
	people func(string) *user.Person
	ended  func()
	log    *zap.Logger
	now    func() time.Time
	self   string // tells our own events from those of others
	limits atomic.Pointer[Limits]

	shards shards
	// writing keeps changes of one session apart, and those of memory and store in
	// the same order. Nothing that waits for people is done under it.
	writing sync.Mutex

	mu       sync.RWMutex
	sessions map[string]*Session
	byUser   map[string][]*Session
	// undone are ends that the store has not taken yet.
	undone map[string]string

	rang    chan struct{}
	stop    context.CancelFunc
	running sync.WaitGroup
}

// Open reads the sessions from the store, and follows its changes until Close.
func Open(ctx context.Context, o Options) (*Manager, error) {
	m := &Manager{
		store: o.Store, events: o.Store.Log(logName, logKeep), box: o.Box, people: o.People,
		ended: o.Ended, log: o.Log, now: o.Now, self: randomID(),
		sessions: map[string]*Session{}, byUser: map[string][]*Session{},
		undone: map[string]string{}, rang: make(chan struct{}, 1),
	}
	if m.log == nil {
		m.log = zap.NewNop()
	}
	if m.now == nil {
		m.now = time.Now
	}
	if m.ended == nil {
		m.ended = func() {}
	}
	m.limits.Store(&o.Limits)
	position, err := m.load(ctx)
	if err != nil {
		return nil, err
	}
	background, stop := context.WithCancel(context.Background())
	m.stop = stop
	m.run("sessions: follow", func() { m.follow(background, position) })
	m.run("sessions: sweep", func() { m.sweeping(background) })
	m.run("sessions: ended", func() { m.telling(background) })
	return m, nil
}

func (m *Manager) run(name string, fn func()) {
	m.running.Add(1)
	safe.Go(m.log, name, func() {
		defer m.running.Done()
		fn()
	})
}

// Configure changes the limits, for the sessions that there are as well.
func (m *Manager) Configure(l Limits) { m.limits.Store(&l) }

// Close writes when sessions were last used, and stops. The store stays open.
func (m *Manager) Close(ctx context.Context) error {
	m.stop()
	m.running.Wait()
	return errors.Join(m.retryEnds(ctx), m.writeSeen(ctx))
}

func randomID() string {
	var b [half]byte
	_, _ = rand.Read(b[:]) // never fails, by its documentation
	return hex.EncodeToString(b[:])
}

// Find returns the session that a ticket names on a host, nil when there is none that
// is valid. It notes the use, and allocates nothing.
func (m *Manager) Find(text, host []byte) *Session {
	id, hash, ok := parseTicket(text)
	if !ok {
		return nil
	}
	e, ok := m.shards.find(id)
	// The comparison need not take constant time for the host, which is no secret.
	if !ok || !sameHash(&e.ticket.Hash, &hash) || e.ticket.Host != string(host) {
		return nil
	}
	now := m.now()
	if !e.session.validAt(now) {
		return nil
	}
	e.session.touch(now)
	return e.session
}

// ByID returns a session by its public id, nil when there is none that is valid.
func (m *Manager) ByID(id string) *Session {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if s := m.sessions[id]; s != nil && s.Valid() {
		return s
	}
	return nil
}

// Of returns the valid sessions of a user, the one used last first.
func (m *Manager) Of(userID string) []*Session {
	m.mu.RLock()
	list := slices.Clone(m.byUser[userID])
	m.mu.RUnlock()
	return m.inOrder(list)
}

// All returns all valid sessions, the one used last first.
func (m *Manager) All() []*Session {
	m.mu.RLock()
	list := make([]*Session, 0, len(m.sessions))
	for _, s := range m.sessions {
		list = append(list, s)
	}
	m.mu.RUnlock()
	return m.inOrder(list)
}

func (m *Manager) inOrder(list []*Session) []*Session {
	now := m.now()
	list = slices.DeleteFunc(list, func(s *Session) bool { return !s.validAt(now) })
	slices.SortFunc(list, func(a, b *Session) int { return int(b.seen.Load() - a.seen.Load()) })
	return list
}

// enter makes a session known. The writing lock is held.
func (m *Manager) enter(s *Session) {
	m.mu.Lock()
	m.sessions[s.record.ID] = s
	m.byUser[s.record.UserID] = append(m.byUser[s.record.UserID], s)
	m.mu.Unlock()
	for _, t := range s.tickets {
		m.shards.put(entry{s, t})
	}
}

// leave makes a session unknown, and tells whether it was known. The writing lock is
// held.
func (m *Manager) leave(s *Session) bool {
	if s.over.Swap(true) {
		return false
	}
	m.mu.Lock()
	delete(m.sessions, s.record.ID)
	user := s.record.UserID
	of := slices.DeleteFunc(slices.Clone(m.byUser[user]), func(o *Session) bool { return o == s })
	if m.byUser[user] = of; len(of) == 0 {
		delete(m.byUser, user)
	}
	m.mu.Unlock()
	for _, t := range s.tickets {
		m.shards.drop(t.ID)
	}
	return true
}
