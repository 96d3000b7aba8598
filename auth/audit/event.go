package audit

import (
	"strings"
	"time"
	"unicode/utf8"
)

// maxField is how many bytes of a field are kept: some are chosen by clients.
const maxField = 512

// Kind is what happened.
type Kind string

// The kinds of events. Others may be recorded too.
const (
	SignIn          Kind = "sign-in"
	SignInFailed    Kind = "sign-in-failed"
	SignOut         Kind = "sign-out"
	SessionEnded    Kind = "session-ended"
	UserCreated     Kind = "user-created"
	UserChanged     Kind = "user-changed"
	UserDeleted     Kind = "user-deleted"
	PasswordChanged Kind = "password-changed"
	IdentityLinked  Kind = "identity-linked"
	IdentityRemoved Kind = "identity-removed"
	TokenCreated    Kind = "token-created"
	TokenDeleted    Kind = "token-deleted"
	AccessDenied    Kind = "access-denied"
)

// kinds are those that are counted by name.
func kinds() []Kind {
	return []Kind{SignIn, SignInFailed, SignOut, SessionEnded, UserCreated, UserChanged, UserDeleted,
		PasswordChanged, IdentityLinked, IdentityRemoved, TokenCreated, TokenDeleted, AccessDenied}
}

// Event is something that happened.
type Event struct {
	At   time.Time `json:"at"` // zero: now
	Kind Kind      `json:"kind"`
	// User is whom it is about, By who did it where that is somebody else, each by
	// name or ID.
	User string `json:"user,omitempty"`
	By   string `json:"by,omitempty"`
	// Client is the address, Provider who signed the user in.
	Client   string `json:"client,omitempty"`
	Provider string `json:"provider,omitempty"`
	// Detail is what else there is to say, in words.
	Detail string `json:"detail,omitempty"`
}

// clean makes an event fit to be kept.
func (e Event) clean() Event {
	e.At = e.At.UTC()
	e.Kind = Kind(cut(string(e.Kind)))
	for _, field := range []*string{&e.User, &e.By, &e.Client, &e.Provider, &e.Detail} {
		*field = cut(*field)
	}
	return e
}

func cut(text string) string {
	if n := maxField; len(text) > n {
		for n > 0 && !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
