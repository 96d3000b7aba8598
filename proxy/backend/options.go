package backend

import (
	"cmp"
	"context"
	"crypto/sha256"
	"net/netip"
	"time"

	"go.uber.org/zap"
)

// Options describe one backend. Only Name and Servers have to be given.
type Options struct {
	// Name is how routes, logs and statistics call the backend.
	Name string
	// Description is a line for people.
	Description string
	// Servers are the members, in the order of the file.
	Servers []ServerOptions
	// Timeouts bound the waits; a zero one takes the default beside it.
	Timeouts Timeouts
	// KeepAlive keeps connections to servers for the next request. Without it
	// every request has its own, as with HAProxy's option http-server-close.
	KeepAlive bool
	// HTTP2 says that servers with https URLs speak HTTP/2, and those on unix sockets
	// do so without an upgrade. Those with h2c URLs always do. Their connections carry
	// many requests at a time, see [Server.RoundTrip]; KeepAlive and MaxIdle are not
	// about them.
	HTTP2 bool
	// MaxIdle is the most idle connections kept for each server; 0 is 512.
	MaxIdle int
	// Balance is how requests are shared out.
	Balance Balance
	// QueueLimit is the most requests that wait for a place; 0 is 10,000.
	QueueLimit int
	// SlowStart is how long a server that comes back takes to get its whole share;
	// 0 is at once.
	SlowStart time.Duration
	// UseAllBackups balances over all backup servers once no other server is left;
	// else only the first that is usable steps in.
	UseAllBackups bool
	// TLS is for servers with https URLs. Nil verifies with the system's CAs.
	TLS *TLSOptions
	// Retries is how often a request may be tried again.
	Retries int
	// RetryOn is what is worth another try.
	RetryOn RetryOn
	// Redispatch sends retries to another server.
	Redispatch bool
	// Log takes what happens outside of requests; nil is silence.
	Log *zap.Logger
	// Resolver looks server names up; nil is net.DefaultResolver.
	Resolver Resolver
}

// ServerOptions describe one server.
type ServerOptions struct {
	// Name is unique in the backend; empty takes the address in the URL.
	Name string
	// URL is http://host:port, https://host:port, unix:///path or
	// unix+https:///path, or h2c://host:port for HTTP/2 without TLS. Ports default to
	// 80 and 443; a path on the server, credentials and queries are refused.
	URL string
	// Weight is the share of the requests in proportion to the other weights; 0
	// is no share.
	Weight int
	// MaxConnections is the most requests at a time, 0 is no limit.
	MaxConnections int
	// Backup keeps the server for when no other is usable.
	Backup bool
	// QueueLimit is how many requests that belong to this server (by persistence
	// or hash) may wait for it, more go to others; 0 is any number.
	QueueLimit int
	// Cookie is the value of the persistence cookie for it, empty for none.
	Cookie string
}

// Timeouts of a backend, with HAProxy's meanings.
type Timeouts struct {
	// Connect bounds connecting to a server, TLS handshake included (5s).
	Connect time.Duration
	// Server bounds a server's silence (30s).
	Server time.Duration
	// Queue bounds the wait for a place (10s).
	Queue time.Duration
	// Tunnel bounds silence in both directions after an upgrade (1h).
	Tunnel time.Duration
	// Idle is how long an idle connection is kept; it may live a quarter longer
	// (60s).
	Idle time.Duration
}

func (t Timeouts) orDefaults() Timeouts {
	return Timeouts{
		Connect: cmp.Or(t.Connect, 5*time.Second),
		Server:  cmp.Or(t.Server, 30*time.Second),
		Queue:   cmp.Or(t.Queue, 10*time.Second),
		Tunnel:  cmp.Or(t.Tunnel, time.Hour),
		Idle:    cmp.Or(t.Idle, time.Minute),
	}
}

// TLSOptions say how https servers are verified and what is shown to them. The
// zero value verifies nothing.
type TLSOptions struct {
	// Verify demands a certificate that is valid for the name.
	Verify bool
	// CAFile is a PEM file with the CAs to trust in place of the system's.
	CAFile string
	// Pins are SHA-256 digests of public keys (SPKI, RFC 7469), of which one must
	// be that of the server's certificate or of a CA that signed it. With Verify
	// they are an addition, without it they stand in place of CA and name.
	Pins [][sha256.Size]byte
	// ServerName is sent as SNI and verified; empty is the host in the URL.
	ServerName string
	// Certificate is a PEM file with the client certificate, empty for none.
	Certificate string
	// Key is the PEM file with its key; empty when Certificate holds it too.
	Key string
	// MinVersion is a crypto/tls version, 0 is TLS 1.2, and less is taken for it.
	MinVersion uint16
}

// RetryOn is the set of failures that are worth another try. The zero value is
// the empty set.
type RetryOn struct {
	// Connect: no connection, so the request was not sent.
	Connect bool
	// EmptyResponse: the connection closed before the first byte of an answer.
	EmptyResponse bool
	// ResponseTimeout: no answer within Timeouts.Server.
	ResponseTimeout bool

	statuses [4]uint64
}

// firstStatus is the lowest status code that a RetryOn can hold.
const firstStatus = 400

// WithStatus is the set with some status codes added. Codes below 400 and above
// 599 are never retried and are left out.
func (r RetryOn) WithStatus(codes ...int) RetryOn {
	for _, code := range codes {
		if code >= firstStatus && code < 600 {
			bit := uint(code - firstStatus)
			r.statuses[bit/64] |= 1 << (bit % 64)
		}
	}
	return r
}

// Status tells whether an answer with this code is worth another try.
func (r *RetryOn) Status(code int) bool {
	bit := uint(code - firstStatus)
	return bit < 200 && r.statuses[bit/64]>>(bit%64)&1 == 1
}

// Resolver looks up the addresses of a name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}
