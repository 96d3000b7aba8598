package oidc

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
)

// The limits of what is believed about a person.
const (
	maxGroups = 10_000
	maxValue  = 512
	maxName   = 256
)

// fields are the members of a JSON object, under their exact names. A member of
// another type than the one asked for is as good as none.
type fields map[string]json.RawMessage

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func (f fields) text(name string) string { return text(f[name]) }

// name is a text to show or to compare: cleaned of what cannot be seen.
func (f fields) name(name string) string { return clean(f.text(name), maxName) }

// yes tells whether the member is the boolean true.
func (f fields) yes(name string) bool { return string(f[name]) == "true" }

// time reads seconds since 1970, which may have a fraction. What is no time that a
// calendar knows is none.
func (f fields) time(name string) (time.Time, bool) {
	var seconds float64
	if raw, ok := f[name]; !ok || string(raw) == "null" || json.Unmarshal(raw, &seconds) != nil {
		return time.Time{}, false
	}
	// Year 9999 is the last that is written in four digits.
	if math.IsNaN(seconds) || seconds < 0 || seconds > 253402300799 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0).UTC(), true
}

// list reads texts: an array of nothing else, or one alone. Values that could not be
// an identifier are left out. It tells whether they are all there is: it is false where
// there are too many, and then there are none.
func (f fields) list(name string) (values []string, all bool) {
	raw, ok := f[name]
	if !ok {
		return nil, true
	}
	if one := text(raw); one != "" {
		values = []string{one}
	} else if json.Unmarshal(raw, &values) != nil || holdsNull(raw) {
		return nil, true
	}
	if len(values) > maxGroups {
		return nil, false
	}
	values = slices.DeleteFunc(values, func(v string) bool {
		return v == "" || len(v) > maxValue || strings.ContainsFunc(v, unicode.IsControl)
	})
	slices.Sort(values)
	return slices.Compact(values), true
}

// holdsNull tells whether an array holds null, which decodes as an empty text.
func holdsNull(raw json.RawMessage) bool {
	var values []*string
	return json.Unmarshal(raw, &values) == nil && slices.Contains(values, nil)
}

// words reads a list whose values have spaces between them (RFC 6749, section 3.3).
func (f fields) words(name string) []string { return strings.Fields(f.text(name)) }

// mail returns an address in the form that can be compared, empty when it is none: one
// @ and a domain in lower case. Anything cleverer is somebody's trick.
func mail(address string) string {
	local, host, ok := strings.Cut(address, "@")
	if !ok || local == "" || host == "" || len(address) > 254 {
		return ""
	}
	odd := func(r rune) bool {
		return !unicode.IsPrint(r) || r == unicode.ReplacementChar ||
			strings.ContainsRune(` @",:;<>()[]\`, r)
	}
	if strings.ContainsFunc(local, odd) || strings.ContainsFunc(host, odd) {
		return ""
	}
	return local + "@" + strings.ToLower(host)
}

// ascii tells whether a text has no letters that look like others.
func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}
