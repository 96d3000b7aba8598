package health

import "time"

// Timing says how often a server is checked and how long a check may take.
type Timing struct {
	// Interval is the time from the end of a check to the next; 0 means 2 s. Fast is
	// the one while the server is between up and down, Down the one while it is
	// down; 0 means Interval.
	Interval, Fast, Down time.Duration
	// Jitter is by how many percent each of them varies, up and down.
	Jitter int
	// Connect is how long a connection may take to be ready, TLS included; never
	// longer than Interval, which is what 0 means.
	Connect time.Duration
	// Timeout is how long the answer may take, after that. 0: connection and answer
	// together have Interval.
	Timeout time.Duration
}

// Next is the time until the next check of a server in this state.
func (t Timing) Next(c Counter) time.Duration {
	switch {
	case c.Value == c.best():
		return t.Interval
	case c.Value == 0 && t.Down > 0:
		return t.Down
	case c.Value > 0 && t.Fast > 0:
		return t.Fast
	}
	return t.Interval
}

// vary applies the jitter; at is a random number from 0 to 1.
func (t Timing) vary(d time.Duration, at float64) time.Duration {
	return d + time.Duration(float64(d)*float64(t.Jitter)/100*(2*at-1))
}

// maxBeat is the longest beat that checks fall into.
const maxBeat = 100 * time.Millisecond

// together moves the time of a check to the next beat, of which there are twenty
// in its interval, so that others are due with it: for a process that has little
// else to do, to wake up costs more than a check.
func together(at, interval time.Duration) time.Duration {
	return at.Round(min(interval/20, maxBeat))
}

// connect is how long a connection may take to be ready.
func (t Timing) connect() time.Duration {
	if t.Connect > 0 {
		return min(t.Connect, t.Interval)
	}
	return t.Interval
}

// until is when the answer must be here, for a check that began at start and has
// its connection now.
func (t Timing) until(start, now time.Time) time.Time {
	if t.Timeout > 0 {
		return now.Add(t.Timeout)
	}
	return start.Add(t.Interval)
}

// Offset is how long the first check of a server waits, so that those of many do
// not fall together: the one at this position, from 0, of so many gets its part of
// its own interval, or of the smallest of all where that is longer.
func Offset(own, smallest time.Duration, position, number int) time.Duration {
	return max(own, smallest) * time.Duration(position) / time.Duration(number)
}
