package backend

import "time"

// fullShare is the percentage of a server that is not in slow start.
const fullShare = 100

// stepEvery is the time between two steps of slow start; a short one has at least
// minSteps.
const (
	stepEvery = time.Second
	minSteps  = 10
)

// SetUp says whether the server is well; only package health does. With slow a
// server begins its slow start, if the backend has one: weight and
// MaxConnections grow from one percent to all of it. That holds for a server that
// is up already too, as when it leaves maintenance. A server that goes down loses
// no request in flight.
func (s *Server) SetUp(up, slow bool) {
	s.changing.Lock()
	changed := s.down.Swap(!up) == up
	if up && slow && s.live.Load().slowStart > 0 {
		s.since = time.Now()
		changed = s.warm() || changed
	} else if changed {
		s.since = time.Time{}
		s.warm()
	}
	warming := !s.since.IsZero()
	s.changing.Unlock()
	if changed {
		s.group.changed(s)
	}
	if warming {
		s.stepSoon()
	}
}

// Share is the percentage of its weight and MaxConnections that a server in slow
// start has, 100 for all others.
func (s *Server) Share() int { return int(s.share.Load()) }

// warm brings share and limit up to date, and tells whether that changed the
// share. The caller holds changing.
func (s *Server) warm() bool {
	live := s.live.Load()
	share := int64(fullShare)
	if !s.since.IsZero() {
		if past := time.Since(s.since); past < live.slowStart {
			share = max(1, fullShare*int64(past)/int64(live.slowStart))
		} else {
			s.since = time.Time{}
		}
	}
	limit := int64(maxActive)
	if live.limit > 0 {
		limit = max(1, min(live.limit, maxActive)*share/fullShare)
	}
	s.limit.Store(limit)
	return s.share.Swap(share) != share
}

// step is one step of slow start, and tells how long until the next one; 0 is
// that there is none.
func (s *Server) step() time.Duration {
	s.changing.Lock()
	changed := s.warm()
	warming := !s.since.IsZero()
	every := max(min(stepEvery, s.live.Load().slowStart/minSteps), time.Millisecond)
	s.changing.Unlock()
	if changed {
		s.group.changed(s)
	}
	if !warming {
		return 0
	}
	// All servers step at the same time, so that their steps make one rotation.
	now := time.Now()
	return now.Truncate(every).Add(every).Sub(now)
}

// stepSoon wakes tend for the steps of slow start; it never waits.
func (s *Server) stepSoon() {
	select {
	case s.warming <- struct{}{}:
	default:
	}
}
