package stats

import (
	"time"

	"doorward/internal/tally"
)

// Step is how much time a point of a Series stands for, Points how many there are
// at most: together an hour.
const (
	Step   = 10 * time.Second
	Points = 360
)

// History is the last hour, for charts.
type History struct {
	// All is all listeners together, Frontends each listener and Backends each
	// backend by name.
	All                 Series
	Frontends, Backends map[string]Series
}

// Series is the last hour of one thing, or what there is of it.
type Series struct {
	// Start is when the first point begins; each stands for one Step.
	Start time.Time
	// Points are the points, oldest first.
	Points []Point
}

// Point is one Step of a Series. It is small, since thousands are kept.
type Point struct {
	// Requests is how many ended, ClientErrors how many of them with a status of 4xx,
	// ServerErrors with 5xx; all per second.
	Requests, ClientErrors, ServerErrors float32
	// P50, P95 and P99 are the total times, in seconds, that 50, 95 and 99 of a
	// hundred requests did not exceed; 0 when there were none. They are estimated
	// from classes of times, each of which is twice as long as the one before.
	P50, P95, P99 float32
}

// ring keeps the last points. The zero value is empty; memory is taken as it
// fills.
type ring struct {
	points []Point
	oldest int // once it is full
}

func (r *ring) push(p Point) {
	if len(r.points) < Points {
		r.points = append(r.points, p)
		return
	}
	r.points[r.oldest] = p
	r.oldest = (r.oldest + 1) % Points
}

// series is a copy whose last point ends at end.
func (r *ring) series(end time.Time) Series {
	points := make([]Point, 0, len(r.points))
	points = append(points, r.points[r.oldest:]...)
	points = append(points, r.points[:r.oldest]...)
	return Series{Start: end.Add(-time.Duration(len(points)) * Step), Points: points}
}

// chart gathers what happens until a point is full. The zero value is ready.
type chart struct {
	ring             ring
	requests         int64
	clients, servers int64 // errors
	total            tally.Histogram
}

func (c *chart) add(gain *tally.Totals) {
	c.requests += gain.Requests
	c.clients += gain.Classes[4]
	c.servers += gain.Classes[5]
	for i, n := range gain.Timers[tally.Total].Counts {
		c.total.Counts[i] += n
	}
}

// close ends the point: what was gathered happened evenly over n of them.
func (c *chart) close(n int) {
	seconds := float32(n) * float32(Step.Seconds())
	p := Point{
		Requests:     float32(c.requests) / seconds,
		ClientErrors: float32(c.clients) / seconds,
		ServerErrors: float32(c.servers) / seconds,
		P50:          float32(quantile(&c.total, 0.50).Seconds()),
		P95:          float32(quantile(&c.total, 0.95).Seconds()),
		P99:          float32(quantile(&c.total, 0.99).Seconds()),
	}
	for range min(n, Points) {
		c.ring.push(p)
	}
	*c = chart{ring: c.ring}
}

// quantile is the duration that a share of those in h did not exceed, taken to be
// spread evenly within their bucket; 0 for an empty h. Of the last bucket only
// the lower bound is known.
func quantile(h *tally.Histogram, share float64) time.Duration {
	rank := share * float64(h.Count())
	if rank == 0 {
		return 0
	}
	below := 0.0
	for i, n := range h.Counts[:tally.Buckets-1] {
		if below+float64(n) < rank {
			below += float64(n)
			continue
		}
		low := lowerBound(i)
		return low + time.Duration((rank-below)/float64(n)*float64(tally.Bound(i)-low))
	}
	return lowerBound(tally.Buckets - 1)
}

// lowerBound is the duration that everything in bucket i exceeds.
func lowerBound(i int) time.Duration {
	if i == 0 {
		return 0
	}
	return tally.Bound(i - 1)
}
