// Package auth is the gate in front of routes. For each request it finds out who it
// is from, by the session's cookie or a token, lets the route's rule decide, and says
// what the server is told. Who may not pass gets the answer that fits: a redirect to
// the sign-in host for those who look at a page, and never one for programs.
//
// It also owns the paths under /.doorward/ that every host has: the handoff from the
// sign-in host, signing out, who one is, the keys of signed tokens.
//
// Sessions, rules, tokens and pages are those of the packages below; the sign-in host
// itself is auth/portal.
package auth

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"go.uber.org/zap"

	"doorward/auth/cookie"
	"doorward/auth/page"
	"doorward/auth/policy"
	"doorward/auth/seal"
	"doorward/auth/session"
	"doorward/auth/user"
)

// Shared is what all gates of a configuration have in common. Host, Sessions, Box and
// Pages are needed.
type Shared struct {
	// Host is the sign-in host, with its port unless that is 443.
	Host string
	// CookieDomain is the domain whose hosts share one cookie; empty gives each host
	// its own.
	CookieDomain string

	Sessions *session.Manager
	Box      *seal.Box
	Pages    Pages
	// Ready is closed when users are in the groups that these gates speak of. Who is to
	// be judged before waits. Nil is at once.
	Ready <-chan struct{}
	// Tokens are those of users; nil is none.
	Tokens Tokens
	// Consents are what people have agreed to; nil is nothing.
	Consents Consents
	// Keys answers with the public keys of signed tokens, Assets with what the pages
	// load; nil is not found.
	Keys, Assets http.Handler

	// Leave returns where a session ends at its provider, empty for nowhere; nil is
	// nowhere. It is asked before the session ends here.
	Leave func(r *http.Request, s *session.Session) string
	// Told is called when a user was turned away, at most once a minute for the same
	// user and route; nil is nobody. It must not block.
	Told func(Refusal)
	// Until is told when a token ends that somebody comes in with, so that what it holds
	// open is looked at then; nil is nobody. It must not block.
	Until func(end time.Time)
	// Title is the name of a group to show; nil is the group itself.
	Title func(group string) string

	Now func() time.Time // nil: time.Now
	Log *zap.Logger      // nil: silent
}

// Pages writes messages for people.
type Pages interface {
	Message(w http.ResponseWriter, r *http.Request, status int, v page.Message)
}

// Tokens finds the secrets that programs come with.
type Tokens interface {
	// FindToken returns whose secret it is, and the token; nil unless it may be used.
	FindToken(secret []byte) (*user.Person, *user.Token)
	// Token returns the token as it is now, false when there is none any more.
	Token(id string) (user.Token, bool)
}

// Consents remembers what people have agreed to.
type Consents interface {
	// Given tells whether a user has agreed to this text of a route.
	Given(userID, route, text string) bool
}

// Refusal is somebody who is known and was turned away.
type Refusal struct {
	User     *user.User      // as of the refusal
	Route    string          // its name
	Decision policy.Decision // why
	Client   netip.Addr      // where the request came from
}

// Doors makes gates and answers under /.doorward/. It belongs to one configuration and
// is cheap to make. Its methods may be called by many goroutines.
type Doors struct {
	Shared
	signIn  string // the origin of the sign-in host
	domain  []byte // that shares a cookie; nil: none
	foreign *http.CrossOriginProtection
}

// wait waits until users are in the groups that the gates speak of.
func (d *Doors) wait() {
	select {
	case <-d.Ready: // without a lock
	default:
		if d.Ready != nil {
			<-d.Ready
		}
	}
}

// New makes the doors of a configuration.
func New(s Shared) *Doors {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Log == nil {
		s.Log = zap.NewNop()
	}
	if s.Until == nil {
		s.Until = func(time.Time) {}
	}
	if s.Title == nil {
		s.Title = func(group string) string { return group }
	}
	d := &Doors{
		Shared: s, signIn: "https://" + strings.TrimSuffix(strings.ToLower(s.Host), ":443"),
		foreign: http.NewCrossOriginProtection(),
	}
	if s.CookieDomain != "" {
		d.domain = []byte(strings.ToLower(s.CookieDomain))
	}
	return d
}

// ticketHost is the host that the tickets of requests to a host are for: the domain,
// where it has a cookie for all its hosts.
func (d *Doors) ticketHost(host []byte) []byte {
	if d.shares(host) {
		return d.domain
	}
	return host
}

// cookieFor is the name of the cookie that holds the ticket on a host: those outside of
// the domain have one of their own.
func (d *Doors) cookieFor(host []byte) string {
	if d.shares(host) {
		return cookie.Domain
	}
	return cookie.Host
}

// giveTicket gives the browser its ticket for a host, or takes it away when that is
// empty.
func (d *Doors) giveTicket(w http.ResponseWriter, host, ticket string) {
	domain := ""
	if d.shares([]byte(host)) {
		domain = string(d.domain)
	}
	cookie.Ticket(w, domain, ticket)
}

// shares tells whether a host is one of the domain that shares a cookie.
func (d *Doors) shares(host []byte) bool {
	n := len(host) - len(d.domain)
	return d.domain != nil && n >= 0 && string(host[n:]) == string(d.domain) &&
		(n == 0 || host[n-1] == '.')
}
