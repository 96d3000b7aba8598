package session

import (
	"slices"
	"time"
)

// index finds sessions by what they are known by, other than a ticket.
type index struct {
	byID map[string]*Session
	// by has lists under the keys below.
	by map[key][]*Session
}

// key is a user, or an account or a session at a provider.
type key struct{ kind, provider, name string }

func ofUser(id string) key               { return key{kind: "user", name: id} }
func ofSubject(provider, sub string) key { return key{"subject", provider, sub} }
func ofUpstream(provider, s string) key  { return key{"upstream", provider, s} }

func newIndex() index { return index{map[string]*Session{}, map[key][]*Session{}} }

func (x *index) add(s *Session) {
	x.byID[s.record.ID] = s
	for _, k := range s.keys() {
		x.by[k] = append(x.by[k], s)
	}
}

func (x *index) remove(s *Session) {
	delete(x.byID, s.record.ID)
	for _, k := range s.keys() {
		rest := slices.DeleteFunc(x.by[k], func(o *Session) bool { return o == s })
		if x.by[k] = rest; len(rest) == 0 {
			delete(x.by, k)
		}
	}
}

// keys are what the session is found by; a name that is empty is nobody's.
func (s *Session) keys() []key {
	r := &s.record
	keys := []key{ofUser(r.UserID)}
	if r.Subject != "" {
		keys = append(keys, ofSubject(r.Provider, r.Subject))
	}
	if r.UpstreamSID != "" {
		keys = append(keys, ofUpstream(r.Provider, r.UpstreamSID))
	}
	return keys
}

// list is the sessions under a key, the caller's own.
func (m *Manager) list(k key) []*Session {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Clone(m.index.by[k])
}

// gone remembers ends for a while: what was read from the store before must not bring
// a session back, nor may one be forgotten that the store has not taken.
type gone map[string]ending

// ending is when a session ended, and whether the store knows.
type ending struct {
	at      time.Time
	written bool
}

// remembered is far longer than a reading of the store takes.
const remembered = 10 * time.Minute

func (g gone) has(id string) bool { _, ok := g[id]; return ok }

// forget drops what is old and written.
func (g gone) forget(now time.Time) {
	for id, e := range g {
		if e.written && now.Sub(e.at) > remembered {
			delete(g, id)
		}
	}
}
