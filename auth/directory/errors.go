package directory

import (
	"errors"
	"fmt"

	"doorward/state"
)

// What can be wrong, beside the errors of the store.
var (
	// ErrNotFound is a user, group, token or link that is not there, or no longer.
	ErrNotFound = errors.New("not found")
	// ErrTaken is a name or an identity that another user has; [TakenError] says
	// which.
	ErrTaken = errors.New("already taken")
	// ErrInvalid is what a directory does not take: the text says what and why.
	ErrInvalid = errors.New("invalid")
)

// TakenError is an ErrTaken with what was taken.
type TakenError struct {
	// What is "name", "identity" or "group".
	What string
	// Value is the name, or the name of the identity's provider.
	Value string
}

func (e *TakenError) Error() string {
	if e.What == "identity" {
		return fmt.Sprintf("the account at %s already signs in another user", e.Value)
	}
	return fmt.Sprintf("the %s %q is already taken", e.What, e.Value)
}

// Unwrap returns ErrTaken.
func (e *TakenError) Unwrap() error { return ErrTaken }

func invalid(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, a...))
}

func missing(what, name string) error {
	return fmt.Errorf("%s %q: %w", what, name, ErrNotFound)
}

// conflicted returns the key that kept a write from being made, empty for other
// errors.
func conflicted(err error) string {
	var at *state.KeyError
	if errors.Is(err, state.ErrConflict) && errors.As(err, &at) {
		return at.Key
	}
	return ""
}
