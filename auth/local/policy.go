package local

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The lengths that NIST SP 800-63B-4 asks for: of a password that is the only proof,
// and of one that is not.
const (
	defaultMinLength = 15
	leastMinLength   = 8
)

// Policy is the rules for new passwords. They follow NIST SP 800-63B-4: length, and
// nothing that is guessed early; no rules about kinds of characters, and no change
// without a reason.
type Policy struct {
	// MinLength counts characters, in the form of Unicode where compatible ones are
	// one (NFKC); 0 is 15, less than 8 is 8.
	MinLength int
	// RejectCommon refuses what is guessed early: well-known passwords, keyboard
	// rows, repetitions, and the words that are passed to Check, also when disguised
	// and decorated.
	RejectCommon bool
	// Words are those that a guess would begin with for everybody here, such as the
	// company's name.
	Words []string
}

// Code is what is wrong with a password, for pages that say it in other languages.
type Code string

// The codes of problems.
const (
	TooShort  Code = "too-short" // Number: characters needed
	TooLong   Code = "too-long"  // Number: bytes allowed
	NotText   Code = "not-text"
	Common    Code = "common"
	Personal  Code = "personal"
	Repeated  Code = "repeated"
	Sequence  Code = "sequence"
	Unchanged Code = "unchanged"
)

// Problem is something that is wrong with a password.
type Problem struct {
	Code   Code   // for programs
	Number int    // what the code needs, else 0
	Text   string // in English
}

func problem(code Code, number int) Problem {
	var text string
	switch code {
	case TooShort:
		text = fmt.Sprintf("Use at least %d characters. Several words make a long password"+
			" that is easy to keep in mind.", number)
	case TooLong:
		text = fmt.Sprintf("Use at most %d bytes.", number)
	case NotText:
		text = "This is not valid text."
	case Common:
		text = "This is among the first passwords that are guessed. Use other words."
	case Personal:
		text = "This is little more than your name, your address or the name of the service."
	case Repeated:
		text = "This repeats itself."
	case Sequence:
		text = "This is little more than a row of keys, letters or digits."
	case Unchanged:
		text = "This is the password that you have already."
	}
	return Problem{Code: code, Number: number, Text: text}
}

// Check returns what is wrong with a password, nil when nothing is. The words are
// about the user: name, title, e-mail address.
func (p Policy) Check(password string, words ...string) []Problem {
	switch {
	case len(password) > MaxPassword:
		return []Problem{problem(TooLong, MaxPassword)}
	case !utf8.ValidString(password):
		return []Problem{problem(NotText, 0)}
	}
	var problems []Problem
	text := norm.NFKC.String(password)
	if least := p.minLength(); utf8.RuneCountInString(text) < least {
		problems = append(problems, problem(TooShort, least))
	}
	if p.RejectCommon && text != "" {
		guess := newGuess(text, append(words, p.Words...))
		if code := guess.judge(); code != "" {
			problems = append(problems, problem(code, 0))
		}
	}
	return problems
}

func (p Policy) minLength() int {
	if p.MinLength == 0 {
		return defaultMinLength
	}
	return max(leastMinLength, p.MinLength)
}

// parts cuts names and addresses into the words they consist of, as a guess would
// use them: in lower case, whole and in parts.
func parts(words []string) map[string]struct{} {
	found := map[string]struct{}{}
	for _, word := range words {
		word = strings.ToLower(norm.NFKC.String(word))
		name, _, _ := strings.Cut(word, "@")
		for _, part := range append(strings.FieldsFunc(word, isJoint), word, name) {
			if n := utf8.RuneCountInString(part); n >= 3 && n <= maxWord {
				found[part] = struct{}{}
			}
		}
	}
	return found
}

func isJoint(r rune) bool { return strings.ContainsRune(" .,-_+@'/", r) }
