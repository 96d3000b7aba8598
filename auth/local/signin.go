package local

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"doorward/auth/user"
)

// Attempt is a sign-in that somebody tries.
type Attempt struct {
	// Login is what was typed as the name, Password as the password.
	Login    string
	Password string
	// Client is the address that it comes from, as far as that can be trusted.
	Client netip.Addr
	// Device is the cookie of a known browser, as it came.
	Device string
}

// Result is a sign-in that was right.
type Result struct {
	UserID string // who signs in
	// Epoch is the user's from before the password was looked at: one that is changed
	// meanwhile begins another.
	Epoch uint64
	// MustChange says that the password has to be changed before anything else.
	MustChange bool
	// Device is the browser's cookie from now on; empty when none are given.
	Device string
}

// SignIn tells who signs in, or why not: ErrWrong, a [ThrottledError], ErrBusy, or
// the error of the context. All but the last two take MinTime at least.
func (l *Local) SignIn(ctx context.Context, a Attempt) (Result, error) {
	began := l.now()
	result, err := l.signIn(ctx, a)
	return result, l.refuse(ctx, refusal{err: err, began: began, client: a.Client})
}

// refusal is how a sign-in ended, nil for a good end.
type refusal struct {
	err    error
	began  time.Time
	client netip.Addr
}

// refuse returns the error when it is time to: a refusal tells nothing by how long
// it took.
func (l *Local) refuse(ctx context.Context, r refusal) error {
	var throttled *ThrottledError
	if !errors.Is(r.err, ErrWrong) && !errors.As(r.err, &throttled) {
		return r.err
	}
	if l.alarm.failed(r.began) {
		l.log.Warn("many sign-ins with passwords fail: somebody may be guessing",
			zap.Int("failures_per_minute", alarmAt), zap.Stringer("client", r.client))
	}
	if late := l.linger(ctx, r.began); late != nil {
		return late
	}
	return r.err
}

// linger waits until MinTime has passed since it began, and a little more that
// nobody can count on.
func (l *Local) linger(ctx context.Context, began time.Time) error {
	least := l.settings.Load().MinTime
	least += rand.N(least/8 + 1)
	timer := time.NewTimer(least - l.now().Sub(began))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Local) signIn(ctx context.Context, a Attempt) (Result, error) {
	s := subject{name: l.canonical(a.Login), client: a.Client}
	person := l.users.ByName(a.Login)
	var epoch uint64
	if person != nil {
		u := person.View().User
		s.userID, epoch = u.ID, u.Epoch
		s.device = l.devices.known(a.Device, s.userID)
	}
	if err := l.prove(ctx, s, a.Password); err != nil {
		return Result{}, err
	}
	return Result{
		UserID:     s.userID,
		Epoch:      epoch,
		MustChange: person.View().User.MustChange,
		Device:     l.devices.remember(a.Device, s.userID),
	}, nil
}

// prove returns nil when the password is the subject's, who may sign in. Whatever
// is wrong, a hash is made, as long as there were not too many.
func (l *Local) prove(ctx context.Context, s subject, password string) error {
	ticket, err := l.throttle.admit(s, l.settings.Load().Limits)
	if err != nil {
		return err
	}
	phc := l.hashOf(s.userID)
	ok, rehash, err := l.verify(ctx, phc, password, s.device != "")
	if err != nil {
		ticket.forget() // nobody has learned anything
		return err
	}
	// Much may have happened while the hash was made.
	if !ok || !l.active(s.userID) || l.changed(ctx, s.userID, phc, password) {
		return ErrWrong
	}
	ticket.succeed()
	if rehash {
		l.rehash(ctx, s.userID, phc, password)
	}
	return nil
}

// hashOf returns the user's hash, or one that costs the same and is nobody's.
func (l *Local) hashOf(id string) string {
	if id != "" {
		if phc := l.users.Password(id); phc != "" {
			return phc
		}
	}
	return l.hasher.dummy
}

func (l *Local) verify(
	ctx context.Context, phc, password string, known bool,
) (ok, rehash bool, err error) {
	if checkLength(password) != nil {
		password, phc = "too long or empty", l.hasher.dummy
	}
	ok, rehash, err = l.hasher.verify(ctx, phc, password, known)
	if errors.Is(err, ErrUnknownHash) {
		l.log.Error("the stored hash of a password cannot be used", zap.Error(err))
		_, _, err = l.hasher.verify(ctx, l.hasher.dummy, password, known)
		return false, false, err
	}
	return ok, rehash, err
}

func (l *Local) active(id string) bool {
	p := l.users.Person(id)
	return p != nil && p.View().User.State == user.Active && !p.View().User.Service
}

// changed tells whether the password is another one by now. A hash that is new may
// still be of the same, when two sign-ins at once have it hashed anew.
func (l *Local) changed(ctx context.Context, id, phc, password string) bool {
	now := l.users.Password(id)
	if now == phc {
		return false
	}
	same, _, err := l.hasher.verify(ctx, now, password, true)
	return !same || err != nil
}

// rehash stores a better hash. If it cannot, the next sign-in will.
func (l *Local) rehash(ctx context.Context, id, old, password string) {
	phc, err := l.hasher.Hash(ctx, password)
	if err == nil {
		err = l.users.Rehash(ctx, id, old, phc)
	}
	if err != nil {
		l.log.Info("a password was not hashed anew, the next sign-in will",
			zap.String("user", id), zap.Error(err))
	}
}
