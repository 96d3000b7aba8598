package state

import "time"

// Times to live are kept as the millisecond in which they end, since that is what
// Redis does. 0 is never.

const (
	// sweepEvery is the time between two sweeps, which remove what has expired.
	sweepEvery = 5 * time.Second
	// sweepSpan is how many entries one sweep looks at: a millisecond of work, and
	// 100,000 entries in less than two minutes. Nobody sees expired entries before
	// that, so sweeping is about space alone.
	sweepSpan = 5000
)

// expiry is when an entry ends that is written now.
func expiry(now time.Time, ttl time.Duration) int64 {
	if ttl == 0 {
		return 0
	}
	return now.Add(ttl + time.Millisecond - 1).UnixMilli()
}

// expired tells whether that moment is over.
func expired(at int64, now time.Time) bool { return at != 0 && now.UnixMilli() >= at }

// expiryTime is the moment as readers get it.
func expiryTime(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.UnixMilli(at)
}
