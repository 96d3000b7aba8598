package proxy

import (
	"net/http"
	"time"

	"doorward/internal/access"
	"doorward/proxy/h1"
)

// exchange is one request and its answer, with every buffer they need. It is
// used by the goroutine of its connection, or of its stream; what a second goroutine
// may touch while a body is streamed is in upload. What it knows is kept by the phase
// that finds it out.
type exchange struct {
	c    *conn
	e    *Engine
	snap *Snapshot

	asked     // the request, and whom it came from
	decision  // who asks for what
	admission // what gate and limits said
	errand    // what servers were asked, and how often
	course    // how far it has come, and how it ends

	// out is what the client or a server gets next.
	out []byte
	rec access.Record
}

// asked is the client's side: the request as it came.
type asked struct {
	// stream is where a connection carries many requests; nil on HTTP/1. Presence knows
	// whether its client is still there.
	stream   stream
	presence presence
	protocol string
	// req is the request: own on HTTP/1, the stream's on others.
	req *h1.Request
	own h1.Request
	// in holds what the client sent, on HTTP/1; head is the length of the request's.
	in   buffer
	head int
	up   upload
	// leaves is watchClient, made once so that asking for it allocates nothing.
	leaves func() <-chan struct{}
	// leave is presence.leave, made once like it.
	leave func()
	vigil *vigil
}

// course is how far an exchange has come.
type course struct {
	// keep says that the client connection goes on after this exchange, linger
	// that it is closed gently, answered that a status line went out.
	keep, linger, answered bool
	// continued says that 100 (Continue) was passed on, extra that the server sent
	// more than its answer, pin that its connection is for this client alone.
	continued, extra, pin bool
	// Times are readings of netio.Now; 0 is not reached.
	began, headAt, queuedAt, connectedAt, answeredAt int64
}

// keyBytes is room for most keys of stick tables and limits.
const keyBytes = 64

func newExchange() *exchange {
	x := &exchange{
		out:      make([]byte, 0, answerBytes),
		pathBuf:  make([]byte, 0, 1<<10),
		stickKey: make([]byte, 0, keyBytes),
		keyBuf:   make([]byte, 0, keyBytes),
	}
	x.leaves = x.watchClient
	x.leave = x.presence.leave
	x.req = &x.own
	x.in.b = make([]byte, headBytes)
	x.srv.b = make([]byte, answerBytes)
	x.own.Fields = make([]h1.Field, 0, 32)
	x.resp.Fields = make([]h1.Field, 0, 32)
	return x
}

// start makes the exchange ready for the request in its buffer.
func (x *exchange) start() {
	x.out = x.out[:0]
	x.head = 0
	x.decision.start(x.c)
	x.errand.start()
	x.course = course{keep: true, began: x.began}
	x.rec = access.Record{
		Listener: x.c.l.Name, Termination: [2]byte{'-', '-'},
	}
}

// clear drops what belongs to a request, before the exchange is used by another
// connection.
func (x *exchange) clear() {
	x.c, x.snap = nil, nil
	x.stream, x.req, x.protocol = nil, &x.own, ""
	x.presence.reset()
	x.in.shrink(headBytes)
	x.route = nil
	x.errand.clear()
	if cap(x.out) > keptBytes {
		x.out = make([]byte, 0, answerBytes)
	}
}

// serve answers the request whose head was parsed.
func (x *exchange) serve() {
	x.keep = !x.req.Close
	status := x.decide()
	x.up.prepare(x)
	if len(x.host) > 0 && x.challenged() {
		return
	}
	if status != 0 {
		x.end('P', 'R')
		x.fail(status)
		return
	}
	if x.route == nil && x.c.l.RedirectPort != "" {
		x.redirectToHTTPS()
		return
	}
	if x.req.Form == h1.AsteriskForm {
		x.end('L', 'R')
		x.local(http.StatusNoContent, "", nil)
		return
	}
	x.askGate() // before the limits, which may be the user's own
	if x.passLimits() {
		x.act()
	}
}

// act does what the route says.
func (x *exchange) act() {
	r := x.route
	x.boundClient(r.ClientTimeout)
	switch {
	case x.heldBack():
	case r.Redirect != nil:
		x.end('L', 'R')
		x.redirect(r.Redirect)
	case r.Handler != nil && x.refusesUpgrade():
	case r.Handler != nil:
		x.end('L', 'R')
		x.handle(r.Handler)
	default:
		x.forward()
	}
}

// end notes the termination state: who ended the exchange and in which phase,
// with HAProxy's letters. The first one noted stands.
func (x *exchange) end(who, phase byte) {
	if x.rec.Termination[0] == '-' {
		x.rec.Termination = [2]byte{who, phase}
	}
}

// isHead tells whether the answer has no body whatever it says.
func (x *exchange) isHead() bool { return string(x.req.Method) == http.MethodHead }

// idempotent tells whether doing the request twice is the same as once (RFC
// 9110, section 9.2.2).
func (x *exchange) idempotent() bool {
	switch string(x.req.Method) {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut,
		http.MethodDelete:
		return true
	}
	return false
}

// boundClient limits how long the client may take nothing of the answer.
func (x *exchange) boundClient(d time.Duration) {
	if x.stream == nil {
		x.c.io.WriteIdle = d
	} else {
		x.stream.Idle(d, d)
	}
}
