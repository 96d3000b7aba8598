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
	// ErrEnded is a session that has ended, perhaps before it began.
	ErrEnded = errors.New("the session has ended")
	// ErrTooMany is a session that has been to more hosts than it may.
	ErrTooMany = errors.New("the session has too many tickets")
)

// sameHash compares in constant time.
func sameHash(a, b *[sha256.Size]byte) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }

// Start is how a session begins.
type Start struct {
	// UserID is who has signed in. Epoch is the user's when the proof of that began, so
	// that what ends all sessions meanwhile ends this one; 0 is the present one. Since is
	// that moment where nobody knew yet who it would be; zero is now.
	UserID string
	Epoch  uint64
	Since  time.Time
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
	return m.begin(ctx, o, nil)
}

// Renew begins a session in place of another one, which ends with the same write:
// whoever knew a ticket of that has nothing of this one (security case COOK-01).
func (m *Manager) Renew(ctx context.Context, old *Session, o Start) (*Session, string, error) {
	if !old.Valid() {
		return nil, "", ErrEnded
	}
	return m.begin(ctx, o, old)
}

func (m *Manager) begin(ctx context.Context, o Start, old *Session) (*Session, string, error) {
	s, err := m.newSession(o)
	if err != nil {
		return nil, "", err
	}
	t, text := newTicket(o.Host)
	s.tickets = []ticket{t}
	put, err := m.put(&s.record, s.tickets, 0)
	if err != nil {
		return nil, "", err
	}
	changes := []state.Change{put, m.announce(m.events, event{Changed: s.record.ID})}
	if len(o.Secrets) > 0 {
		changes = append(changes, m.putSecrets(&s.record, o.Secrets))
	}
	if old != nil {
		id := old.record.ID
		changes = append(changes, state.Delete(sessionPrefix+id), state.Delete(seenPrefix+id),
			state.Delete(secretsPrefix+id), m.announce(m.events, event{Ended: []string{id}}))
	}
	versions, err := m.store.Write(ctx, changes...)
	if err != nil {
		return nil, "", fmt.Errorf("session: %w", err)
	}
	s.version = versions[0]
	m.enter(s)
	if old != nil && len(m.leave([]*Session{old}, true)) > 0 {
		m.ring()
	}
	if over, err := m.overThere(ctx, &o); err != nil {
		m.end(ctx, []*Session{s}, "whether it is over at the provider is not known")
		return nil, "", fmt.Errorf("session: %w", err)
	} else if over {
		m.end(ctx, []*Session{s}, signedOutThere)
		return nil, "", ErrEnded
	}
	m.makeRoom(ctx, o.UserID)
	return s, text, nil
}

// newSession is a session that nobody knows yet.
func (m *Manager) newSession(o Start) (*Session, error) {
	person := m.people(o.UserID)
	if person == nil {
		return nil, ErrNoUser
	}
	u := person.View().User
	if u.State != user.Active || u.Service {
		return nil, ErrNoUser
	}
	switch {
	case o.Epoch > 0 && o.Epoch < u.Epoch, !o.Since.IsZero() && u.EpochAt.After(o.Since):
		return nil, ErrEnded
	case o.Epoch == 0:
		o.Epoch = u.Epoch
	}
	now := m.now()
	s := &Session{m: m, person: person, record: record{
		ID: randomID(), UserID: o.UserID, Epoch: o.Epoch,
		Provider: o.Provider, Subject: o.Subject, UpstreamSID: o.UpstreamSID,
		MFA: o.MFA, AuthTime: o.AuthTime, Created: now,
		Client: o.Client, Agent: o.Agent[:min(len(o.Agent), maxAgent)],
	}}
	if o.AuthTime.IsZero() || o.AuthTime.After(now) {
		s.record.AuthTime = now
	}
	s.seen.Store(now.UnixMilli())
	s.written.Store(now.UnixMilli())
	return s, nil
}

// makeRoom ends the sessions of a user that were not used for the longest time, if
// there are too many.
func (m *Manager) makeRoom(ctx context.Context, userID string) {
	if of := m.Of(userID); len(of) > mostPerUser {
		m.end(ctx, of[mostPerUser:], "the user has too many sessions")
	}
}

// Ticket returns a ticket of the session for one more host. The oldest of many for the
// same host ends.
func (m *Manager) Ticket(ctx context.Context, s *Session, host string) (string, error) {
	t, text := newTicket(host)
	s.writing.Lock()
	defer s.writing.Unlock()
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

// addTicket writes a session with one more ticket. The session's lock is held.
func (m *Manager) addTicket(ctx context.Context, s *Session, t ticket) error {
	if !s.Valid() {
		return ErrEnded
	}
	have, version := m.as(s)
	tickets := withTicket(have, t)
	if len(tickets) > mostTickets {
		return ErrTooMany
	}
	put, err := m.put(&s.record, tickets, version)
	if err != nil {
		return err
	}
	versions, err := m.store.Write(ctx, put, m.announce(m.events, event{Changed: s.record.ID}))
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	m.settle(s, tickets, versions[0])
	return nil
}

// withTicket adds a ticket to those there are, without the oldest of its host when
// there are too many of them.
func withTicket(have []ticket, t ticket) []ticket {
	same := 1
	for _, h := range have {
		if h.Host == t.Host {
			same++
		}
	}
	all := make([]ticket, 0, len(have)+1)
	for _, h := range have {
		if h.Host == t.Host && same > mostPerHost {
			same--
			continue
		}
		all = append(all, h)
	}
	return append(all, t)
}

// refresh takes over what another process has made of the session, whose lock is held.
func (m *Manager) refresh(ctx context.Context, s *Session) error {
	_, tickets, version, err := m.fetch(ctx, s.record.ID)
	switch {
	case errors.Is(err, state.ErrNotFound):
		m.forget([]string{s.record.ID})
		return ErrEnded
	case err != nil:
		return err
	}
	m.settle(s, tickets, version)
	return nil
}
