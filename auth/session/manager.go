package session

import (
	"cmp"
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

// touchEvery is how precise the last use is known: a use within it changes nothing.
func (l *Limits) touchEvery() time.Duration { return min(time.Minute, l.Idle/10) }

const (
	// mostPerUser is how many sessions a user may have; the one that was not used for
	// the longest time goes when there is another.
	mostPerUser = 100
	// mostPerHost is how many tickets a session has for one host: a browser that brings
	// back its tabs asks for one in each, and keeps the one that arrives last.
	mostPerHost = 32
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
//
// Memory is changed under a lock that nobody holds while the store is asked, so an end
// holds at once whatever the store does. What is written about one session is in the
// order of that session's own lock.
type Manager struct {
	store  *state.Store
	events *state.Log
	uses   *state.Log
	box    *seal.Box
	people func(string) *user.Person
	ended  func()
	log    *zap.Logger
	now    func() time.Time
	self   string // tells our own events from those of others
	limits atomic.Pointer[Limits]

	shards shards
	mu     sync.RWMutex
	index  index
	gone   gone
	// strangers are sessions in the store whose users are not known here (yet).
	strangers map[string]string

	// ending lets one write of ends be under way, which then takes all there are.
	ending  sync.Mutex
	rang    chan struct{}
	stop    context.CancelFunc
	running sync.WaitGroup
}

// Open reads the sessions from the store, and follows its changes until Close.
func Open(ctx context.Context, o Options) (*Manager, error) {
	m := &Manager{
		store: o.Store, events: o.Store.Log(logName, logKeep),
		uses: o.Store.Log(usesName, usesKeep), box: o.Box, people: o.People,
		ended: o.Ended, log: o.Log, now: o.Now, self: randomID(), index: newIndex(),
		gone: gone{}, strangers: map[string]string{}, rang: make(chan struct{}, 1),
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
	changes, err := m.load(ctx)
	if err != nil {
		return nil, err
	}
	uses, err := m.uses.Newest(ctx)
	if err != nil {
		return nil, err
	}
	background, stop := context.WithCancel(context.Background())
	m.stop = stop
	m.run("sessions: follow changes", func() { m.follow(background, m.events, changes) })
	m.run("sessions: follow uses", func() { m.follow(background, m.uses, uses) })
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
	return errors.Join(m.writeEnds(ctx), m.writeSeen(ctx))
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
	s := m.index.byID[id]
	m.mu.RUnlock()
	if s != nil && s.Valid() {
		return s
	}
	return nil
}

// Of returns the valid sessions of a user, the one used last first.
func (m *Manager) Of(userID string) []*Session {
	return m.inOrder(m.list(ofUser(userID)))
}

// All returns all valid sessions, the one used last first.
func (m *Manager) All() []*Session {
	m.mu.RLock()
	list := make([]*Session, 0, len(m.index.byID))
	for _, s := range m.index.byID {
		list = append(list, s)
	}
	m.mu.RUnlock()
	return m.inOrder(list)
}

// Len is how many sessions there are, with those that have just run out.
func (m *Manager) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.index.byID)
}

func (m *Manager) inOrder(list []*Session) []*Session {
	now := m.now()
	valid := list[:0]
	for _, s := range list {
		if s.validAt(now) {
			valid = append(valid, s)
		}
	}
	slices.SortFunc(valid, later)
	return valid
}

// enter makes a session known, unless it has ended already, which it tells.
func (m *Manager) enter(s *Session) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone.has(s.record.ID) {
		s.over.Store(true)
		return false
	}
	m.index.add(s)
	for _, t := range s.tickets {
		m.shards.put(entry{s, t})
	}
	return true
}

// leave makes sessions unknown, and returns those that were known.
func (m *Manager) leave(list []*Session, written bool) (left []*Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for _, s := range list {
		if s.over.Swap(true) {
			continue
		}
		m.index.remove(s)
		m.gone[s.record.ID] = ending{now, written}
		for _, t := range s.tickets {
			m.shards.drop(t.ID)
		}
		left = append(left, s)
	}
	return left
}

// settle gives a session other tickets. Those that it keeps are found all the while.
func (m *Manager) settle(s *Session, tickets []ticket, version uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.over.Load() {
		return
	}
	kept := make(map[ticketID]bool, len(tickets))
	for _, t := range tickets {
		kept[t.ID] = true
		m.shards.put(entry{s, t})
	}
	for _, t := range s.tickets {
		if !kept[t.ID] {
			m.shards.drop(t.ID)
		}
	}
	s.tickets, s.version = tickets, version
}

// as is what the store has of a session, as far as this process knows.
func (m *Manager) as(s *Session) (tickets []ticket, version uint64) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return s.tickets, s.version
}

// later orders sessions by their last use.
func later(a, b *Session) int { return cmp.Compare(b.seen.Load(), a.seen.Load()) }
