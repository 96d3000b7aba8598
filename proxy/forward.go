package proxy

import (
	"time"

	"doorward/internal/tally"
	"doorward/proxy/backend"
)

// retryPause is how long HAProxy waits before it tries the same server again.
const retryPause = time.Second

// statusShare bounds repeats for other causes than a failed connection: one
// request of five, or this many, may be at a repeat at one time, so that a
// failing backend is not buried under them (security case DOS-16).
const (
	statusShare = 5
	statusFew   = 10
)

// forward gets the answer of a server to the client.
func (x *exchange) forward() {
	x.backend = x.route.Backend
	if status := x.checkUpgrade(); status != 0 {
		x.end('P', 'R')
		x.fail(status)
		return
	}
	if x.up.err = x.up.check(); x.up.err != nil {
		x.failUpload(x.up.err)
		return
	}
	x.findServer()
	x.rewritePath()
	var f failure
	for retries := 0; ; {
		f = x.attempt()
		if f.cause == none {
			return
		}
		x.tellWatcher(f)
		if f.cause != noPlace {
			x.closeServer()
		}
		if x.e.over.Load() {
			x.end('K', 'H')
			break
		}
		if x.free(f) {
			continue
		}
		if !x.mayRetry(f, retries) {
			break
		}
		retries++
		x.rec.Retries = retries
		var again bool
		if f, again = x.changeServer(f); !again {
			break
		}
	}
	x.release()
	x.failForward(f)
}

// free tells whether the request may go out again without counting as a retry:
// a pooled connection was dead, and nothing was lost with it.
func (x *exchange) free(f failure) bool {
	switch f.cause {
	case wentStale:
		return true
	case diedReused:
		if x.repeatable() && !x.fresh {
			x.fresh = true
			return true
		}
	}
	return false
}

// repeatable tells whether the request can go out again and do no harm.
func (x *exchange) repeatable() bool { return x.idempotent() && x.resendable() }

// mayRetry decides by HAProxy's rules, and by one more: what may have had an
// effect is not repeated, whatever retry_on says.
func (x *exchange) mayRetry(f failure, retries int) bool {
	if retries >= x.backend.Retries() || x.answered || f.err == backend.ErrGone {
		return false
	}
	on := x.backend.RetryOn()
	switch f.cause {
	case noConnection:
		return on.Connect && x.resendable()
	case emptyAnswer, diedReused:
		return on.EmptyResponse && x.repeatable() && x.mayRepeat()
	case tooLate:
		return on.ResponseTimeout && x.repeatable() && x.mayRepeat()
	}
	return f.cause == badStatus
}

// mayRepeat keeps the repeats within their share of the requests at work.
func (x *exchange) mayRepeat() bool {
	if x.repeating {
		return true
	}
	n := x.route.repeating.Add(1)
	if n > statusFew && n*statusShare > x.backend.Active() {
		x.route.repeating.Add(-1)
		return false
	}
	x.repeating = true
	return true
}

// endRepeats takes the request out of its route's repeats.
func (x *exchange) endRepeats() {
	if x.repeating {
		x.repeating = false
		x.route.repeating.Add(-1)
	}
}

// changeServer moves on to another server, or waits before the same is tried
// again. It tells whether there is another try, and how it ends without one.
func (x *exchange) changeServer(f failure) (failure, bool) {
	if x.server == nil {
		return f, true
	}
	if !x.backend.Redispatch() {
		x.countEvent(tally.Retried, x.server)
		if !x.pause(min(retryPause, x.backend.Timeouts().Connect)) {
			return failure{noConnection, backend.ErrGone}, false
		}
		return f, true
	}
	failed := x.server
	x.release()
	x.queuedAt = 0
	s, err := x.backend.Claim(backend.Wish{
		Avoid: failed, Hash: x.hashed, Gone: x.leaves,
	})
	x.endVigil()
	if err != nil {
		if err == backend.ErrGone {
			f = failure{noPlace, err}
		}
		return f, false
	}
	x.server = s
	if s == failed {
		x.countEvent(tally.Retried, failed)
		return f, true
	}
	x.countEvent(tally.Redispatched, failed)
	x.rec.Redispatched = true
	if x.affinity.state == validCookie {
		x.rec.Cookie[0] = downCookie
	}
	return f, true
}

// tellWatcher lets the checks of the server know that it gave no answer.
func (x *exchange) tellWatcher(f failure) {
	switch f.cause {
	case tooLate:
		x.server.Saw(backend.TimedOut)
	case emptyAnswer, junk:
		x.server.Saw(backend.NoAnswer)
	}
}

// failForward answers a request that got no answer from a server.
func (x *exchange) failForward(f failure) {
	if f.cause == clientFault {
		x.failUpload(f.err)
		return
	}
	if f.err == backend.ErrGone && !x.e.over.Load() {
		x.clientLeft(f.waitedFor())
		return
	}
	code, who, phase := f.status()
	x.rec.Err = f.err
	x.end(who, phase)
	if !x.up.stop() {
		x.keep, x.linger = false, true
	}
	if x.answered {
		x.keep = false
		return
	}
	if f.err == backend.ErrMaintenance && len(x.route.Maintenance.Body) > 0 {
		x.failWith(code, retryAfter, x.route.Maintenance)
		return
	}
	x.fail(code)
}

// rewritePath takes the route's prefix off the path, or puts another there.
func (x *exchange) rewritePath() {
	r := x.route
	if r.Rewrite == nil {
		return
	}
	x.path = r.Rewrite(x.rewriteBuf[:0], x.path)
}
