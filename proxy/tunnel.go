package proxy

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"doorward/internal/gate"
	"doorward/internal/safe"
	"doorward/proxy/backend"
	"doorward/proxy/h1"
	"doorward/proxy/netio"
	"doorward/proxy/route"
)

// tunnel is an upgraded connection: bytes both ways until both sides are done,
// or neither said anything for the tunnel timeout.
type tunnel struct {
	route, backend string
	to             *backend.Server
	server         *backend.Conn
	limit          time.Duration // how long both may be silent
	// stranger is the request that was let in as nobody's, nil if it was somebody's.
	stranger  *gate.Question
	cutClient func()
	moved     atomic.Int64 // when bytes moved last, in any direction

	// once guards who ended the tunnel and how: what follows is its consequence.
	once sync.Once
	who  byte
	err  error
}

// keeps tells whether a tunnel may stay now that s is in force: its route leads where it
// did, and strangers may still come there. Whom a gate let in by name, a review judges.
func (s *Snapshot) keeps(t *tunnel) bool {
	if !s.hasRoute(t.route, t.backend) {
		return false
	}
	g := s.named[t.route].Gate
	return g == nil || t.stranger == nil || g.Holds(nil, t.stranger)
}

// asStranger is the request as a later gate has to know it. The path is missing where
// there was no gate yet; such a tunnel stays where everybody may come.
func (x *exchange) asStranger() *gate.Question {
	if x.verdict.Pass != nil {
		return nil
	}
	return &gate.Question{
		Method: bytes.Clone(x.req.Method), Path: bytes.Clone(x.question.Path),
		Client: x.client.Addr(),
	}
}

// cut ends the tunnel from another goroutine.
func (t *tunnel) cut() {
	t.cutClient()
	_ = t.server.Socket().Close()
}

var websocket = []byte("websocket")

// checkUpgrade decides on the protocol that the client wants to change to. One
// that the route does not list is ignored, and the request served without it
// (RFC 9110, section 7.8). It returns the status of a refusal, or 0.
func (x *exchange) checkUpgrade() int {
	u := x.req.Upgrade
	if u == nil {
		return 0
	}
	switch {
	case x.mayUpgrade(u):
	case x.stream != nil: // the request is nothing without (RFC 9220, section 3)
		return http.StatusNotImplemented
	default:
		x.req.Upgrade = nil
		return 0
	}
	if !h1.EqualFold(u, "websocket") {
		if x.req.HasBody() {
			return http.StatusBadRequest
		}
		return 0
	}
	if string(x.req.Method) != http.MethodGet || x.req.HasBody() || x.req.Minor == 0 {
		return http.StatusBadRequest
	}
	if !x.originAllowed() {
		return http.StatusForbidden
	}
	return 0
}

func (x *exchange) mayUpgrade(protocol []byte) bool {
	for _, p := range x.route.Upgrades {
		if h1.EqualFold(protocol, p) {
			return true
		}
	}
	return false
}

// originAllowed compares the page that opens a WebSocket with the route's list:
// browsers send cookies along from anywhere. What sends no Origin is no browser.
func (x *exchange) originAllowed() bool {
	if x.route.Origins == nil {
		return true
	}
	origin, ok := x.req.Get("origin")
	if !ok {
		return true
	}
	_, authority, ok := bytes.Cut(origin, []byte("://"))
	if !ok {
		return false
	}
	var buf [256]byte
	host, ok := route.CanonicalHost(buf[:0], authority)
	if !ok {
		return false
	}
	return OriginAllowed(x.route.Origins, string(host), string(x.host))
}

// OriginAllowed tells whether pages of a host are among the origins that a route has
// for requests to another: see Route.Origins. Both are canonical.
func OriginAllowed(origins []string, host, own string) bool {
	for _, o := range origins {
		if originMatches(o, host, own) {
			return true
		}
	}
	return false
}

func originMatches(pattern, host, own string) bool {
	if pattern == "same" {
		return host == own
	}
	if len(pattern) > 2 && pattern[0] == '*' {
		label, rest, ok := strings.Cut(host, ".")
		return ok && len(label) > 0 && rest == pattern[2:]
	}
	return host == pattern
}

var (
	errUnasked = errors.New("101 answer to a request that asked for no upgrade")
	errOther   = errors.New("101 answer for another protocol")
	errKey     = errors.New("101 answer with a wrong Sec-WebSocket-Accept")
)

// switchProtocols makes a tunnel of the connection, if the server's 101 answers
// what the client asked for.
func (x *exchange) switchProtocols(n int) failure {
	if err := x.checkSwitch(); err != nil {
		return failure{junk, err}
	}
	x.answeredAt = netio.Now()
	x.server.Saw(backend.OK)
	x.remember()
	x.srv.r += n
	x.answered, x.keep = true, false
	if x.stream != nil {
		x.switchStream()
		return failure{}
	}
	x.rec.Status = http.StatusSwitchingProtocols
	x.out = x.appendSwitch(x.out[:0])
	x.out = append(x.out, x.srv.bytes()...)
	if !x.write(x.out) {
		return failure{}
	}
	// What the client sent right behind its request is for the other protocol.
	early := x.in.bytes()[x.up.consumed():]
	if len(early) > 0 {
		if _, err := x.to.Write(early); err != nil {
			return failure{}
		}
	}
	x.runTunnel(int64(len(early)))
	return failure{}
}

func (x *exchange) checkSwitch() error {
	switch {
	case x.req.Upgrade == nil:
		return errUnasked
	case x.resp.Upgrade == nil || !bytes.EqualFold(x.resp.Upgrade, x.req.Upgrade):
		return errOther
	case bytes.EqualFold(x.req.Upgrade, websocket):
		key, _ := x.req.Get("sec-websocket-key")
		if x.stream != nil {
			key = x.socketKey()
		}
		accept, _ := x.resp.Get("sec-websocket-accept")
		if string(accept) != acceptFor(key) {
			return errKey
		}
	}
	return nil
}

// acceptFor is the answer to a handshake key (RFC 6455, section 4.2.2).
func acceptFor(key []byte) string {
	h := sha1.New()
	h.Write(key)
	io.WriteString(h, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func (x *exchange) appendSwitch(b []byte) []byte {
	if x.stream != nil {
		b = appendStatusLine(b, http.StatusOK, nil)
	} else {
		b = appendStatusLine(b, x.resp.Status, x.resp.Reason)
	}
	ch := x.changes()
	cookie := x.route.Persistence.Cookie
	var present uint64
	for i := range x.resp.Fields {
		f := &x.resp.Fields[i]
		if f.Kind.HopByHop() || f.Kind == h1.ContentLength || f.Kind == h1.Forbidden ||
			ch.drops(f.Name, &present) || x.isRequestIDName(f.Name) ||
			setsOurCookie(f) ||
			cookie != nil && setsCookie(f, cookie.Name) ||
			x.stream != nil && h1.EqualFold(f.Name, "sec-websocket-accept") {
			continue
		}
		b = appendField(b, f)
	}
	if cookie != nil {
		b = x.appendAffinity(b)
	}
	if x.stream != nil {
		return x.appendChanges(b, ch, present)
	}
	b = append(b, "Connection: Upgrade\r\nUpgrade: "...)
	b = append(b, x.resp.Upgrade...)
	return x.appendChanges(append(b, "\r\n"...), ch, present)
}

// runTunnel moves bytes until the tunnel ends.
func (x *exchange) runTunnel(sent int64) {
	limit := x.route.TunnelTimeout
	t := &tunnel{
		route: x.route.Name, backend: x.backend.Name(), to: x.server,
		server: x.to, limit: limit, stranger: x.asStranger(),
	}
	client := x.tunnelClient(t)
	t.moved.Store(netio.Now())
	x.c.tunnels.add(t)
	defer x.c.tunnels.remove(t)
	if !x.e.snapshot.Load().keeps(t) ||
		x.route.CloseOnDown && !t.to.KeepsClients() { // looked at behind the line above, as by those who cut
		return
	}
	t.server.ReadIdle, t.server.ReadUntil, t.server.WriteIdle = limit, 0, limit
	up := half{t: t, e: x.e, from: client, to: t.server.Conn, reads: 'C', writes: 'S'}
	down := half{t: t, e: x.e, from: t.server.Conn, to: client, reads: 'S', writes: 'C'}
	done := make(chan struct{})
	safe.Go(x.e.log, "tunnel", func() {
		defer close(done)
		up.run()
	})
	down.run()
	<-done
	x.up.tunnelled = sent + up.bytes
	x.rec.BytesOut += down.bytes
	switch {
	case isTimeout(t.err):
		x.end('c', 'D')
	case t.err != nil && x.departed():
		x.end('C', 'D')
	case t.err != nil:
		x.end(t.who, 'D')
	}
}
