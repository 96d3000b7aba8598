package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"doorward/state"
)

// The keys of the store, all behind the public id of a session or a hash.
const (
	sessionPrefix = "session/"
	seenPrefix    = "session-seen/"
	secretsPrefix = "session-secrets/"
	handoffPrefix = "handoff/"
	oncePrefix    = "once/"
	leftPrefix    = "session-left/"
)

// purpose is what sessions are sealed for in the store: who copies the entry of one to
// the key of another has nothing (security case COOK-18).
const purpose = "session"

// record is what does not change in a session.
type record struct {
	Epoch       uint64    `json:"epoch"`
	Created     time.Time `json:"created"`
	MFA         bool      `json:"mfa,omitempty"`
	Provider    string    `json:"provider"`
	ID          string    `json:"-"` // part of the key
	UserID      string    `json:"user"`
	Subject     string    `json:"subject,omitempty"`
	UpstreamSID string    `json:"sid,omitempty"`
	AuthTime    time.Time `json:"auth_time"`
	Client      string    `json:"client,omitempty"`
	Agent       string    `json:"agent,omitempty"`
}

// stored is a session as the store has it, once it is opened.
type stored struct {
	record
	Tickets []storedTicket `json:"tickets"`
}

type storedTicket struct {
	ID   []byte `json:"i"`
	Hash []byte `json:"h"`
	Host string `json:"a"`
}

// sealed is the value of the store's entry.
func (m *Manager) sealed(r *record, tickets []ticket) ([]byte, error) {
	s := stored{record: *r}
	for _, t := range tickets {
		s.Tickets = append(s.Tickets, storedTicket{t.ID[:], t.Hash[:], t.Host})
	}
	plain, err := json.Marshal(&s)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return []byte(m.box.Seal(purpose, plain, []byte(r.ID))), nil
}

var errTicket = errors.New("a ticket of the wrong size")

// opened reads the store's entry of the session with that id.
func (m *Manager) opened(id string, value []byte) (r record, tickets []ticket, err error) {
	plain, err := m.box.Open(purpose, string(value), []byte(id))
	if err != nil {
		return r, nil, fmt.Errorf("session %s: %w", id, err)
	}
	var s stored
	if err := json.Unmarshal(plain, &s); err != nil {
		return r, nil, fmt.Errorf("session %s: %w", id, err)
	}
	s.record.ID = id
	for _, t := range s.Tickets {
		if len(t.ID) != half || len(t.Hash) != sha256.Size {
			return r, nil, fmt.Errorf("session %s: %w", id, errTicket)
		}
		tickets = append(tickets, ticket{ticketID(t.ID), [sha256.Size]byte(t.Hash), t.Host})
	}
	return s.record, tickets, nil
}

// hashed is the form in which the store knows what is a secret.
func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// longer is how long the store keeps a session that nobody ends: far longer than it
// lasts, since a new configuration may let it last longer.
const longer = 30 * 24 * time.Hour

// left is how long the store keeps a session from now on.
func (m *Manager) left(r *record) time.Duration {
	return max(r.Created.Add(m.limits.Load().Lifetime).Sub(m.now()), 0) + longer
}

// put is the write of a session with these tickets.
func (m *Manager) put(r *record, tickets []ticket, version uint64) (state.Change, error) {
	value, err := m.sealed(r, tickets)
	return state.Put(sessionPrefix+r.ID, value, m.left(r)).If(version), err
}

// fetch reads a session anew: another process has changed it.
func (m *Manager) fetch(ctx context.Context, id string) (record, []ticket, uint64, error) {
	e, err := m.store.Get(ctx, sessionPrefix+id)
	if err != nil {
		return record{}, nil, 0, err
	}
	r, tickets, err := m.opened(id, e.Value)
	return r, tickets, e.Version, err
}
