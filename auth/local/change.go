package local

import (
	"context"
	"net/netip"

	"doorward/auth/user"
)

// Change is a new password that a signed-in user wants.
type Change struct {
	// UserID is whose password it is, which the session has proven.
	UserID string
	// Old proves that it is the user who asks, and not who sits at the screen.
	Old, New string
	// Client is where the failures of Old are counted, besides for the user.
	Client netip.Addr
}

// ChangePassword replaces a password by another one, for which the old one is
// needed: ErrWrong, ThrottledError and ErrBusy are as for SignIn, and its failures
// count with those. Problems are what is wrong with the new one; then nothing
// was changed. All sessions of the user end.
func (l *Local) ChangePassword(ctx context.Context, c Change) ([]Problem, error) {
	began := l.now()
	var epoch uint64
	if p := l.users.Person(c.UserID); p != nil {
		epoch = p.View().User.Epoch
	}
	err := l.prove(ctx, subject{userID: c.UserID, client: c.Client}, c.Old)
	if err != nil {
		return nil, l.refuse(ctx, refusal{err: err, began: began, client: c.Client})
	}
	if c.New == c.Old {
		return []Problem{problem(Unchanged, 0)}, nil
	}
	phc, problems, err := l.judged(ctx, c.UserID, c.New)
	if err != nil || len(problems) > 0 {
		return problems, err
	}
	same, err := l.users.ChangePassword(ctx, c.UserID, epoch, phc)
	if err == nil && !same { // it is no longer the old one that was proven
		err = ErrWrong
	}
	return nil, err
}

// SetPassword gives a user a password without asking for the old one: for
// administrators and invitations. Problems are what is wrong with it; then nothing
// was changed.
func (l *Local) SetPassword(ctx context.Context, userID, password string) ([]Problem, error) {
	phc, problems, err := l.judged(ctx, userID, password)
	if err != nil || len(problems) > 0 {
		return problems, err
	}
	return nil, l.users.SetPassword(ctx, userID, phc)
}

// judged is the hash of a password that has no problems.
func (l *Local) judged(
	ctx context.Context, userID, password string,
) (phc string, problems []Problem, err error) {
	var words []string
	if p := l.users.Person(userID); p != nil {
		words = ContextOf(p.View().User)
	}
	if problems = l.Policy().Check(password, words...); len(problems) > 0 {
		return "", problems, nil
	}
	phc, err = l.hasher.Hash(ctx, password)
	return phc, nil, err
}

// ContextOf is the words about a user that a guess would begin with.
func ContextOf(u *user.User) []string { return []string{u.Name, u.Title, u.Email} }
