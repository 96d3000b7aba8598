package app

import (
	"maps"
	"slices"
	"time"

	"doorward/config"
	"doorward/proxy"
	"doorward/proxy/limit"
	"doorward/stats"
)

// buildLimits makes the rate limits. One that was there before goes on with what it
// has counted.
func (g *generation) buildLimits(previous *generation) {
	g.limiters = map[string]*limit.Limiter{}
	for name, c := range g.cfg.RateLimits {
		o := limit.Options{
			Name: name, Requests: int(c.Requests), Per: time.Duration(c.Per),
			Concurrent: int(c.Concurrent), LogOnly: c.LogOnly, Size: int(c.Size),
			IPv6Prefix: c.IPv6Prefix,
		}
		if c.Over == "queue" {
			o.Queue = time.Duration(c.Queue)
		}
		var old *limit.Limiter
		if previous != nil {
			old = previous.limiters[name]
		}
		g.limiters[name] = limit.New(o, old)
	}
}

// routeLimits are the limits of a route, those of all routes first.
func (g *generation) routeLimits(c *config.Route) []proxy.RateLimit {
	var list []proxy.RateLimit
	seen := map[string]bool{}
	for _, names := range [][]string{g.cfg.Limits.RateLimits, c.RateLimits} {
		for _, name := range names {
			if !seen[name] {
				seen[name] = true
				list = append(list, proxy.RateLimit{
					Limiter: g.limiters[name], By: limitKind(g.cfg.RateLimits[name].By),
				})
			}
		}
	}
	return list
}

func limitKind(by string) proxy.KeyKind {
	switch by {
	case "route":
		return proxy.ByRoute
	case "user":
		return proxy.ByUser
	}
	return proxy.ByAddress
}

func (g *generation) viewLimits(now time.Time) []stats.Limit {
	var list []stats.Limit
	for _, name := range slices.Sorted(maps.Keys(g.limiters)) {
		l, c := g.limiters[name], g.cfg.RateLimits[name]
		n := l.Counters()
		v := stats.Limit{
			Name: name, By: c.By, LogOnly: c.LogOnly, Keys: int64(l.Len(now)),
			Queued: n.Waiting, Passed: n.Passed, Refused: n.Refused, Delayed: n.Queued,
		}
		if c.LogOnly {
			v.Refused = n.Spared
		}
		list = append(list, v)
	}
	return list
}
