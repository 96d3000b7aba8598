package proxy

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"net/netip"

	"doorward/proxy/h1"
	"doorward/proxy/route"
)

// decision is who asks for what. Host, path and id lie in buffers of the exchange, or in
// the request.
type decision struct {
	scheme   string
	host     []byte // canonical
	client   netip.AddrPort
	believed bool // the peer is a trusted proxy
	route    *Route
	path     []byte // what the server gets, without query

	id         [32]byte
	idLen      int // 0 before it is made
	hostBuf    [256]byte
	pathBuf    []byte
	rewriteBuf []byte
}

// start forgets the decision before, for a request on a connection.
func (d *decision) start(c *conn) {
	d.host, d.path, d.route = nil, nil, nil
	d.client, d.believed = c.peer, false
	d.scheme = "http"
	if c.l.TLS {
		d.scheme = "https"
	}
	d.idLen = 0
}

// decide finds out who asks for what: the canonical host, the client's address,
// the request id and the route. It returns the status of a refusal, or 0.
func (x *exchange) decide() int {
	if !x.readHost() {
		return http.StatusBadRequest
	}
	x.readClient()
	x.readRequestID()
	switch {
	case x.c.l.RedirectPort != "":
		return x.knowHost()
	case x.req.Form == h1.AsteriskForm:
		return 0
	}
	return x.findRoute()
}

// knowHost is all that a listener which only redirects asks of the table.
func (x *exchange) knowHost() int {
	res := x.snap.Table.Match(&route.Request{Host: x.host, Path: root})
	if res.Rule < 0 && !res.Known {
		return http.StatusMisdirectedRequest
	}
	return 0
}

var root = []byte("/")

// readHost makes the one host that everything below decides on. An absolute
// target must name the same one as the Host field, and the scheme of the
// connection.
func (x *exchange) readHost() bool {
	raw := x.req.Host
	if x.req.Form == h1.AbsoluteForm {
		if x.req.Secure != x.c.l.TLS {
			return false
		}
		if raw == nil {
			raw = x.req.Authority
		} else if !bytes.EqualFold(raw, x.req.Authority) {
			return false
		}
	}
	if raw == nil {
		return true // HTTP/1.0 without a host: routes without hosts take it
	}
	host, ok := route.CanonicalHost(x.hostBuf[:0], raw)
	x.host = host
	return ok
}

// readClient finds the address the request is attributed to.
func (x *exchange) readClient() {
	x.client = x.c.peer
	x.believed = x.snap.trusts(x.c.peer.Addr())
	if !x.believed {
		return
	}
	if x.countFields("x-forwarded-for") == 0 && x.countFields("x-forwarded-proto") == 0 {
		x.readForwarded()
		return
	}
	if a, ok := x.forwardedFor(); ok {
		x.client = a
	}
	if v, ok := x.Field("x-forwarded-proto", 0); ok {
		x.believeScheme(v)
	}
}

// readRequestID takes a trusted proxy's request id, if it is a plain one.
func (x *exchange) readRequestID() {
	if !x.believed || x.snap.RequestIDHeader == "" {
		return
	}
	for i := range x.req.Fields {
		f := &x.req.Fields[i]
		if len(f.Name) == len(x.snap.RequestIDHeader) &&
			bytes.EqualFold(f.Name, []byte(x.snap.RequestIDHeader)) {
			if len(f.Value) > 0 && len(f.Value) <= len(x.id) && plainID(f.Value) {
				x.idLen = copy(x.id[:], f.Value)
			}
			return
		}
	}
}

func plainID(b []byte) bool {
	for _, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-':
		default:
			return false
		}
	}
	return true
}

// findRoute asks the table. The path it decided on is the one that is forwarded.
func (x *exchange) findRoute() int {
	res := x.snap.Table.Match(&route.Request{
		Host: x.host, Path: x.req.Path, Query: x.req.Query, Method: x.req.Method,
		Client: x.client.Addr(), Fields: x, Scratch: x.pathBuf[:0],
	})
	switch {
	case res.Bad:
		return http.StatusBadRequest
	case res.Rule < 0 && res.Known:
		return http.StatusNotFound
	case res.Rule < 0:
		return http.StatusMisdirectedRequest
	}
	x.route = x.snap.Routes[res.Rule]
	x.c.route.Store(x.route)
	x.path = res.Path
	if status := x.checkClientCertificate(); status != 0 {
		return status
	}
	if n := x.route.Networks; n != nil && !n.Contains(x.client.Addr()) {
		return http.StatusForbidden
	}
	if most := x.route.BodyBytes; most > 0 && x.req.Length > most {
		return http.StatusRequestEntityTooLarge
	}
	return 0
}

// Field gives the table access to the request's fields.
func (x *exchange) Field(name string, n int) ([]byte, bool) {
	for i := range x.req.Fields {
		if f := &x.req.Fields[i]; h1.EqualFold(f.Name, name) {
			if n == 0 {
				return f.Value, true
			}
			n--
		}
	}
	return nil, false
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
