package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time, written "20s", "5m", "1h30m" or "7d". It is never
// zero or negative in a file; the zero value means that the key was not given.
type Duration time.Duration

// Delay is a span of time like Duration that may be zero: "0s".
type Delay time.Duration

// Size is a number of bytes, written 32768, "32k", "32KiB" or "1MiB".
type Size int64

// Count is a number of things, written 1000, "100k" (102400) or "1m" (1048576).
type Count int64

// valueError says what is wrong with a value, to stand behind the value, and
// how to write it.
type valueError struct {
	what, hint string
}

// Error returns both parts.
func (e *valueError) Error() string {
	if e.hint == "" {
		return e.what
	}
	return e.what + " (" + e.hint + ")"
}

// UnmarshalText reads "20s", "1h30m" or "7d". Zero and less are errors, because
// nothing in Doorward waits forever and nothing needs no time at all.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := parseSpan(string(text))
	if err == nil && parsed <= 0 {
		return &valueError{what: "is not above zero"}
	}
	if err == nil {
		*d = Duration(parsed)
	}
	return err
}

// UnmarshalText reads "0s", "20s", "1h30m" or "7d".
func (d *Delay) UnmarshalText(text []byte) error {
	parsed, err := parseSpan(string(text))
	if err == nil && parsed < 0 {
		return &valueError{what: "is below zero"}
	}
	if err == nil {
		*d = Delay(parsed)
	}
	return err
}

// parseSpan reads a span of time; one with a sign is never above zero.
func parseSpan(s string) (time.Duration, error) {
	if _, err := strconv.Atoi(s); err == nil {
		return 0, &valueError{"has no unit", `write "` + s + `s" for seconds`}
	}
	var days time.Duration
	rest := s
	if before, after, found := strings.Cut(s, "d"); found {
		n, err := strconv.ParseUint(before, 10, 16)
		if err != nil {
			return 0, &valueError{what: "is not a duration", hint: `write "30s", "5m" or "1h30m"`}
		}
		days, rest = time.Duration(n)*24*time.Hour, after
	}
	var parsed time.Duration
	if rest != "" || days == 0 {
		var err error
		if parsed, err = time.ParseDuration(rest); err != nil {
			return 0, &valueError{what: "is not a duration", hint: `write "30s", "5m" or "1h30m"`}
		}
	}
	if parsed < 0 {
		return parsed, nil
	}
	if parsed > math.MaxInt64-days {
		return 0, &valueError{what: "is longer than 290 years"}
	}
	return parsed + days, nil
}

// String returns the duration as a file would have it: "1h30m", not "1h30m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText returns String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String returns the delay as a file would have it.
func (d Delay) String() string { return Duration(d).String() }

// MarshalText returns String.
func (d Delay) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads bytes ("32768") or powers of 1024 ("32k", "32KiB", "1MiB").
func (s *Size) UnmarshalText(text []byte) error {
	lower := strings.ToLower(string(text))
	if number, ok := strings.CutSuffix(lower, "b"); ok && !strings.HasSuffix(number, "i") {
		if unit := strings.TrimLeft(number, "0123456789 "); unit != "" {
			return &valueError{
				what: "is ambiguous",
				hint: `write "` + strings.TrimSuffix(number, unit) + strings.ToUpper(unit) +
					`iB" for powers of 1024`,
			}
		}
		lower = number
	}
	n, ok := multiple(strings.TrimSuffix(lower, "ib"))
	if !ok {
		return &valueError{"is not a size", `write 32768, "32KiB" or "1MiB"`}
	}
	*s = Size(n)
	return nil
}

// String returns the size in the largest unit that divides it.
func (s Size) String() string {
	units := []struct {
		bytes Size
		name  string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}}
	for _, u := range units {
		if s != 0 && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText returns String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads "1000", or "100k", "2m", "1g" in powers of 1024, as
// HAProxy does.
func (c *Count) UnmarshalText(text []byte) error {
	n, ok := multiple(strings.ToLower(string(text)))
	if !ok {
		return &valueError{"is not a count", `write 1000 or "100k"`}
	}
	*c = Count(n)
	return nil
}

// multiple reads a number of zero or more with k, m, g or nothing behind it.
func multiple(text string) (int64, bool) {
	factor := int64(1)
	if i := len(text) - 1; i > 0 {
		if shift, ok := map[byte]int{'k': 10, 'm': 20, 'g': 30}[text[i]]; ok {
			factor, text = 1<<shift, strings.TrimRight(text[:i], " ")
		}
	}
	n, err := strconv.ParseInt(text, 0, 64)
	return n * factor, err == nil && n >= 0 && n <= math.MaxInt64/factor
}
