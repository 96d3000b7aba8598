package acme

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"unicode"

	"github.com/mholt/acmez/v3/acme"
)

// reasonLimit is how many bytes of a reason are shown.
const reasonLimit = 400

// reason is an error in one line for people: what the authority says is wrong,
// where it says anything, and not the way the error took. Parts of it come from
// outside, so nothing that is not print stays in it.
func reason(err error) string {
	var limit *LimitError
	var problem acme.Problem
	var request *url.Error
	text := err.Error()
	switch {
	case errors.As(err, &limit):
		text = limit.Error()
	case errors.As(err, &problem):
		text = problemText(problem)
	case errors.Is(err, context.DeadlineExceeded):
		text = "it took too long: " + text
	case errors.As(err, &request):
		text = request.Err.Error()
	}
	return clean(text)
}

func problemText(p acme.Problem) string {
	parts := []string{strings.TrimPrefix(p.Type, acme.ProblemTypeNamespace), p.Detail}
	for _, sub := range p.Subproblems {
		parts = append(parts, sub.Identifier.Value+" "+sub.Detail)
	}
	var said []string
	for _, part := range parts {
		if part = strings.TrimSpace(part); part != "" {
			said = append(said, part)
		}
	}
	if len(said) == 0 {
		return p.Error()
	}
	return strings.Join(said, ": ")
}

// clean makes one line of print of a text, not too long.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	if len(text) > reasonLimit {
		text = strings.ToValidUTF8(text[:reasonLimit], "") + "..."
	}
	return strings.TrimSpace(text)
}
