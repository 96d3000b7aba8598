package app

import (
	"maps"
	"time"

	"doorward/proxy/backend"
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

// forget drops what is known of backends that are no more: one that comes back was
// not down meanwhile.
func (o outages) forget(backends map[string]*backend.Backend) {
	maps.DeleteFunc(o, func(name string, _ *outage) bool { return backends[name] == nil })
}
