package health

import "time"

// Status is what is known of a server.
type Status struct {
	// Counter is its health, and says whether it is up.
	Counter
	// Last is the last check, or what requests told since.
	Last Result
	// Running says that a check is under way, Maintained that there are none because
	// of maintenance.
	Running, Maintained bool
	// Fails counts checks that failed while there was health left to lose, Observed
	// how often too many requests went wrong, Downs how often the server went down.
	Fails, Observed, Downs int64
	// LastChange is when it last went up, down, into or out of maintenance, or was
	// first watched. Downtime is how long it was down, maintenance apart.
	LastChange time.Time
	Downtime   time.Duration

	downSince time.Time // zero unless down and not in maintenance
}

// at is the status with what goes on by itself.
func (s Status) at(now time.Time) Status {
	if !s.downSince.IsZero() {
		s.Downtime += now.Sub(s.downSince)
		s.downSince = time.Time{}
	}
	return s
}

// begun is the status of a server that nothing is known of.
func begun(c Counter, maintained bool, now time.Time) Status {
	return Status{
		Counter: c, Last: Result{Outcome: Starting}, Maintained: maintained, LastChange: now,
	}.clocked(now)
}

// clocked starts or ends the time that the server is down.
func (s Status) clocked(now time.Time) Status {
	s = s.at(now)
	if !s.Up() && !s.Maintained {
		s.downSince = now
	}
	return s
}

// lived is how long the server has been as it is.
func (s Status) lived(now time.Time) time.Duration { return now.Sub(s.LastChange) }
