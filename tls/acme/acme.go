// Package acme keeps certificates that a certificate authority issues over ACME
// (RFC 8555): it orders, stores, renews and hands them out, and answers the
// authority's challenges out of memory or the store.
//
// It opens no listener and knows no handshake. Names come from its caller alone,
// so no client can make it order anything. What the edge shows while a
// certificate is not there yet is decided by package tls.
package acme

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/libdns/libdns"
	"go.uber.org/zap"

	"doorward/state"
)

// The challenges of RFC 8555, section 8, and RFC 8737.
const (
	TLSALPN01 = "tls-alpn-01"
	HTTP01    = "http-01"
	DNS01     = "dns-01"
)

// CA is a certificate authority and how it knows us.
type CA struct {
	// Directory is the URL everything else is found from; it has to be https.
	Directory string
	// CAFile is a PEM file with the roots that the authority's own server is
	// trusted by; empty: those of the system.
	CAFile string
	// ExternalAccount binds our account to one that was made elsewhere; nil: none.
	ExternalAccount *ExternalAccount
}

// ExternalAccount is an account at the authority that ours belongs to (RFC 8555,
// section 7.3.4).
type ExternalAccount struct {
	KeyID   string
	HMACKey string // base64url, as the authority gives it
}

// DNSProvider writes the records of DNS-01 challenges.
type DNSProvider interface {
	libdns.RecordAppender
	libdns.RecordDeleter
}

// DNS says how DNS-01 challenges are answered. The zero value cannot.
type DNS struct {
	Provider DNSProvider
	// Resolvers are asked for zones and whether a record has arrived, as
	// "address:port"; none: those of the system, then the zone's own servers.
	Resolvers []string
	// Propagation is how long a record may take to arrive; 0: 2 minutes, below
	// 0: nobody looks whether it has.
	Propagation time.Duration
	// TTL of the records; 0: what the provider takes.
	TTL time.Duration
}

// Options says what a Manager works with.
type Options struct {
	// Store keeps account, certificates, challenges and locks, under "acme/".
	Store *state.Store
	// Log is told what happens; nil: nobody is.
	Log *zap.Logger
	// Email is where the authority writes to; empty: nowhere.
	Email string
	// CA is asked first, Fallback when that fails; nil: there is none.
	CA       CA
	Fallback *CA
	// Challenges are those that may be used; none: TLSALPN01 and HTTP01, and DNS01
	// alone where DNS has a provider.
	Challenges []string
	DNS        DNS
	// KeyType is "p256", "p384", "rsa2048", "rsa4096" or "ed25519"; empty: "p256".
	KeyType string
	// Orders is how many orders may begin in ten minutes, over restarts and all
	// users of the store; 0: 10.
	Orders int
	// Timing has what tests shorten; the zero value is right for all others.
	Timing Timing
}

// Timing is how long things take. Fields that are 0 have the default given.
type Timing struct {
	Tick    time.Duration // how often it is looked what is due; 10 s
	Retry   time.Duration // after the first failure, doubled at each; 2 min
	Longest time.Duration // the longest time between two tries; 6 h
	Order   time.Duration // what one order may take; 5 min
	Lease   time.Duration // how long a lock outlives its holder; 30 s
	Window  time.Duration // what Options.Orders is counted in; 10 min
}

// State is how it stands with a name.
type State string

// The states.
const (
	Ordering State = "ordering" // no certificate yet, none refused
	Ready    State = "ready"    // a certificate, and nothing wrong with its renewal
	Failing  State = "failing"  // the last try failed, with or without a certificate
)

// Status is how it stands with a name.
type Status struct {
	Name      string
	State     State
	Source    string // always "acme"
	CA        string // host of the authority that issued, or is asked
	Issuer    string // who signed the certificate; empty: there is none
	NotBefore time.Time
	NotAfter  time.Time // zero: there is no certificate
	// RenewFrom and RenewUntil are when it will be renewed, as the authority
	// suggests (RFC 9773) or by its age. Zero: there is no certificate.
	RenewFrom, RenewUntil time.Time
	// LastError is why the last try failed, in a line; empty: it did not.
	LastError string
	LastTry   time.Time // zero: not yet
	NextTry   time.Time // zero: running, or nothing to do
}

// Manager keeps the certificates of the names it was given. Its methods may be
// called by many goroutines.
type Manager struct{}

// Open makes a Manager. It reads the store and asks nobody else. One whose
// Options changed is replaced by another with the same Store: the new one finds
// everything there; the old one is closed when nobody asks it any more.
func Open(Options) (*Manager, error) { return &Manager{}, nil }

// Manage makes names, and no others, those that are kept. Certificates that the
// store has are there when it returns; the others are ordered later. A name is a
// host name or "*." and one.
func (m *Manager) Manage([]string) {}

// Certificate is the certificate for a host name in lower case, its own or that
// of a wildcard; nil: there is none.
func (m *Manager) Certificate(string) *tls.Certificate { return nil }

// Challenge is the certificate that answers a pending TLS-ALPN-01 challenge for
// the name (RFC 8737); nil: none is pending.
func (m *Manager) Challenge(string) *tls.Certificate { return nil }

// HTTPChallenge is the body that answers a pending HTTP-01 challenge: 200,
// text/plain. Everything else under "/.well-known/acme-challenge/" is 404.
func (m *Manager) HTTPChallenge(host, path string) (body string, ok bool) { return "", false }

// Status lists all names in order.
func (m *Manager) Status() []Status { return nil }

// Renew orders a certificate for the name now, and returns why that failed.
func (m *Manager) Renew(context.Context, string) error { return nil }

// Close ends the work: orders that run are given up. The certificates stay
// usable. It takes a second at most.
func (m *Manager) Close() {}
