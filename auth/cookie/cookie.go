// Package cookie has the cookies of sign-in: their names, how they are read and
// written, and what a browser is known by. What a ticket means is the business of
// package session.
package cookie

import (
	"bytes"
	"net/http"
	"time"

	"doorward/internal/gate"
)

// The names of our cookies. Browsers take all of them over TLS alone, and those that
// begin with "__Host-" from nobody but the host itself (RFC 6265bis, section 4.1.3).
const (
	// Host and Domain hold the ticket of a session: for one host, or for all of a domain.
	Host   = "__Host-doorward"
	Domain = "__Secure-doorward"
	// Browser tells a browser from others, Device those that a user has signed in with.
	Browser = "__Host-doorward-browser"
	Device  = "__Host-doorward-device"
)

// Year is how long browsers keep what they are known by.
const Year = 365 * 24 * time.Hour

// Found is what a request says under the name of a cookie. The zero value is nothing.
type Found struct {
	// Given says that there is a value, Many that there are several, of which somebody
	// else set one: then none counts.
	Given, Many bool

	value []byte
}

// In looks for a cookie in all Cookie fields, as RFC 6265bis section 5.8 has user
// agents write them: pairs between ";", no quoting, no case folding. It allocates
// nothing; what is found shares the fields' memory.
func In(fields gate.Fields, name string) (f Found) {
	for n := 0; ; n++ {
		line, more := fields.Field("cookie", n)
		if !more {
			return f
		}
		f.read(line, name)
	}
}

// Of is In for a request of net/http.
func Of(r *http.Request, name string) Found { return In(Header(r.Header), name) }

func (f *Found) read(line []byte, name string) {
	for len(line) > 0 {
		pair := line
		if i := bytes.IndexByte(line, ';'); i >= 0 {
			pair, line = line[:i], line[i+1:]
		} else {
			line = nil
		}
		for len(pair) > 0 && (pair[0] == ' ' || pair[0] == '\t') {
			pair = pair[1:]
		}
		if len(pair) <= len(name) || pair[len(name)] != '=' || string(pair[:len(name)]) != name {
			continue
		}
		value := bytes.TrimRight(pair[len(name)+1:], " \t")
		if f.Given && !bytes.Equal(f.value, value) {
			f.Many = true
		}
		f.value, f.Given = value, true
	}
}

// Value is the cookie's, nothing if somebody else has a hand in it.
func (f Found) Value() []byte {
	if f.Many {
		return nil
	}
	return f.value
}

// Header are the fields of net/http.
type Header http.Header

// Field implements gate.Fields.
func (h Header) Field(name string, n int) ([]byte, bool) {
	values := http.Header(h).Values(name)
	if n >= len(values) {
		return nil, false
	}
	return []byte(values[n]), true
}

// Set is the only place where cookies are written: all have the same attributes, also
// when they are taken away, or browsers would keep them.
func Set(w http.ResponseWriter, c http.Cookie) {
	c.Path, c.Secure, c.HttpOnly, c.SameSite = "/", true, true, http.SameSiteLaxMode
	w.Header().Add("Set-Cookie", c.String())
}

// Ticket gives a browser the ticket of its session, or takes it away when that is
// empty. A domain makes it one for all hosts of that.
func Ticket(w http.ResponseWriter, domain, ticket string) {
	c := http.Cookie{Name: Host, Value: ticket, Domain: domain}
	if domain != "" {
		c.Name = Domain
	}
	if ticket == "" {
		c.MaxAge = -1
	}
	Set(w, c)
}

// Ours tells whether a request brings a ticket, good or not.
func Ours(r *http.Request) bool { return Of(r, Host).Given || Of(r, Domain).Given }
