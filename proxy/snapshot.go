package proxy

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"doorward/internal/gate"
	"doorward/internal/netset"
	"doorward/internal/tally"
	"doorward/proxy/backend"
	"doorward/proxy/h1"
	"doorward/proxy/route"
)

// Snapshot is everything built from one configuration. It is immutable once an
// Engine has it; a request keeps the one it started with.
type Snapshot struct {
	// Table finds the index of a request's route in Routes.
	Table  *route.Table
	Routes []*Route
	// Trusted are the peers whose forwarding headers are believed. Nil: none.
	Trusted *netset.Set
	// ProxyProtocol are the peers that must send a PROXY header. Nil: none.
	ProxyProtocol *netset.Set
	// TLS is the configuration of new handshakes; nil without TLS listeners.
	TLS *tls.Config
	// TLSRules tells apart what handshakes are made by, but for certificates: a
	// connection does not outlive its rules by more than the requests that it has.
	TLSRules string
	// Challenge answers a certificate authority that asks over plain HTTP who
	// controls a host, and tells whether it was asked for; nil is nobody.
	Challenge func(host, path string) (answer string, ok bool)
	// ClientPolicy identifies what handshakes for a canonical host ask clients for, ""
	// being nothing; nil asks nobody. Hosts may share connections when they have the
	// same.
	ClientPolicy func(host []byte) string
	// Timeouts hold for every request, as far as its route does not say otherwise.
	Timeouts Timeouts
	// Limits bound heads and bodies.
	Limits Limits
	// HTTP2 says how connections with HTTP/2 are served.
	HTTP2 HTTP2
	// Forwarding chooses the forwarding headers that servers get.
	Forwarding Forwarding
	// RequestIDHeader carries the request id, in both directions; "" is none.
	RequestIDHeader string
	// PassUnderscores forwards request fields with "_" in their name, which are
	// dropped otherwise.
	PassUnderscores bool
	// SignIn says that servers are told by us who the user is: nobody else may, not
	// even a trusted proxy.
	SignIn bool
	// Answers changes the answers that belong to no route.
	Answers AnswerChanges
	// Pages are the error pages that belong to no route.
	Pages Pages

	parser h1.Parser
	// forwards are the routes that have a backend, by their name and its.
	forwards map[[2]string]bool
	// named are the routes by their name.
	named map[string]*Route
	// turns has room for as many handshakes as may be at work; nil is no bound.
	turns chan struct{}
}

// Timeouts are HAProxy's, by meaning. Zero is no limit, which no configuration
// produces.
type Timeouts struct {
	// ProxyHeader bounds the PROXY header, Handshake the TLS handshake.
	ProxyHeader, Handshake time.Duration
	// RequestHead bounds a head from its first byte, KeepAlive the wait for that.
	RequestHead, KeepAlive time.Duration
	// Client bounds the client's silence while it sends or reads.
	Client time.Duration
}

// Limits of requests.
type Limits struct {
	h1.Limits
	// BodyBytes is the largest request body, 0 is any.
	BodyBytes int64
	// ConnectionsPerClient bounds the connections of one address (IPv6: one /64).
	// 0 is any number.
	ConnectionsPerClient int
	// Handshakes bounds the TLS handshakes at work at one time. 0 is any number.
	Handshakes int
}

// Forwarding chooses what servers are told about the client.
type Forwarding uint8

// The two families of forwarding headers, as bits.
const (
	XForwarded Forwarding = 1 << iota // X-Forwarded-For, -Host and -Proto
	RFC7239                           // Forwarded
)

// Route is what happens to the requests of one rule of the table. Exactly one of
// Backend, Redirect and Handler is set.
type Route struct {
	// Name stands in logs.
	Name string
	// Backend gets the requests.
	Backend *backend.Backend
	// Redirect sends the client elsewhere.
	Redirect *Redirect
	// Handler answers here.
	Handler http.Handler
	// Gate decides who passes; nil is everybody, and nobody is known by name.
	Gate gate.Gate
	// Private keeps the query out of the access log, whatever that is told to write:
	// codes that sign people in are in it.
	Private bool
	// Networks are the only ones that may pass; nil is all.
	Networks *netset.Set
	// Client is what the route wants of the certificates of clients.
	Client ClientCertificate
	// Rewrite changes the canonical path before a server gets it; nil leaves it.
	// The result may be in dst or alias path.
	Rewrite func(dst, path []byte) []byte
	// Upgrades are the protocols a connection may change to, in lower case.
	Upgrades []string
	// Origins are the hosts whose pages may open a WebSocket here; nil is any. An
	// entry is canonical, "*.example.com" is one label, and "same" the request's
	// own host.
	Origins []string
	// ClientTimeout and the rest are durations of this route, resolved already.
	ClientTimeout, ServerTimeout, TunnelTimeout time.Duration
	// BodyBytes is the largest request body, 0 is any.
	BodyBytes int64
	// Request and Answer change header fields.
	Request *Changes
	Answer  AnswerChanges
	// Pages are this route's error pages, Maintenance the one for a backend whose
	// servers are all in maintenance; without a body it is our own.
	Pages       Pages
	Maintenance Page
	// Persistence says which server a client belongs to. The zero value: none.
	Persistence Persistence
	// Hash is what a backend that balances by hashes goes by.
	Hash Key
	// Limits are those that a request must pass before a server gets it.
	Limits []RateLimit
	// CloseOnDown ends the tunnels to a server that goes down or into maintenance.
	CloseOnDown bool
	// Tally counts the route's requests; nil is nobody.
	Tally *tally.Tally

	repeating atomic.Int64 // requests at a repeat for other causes than connecting
}

// Redirect is an answer that sends the client elsewhere.
type Redirect struct {
	// Status is 301, 302, 303, 307 or 308.
	Status int
	// To is the value of Location.
	To Template
}

// Page is a body that stands for an error, in place of our own.
type Page struct {
	// ContentType and Body are sent as they are.
	ContentType string
	Body        []byte
}

// Pages are error pages by status code.
type Pages map[int]Page

// Prepare makes a filled-in Snapshot ready for use. Call it once, before Swap.
func (s *Snapshot) Prepare() {
	s.parser = h1.Parser{Limits: s.Limits.Limits, Protected: protectedFromConnection}
	s.forwards = make(map[[2]string]bool, len(s.Routes))
	s.named = make(map[string]*Route, len(s.Routes))
	for _, r := range s.Routes {
		s.named[r.Name] = r
		if r.Backend != nil {
			s.forwards[[2]string{r.Name, r.Backend.Name()}] = true
		}
	}
}

// takeTurns goes on with the turns of the snapshot before, unless their number is
// another one: with turns of its own, each reload would add to the bound.
func (s *Snapshot) takeTurns(old *Snapshot) {
	switch {
	case old != nil && cap(old.turns) == s.Limits.Handshakes:
		s.turns = old.turns
	case s.Limits.Handshakes > 0:
		s.turns = make(chan struct{}, s.Limits.Handshakes)
	}
}

// hasRoute tells whether a route of that name leads to that backend.
func (s *Snapshot) hasRoute(name, backend string) bool {
	return s.forwards[[2]string{name, backend}]
}

func (s *Snapshot) trusts(a netip.Addr) bool { return s.Trusted.Contains(a) }
