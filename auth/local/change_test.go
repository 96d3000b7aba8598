package local_test

import (
	"errors"
	"testing"

	"doorward/auth/local"
	"doorward/auth/user"
)

// What an administrator does while somebody changes a password by the old one stays done.
func TestChangeUndoesNothing(t *testing.T) {
	const reset, wanted = "what the administrator said", "what the intruder wants 1"
	change := func(w *world) {
		_, err := w.ChangePassword(w.Context(), local.Change{UserID: w.id(), Old: right, New: wanted})
		if w.users.late != nil || !errors.Is(err, local.ErrWrong) {
			w.Errorf("%v, want %v", err, local.ErrWrong)
		}
	}
	inBubble(t, func(w *world) {
		w.users.late = func() {
			if problems, err := w.SetPassword(w.Context(), w.id(), reset); err != nil || len(problems) > 0 {
				w.Error(problems, err)
			}
		}
		change(w)
		w.opens(local.Attempt{Login: "bob", Password: reset}, true)
		w.opens(local.Attempt{Login: "bob", Password: wanted}, false)
	})
	inBubble(t, func(w *world) {
		id := w.id()
		w.users.late = func() { w.update(id, func(u *user.User) { u.State = user.Disabled }) }
		change(w)
		w.update(id, func(u *user.User) { u.State = user.Active })
		w.opens(local.Attempt{Login: "bob", Password: wanted}, false)
	})
}
