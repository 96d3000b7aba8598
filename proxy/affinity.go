package proxy

import (
	"bytes"
	"strconv"
	"time"

	"doorward/proxy/backend"
	"doorward/proxy/h1"
)

// AffinityCookie is the cookie in which a client carries the name of its server,
// as HAProxy's "cookie NAME insert" has it. It is immutable.
type AffinityCookie struct {
	// Name is the cookie's name; Attributes follow its value on the wire, each with
	// "; " before it.
	Name, Attributes string
	// Indirect keeps the cookie from the server, Private marks answers that set it as
	// not to be stored by shared caches (nocache).
	Indirect, Private bool
	// MaxIdle is how long the cookie is good without a request, MaxLife how long at
	// all; 0 is for ever.
	MaxIdle, MaxLife time.Duration

	servers map[string]*backend.Server
	values  map[*backend.Server]string
}

// Bind says which value stands for which server. A server without a value sets no
// cookie.
func (a *AffinityCookie) Bind(s *backend.Server, value string) {
	if a.servers == nil {
		a.servers, a.values = map[string]*backend.Server{}, map[*backend.Server]string{}
	}
	a.servers[value], a.values[s] = s, value
}

// Value is the value that stands for a server, "" for none.
func (a *AffinityCookie) Value(s *backend.Server) string { return a.values[s] }

// affinity is what a request said with the cookie, and what its answer says.
type affinity struct {
	// server is who the cookie names; nil for nobody.
	server *backend.Server
	// first and last are the dates in the cookie, in Unix seconds; 0 is none.
	first, last int64
	// sent says that there was such a cookie, state what HAProxy's log calls it.
	sent  bool
	state byte
}

// The letters of HAProxy's log for what became of the cookie of a request.
const (
	noCookie      = 'N'
	invalidCookie = 'I'
	downCookie    = 'D'
	validCookie   = 'V'
	expiredCookie = 'E'
	oldCookie     = 'O'
)

// read finds out whom the cookie of a request names. A value that is not one of
// ours names nobody: the request is balanced, and gets a new one (security case
// BE-08).
func (a *AffinityCookie) read(value []byte, sent bool, now time.Time) affinity {
	if !sent {
		return affinity{state: noCookie}
	}
	f := affinity{sent: true, state: invalidCookie}
	s := a.servers[string(value)]
	// A value without dates comes from before there were any: its client stays, and
	// gets some. Otherwise to configure an age would move everybody at once.
	dated := s == nil
	if dated {
		// Configured values may hold the mark: dates are what stands behind the last two.
		id, first := cutLast(value)
		id, last := cutLast(id)
		if s = a.servers[string(id)]; s == nil {
			return f
		}
		f.last, f.first = date(last), date(first)
	}
	switch {
	case dated && gone(f.last, a.MaxIdle, now):
		f.state = expiredCookie
	case dated && gone(f.first, a.MaxLife, now):
		f.state = oldCookie
	case !s.KeepsClients():
		f.state = downCookie
	default:
		f.server, f.state = s, validCookie
	}
	return f
}

// dateMark parts the value from the dates behind it.
const dateMark = "."

// cutLast splits at the last mark; without one everything stands before it.
func cutLast(value []byte) (before, after []byte) {
	if i := bytes.LastIndex(value, []byte(dateMark)); i >= 0 {
		return value[:i], value[i+len(dateMark):]
	}
	return value, nil
}

// skew is how far another node's clock may be ahead.
const skew = 24 * time.Hour

// gone tells whether a date is too long ago, or cannot be true.
func gone(date int64, most time.Duration, now time.Time) bool {
	if most == 0 {
		return false
	}
	age := now.Sub(time.Unix(date, 0))
	return age > most || age < -skew
}

// date reads Unix seconds; what is none is the beginning of time.
func date(b []byte) int64 {
	if len(b) == 0 || len(b) > 12 {
		return 0
	}
	n, err := strconv.ParseInt(string(b), 36, 64)
	if err != nil {
		return 0
	}
	return n
}

// dateStep is the part of MaxIdle after which the date in a cookie is renewed.
const dateStep = 16

// renews tells whether the answer of s must set the cookie, and what HAProxy's log
// calls that.
func (a *AffinityCookie) renews(f *affinity, s *backend.Server, now time.Time) (byte, bool) {
	switch {
	case a.values[s] == "":
		return 'N', false
	case f.server != s:
		return 'I', true
	case a.MaxIdle > 0 && now.Sub(time.Unix(f.last, 0)) > a.MaxIdle/dateStep,
		a.MaxLife > 0 && f.first == 0:
		return 'U', true
	}
	return 'N', false
}

// append writes the Set-Cookie field (RFC 6265, section 4.1).
func (a *AffinityCookie) append(b []byte, f *affinity, s *backend.Server, now time.Time) []byte {
	b = append(b, "Set-Cookie: "...)
	b = append(append(b, a.Name...), '=')
	b = append(b, a.values[s]...)
	if a.MaxIdle > 0 || a.MaxLife > 0 {
		b = append(b, dateMark...)
		b = strconv.AppendInt(b, now.Unix(), 36)
		first := f.first
		if f.server == nil || first == 0 {
			first = now.Unix()
		}
		b = append(b, dateMark...)
		b = strconv.AppendInt(b, first, 36)
	}
	b = append(b, a.Attributes...)
	return append(b, "\r\n"...)
}

// withoutCookies writes a Cookie field without our own pairs and those of one name,
// "" being none, and nothing when no other is left.
func withoutCookies(b []byte, f *h1.Field, name string) []byte {
	began := len(b)
	b = append(append(b, f.Name...), ": "...)
	empty := true
	for rest := f.Value; len(rest) > 0; {
		var pair []byte
		pair, rest, _ = bytes.Cut(rest, []byte(";"))
		pair = bytes.Trim(pair, " \t")
		if _, same := valueOf(pair, name); same && name != "" || len(pair) == 0 || isOurCookie(pair) {
			continue
		}
		if !empty {
			b = append(b, "; "...)
		}
		b = append(b, pair...)
		empty = false
	}
	if empty {
		return b[:began]
	}
	return append(b, "\r\n"...)
}

// setsCookie tells whether a Set-Cookie field makes clients send a cookie of that
// name. They take spaces around it away, and send a cookie without a name as its
// value (RFC 6265, section 5.2, and what browsers do).
func setsCookie(f *h1.Field, name string) bool {
	if !h1.EqualFold(f.Name, "set-cookie") {
		return false
	}
	pair, _, _ := bytes.Cut(f.Value, []byte(";"))
	sent, _, _ := bytes.Cut(bytes.TrimLeft(pair, " \t="), []byte("="))
	return string(bytes.TrimRight(sent, " \t")) == name
}
