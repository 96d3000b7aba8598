package proxy

import (
	"net/http"
	"time"

	"doorward/internal/tally"
	"doorward/proxy/backend"
	"doorward/proxy/h1"
	"doorward/proxy/netio"
)

// errand is what is done at servers for a request.
type errand struct {
	// The server and the connection to it, while there is one.
	backend *backend.Backend
	server  *backend.Server
	to      *backend.Conn
	// last is the server that was claimed last, prefer the one that the client
	// belongs to, affinity what its cookie said.
	last, prefer *backend.Server
	affinity     affinity
	// hashed is the key for consistent hashes.
	hashed uint64
	// stickKey is what a stick table knows the client by; empty is nothing. Key is
	// socketKey, once it is made.
	stickKey, key []byte
	// feed is what of the body has gone to servers that speak HTTP/2, unsent how often
	// their connections were over before the request went out.
	feed   *feed
	unsent int
	// fresh asks for a connection that was not used before, repeating says that
	// the request is counted among its route's repeats.
	fresh, repeating bool

	// srv holds what the server sent, resp is the head of it; decoder is for its body.
	srv     buffer
	resp    h1.Response
	decoder h1.Chunks
}

// start forgets what was done for the request before.
func (e *errand) start() {
	e.srv.clear()
	e.backend, e.last, e.prefer = nil, nil, nil
	e.affinity = affinity{}
	e.stickKey, e.key = e.stickKey[:0], e.key[:0]
	e.feed, e.unsent = nil, 0
	e.fresh, e.repeating = false, false
}

// clear drops what belongs to others, and buffers that have grown large.
func (e *errand) clear() {
	e.backend, e.server, e.to = nil, nil, nil
	e.last, e.prefer, e.affinity, e.feed = nil, nil, affinity{}, nil
	e.srv.shrink(answerBytes)
	if cap(e.stickKey) > keyBytes { // of a client that sends a long one
		e.stickKey = make([]byte, 0, keyBytes)
	}
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
	if x.departed() || x.evicted() { // while it waited, perhaps
		return failure{noConnection, backend.ErrGone}
	}
	if x.server.Multiplexed() {
		return x.attemptRoundTrip()
	}
	if x.unfit() {
		return failure{emptyAnswer, errUnfit}
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
	n, err := x.ask()
	x.srv.w = n
	if n == 0 && err != nil {
		return x.readFault(err)
	}
	return failure{}
}

// slowAnswer is how long a server may think before somebody looks whether the client
// still waits. A look costs a goroutine, and most answers come sooner.
const slowAnswer = 3 * time.Second

// ask sends what is in out and waits for the first bytes of the answer; the work for a
// client of HTTP/1 that leaves meanwhile ends. Presence knows of those of streams.
func (x *exchange) ask() (n int, err error) {
	limit := x.route.ServerTimeout
	if x.stream != nil || limit <= slowAnswer {
		_, n, err = x.to.Ask(x.out, x.srv.b, x.to.Reused())
		return n, err
	}
	x.to.ReadIdle = slowAnswer
	wrote, n, err := x.to.Ask(x.out, x.srv.b, x.to.Reused())
	if n == 0 && wrote == len(x.out) && isTimeout(err) {
		x.to.ReadIdle = limit - slowAnswer
		if x.watchable() {
			x.keepVigil(x.c.cut)
		}
		n, err = x.to.Read(x.srv.b)
		x.endVigil()
	}
	x.to.ReadIdle = limit
	return n, err
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

// dropServer closes the connection to the server, if any, and gives back the
// place on it.
func (x *exchange) dropServer() {
	x.closeServer()
	x.release()
}

// closeServer closes the connection to the server, which is no good any more.
func (x *exchange) closeServer() {
	if x.to != nil {
		_ = x.to.Close()
		x.letGo()
	}
}

// hold notes the connection to the server at work for those who may have to end it:
// a drain without time, a client that leaves. It tells whether the client of a stream is
// still there; that of HTTP/1 is looked at behind.
func (x *exchange) hold() bool {
	if x.stream == nil {
		x.c.to.Store(x.to)
		return true
	}
	return x.presence.hold(x.to)
}

// letGo takes the connection out of reach, and tells whether nobody has ended it.
func (x *exchange) letGo() bool {
	x.to = nil
	if x.stream == nil {
		x.c.to.Store(nil)
		return !x.c.severed.Load()
	}
	return x.presence.hold(nil)
}

func (x *exchange) release() {
	if x.server != nil {
		x.server.Release()
		x.rec.ServerConns = x.server.Active()
		x.server = nil
	}
}
