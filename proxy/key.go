package proxy

import (
	"bytes"

	"github.com/cespare/xxhash/v2"

	"doorward/proxy/h1"
)

// KeyKind says what of a request tells one client from another.
type KeyKind uint8

// The kinds of keys.
const (
	NoKey     KeyKind = iota
	ByAddress         // the client's address
	ByPath            // the canonical path, without query
	ByField           // the value of a request field
	ByCookie          // the value of a cookie
	ByRoute           // the route
	ByUser            // who is signed in; the client's address while nobody is
)

// Key is what stick tables and consistent hashes know a client by.
type Key struct {
	// Kind says what it is, Name is the name of the field or the cookie.
	Kind KeyKind
	Name string
}

// text is the key's value in this request, empty when the request has none. For
// an address see ByAddress.
func (x *exchange) text(k Key) []byte {
	switch k.Kind {
	case ByPath:
		return x.path
	case ByField:
		v, _ := x.Field(k.Name, 0)
		return v
	case ByCookie:
		v, _ := x.cookie(k.Name)
		return v
	case ByUser:
		x.keyBuf = append(x.keyBuf[:0], x.rec.User...)
		return x.keyBuf
	}
	return nil
}

// cookie is the value of the first cookie of that name (RFC 6265, section 5.4).
func (x *exchange) cookie(name string) (value []byte, ok bool) {
	for i := range x.req.Fields {
		f := &x.req.Fields[i]
		if f.Kind != h1.Cookie {
			continue
		}
		for rest := f.Value; len(rest) > 0; {
			var pair []byte
			pair, rest, _ = bytes.Cut(rest, []byte(";"))
			if value, ok := valueOf(pair, name); ok {
				return value, true
			}
		}
	}
	return nil, false
}

// valueOf is the value of a cookie pair with that name.
func valueOf(pair []byte, name string) ([]byte, bool) {
	pair = bytes.Trim(pair, " \t")
	if len(pair) <= len(name) || pair[len(name)] != '=' || string(pair[:len(name)]) != name {
		return nil, false
	}
	return pair[len(name)+1:], true
}

// hash is the key for consistent hashes, the same in every process and at every
// time. A request without the value is balanced by its client.
func (x *exchange) hash() uint64 {
	k := x.route.Hash
	if k.Kind == NoKey {
		return 0
	}
	text := x.text(k)
	if len(text) == 0 {
		a := x.client.Addr().As16()
		return xxhash.Sum64(a[:])
	}
	return xxhash.Sum64(text)
}
