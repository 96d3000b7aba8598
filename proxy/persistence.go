package proxy

import (
	"doorward/internal/tally"
	"doorward/proxy/netio"
	"doorward/proxy/stick"
)

// Persistence says which server of a backend a client belongs to. The cookie is
// looked at first, then the table. The zero value knows nobody.
type Persistence struct {
	// Cookie is the persistence cookie; nil is none.
	Cookie *AffinityCookie
	// Table remembers servers by On; nil is none.
	Table *stick.Table
	On    Key
}

// findServer finds out whom the client belongs to.
func (x *exchange) findServer() {
	p := &x.route.Persistence
	x.hashed = x.hash()
	if c := p.Cookie; c != nil {
		value, sent := x.cookie(c.Name)
		x.affinity = c.read(value, sent, netio.At(x.began))
		x.rec.Cookie = [2]byte{x.affinity.state, 'N'}
		x.prefer = x.affinity.server
	}
	if p.Table == nil {
		return
	}
	x.stickKey = x.appendKey(x.stickKey[:0], p.On, p.Table)
	if x.prefer != nil || len(x.stickKey) == 0 {
		return
	}
	if name, ok := p.Table.Match(x.stickKey, netio.At(x.headAt)); ok {
		if s := x.backend.Server(name); s != nil && s.KeepsClients() {
			x.prefer = s
		}
	}
}

// appendKey writes what a table knows the client by, nothing if this request does
// not show it.
func (x *exchange) appendKey(b []byte, k Key, t *stick.Table) []byte {
	if k.Kind == ByAddress || k.Kind == ByUser && x.rec.User == "" {
		return t.AppendAddr(b, x.client.Addr())
	}
	return append(b, x.text(k)...)
}

// remember notes who serves the client, once a server has answered.
func (x *exchange) remember() {
	switch {
	case x.last == x.prefer:
		// Who found it, in the cookie or the table, knows it already.
		x.last.Tally().At(x.c.shard).Count(tally.Sticky)
	case len(x.stickKey) > 0:
		x.route.Persistence.Table.Store(x.stickKey, x.last.Name(), netio.At(x.answeredAt))
	}
}

// appendAffinity writes the persistence cookie, where the client has not the right
// one already.
func (x *exchange) appendAffinity(b []byte) []byte {
	c := x.route.Persistence.Cookie
	now := netio.At(x.began)
	state, renew := c.renews(&x.affinity, x.last, now)
	x.rec.Cookie[1] = state
	if !renew {
		return b
	}
	b = c.append(b, &x.affinity, x.last, now)
	if c.Private {
		b = append(b, "Cache-Control: private\r\n"...)
	}
	return b
}
