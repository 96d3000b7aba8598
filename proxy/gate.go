package proxy

import (
	"bytes"
	"net/http"

	"doorward/internal/gate"
	"doorward/proxy/h1"
	"doorward/proxy/limit"
)

// admission is what the gate was asked and answered, with the neighbours in the list of
// those who passed one, and what the limits gave.
type admission struct {
	question gate.Question
	verdict  gate.Verdict
	links    admittedLinks
	// reviewed is how many reviews had begun when the gate was asked.
	reviewed uint64
	// tickets are the places that rate limits gave; keyBuf is room for their keys.
	tickets []limit.Ticket
	keyBuf  []byte
}

// askGate lets the route's gate decide, on the path that is forwarded.
func (x *exchange) askGate() {
	if x.route.Gate == nil {
		return
	}
	x.pose()
	s, g := x.snap, x.route.Gate
	for range mostAsked {
		if x.settle(g, s) {
			return
		}
		x.verdict = gate.Verdict{} // so that a panic finds nothing to take back
		s = x.e.snapshot.Load()
		g = s.gateOf(x.route)
	}
	x.verdict = gate.Verdict{Status: http.StatusServiceUnavailable}
}

// mostAsked is how often the gate is asked about one request: again when a reload comes in
// between.
const mostAsked = 4

// pose makes the question for the gate.
func (x *exchange) pose() {
	x.question = gate.Question{
		Host: x.host, Authority: x.req.Host, Path: x.path, Query: x.req.Query,
		Method: x.req.Method, Secure: x.scheme == "https", Upgrade: x.req.Upgrade,
		GRPC: x.isGRPC(), Client: x.client.Addr(), Fields: x,
	}
	if x.question.Authority == nil {
		x.question.Authority = x.req.Authority
	}
}

// settle asks the gate of a snapshot, and tells whether its word counts: a gate of before
// might judge somebody by the groups of now.
func (x *exchange) settle(g gate.Gate, s *Snapshot) bool {
	x.reviewed = x.e.admitted.reviews.Load()
	x.verdict = g.Check(&x.question)
	if x.e.snapshot.Load() != s {
		return false
	}
	if x.verdict.Pass != nil {
		x.e.admitted.add(x)
		x.rec.User = x.verdict.Pass.UserName()
		x.evicted() // a review that began meanwhile may have missed it
	}
	return true
}

// evicted ends the request when its right to go on has ended, and tells whether.
func (x *exchange) evicted() bool {
	if !x.outcast() {
		return false
	}
	x.expel()
	return true
}

// outcast tells whether the right to go on has ended since the gate was asked.
func (x *exchange) outcast() bool {
	if x.verdict.Pass == nil {
		return false
	}
	asked := x.e.snapshot.Load() == x.snap && x.e.admitted.reviews.Load() == x.reviewed
	return !asked && !x.holds()
}

// holds tells whether the request may go on under the rules that are in force now. As at
// the way in, the word of a gate in whose place another has come counts no more.
func (x *exchange) holds() bool {
	for {
		now := x.e.snapshot.Load()
		g := now.gateOf(x.route)
		yes := g == nil || g.Holds(x.verdict.Pass, &x.question)
		if x.e.snapshot.Load() == now {
			return yes
		}
	}
}

// heldBack answers in place of the route, if the gate wants it so.
func (x *exchange) heldBack() bool {
	v := &x.verdict
	switch {
	case v.Answer == nil && v.Status == 0:
		return false
	case v.Status == 0:
		x.end('L', 'R')
	default:
		x.end('P', 'R')
	}
	if v.Answer == nil || v.Status != 0 && x.question.GRPC {
		x.fail(v.Status)
		return true
	}
	x.handle(v.Answer)
	return true
}

// closeGate ends what the verdict was good for.
func (x *exchange) closeGate() {
	if x.verdict.Pass != nil {
		x.e.admitted.remove(x)
	}
	x.verdict, x.question = gate.Verdict{}, gate.Question{}
}

// ourCookies are how the names of our own cookies begin, as software that ignores
// case might read them. They are secrets of ours, and no server's to get or to set.
var ourCookies = [...]string{"__host-doorward", "__secure-doorward"}

// isOurCookie tells whether a pair of a Cookie or Set-Cookie field is ours.
func isOurCookie(pair []byte) bool {
	pair = bytes.TrimLeft(pair, " \t=")
	for _, name := range ourCookies {
		if len(pair) >= len(name) && h1.EqualFold(pair[:len(name)], name) {
			return true
		}
	}
	return false
}

// appendCookies writes a Cookie field without the pairs that are between the client
// and us, and nothing when no other is left. A field with none of them stays as it is.
func (x *exchange) appendCookies(b []byte, f *h1.Field) []byte {
	affinity := ""
	if x.affinity.sent && x.route.Persistence.Cookie.Indirect {
		affinity = x.route.Persistence.Cookie.Name
	}
	if affinity == "" && !bytes.Contains(f.Value, []byte("-doorward")) &&
		!bytes.Contains(f.Value, []byte("-DOORWARD")) {
		return appendField(b, f)
	}
	return withoutCookies(b, f, affinity)
}

// setsOurCookie tells whether a field of an answer would make clients send a cookie
// that only we may set.
func setsOurCookie(f *h1.Field) bool {
	return h1.EqualFold(f.Name, "set-cookie") && isOurCookie(f.Value)
}

// refusesUpgrade tells whether a route that answers itself was asked for a tunnel over
// a stream: a 200 would be taken for one (RFC 8441, section 4).
func (x *exchange) refusesUpgrade() bool {
	if x.stream == nil || x.req.Upgrade == nil {
		return false
	}
	x.end('P', 'R')
	x.fail(http.StatusNotImplemented)
	return true
}
