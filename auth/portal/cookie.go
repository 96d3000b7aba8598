package portal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"doorward/auth/session"
)

// The names of our cookies. All carry a prefix that makes browsers refuse them
// over plain HTTP; only the one for a whole domain can be set by other hosts.
const (
	hostCookie    = "__Host-doorward"
	domainCookie  = "__Secure-doorward"
	browserCookie = "__Host-doorward-browser"
	deviceCookie  = "__Host-doorward-device"
)

// cookieYear is how long browsers keep what binds a sign-in to them.
const cookieYear = 365 * 24 * time.Hour

// readCookie returns the value of the cookie with exactly that name. One that
// comes with two values was set by somebody else as well, and is nothing.
func readCookie(r *http.Request, name string) string {
	value, found := "", false
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			n, v, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if !ok || n != name {
				continue
			}
			if found && v != value {
				return ""
			}
			value, found = v, true
		}
	}
	return value
}

// hopeless tells whether what the browser sends under the name can never be a
// ticket: it is then taken away, or it would be sent for ever. One that merely is no
// session any more stays, since another tab may be replacing it at this moment.
func hopeless(r *http.Request, name string) bool {
	value := readCookie(r, name)
	if value == "" {
		return strings.Contains(strings.Join(r.Header["Cookie"], ";"), name+"=")
	}
	_, err := base64.RawURLEncoding.DecodeString(value[1:])
	return len(value) != session.TicketSize || value[0] != '1' || err != nil
}

// ours tells whether the request brings a cookie of ours, good or not.
func ours(r *http.Request) bool {
	for _, line := range r.Header["Cookie"] {
		if strings.Contains(line, hostCookie) || strings.Contains(line, domainCookie) {
			return true
		}
	}
	return false
}

// sessionCookie is the name of the cookie that holds the session's ticket.
func (p *Portal) sessionCookie() string {
	if p.o.CookieDomain != "" {
		return domainCookie
	}
	return hostCookie
}

// setSession gives the browser its ticket, or takes it away when that is empty:
// with the same attributes, since browsers ignore a removal that differs.
func (p *Portal) setSession(w http.ResponseWriter, ticket string) {
	age := 0
	if ticket == "" {
		age = -1
	}
	setCookie(w, &http.Cookie{
		Name: p.sessionCookie(), Value: ticket, Domain: p.o.CookieDomain, MaxAge: age,
	})
}

// setDevice lets the browser remember that its user has signed in here before.
func setDevice(w http.ResponseWriter, device string) {
	if device != "" {
		setCookie(w, &http.Cookie{
			Name: deviceCookie, Value: device, MaxAge: int(cookieYear / time.Second),
		})
	}
}

func setCookie(w http.ResponseWriter, c *http.Cookie) {
	c.Path, c.Secure, c.HttpOnly, c.SameSite = "/", true, true, http.SameSiteLaxMode
	w.Header().Add("Set-Cookie", c.String())
}

// browser returns what tells this browser from others, and gives it one when it
// has none. All its tabs share it, so any number of them can sign in at once.
func (p *Portal) browser(w http.ResponseWriter, r *http.Request) string {
	if b := knownBrowser(r); b != "" {
		return b
	}
	id := make([]byte, 16)
	rand.Read(id)
	b := base64.RawURLEncoding.EncodeToString(id)
	setCookie(w, &http.Cookie{
		Name: browserCookie, Value: b, MaxAge: int(cookieYear / time.Second),
	})
	return b
}

// knownBrowser is the same for browsers that have one, and empty for others.
func knownBrowser(r *http.Request) string {
	b := readCookie(r, browserCookie)
	if id, err := base64.RawURLEncoding.DecodeString(b); err != nil || len(id) != 16 {
		return ""
	}
	return b
}

// bindOf is what others may know of a browser: enough to recognise it, not to be it.
func bindOf(browser string) string {
	sum := sha256.Sum256([]byte(browser))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
