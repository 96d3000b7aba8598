package proxy

import (
	"net/http"

	"doorward/proxy/limit"
	"doorward/proxy/netio"
)

// RateLimit is a limit and what it counts requests by: ByAddress, ByRoute or
// ByUser.
type RateLimit struct {
	// Limiter decides.
	Limiter *limit.Limiter
	// By says which of its keys a request has.
	By KeyKind
}

// passLimits asks the limits of the route one after the other, which may take a
// while. The first that refuses is the answer. What the ones before it gave is
// given back at the end of the exchange, as always.
func (x *exchange) passLimits() bool {
	for i := range x.route.Limits {
		l := &x.route.Limits[i]
		x.keyBuf = x.appendLimitKey(x.keyBuf[:0], l)
		ticket, verdict := l.Limiter.Enter(x.keyBuf, netio.At(x.headAt), x.leaves)
		x.endVigil()
		if ticket != (limit.Ticket{}) {
			x.tickets = append(x.tickets, ticket)
		}
		if verdict.Outcome != limit.Passed {
			x.rec.RateLimit = l.Limiter.Options().Name
		}
		switch {
		case verdict.Allowed():
			continue
		case verdict.Outcome == limit.Left:
			x.leaveLine()
		default:
			x.end('P', 'R')
			x.failUntil(http.StatusTooManyRequests, verdict.RetryAfter)
		}
		return false
	}
	return true
}

// leaveLine ends a wait for a limit that came to nothing: the client left, or a drain
// has no more time.
func (x *exchange) leaveLine() {
	x.queuedAt = netio.Now()
	if !x.e.over.Load() {
		x.clientLeft('Q')
		return
	}
	x.end('K', 'Q')
	x.fail(http.StatusServiceUnavailable)
}

func (x *exchange) appendLimitKey(b []byte, l *RateLimit) []byte {
	switch {
	case l.By == ByRoute:
		return limit.AppendRoute(b, x.route.Name)
	case l.By == ByUser && x.rec.User != "":
		return limit.AppendUser(b, x.rec.User)
	}
	return l.Limiter.AppendClient(b, x.client.Addr())
}

// leaveLimits gives back the places that limits on requests at a time gave.
func (x *exchange) leaveLimits() {
	if len(x.tickets) == 0 {
		return
	}
	now := netio.At(netio.Now())
	for i := range x.tickets {
		x.tickets[i].Release(now)
	}
	x.tickets = x.tickets[:0]
}
