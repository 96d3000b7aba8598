package stats

import (
	"math"
	"time"

	"doorward/internal/tally"
)

// samples is how many requests the means are taken over, as in HAProxy.
const samples = 1024

// kind tells rows of the same name apart.
type kind uint8

const (
	frontendRow kind = iota
	routeRow
	backendRow
	serverRow
)

// rowKey names a row across views. Owner is the backend of a server.
type rowKey struct {
	kind        kind
	owner, name string
}

// glance is what a View says of a row, as far as rates and maxima are made of it.
type glance struct {
	totals *tally.Totals
	// connections were opened and sessions began since the start; now is how many
	// sessions there are.
	connections, sessions, now int64
}

// row is what is remembered of a row.
type row struct {
	seen                  Seen
	last                  tally.Totals
	connections, sessions int64
	means                 [tally.Timers]mean
	chart                 *chart // nil: none is kept
	round                 uint64 // of the sample that last saw it
}

// meet remembers where the counters stood when the row was first seen.
func (r *row) meet(g glance) {
	r.last, r.connections, r.sessions = *g.totals, g.connections, g.sessions
	r.seen.SessionsMax = max(r.seen.SessionsMax, g.now)
}

// gain is what a row gained between two looks.
type gain struct {
	totals                tally.Totals
	connections, sessions int64
}

// look compares with the look before, which was some seconds ago.
func (r *row) look(g glance, at time.Time, seconds float64) gain {
	gained := gain{
		totals:      since(g.totals, &r.last),
		connections: rise(r.connections, g.connections),
		sessions:    rise(r.sessions, g.sessions),
	}
	r.last, r.connections, r.sessions = *g.totals, g.connections, g.sessions
	r.take(&gained, g.now, at, seconds)
	return gained
}

// take turns a gain into rates and maxima.
func (r *row) take(gained *gain, sessions int64, at time.Time, seconds float64) {
	s, t := &r.seen, &gained.totals
	s.RequestRate = float64(t.Requests) / seconds
	s.RequestRateMax = max(s.RequestRateMax, s.RequestRate)
	s.ConnectionRate = float64(gained.connections) / seconds
	s.ConnectionRateMax = max(s.ConnectionRateMax, s.ConnectionRate)
	s.BytesInRate = float64(t.BytesIn) / seconds
	s.BytesOutRate = float64(t.BytesOut) / seconds
	s.SessionsMax = max(s.SessionsMax, sessions)
	if t.Requests > 0 || gained.sessions > 0 {
		s.LastSession = at
	}
	if t.Requests > 0 {
		for i, timing := range []*Timing{&s.Queue, &s.Connect, &s.Response, &s.Total} {
			r.means[i].add(&t.Timers[i])
			timing.Mean = time.Duration(r.means[i].value)
			timing.Max = max(timing.Max, longest(&t.Timers[i]))
		}
	}
	if r.chart != nil {
		r.chart.add(t)
	}
}

// since is what was counted after before. When a counter went back, because the
// thing was replaced by another of the same name, that is everything.
func since(now, before *tally.Totals) tally.Totals {
	if isBehind(now, before) {
		return *now
	}
	gained := *now
	gained.Since(before)
	return gained
}

func isBehind(now, before *tally.Totals) bool {
	if now.Requests < before.Requests ||
		now.BytesIn < before.BytesIn || now.BytesOut < before.BytesOut {
		return true
	}
	for i := range now.Classes {
		if now.Classes[i] < before.Classes[i] {
			return true
		}
	}
	for i := range now.Timers {
		if now.Timers[i].Sum < before.Timers[i].Sum {
			return true
		}
		for j, n := range now.Timers[i].Counts {
			if n < before.Timers[i].Counts[j] {
				return true
			}
		}
	}
	return false
}

// rise is how far a counter came that may have begun again.
func rise(before, now int64) int64 {
	if now < before {
		return now
	}
	return now - before
}

// mean is a mean over about the last samples of durations.
type mean struct {
	value float64 // nanoseconds
	count int64   // of durations, up to samples
}

// add takes more durations. As long as there are few all of them count the same;
// then each one makes those before it count a little less.
func (m *mean) add(h *tally.Histogram) {
	n := h.Count()
	if n == 0 {
		return
	}
	share := float64(n) / float64(n+m.count)
	if m.count == samples {
		share = 1 - math.Pow(1-1.0/samples, float64(n))
	}
	m.value += share * (float64(h.Sum)/float64(n) - m.value)
	m.count = min(m.count+n, samples)
}

// longest is the most that the longest duration in h can have taken: less than the
// end of its bucket, and not more than the others leave of the sum. The last bucket
// has no end; of many in it, such as tunnels that end together, it is the mean.
func longest(h *tally.Histogram) time.Duration {
	top, rest := -1, h.Sum // what those below the top leave of the sum, at most
	for i, n := range h.Counts {
		if n == 0 {
			continue
		}
		if top >= 0 {
			rest -= time.Duration(h.Counts[top]) * lowerBound(top)
		}
		top = i
	}
	switch {
	case top < 0:
		return 0
	case top == tally.Buckets-1:
		return rest / time.Duration(h.Counts[top])
	}
	rest -= time.Duration(h.Counts[top]-1) * lowerBound(top)
	return min(rest, tally.Bound(top))
}
