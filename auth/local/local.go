// Package local signs in users with a password of their own: it hashes and
// verifies passwords, judges new ones, and slows down those who guess.
//
// Guessing is slowed in layers. Failures are counted for a user, for names that
// nobody has just the same, and for the address and the network they come from; they
// are counted before the hash is made and taken back when it was right, so that
// many at once get no more tries than one after the other. A browser that has
// signed in before is known by a cookie and has a count of its own, so that
// strangers cannot lock the owner out. At last, no more than a few hashes are made
// at once, and what waits for one is bounded.
//
// All refusals read the same and take the same time at least, whether the user
// exists, is disabled or blocked: [ErrWrong].
//
// The counts are in memory. They outlive a reload, since a Local does; a restart
// forgets them, and every instance has counts of its own. After a restart somebody
// who guesses has the first tries once more, and for known browsers nothing
// changes: their cookies are signed, not remembered.
//
// Users and their hashes are kept elsewhere, as are sessions, pages and second
// factors.
package local

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"doorward/auth/user"
)

// MaxPassword is the length of a password in bytes, beyond which it is refused
// unread. Nothing is ever cut off.
const MaxPassword = 1024

// What a sign-in can end with, beside the errors of the context.
var (
	// ErrWrong is every refusal that has to do with the user. The text is one for
	// all, since a difference would tell who has an account here.
	ErrWrong = errors.New("the name or the password is wrong," +
		" or there were too many attempts: wait a moment and try again")
	// ErrBusy is a server that has too many passwords to look at.
	ErrBusy = errors.New("too many sign-ins at once: try again in a few seconds")
	// ErrUnknownHash is a stored hash of a kind, or at a cost, that is not taken.
	ErrUnknownHash = errors.New("not a password hash that can be used here")
)

// ThrottledError is a refusal of an address, or the network that it is in, which
// has had too many failures. It says nothing about any user.
type ThrottledError struct {
	// RetryAfter is when the next attempt will be looked at.
	RetryAfter time.Duration
}

func (e *ThrottledError) Error() string {
	return "too many attempts from this network: try again later"
}

// Finder finds users in memory.
type Finder interface {
	// ByName returns the user that a login means, nil when there is none.
	ByName(login string) *user.Person
	// Person returns the user with the ID, nil when there is none.
	Person(id string) *user.Person
	// Password returns the hash of the user's password, empty when there is none.
	Password(id string) string
}

// Keeper stores passwords.
type Keeper interface {
	// SetPassword replaces a password and ends the user's sessions.
	SetPassword(ctx context.Context, id, phc string) error
	// ChangePassword is SetPassword for an active user in an epoch, and tells whether it
	// was still so: what happened since the old password was proven is not undone.
	ChangePassword(ctx context.Context, id string, epoch uint64, phc string) (bool, error)
	// Rehash replaces a hash by another one of the same password, unless it is no
	// longer the old one.
	Rehash(ctx context.Context, id, old, phc string) error
}

// Users is where the users are.
type Users interface {
	Finder
	Keeper
}

// Signer makes and checks signatures, with keys that outlive the process.
type Signer interface {
	// MAC returns the signature of the data for a purpose.
	MAC(purpose string, data ...string) string
	// Check tells whether mac is that signature.
	Check(purpose, mac string, data ...string) bool
}

// Options is what a Local is made of.
type Options struct {
	Users  Users   // whose passwords these are
	Hasher *Hasher // may be shared with others, so that all of them wait in one line
	// Canonical is the one form of all spellings of a name, in which names that
	// nobody has are counted. Nil: as they are.
	Canonical func(login string) string
	// Signer signs the cookies of known browsers; nil: none is known.
	Signer   Signer
	Settings Settings
	Log      *zap.Logger      // nil: silent
	Now      func() time.Time // nil: time.Now
}

// Settings is what a reload may change.
type Settings struct {
	Policy Policy // for new passwords
	Limits Limits // for those who guess
	// MinTime is how long a refusal takes at least; 0 is 250 ms.
	MinTime time.Duration
}

// minTime is far above the time of one hash.
const minTime = 250 * time.Millisecond

// Local is the sign-in with passwords. Its methods may be called by many
// goroutines. It starts none and needs no end.
type Local struct {
	users     Users
	hasher    *Hasher
	canonical func(string) string
	devices   devices
	log       *zap.Logger
	now       func() time.Time
	settings  atomic.Pointer[Settings]
	throttle  *throttle
	alarm     alarm
}

// New makes a Local.
func New(o Options) *Local {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Canonical == nil {
		o.Canonical = func(login string) string { return login }
	}
	l := &Local{
		users: o.Users, hasher: o.Hasher, canonical: o.Canonical, log: o.Log, now: o.Now,
		devices:  devices{signer: o.Signer, now: o.Now},
		throttle: newThrottle(o.Now),
	}
	l.Configure(o.Settings)
	return l
}

// Configure takes other settings. Counts stay as they are.
func (l *Local) Configure(s Settings) {
	if s.MinTime == 0 {
		s.MinTime = minTime
	}
	s.Limits = s.Limits.complete()
	l.settings.Store(&s)
}

// Policy is the rules for new passwords.
func (l *Local) Policy() Policy { return l.settings.Load().Policy }
