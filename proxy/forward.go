package proxy

import (
	"net/http"
	"time"

	"doorward/internal/tally"
	"doorward/proxy/backend"
	"doorward/proxy/h1"
	"doorward/proxy/netio"
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

// attempt claims a server, connects, sends the request and relays the answer.
func (x *exchange) attempt() failure {
	if f := x.claim(); f.cause != none {
		return f
	}
	x.rec.Server, x.last = x.server.Name(), x.server
	began := netio.Now()
	if x.queuedAt == 0 { // else the same server is tried again: that is time to connect
		x.queuedAt = began
	}
	x.connectedAt, x.answeredAt = 0, 0
	if x.server.Multiplexed() {
		return x.attemptRoundTrip()
	}
	if x.unfit() {
		return failure{emptyAnswer, errUnfit}
	}
	if x.departed() {
		return failure{noConnection, backend.ErrGone}
	}
	if f := x.connect(); f.cause != none {
		return f
	}
	if !x.hold() {
		x.server.Keep(x.to) // nothing was asked on it
		x.to = nil
		return failure{noConnection, backend.ErrGone}
	}
	// Looked at behind the line above: cut sees x.to, or we this.
	if x.e.over.Load() || x.c.severed.Load() {
		return failure{noConnection, backend.ErrGone}
	}
	x.connectedAt = began + int64(x.to.ConnectTime())
	x.to.ReadIdle, x.to.ReadUntil = x.route.ServerTimeout, 0
	x.to.WriteIdle = x.route.ServerTimeout
	x.srv.clear()
	var f failure
	if x.up.waiting {
		f = x.sendStreaming()
	} else {
		f = x.sendWhole()
	}
	if f.cause != none {
		return f
	}
	return x.receive()
}

func (x *exchange) claim() failure {
	if x.server != nil {
		return failure{}
	}
	x.rec.BackendQueue = x.backend.Waiting()
	if x.prefer != nil {
		x.rec.ServerQueue = x.prefer.Queued()
	}
	var err error
	w := backend.Wish{Prefer: x.prefer, Hash: x.hashed, Gone: x.leaves}
	if p := x.c.pinned; p != nil && x.stream == nil && x.backend.Server(p.server.Name()) == p.server {
		w.Prefer, w.Only = p.server, true
	}
	x.server, err = x.backend.Claim(w)
	x.endVigil()
	switch err {
	case nil:
		return failure{}
	case backend.ErrQueueTimeout, backend.ErrGone:
		x.queuedAt = netio.Now()
	}
	return failure{noPlace, err}
}

func (x *exchange) connect() failure {
	if x.stream == nil {
		if to := x.c.takePinned(x.server); to != nil {
			x.to = to
			return failure{}
		}
	}
	to, err := x.server.Connect(x.fresh)
	if err != nil {
		x.server.Saw(backend.ConnectFailed)
		x.countEvent(tally.ConnectFailed, x.server)
		return failure{noConnection, err}
	}
	x.to = to
	return failure{}
}

// sendWhole sends a request that is here with its body, and reads the first
// bytes of the answer.
func (x *exchange) sendWhole() failure {
	x.out = x.appendRequestHead(x.out[:0])
	x.out = append(x.out, x.up.bytes()...)
	_, n, err := x.to.Ask(x.out, x.srv.b, x.to.Reused())
	x.srv.w = n
	if n == 0 && err != nil {
		return x.readFault(err)
	}
	return failure{}
}

// sendStreaming sends the head and what is here of the body, and leaves the rest
// to a second goroutine.
func (x *exchange) sendStreaming() failure {
	if x.to.Reused() && !x.to.Quiet() {
		return failure{wentStale, netio.ErrStale}
	}
	x.out = x.appendRequestHead(x.out[:0])
	x.out = append(x.out, x.up.plain()...)
	if _, err := x.to.Write(x.out); err != nil {
		return x.readFault(err)
	}
	x.up.start()
	return failure{}
}

// receive reads the head of the final answer, passing on those before it.
func (x *exchange) receive() failure {
	for informational := 0; ; {
		n, err := h1.ParseResponse(x.srv.bytes(), &x.resp, answerLimits)
		switch {
		case err == h1.ErrIncomplete:
			if f := x.readServer(); f.cause != none {
				return f
			}
			continue
		case err != nil:
			return failure{junk, err}
		case x.resp.Status == http.StatusSwitchingProtocols:
			return x.switchProtocols(n)
		case x.resp.Status >= 200:
			return x.takeAnswer(n)
		}
		if informational++; informational > maxInformational {
			return failure{junk, errInformational}
		}
		if f := x.passInformational(n); f.cause != none {
			return f
		}
	}
}

// takeAnswer relays a final answer, unless its status calls for another try.
func (x *exchange) takeAnswer(n int) failure {
	x.answeredAt = netio.Now()
	x.server.Saw(sawStatus(x.resp.Status))
	if x.beginsNothing() {
		return failure{junk, errNoSwitch}
	}
	if x.backend.RetryOn().Status(x.resp.Status) && x.rec.Retries < x.backend.Retries() &&
		x.repeatable() && x.mayRepeat() {
		return failure{badStatus, nil}
	}
	x.srv.r += n
	x.remember()
	x.relay()
	return failure{}
}

// sawStatus is what an answer says about its server; 501 and 505 are about the
// request.
func sawStatus(status int) backend.Event {
	if status < http.StatusInternalServerError || status == http.StatusNotImplemented ||
		status == http.StatusHTTPVersionNotSupported {
		return backend.OK
	}
	return backend.BadStatus
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

// readServer reads more of a head. While the client's body is still on its way
// the server may be silent for longer than its timeout.
func (x *exchange) readServer() failure {
	if x.srv.full() {
		x.srv.grow(answerLimits.HeadBytes)
	}
	for {
		n, err := x.to.Read(x.srv.free())
		x.srv.w += n
		switch {
		case n > 0:
			return failure{}
		case isTimeout(err) && x.up.busy(x.route.ServerTimeout):
			continue
		case err != nil:
			return x.readFault(err)
		}
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

// pinned is a server connection that belongs to one client connection, because
// the server ties who is signed in to it (NTLM and Negotiate).
type pinned struct {
	server *backend.Server
	conn   *backend.Conn
}

func (c *conn) dropPinned() {
	if p := c.pinned; p != nil {
		c.pinned = nil
		_ = p.conn.Close()
	}
}

// takePinned gives the pinned connection if it leads to the server.
func (c *conn) takePinned(s *backend.Server) *backend.Conn {
	p := c.pinned
	if p == nil || p.server != s {
		return nil
	}
	c.pinned = nil
	return p.conn
}
