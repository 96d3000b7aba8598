package stats

import (
	"math"
	"strconv"
	"time"
)

// noFigure stands where a row has no such number, as opposed to zero.
const noFigure = "–"

// countText writes a number as people read it: exact up to ten millions, so that
// it is seen to grow, then with a unit and four digits that count.
func countText(n int64) string {
	switch {
	case n < 0:
		return "-" + countText(-n)
	case n < 10_000_000:
		return grouped(n)
	}
	value, unit := scaled(float64(n))
	return digits(value, 4) + unit
}

// grouped puts a comma before each three digits.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// limitText writes a number of which 0 means any.
func limitText(n int64) string {
	if n == 0 {
		return noFigure
	}
	return countText(n)
}

// sizeText writes a size in the units of networks, where a kilobyte is 1000.
func sizeText(n float64) string {
	if n < 999.5 {
		return strconv.FormatFloat(n, 'f', 0, 64) + " B"
	}
	value, unit := scaled(n)
	return digits(value, 3) + " " + unit + "B"
}

// scaled takes the thousands out of a number.
func scaled(n float64) (float64, string) {
	unit := ""
	for _, next := range []string{"k", "M", "G", "T", "P", "E"} {
		if n < 999.5 {
			break
		}
		n, unit = n/1000, next
	}
	return n, unit
}

// digits writes a number below a thousand with so many digits.
func digits(n float64, all int) string {
	behind := all - 3
	for limit := 99.5; n < limit && behind < all-1; limit /= 10 {
		behind++
	}
	return strconv.FormatFloat(n, 'f', behind, 64)
}

// rateText writes how often something happens in a second.
func rateText(f float64) string {
	if f > 0 && f < 9.95 {
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return countText(int64(math.Round(f)))
}

// tookText writes how long something took that is a matter of milliseconds.
func tookText(d time.Duration) string {
	switch ms := d.Seconds() * 1000; {
	case d <= 0:
		return "0 ms"
	case ms < 0.0995:
		return strconv.FormatFloat(ms*1000, 'f', 0, 64) + " µs"
	case ms < 9.95:
		return digits(ms, 2) + " ms"
	case ms < 999.5:
		return digits(ms, 3) + " ms"
	case d < 100*time.Second:
		return digits(d.Seconds(), 3) + " s"
	}
	return spanText(d)
}

// tookText writes one of the times of a row; noFigure when nothing was timed yet.
func (s *Seen) tookText(d time.Duration) string {
	if s.Total.Max == 0 {
		return noFigure
	}
	return tookText(d)
}

// spanText writes a time that people wait for, in its two largest units.
func spanText(d time.Duration) string {
	units := [...]struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	d = max(d, 0)
	for i, unit := range units[:3] {
		if d < unit.of {
			continue
		}
		text := strconv.FormatInt(int64(d/unit.of), 10) + unit.name
		if rest := d % unit.of / units[i+1].of; rest > 0 {
			text += " " + strconv.FormatInt(int64(rest), 10) + units[i+1].name
		}
		return text
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + "s"
}

// agoText writes how long before now something was; noFigure for never.
func agoText(at, now time.Time) string {
	if at.IsZero() {
		return noFigure
	}
	return spanText(now.Sub(at))
}

// momentText writes a time of the clock and how long before now it was; noFigure
// for never.
func momentText(at, now time.Time) string {
	if at.IsZero() {
		return noFigure
	}
	return at.Format("2006-01-02 15:04:05 MST") + ", " + agoText(at, now) + " ago"
}
