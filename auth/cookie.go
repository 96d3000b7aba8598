package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"

	"doorward/auth/session"
	"doorward/internal/gate"
)

// The names of our cookies. Browsers take them from secure hosts only, and the first
// and the last from nobody but the host itself (RFC 6265bis, section 4.1.3).
const (
	hostCookie    = "__Host-doorward"
	domainCookie  = "__Secure-doorward"
	browserCookie = "__Host-doorward-browser"
)

// cookieYear is how long a browser is known as the same.
const cookieYear = 365 * 24 * time.Hour

// found is what a request says under the name of a cookie.
type found struct {
	value []byte
	// ok says that there is one value; many that there are several, of which somebody
	// else set one: then none counts.
	ok, many bool
}

// cookieIn looks for the cookie in all Cookie fields, as RFC 6265bis section 5.8 has
// user agents write them: pairs between ";", no quoting, no case folding. It
// allocates nothing.
func cookieIn(fields gate.Fields, name string) (c found) {
	for n := 0; ; n++ {
		line, more := fields.Field("cookie", n)
		if !more {
			return c
		}
		c.read(line, name)
	}
}

func (c *found) read(line []byte, name string) {
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
		if c.ok && !bytes.Equal(c.value, value) {
			c.many = true
		}
		c.value, c.ok = value, true
	}
}

// get is the value, unless somebody else has a hand in it.
func (c found) get() []byte {
	if c.many {
		return nil
	}
	return c.value
}

// hopeless tells whether the cookie can never be a ticket, so that there is no doubt
// about taking it away: one that merely is no session may be about to be replaced by
// another tab.
func (c found) hopeless() bool {
	if !c.ok {
		return false
	}
	v := c.get()
	if len(v) != session.TicketSize || v[0] != '1' {
		return true
	}
	var raw [session.TicketSize]byte
	_, err := base64.RawURLEncoding.Decode(raw[:], v[1:])
	return err != nil
}

// headerFields are those of net/http.
type headerFields http.Header

// Field implements gate.Fields.
func (h headerFields) Field(name string, n int) ([]byte, bool) {
	values := http.Header(h).Values(name)
	if n >= len(values) {
		return nil, false
	}
	return []byte(values[n]), true
}

// setCookie is the only place where cookies are written: all have the same
// attributes, also when they are taken away, or browsers would keep them.
func setCookie(w http.ResponseWriter, c http.Cookie) {
	c.Path, c.Secure, c.HttpOnly, c.SameSite = "/", true, true, http.SameSiteLaxMode
	w.Header().Add("Set-Cookie", c.String())
}

// giveTicket gives the browser its ticket for a host, or takes it away when that is
// empty.
func (d *Doors) giveTicket(w http.ResponseWriter, host, ticket string) {
	c := http.Cookie{Name: d.cookieFor([]byte(host)), Value: ticket}
	if c.Name == domainCookie {
		c.Domain = string(d.domain)
	}
	if ticket == "" {
		c.MaxAge = -1
	}
	setCookie(w, c)
}

// browserSize is how many random bytes tell a browser from all others.
const browserSize = 16

// browserOf returns what tells the browser from others, empty if it has nothing.
func browserOf(r *http.Request) string {
	value := cookieIn(headerFields(r.Header), browserCookie).get()
	var raw [browserSize + 2]byte
	if len(value) != base64.RawURLEncoding.EncodedLen(browserSize) {
		return ""
	}
	if _, err := base64.RawURLEncoding.Decode(raw[:], value); err != nil {
		return ""
	}
	return string(value)
}

// bindBrowser is browserOf, which gives one to a browser without.
func bindBrowser(w http.ResponseWriter, r *http.Request) string {
	if b := browserOf(r); b != "" {
		return b
	}
	var raw [browserSize]byte
	_, _ = rand.Read(raw[:]) // never fails, by its documentation
	b := base64.RawURLEncoding.EncodeToString(raw[:])
	setCookie(w, http.Cookie{
		Name: browserCookie, Value: b, MaxAge: int(cookieYear / time.Second),
	})
	return b
}

// bindOf is what others may know of a browser: enough to recognise it, not to be it.
func bindOf(browser string) string {
	sum := sha256.Sum256([]byte(browser))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
