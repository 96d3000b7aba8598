package session

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"doorward/auth/user"
	"doorward/state"
)

// What can be wrong, beside the errors of the store.
var (
	// ErrNoUser is a user that is not there, or may not sign in.
	ErrNoUser = errors.New("no such user, or one that may not sign in")
	// ErrEnded is a session that has ended.
	ErrEnded = errors.New("the session has ended")
	// ErrTooMany is a session that has been to more hosts than it may.
	ErrTooMany = errors.New("the session has too many tickets")
)

// sameHash compares in constant time.
func sameHash(a, b *[sha256.Size]byte) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }

// Start is how a session begins.
type Start struct {
	// UserID is who has signed in.
	UserID string
	// Provider is where the user signed in, "local" for here; Subject the account
	// there, UpstreamSID the provider's name for the session.
	Provider, Subject, UpstreamSID string
	// MFA says that a second factor was shown. AuthTime is when the user proved who
	// they are; zero is now.
	MFA      bool
	AuthTime time.Time
	// Client and Agent are the address and the browser, for people to recognise.
	Client, Agent string
	// Secrets is what Secrets will return: tokens of the provider.
	Secrets []byte
	// Host is where the first ticket is for.
	Host string
}

// maxAgent bounds what browsers say of themselves.
const maxAgent = 256

// Begin begins a session, and returns the ticket for its first host. It has been
// written when it returns.
func (m *Manager) Begin(ctx context.Context, o Start) (*Session, string, error) {
	person := m.people(o.UserID)
	if person == nil || person.View().User.State != user.Active {
		return nil, "", ErrNoUser
	}
	now := m.now()
	s := &Session{m: m, person: person, record: record{
		ID: randomID(), UserID: o.UserID, Epoch: person.View().User.Epoch,
		Provider: o.Provider, Subject: o.Subject, UpstreamSID: o.UpstreamSID,
		MFA: o.MFA, AuthTime: o.AuthTime, Created: now,
		Client: o.Client, Agent: o.Agent[:min(len(o.Agent), maxAgent)],
	}}
	if o.AuthTime.IsZero() {
		s.record.AuthTime = now
	}
	s.seen.Store(now.UnixMilli())
	s.written.Store(now.UnixMilli())
	t, text := newTicket(o.Host)
	s.tickets = []ticket{t}
	m.writing.Lock()
	defer m.writing.Unlock()
	m.makeRoom(ctx, o.UserID)
	change, err := m.put(&s.record, s.tickets, 0)
	if err != nil {
		return nil, "", err
	}
	changes := []state.Change{change, m.announce(event{Changed: s.record.ID})}
	if len(o.Secrets) > 0 {
		changes = append(changes, m.putSecrets(&s.record, o.Secrets))
	}
	versions, err := m.store.Write(ctx, changes...)
	if err != nil {
		return nil, "", fmt.Errorf("session: %w", err)
	}
	s.version = versions[0]
	m.enter(s)
	return s, text, nil
}

// makeRoom ends the session of a user that was not used for the longest time, if there
// are too many. The writing lock is held.
func (m *Manager) makeRoom(ctx context.Context, userID string) {
	m.mu.RLock()
	of := m.byUser[userID]
	var oldest *Session
	for _, s := range of {
		if oldest == nil || s.seen.Load() < oldest.seen.Load() {
			oldest = s
		}
	}
	m.mu.RUnlock()
	if len(of) >= mostPerUser {
		m.end(ctx, oldest, "the user has too many sessions")
	}
}

// Renew begins a session in place of another one, which ends: whoever knew a ticket of
// that has nothing of this one (security case COOK-01).
func (m *Manager) Renew(ctx context.Context, old *Session, o Start) (*Session, string, error) {
	s, text, err := m.Begin(ctx, o)
	if err == nil {
		m.End(ctx, old, "replaced by a new sign-in")
	}
	return s, text, err
}

// Ticket returns a ticket of the session for one more host. The oldest of many for the
// same host ends.
func (m *Manager) Ticket(ctx context.Context, s *Session, host string) (string, error) {
	t, text := newTicket(host)
	m.writing.Lock()
	defer m.writing.Unlock()
	for {
		switch err := m.addTicket(ctx, s, t); {
		case err == nil:
			return text, nil
		case !errors.Is(err, state.ErrConflict):
			return "", err
		}
		if err := m.refresh(ctx, s); err != nil {
			return "", err
		}
	}
}

func (m *Manager) addTicket(ctx context.Context, s *Session, t ticket) error {
	if !s.Valid() {
		return ErrEnded
	}
	tickets, gone := withTicket(s.tickets, t)
	if len(tickets) > mostTickets {
		return ErrTooMany
	}
	change, err := m.put(&s.record, tickets, s.version)
	if err != nil {
		return err
	}
	versions, err := m.store.Write(ctx, change, m.announce(event{Changed: s.record.ID}))
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	s.version, s.tickets = versions[0], tickets
	m.shards.put(entry{s, t})
	for _, g := range gone {
		m.shards.drop(g.ID)
	}
	return nil
}

// withTicket adds a ticket to those there are, and drops the oldest of its host when
// there are too many of them.
func withTicket(have []ticket, t ticket) (all, gone []ticket) {
	same := 1
	for _, h := range have {
		if h.Host == t.Host {
			same++
		}
	}
	for _, h := range have {
		if h.Host == t.Host && same > mostPerHost {
			same--
			gone = append(gone, h)
			continue
		}
		all = append(all, h)
	}
	return append(all, t), gone
}

// refresh takes over what another process has made of the session. The writing lock is
// held.
func (m *Manager) refresh(ctx context.Context, s *Session) error {
	_, tickets, version, err := m.fetch(ctx, s.record.ID)
	switch {
	case errors.Is(err, state.ErrNotFound):
		m.leave(s)
		m.ring()
		return ErrEnded
	case err != nil:
		return err
	}
	for _, t := range s.tickets {
		m.shards.drop(t.ID)
	}
	s.tickets, s.version = tickets, version
	for _, t := range tickets {
		m.shards.put(entry{s, t})
	}
	return nil
}
