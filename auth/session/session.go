// Package session keeps who is signed in: sessions in memory, where every request
// looks, and in the store, so that they outlive the process.
//
// A [Session] is one sign-in. It is named by tickets, one for each host that its
// browser has been to: what a cookie holds. Of a ticket only the hash of its secret
// half is kept, so neither the store nor a dump of the memory opens anything.
//
// The [Manager] owns all sessions of this process. Beginnings and ends are written
// before they count; when a session was last used is written once a minute. Other
// processes on the same store learn of changes by the store's log "sessions".
//
// The package does not know who may go where, and neither reads nor writes cookies.
package session

import (
	"sync"
	"sync/atomic"
	"time"

	"doorward/auth/user"
)

// Session is one sign-in of one user. Its methods may be called by many goroutines.
type Session struct {
	// What every request looks at comes first, and so does it in record: with many
	// sessions each further line of memory is one to wait for.
	person *user.Person
	m      *Manager
	// seen is when it was last used, written when the store was last told; in
	// milliseconds since 1970.
	seen, written atomic.Int64
	over          atomic.Bool
	// idle says that it was found idle, and that was told.
	idle atomic.Bool
	record
	// writing is held while the store is asked to change the session.
	writing sync.Mutex
	// version is that of the entry in the store, tickets those that the session has.
	// The Manager's lock guards both.
	version uint64
	tickets []ticket
}

// ID names the session in lists, pages and logs. It opens nothing.
func (s *Session) ID() string { return s.record.ID }

// User is whose session it is, as of now.
func (s *Session) User() *user.User { return s.person.View().User }

// View is User with groups and roles.
func (s *Session) View() *user.View { return s.person.View() }

// UserName implements the pass of a gate.
func (s *Session) UserName() string { return s.User().Name }

// Provider is where the user signed in, "local" being here; Subject is the account
// there.
func (s *Session) Provider() string { return s.record.Provider }

// Subject is the user's account at the provider, empty for local users.
func (s *Session) Subject() string { return s.record.Subject }

// MFA tells whether a second factor was shown.
func (s *Session) MFA() bool { return s.record.MFA }

// AuthTime is when the user last proved who they are.
func (s *Session) AuthTime() time.Time { return s.record.AuthTime }

// Created is when the session began, Expires when it ends at the latest.
func (s *Session) Created() time.Time { return s.record.Created }

// Expires is when the session ends at the latest, however much it is used.
func (s *Session) Expires() time.Time {
	return s.record.Created.Add(s.m.limits.Load().Lifetime)
}

// LastSeen is when it was last used, as precise as a minute.
func (s *Session) LastSeen() time.Time { return time.UnixMilli(s.seen.Load()) }

// Client and Agent are the address and the browser that it began with.
func (s *Session) Client() string { return s.record.Client }

// Agent is the User-Agent that the session began with.
func (s *Session) Agent() string { return s.record.Agent }

// UpstreamSID is the provider's own name for the session, by which it tells us that
// the user signed out there.
func (s *Session) UpstreamSID() string { return s.record.UpstreamSID }

// Valid tells whether the session still is one: not ended, within its limits, its
// user as active as when it began.
func (s *Session) Valid() bool { return s.validAt(s.m.now()) }

func (s *Session) validAt(now time.Time) bool {
	return !s.over.Load() && s.reason(now) == ""
}

// Why sessions end by themselves.
const (
	reasonIdle     = "not used for too long"
	reasonLifetime = "lasted as long as it may"
	reasonUser     = "the user was disabled or deleted, or all sessions of the user were ended"
)

// reason says why the session may not go on, "" when it may. It is asked at every
// use, so nothing depends on when somebody cleans up (security case TIME-06).
func (s *Session) reason(now time.Time) string {
	limits := s.m.limits.Load()
	switch {
	case !s.person.View().Lets(s.record.Epoch):
		return reasonUser
	case !now.Before(s.record.Created.Add(limits.Lifetime)):
		return reasonLifetime
	case now.UnixMilli()-s.seen.Load() >= limits.Idle.Milliseconds():
		return reasonIdle
	}
	return ""
}

// touch notes a use.
func (s *Session) touch(now time.Time) {
	ms, seen := now.UnixMilli(), s.seen.Load()
	if ms-seen >= s.m.limits.Load().touchEvery().Milliseconds() {
		s.seen.CompareAndSwap(seen, ms) // who loses has the same to say
	}
}

// merge takes over a later use that another process saw, as far as it can have.
func (s *Session) merge(ms int64) {
	ms = min(ms, s.m.now().UnixMilli())
	for {
		seen := s.seen.Load()
		if ms <= seen || s.seen.CompareAndSwap(seen, ms) {
			return
		}
	}
}
