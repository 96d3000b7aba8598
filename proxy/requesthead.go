package proxy

import (
	"bytes"
	"net/netip"
	"strconv"

	"doorward/proxy/h1"
)

// appendRequestHead writes the request head that the server gets.
func (x *exchange) appendRequestHead(b []byte) []byte {
	r := x.route
	b = append(b, x.req.Method...)
	b = append(b, ' ')
	b = x.appendTarget(b)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = x.appendHost(b)
	b = append(b, "\r\n"...)
	var present uint64
	for i := range x.req.Fields {
		f := &x.req.Fields[i]
		switch {
		case !x.forwards(f) || r.Request.drops(f.Name, &present):
		case f.Kind == h1.Cookie:
			b = x.appendCookies(b, f)
		case f.Kind == h1.Authorization && x.verdict.HideAuthorization:
		default:
			b = appendField(b, f)
		}
	}
	b = x.appendFraming(b)
	b = x.appendForwarding(b)
	b = x.appendClientCertificate(b)
	b = append(b, x.verdict.Head...)
	if name := x.snap.RequestIDHeader; name != "" {
		b = append(b, name...)
		b = append(b, ": "...)
		b = append(b, x.requestID()...)
		b = append(b, "\r\n"...)
	}
	b = r.Request.append(b, x, present)
	return append(b, "\r\n"...)
}

// appendTarget writes the target in origin form. A route by host alone passes it
// on as it came.
func (x *exchange) appendTarget(b []byte) []byte {
	b = append(b, x.path...)
	if x.req.HasQuery {
		b = append(append(b, '?'), x.req.Query...)
	}
	return b
}

func (x *exchange) appendHost(b []byte) []byte {
	switch {
	case x.route.Request.host != nil:
		return x.route.Request.host.append(b, x)
	case len(x.host) > 0:
		return x.appendAuthority(b)
	}
	return append(b, x.server.Authority()...)
}

// appendAuthority writes the host that decided, with the port that the client
// named. Its one spelling leaves a server no other to read (security case
// HOST-03).
func (x *exchange) appendAuthority(b []byte) []byte {
	return append(append(b, x.host...), x.port()...)
}

// port is what the client named with the host, colon included.
func (x *exchange) port() []byte {
	raw := x.req.Host
	if raw == nil {
		raw = x.req.Authority
	}
	i := bytes.LastIndexByte(raw, ':')
	if i < 0 || raw[len(raw)-1] == ']' {
		return nil
	}
	return raw[i:]
}

// forwards tells whether a field of the client may reach a server.
func (x *exchange) forwards(f *h1.Field) bool {
	switch {
	case f.Kind == h1.Other:
	case f.Kind.HopByHop(), f.Kind == h1.Host, f.Kind == h1.ContentLength,
		f.Kind == h1.Expect, f.Kind == h1.Forbidden:
		return false
	default:
		return true
	}
	if x.stream != nil && h1.EqualFold(f.Name, "sec-websocket-key") {
		return false // the server gets one of ours
	}
	switch guardOf(f.Name) {
	case ours, never:
		return false
	case trusted:
		return x.believed
	case identity:
		return x.believed && !x.snap.SignIn
	}
	if hasUnderscore(f.Name) && !x.snap.PassUnderscores {
		return false
	}
	return !x.isRequestIDName(f.Name)
}

func (x *exchange) isRequestIDName(name []byte) bool {
	return foldsTo(name, x.snap.RequestIDHeader)
}

func appendField(b []byte, f *h1.Field) []byte {
	b = append(b, f.Name...)
	b = append(b, ": "...)
	b = append(b, f.Value...)
	return append(b, "\r\n"...)
}

// appendFraming writes what is between us and the server alone: how the body is
// framed, and what becomes of the connection.
func (x *exchange) appendFraming(b []byte) []byte {
	switch {
	case x.req.Chunked:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case x.req.Length >= 0:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, x.req.Length, 10)
		b = append(b, "\r\n"...)
	}
	if x.req.Continue && x.up.waiting {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	switch {
	case x.req.Upgrade != nil:
		b = append(b, "Connection: Upgrade\r\nUpgrade: "...)
		b = append(b, x.req.Upgrade...)
		b = append(b, "\r\n"...)
		if x.stream != nil {
			b = append(b, "Sec-WebSocket-Key: "...)
			b = append(b, x.socketKey()...)
			b = append(b, "\r\n"...)
		}
	case !x.backend.KeepAlive():
		b = append(b, "Connection: close\r\n"...)
	}
	if x.wantsTrailers() {
		b = append(b, "TE: trailers\r\n"...)
	}
	return b
}

// wantsTrailers tells whether the client said that it takes trailers, which some
// servers send only then.
func (x *exchange) wantsTrailers() bool {
	v, ok := x.req.Find(h1.TE)
	return ok && h1.EqualFold(v, "trailers")
}

// appendForwarding writes who the client is and what it asked for. From a
// trusted proxy the chain goes on; what anybody else sent was dropped.
func (x *exchange) appendForwarding(b []byte) []byte {
	if x.snap.Forwarding&XForwarded != 0 {
		b = append(b, "X-Forwarded-For: "...)
		b = x.appendChain(b, "x-forwarded-for")
		b = x.c.peer.Addr().AppendTo(b)
		b = append(b, "\r\nX-Forwarded-Host: "...)
		b = x.appendForwardedHost(b)
		b = append(b, "\r\nX-Forwarded-Proto: "...)
		b = append(b, x.scheme...)
		b = append(b, "\r\n"...)
	}
	if x.snap.Forwarding&RFC7239 != 0 {
		b = append(b, "Forwarded: "...)
		b = x.appendChain(b, "forwarded")
		b = x.appendForwarded(b)
		b = append(b, "\r\n"...)
	}
	return b
}

// appendChain writes the elements that a trusted proxy sent, and a comma.
func (x *exchange) appendChain(b []byte, name string) []byte {
	if !x.believed {
		return b
	}
	for n := 0; ; n++ {
		v, ok := x.Field(name, n)
		if !ok {
			return b
		}
		if len(v) > 0 {
			b = append(b, v...)
			b = append(b, ", "...)
		}
	}
}

func (x *exchange) appendForwardedHost(b []byte) []byte {
	if x.believed {
		if v, ok := x.Field("x-forwarded-host", 0); ok && len(v) > 0 {
			return append(b, v...)
		}
	}
	return x.appendAuthority(b)
}

// appendForwarded writes one element of RFC 7239: IPv6 addresses in brackets,
// and whatever holds a colon in quotes.
func (x *exchange) appendForwarded(b []byte) []byte {
	b = append(b, "for="...)
	b = appendNode(b, x.c.peer.Addr())
	if len(x.host) > 0 {
		b = append(b, ";host="...)
		b = x.appendQuotedAuthority(b)
	}
	b = append(b, ";proto="...)
	return append(b, x.scheme...)
}

func appendNode(b []byte, a netip.Addr) []byte {
	if a.Is4() {
		return a.AppendTo(b)
	}
	b = append(b, '"', '[')
	b = a.WithZone("").AppendTo(b)
	return append(b, ']', '"')
}

// appendQuotedAuthority quotes the host when it is no token. One that passed has
// neither quote nor backslash in it.
func (x *exchange) appendQuotedAuthority(b []byte) []byte {
	if len(x.port()) == 0 && h1.IsToken(x.host) {
		return append(b, x.host...)
	}
	b = append(b, '"')
	b = x.appendAuthority(b)
	return append(b, '"')
}
