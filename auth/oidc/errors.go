package oidc

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// The kinds of errors. All are wrapped with what happened, in words that hold no
// secret and may be logged.
var (
	// ErrUnavailable says that the provider cannot be asked now: it is down, or it
	// refuses us rather than the person. It is worth trying again.
	ErrUnavailable = errors.New("the provider is not available")
	// ErrRevoked says that the account may no longer be here, or has to sign in again.
	ErrRevoked = errors.New("the provider has ended the sign-in")
	// ErrInvalid says that what came is not what the provider would say to us now.
	ErrInvalid = errors.New("not a valid answer of the provider")
	// ErrTenant says that the account is one of a tenant that may not sign in here. An
	// error that is ErrTenant is ErrInvalid, too.
	ErrTenant = errors.New("an account of another tenant")
	// ErrUnsupported says that providers of this type cannot do that.
	ErrUnsupported = errors.New("not supported by this type of provider")
)

// CallbackError is a provider's refusal: its error answer to the browser, or to our
// asking for tokens (RFC 6749, sections 4.1.2.1 and 5.2).
type CallbackError struct {
	// Code is the error code, Description what the provider adds, cleaned of control
	// characters and cut to 200 characters. Both are text from outside, to be escaped.
	Code, Description string
	// Hint says what can be done about it, empty when that is not known.
	Hint string
}

func (e *CallbackError) Error() string {
	text := "the provider refuses: " + e.Code
	if e.Description != "" {
		text += ": " + e.Description
	}
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// The limits of text from outside.
const (
	maxDescription = 200
	maxCode        = 64
)

var aadsts = regexp.MustCompile(`AADSTS(\d{4,8})`)

// refusal makes a CallbackError of what the provider sent. Secrets are ours: a
// description that repeats one of them is withheld.
func refusal(code, description string, secrets ...string) *CallbackError {
	for _, s := range secrets {
		if len(s) >= 8 && (strings.Contains(description, s) || strings.Contains(code, s)) {
			code, description = "refused", ""
		}
	}
	e := &CallbackError{Code: clean(code, maxCode), Description: clean(description, maxDescription)}
	if number := aadsts.FindStringSubmatch(description); number != nil {
		e.Hint = entraHints[number[1]]
	}
	if e.Hint == "" {
		e.Hint = hints[e.Code]
	}
	return e
}

// hints by error code, entraHints by number of Entra ID. They are for people: what is
// done about an error follows from its code alone.
var hints = map[string]string{
	"access_denied":                "the sign-in was cancelled or not allowed",
	"redirect_uri_mismatch":        "register the redirect URL of this provider",
	"incorrect_client_credentials": "the client secret is wrong",
	"invalid_client":               "client id or client secret is wrong",
	"unauthorized_client":          "the registration does not allow this kind of sign-in",
	"invalid_grant":                "the sign-in took too long or was used before: try again",
	"bad_verification_code":        "the sign-in took too long or was used before: try again",
	"server_error":                 "try again later",
	"temporarily_unavailable":      "try again later",
}

var entraHints = map[string]string{
	"50011":   "the redirect URL is not registered with the app registration",
	"50020":   "the account is not one of this tenant",
	"50057":   "the account is disabled",
	"50074":   "a second factor is required",
	"50076":   "a second factor is required",
	"50079":   "a second factor has to be registered",
	"50105":   "the account is not assigned to the application",
	"50173":   "the grant was revoked: sign in again",
	"50194":   "the application is for one tenant only: name it in tenant",
	"50196":   "a loop of sign-ins was noticed: wait a while, and check cookies and clock",
	"53003":   "conditional access does not allow this sign-in",
	"65001":   "an administrator has to grant consent to the application",
	"700082":  "the refresh token was not used for too long: sign in again",
	"7000215": "the client secret is wrong",
	"7000222": "the client secret has expired",
	"501481":  "the sign-in was begun elsewhere: try again",
}

// clean makes text from outside fit for a line of a log: one line, no control or
// format characters, at most limit characters.
func clean(text string, limit int) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n == limit {
			break
		}
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			r = ' '
		case r == unicode.ReplacementChar || !unicode.IsPrint(r):
			continue
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...))
}

func isUnavailable(err error) bool { return errors.Is(err, ErrUnavailable) }

func unavailable(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrUnavailable, fmt.Errorf(format, args...))
}
