package proxy

import (
	"math/rand/v2"
	"net/http"
	"net/netip"
	"time"

	"doorward/internal/access"
	"doorward/internal/gate"
	"doorward/proxy/backend"
	"doorward/proxy/h1"
	"doorward/proxy/limit"
)

// exchange is one request and its answer, with every buffer they need. It is
// used by the goroutine of its connection, or of its stream; what a second goroutine
// may touch while a body is streamed is in upload.
type exchange struct {
	c    *conn
	e    *Engine
	snap *Snapshot

	// stream is the client's side where a connection carries many requests; nil on
	// HTTP/1. Presence knows whether its client is still there.
	stream   stream
	presence presence
	protocol string

	// in holds what the client sent, out what it or a server gets next, srv what
	// the server sent.
	in  buffer
	out []byte
	srv buffer

	// req is the request: own on HTTP/1, the stream's on others.
	req  *h1.Request
	own  h1.Request
	resp h1.Response
	head int // length of the request's head in the buffer

	// What decide finds out.
	scheme   string
	host     []byte // canonical
	client   netip.AddrPort
	believed bool // the peer is a trusted proxy
	route    *Route
	path     []byte // what the server gets, without query

	// What the gate was asked and answered, and who else passed one.
	question gate.Question
	verdict  gate.Verdict
	links    admittedLinks

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
	// stickKey is what a stick table knows the client by; empty is nothing.
	stickKey []byte
	// tickets are the places that rate limits gave.
	tickets []limit.Ticket
	keyBuf  []byte
	// key is socketKey, once it is made.
	key []byte
	// leaves is watchClient, made once so that asking for it allocates nothing.
	leaves func() <-chan struct{}
	// leave is presence.leave, made once like it.
	leave func()
	vigil *vigil
	up    upload
	// feed is what of the body has gone to servers that speak HTTP/2, unsent how often
	// their connections were over before the request went out.
	feed   *feed
	unsent int
	// fresh asks for a connection that was not used before, repeating says that
	// the request is counted among its route's repeats.
	fresh, repeating bool

	// keep says that the client connection goes on after this exchange, linger
	// that it is closed gently, answered that a status line went out.
	keep, linger, answered bool
	// continued says that 100 (Continue) was passed on, extra that the server sent
	// more than its answer, pin that its connection is for this client alone.
	continued, extra, pin bool

	// Times are readings of netio.Now; 0 is not reached.
	began, headAt, queuedAt, connectedAt, answeredAt int64

	rec        access.Record
	decoder    h1.Chunks // of the answer
	id         [32]byte
	idLen      int
	hostBuf    [256]byte
	pathBuf    []byte
	rewriteBuf []byte
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
	x.srv.clear()
	x.head = 0
	x.host, x.path, x.route = nil, nil, nil
	x.client, x.believed = x.c.peer, false
	x.scheme = "http"
	if x.c.l.TLS {
		x.scheme = "https"
	}
	x.keep, x.linger, x.answered = true, false, false
	x.fresh, x.repeating = false, false
	x.feed, x.unsent = nil, 0
	x.continued, x.extra, x.pin = false, false, false
	x.backend, x.last, x.prefer = nil, nil, nil
	x.affinity = affinity{}
	x.stickKey, x.key = x.stickKey[:0], x.key[:0]
	x.headAt, x.queuedAt, x.connectedAt, x.answeredAt = 0, 0, 0, 0
	x.idLen = 0
	x.rec = access.Record{
		Listener: x.c.l.Name, Termination: [2]byte{'-', '-'},
	}
}

// clear drops what belongs to a request, before the exchange is used by another
// connection.
func (x *exchange) clear() {
	x.c, x.snap, x.route, x.backend, x.server, x.to = nil, nil, nil, nil, nil, nil
	x.last, x.prefer, x.affinity, x.feed = nil, nil, affinity{}, nil
	x.stream, x.req, x.protocol = nil, &x.own, ""
	x.presence.reset()
	x.in.shrink(headBytes)
	x.srv.shrink(answerBytes)
	if cap(x.stickKey) > keyBytes { // of a client that sends a long one
		x.stickKey = make([]byte, 0, keyBytes)
	}
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

// requestID is the identifier of this request, made when first asked for.
func (x *exchange) requestID() []byte {
	if x.idLen == 0 {
		const hex = "0123456789abcdef"
		for i := 0; i < len(x.id); i += 16 {
			for v, j := rand.Uint64(), 0; j < 16; j++ {
				x.id[i+j] = hex[v&15]
				v >>= 4
			}
		}
		x.idLen = len(x.id)
	}
	return x.id[:x.idLen]
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
// a drain without time, a client that leaves. It tells whether there still is a client.
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

// boundClient limits how long the client may take nothing of the answer.
func (x *exchange) boundClient(d time.Duration) {
	if x.stream == nil {
		x.c.io.WriteIdle = d
	} else {
		x.stream.Idle(d, d)
	}
}

func (x *exchange) release() {
	if x.server != nil {
		x.server.Release()
		x.rec.ServerConns = x.server.Active()
		x.server = nil
	}
}
