package h1

import (
	"errors"
	"strings"
)

// What can be wrong with pseudo-header fields. Requests with such a fault are malformed.
var (
	errPseudoLate    = errors.New("pseudo-header field behind others, or among the trailers")
	errPseudoUnknown = errors.New("unknown pseudo-header field")
	errPseudoTwice   = errors.New("pseudo-header field twice")
	errPseudoMissing = errors.New("pseudo-header fields missing or in excess")
	errScheme        = errors.New("a scheme that is not the connection's")
	errConnect       = errors.New("CONNECT to what is offered nowhere")
	errAuthority     = errors.New("an authority that is no host")
)

// Pseudo are the pseudo-header fields of a request over HTTP/2 (RFC 9113, section 8.3.1)
// or HTTP/3 (RFC 9114, section 4.3.1). The zero value is none.
type Pseudo struct {
	method, scheme, authority, path, protocol []byte
	has                                       uint8
}

// The bits of Pseudo.has.
const (
	hasMethod = 1 << iota
	hasScheme
	hasAuthority
	hasPath
	hasProtocol
)

// Place returns where the value of a field belongs, which the caller must put there
// unless there is an error. Late says that other fields came before, or a body.
func (p *Pseudo) Place(name string, late bool) (*[]byte, error) {
	if late {
		return nil, errPseudoLate
	}
	var bit uint8
	var at *[]byte
	switch name {
	case ":method":
		bit, at = hasMethod, &p.method
	case ":scheme":
		bit, at = hasScheme, &p.scheme
	case ":authority":
		bit, at = hasAuthority, &p.authority
	case ":path":
		bit, at = hasPath, &p.path
	case ":protocol":
		bit, at = hasProtocol, &p.protocol
	default:
		return nil, errPseudoUnknown
	}
	if p.has&bit != 0 {
		return nil, errPseudoTwice
	}
	p.has |= bit
	return at, nil
}

// Fill gives a request its method, target and host. The scheme is the connection's;
// websocket says that CONNECT may ask for one (RFC 8441, RFC 9220), which becomes what
// it is over HTTP/1.1.
func (p *Pseudo) Fill(r *Request, scheme string, websocket bool) error {
	const always = hasMethod | hasScheme | hasPath
	if p.has&always != always {
		return errPseudoMissing
	}
	if !EqualFold(p.scheme, scheme) {
		return errScheme
	}
	r.Method, r.Target, r.Host = p.method, p.path, nil
	if p.has&hasAuthority != 0 {
		if r.Host = p.authority; !isAuthority(r.Host) {
			return errAuthority
		}
	}
	connect := string(p.method) == "CONNECT"
	if connect != (p.has&hasProtocol != 0) {
		return errConnect
	}
	if connect {
		if !websocket || string(p.protocol) != "websocket" {
			return errConnect
		}
		r.Method, r.Upgrade = []byte("GET"), p.protocol
	}
	return nil
}

// isAuthority tells whether a text holds nothing that is no part of a host and a port.
// Whether that host exists is another question.
func isAuthority(text []byte) bool {
	for _, c := range text {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`/?#@\,"<>`, c) >= 0 {
			return false
		}
	}
	return len(text) > 0
}

// JoinCookies makes one field of the cookies of a request, which HTTP/2 and HTTP/3 may
// split (RFC 9113, section 8.2.3), in the memory that it appends to and returns.
func JoinCookies(r *Request, arena []byte) []byte {
	start := len(arena)
	rest := r.Fields[:0]
	var whole Field
	for _, f := range r.Fields {
		switch {
		case f.Kind != Cookie:
			rest = append(rest, f)
			continue
		case whole.Name == nil:
			whole = f
		default:
			arena = append(arena, "; "...)
		}
		arena = append(arena, f.Value...)
	}
	if whole.Name == nil {
		return arena
	}
	whole.Value = arena[start:len(arena):len(arena)]
	r.Fields = append(rest, whole)
	return arena
}
