package app

import (
	"time"

	"doorward/stats"
)

// outages remembers since when each backend is up or down. It belongs to whoever
// holds App.mu.
type outages map[string]*outage

type outage struct {
	up       bool
	since    time.Time
	downtime time.Duration
	downs    int64
}

// follow notes whether the backend is up, and fills in what that makes.
func (o outages) follow(b *stats.Backend, now time.Time) {
	at := o[b.Name]
	if at == nil {
		at = &outage{up: b.Up, since: now}
		o[b.Name] = at
	}
	if at.up != b.Up {
		if b.Up {
			at.downtime += now.Sub(at.since)
		} else {
			at.downs++
		}
		at.up, at.since = b.Up, now
	}
	b.LastChange, b.Downtime, b.Downs = at.since, at.downtime, at.downs
	if !at.up {
		b.Downtime += now.Sub(at.since)
	}
}
