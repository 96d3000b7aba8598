package main

import (
	"fmt"
	"strconv"
	"time"
)

// grouped writes a number with a comma before each three digits.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// ofLimit writes a number with its limit, if there is one.
func ofLimit(n, limit int64) string {
	if limit == 0 {
		return grouped(n)
	}
	return grouped(n) + "/" + grouped(limit)
}

// span writes a time that people wait for, in its two largest units.
func span(d time.Duration) string {
	units := [...]struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	d = max(d, 0)
	for i, unit := range units[:3] {
		if d < unit.of {
			continue
		}
		text := fmt.Sprint(int64(d/unit.of), unit.name)
		if rest := d % unit.of / units[i+1].of; rest > 0 {
			text += fmt.Sprint(int64(rest), units[i+1].name)
		}
		return text
	}
	return fmt.Sprint(int64(d/time.Second), "s")
}

// since is how long before now something was.
func since(at, now time.Time) string {
	if at.IsZero() {
		return nothing
	}
	return span(now.Sub(at))
}

// took writes how long something took that is a matter of milliseconds, given in
// seconds.
func took(seconds float64) string {
	switch ms := seconds * 1000; {
	case ms <= 0:
		return nothing
	case ms < 9.95:
		return strconv.FormatFloat(ms, 'f', 1, 64) + "ms"
	case ms < 999.5:
		return strconv.FormatFloat(ms, 'f', 0, 64) + "ms"
	}
	return strconv.FormatFloat(seconds, 'f', 1, 64) + "s"
}

// checked writes the result of a check: "L7STS/503".
func checked(status string, code int) string {
	if code == 0 {
		return status
	}
	return fmt.Sprintf("%s/%d", status, code)
}

// moment is a time of the clock where the command runs.
func moment(t time.Time) string { return t.Local().Format(time.DateTime) }
