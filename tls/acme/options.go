package acme

import (
	"cmp"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/libdns/libdns"
	"github.com/mholt/acmez/v3"
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
	KeyID   string // as the authority gives it
	HMACKey string // base64url, as the authority gives it
}

// DNSProvider writes the records of DNS-01 challenges.
type DNSProvider interface {
	libdns.RecordAppender
	libdns.RecordDeleter
}

// DNS says how DNS-01 challenges are answered. The zero value cannot.
type DNS struct {
	// Provider writes the records; nil: there is none.
	Provider DNSProvider
	// Resolvers are asked for zones and whether a record has arrived, as
	// "address:port"; none: those of the system, then the zone's own servers.
	Resolvers []string
	// Propagation is how long a record may take to arrive; 0: 2 minutes, below
	// 0: nobody looks whether it has.
	Propagation time.Duration
	// TTL of the records; 0: what the provider takes.
	TTL time.Duration
	// FollowCNAME writes the record where CNAME records for its name lead to, so
	// that the provider needs no rights in the zone of the host.
	FollowCNAME bool
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
	// Challenges are those that may be used; none: TLSALPN01 and HTTP01, or DNS01
	// alone where DNS has a provider.
	Challenges []string
	DNS        DNS
	// KeyType is "p256", "p384", "rsa2048", "rsa4096" or "ed25519"; empty: "p256".
	KeyType string
	// Orders is how many orders may begin in ten minutes at one authority, over
	// restarts and all users of the store; 0: 10.
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
	Info    time.Duration // between two questions for the renewal window, at least; 1 h
	Look    time.Duration // how often it is looked what others wrote; 10 min
}

// settle fills in the defaults.
func (o *Options) settle() {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if len(o.Challenges) == 0 {
		o.Challenges = []string{TLSALPN01, HTTP01}
		if o.DNS.Provider != nil {
			o.Challenges = []string{DNS01}
		}
	}
	o.KeyType = cmp.Or(o.KeyType, string(certmagic.P256))
	o.Orders = cmp.Or(o.Orders, 10)
	t := &o.Timing
	t.Tick = cmp.Or(t.Tick, 10*time.Second)
	t.Retry = cmp.Or(t.Retry, 2*time.Minute)
	t.Longest = cmp.Or(t.Longest, 6*time.Hour)
	t.Order = cmp.Or(t.Order, 5*time.Minute)
	t.Lease = cmp.Or(t.Lease, 30*time.Second)
	t.Window = cmp.Or(t.Window, 10*time.Minute)
	t.Info = cmp.Or(t.Info, time.Hour)
	t.Look = cmp.Or(t.Look, 10*time.Minute)
}

// issuers makes those that the options name, and what they share.
func (o *Options) issuers(storage *Storage, p *pending) ([]*issuer, error) {
	solvers, err := o.solvers(p)
	if err != nil {
		return nil, err
	}
	authorities := []CA{o.CA}
	if o.Fallback != nil {
		authorities = append(authorities, *o.Fallback)
	}
	limit := &limiter{store: o.Store, orders: o.Orders, window: o.Timing.Window}
	var list []*issuer
	for _, ca := range authorities {
		i, err := newIssuer(ca, o)
		if err != nil {
			return nil, err
		}
		i.storage, i.limit, i.solvers = storage, limit, solvers
		list = append(list, i)
	}
	return list, nil
}

func (o *Options) solvers(p *pending) (map[string]acmez.Solver, error) {
	solvers := map[string]acmez.Solver{}
	for _, kind := range o.Challenges {
		switch kind {
		case TLSALPN01, HTTP01:
			solvers[kind] = solver{pending: p, kind: kind}
		case DNS01:
			if o.DNS.Provider == nil {
				return nil, fmt.Errorf("the challenge %s needs a DNS provider", DNS01)
			}
			solvers[kind] = newDNSSolver(o.DNS, o.Log)
		default:
			return nil, fmt.Errorf("challenge %q: there are %s, %s and %s",
				kind, TLSALPN01, HTTP01, DNS01)
		}
	}
	return solvers, nil
}

func (o *Options) keySource() (certmagic.KeyGenerator, error) {
	kind := certmagic.KeyType(o.KeyType)
	kinds := []certmagic.KeyType{certmagic.P256, certmagic.P384, certmagic.RSA2048,
		certmagic.RSA4096, certmagic.ED25519}
	if !slices.Contains(kinds, kind) {
		return nil, fmt.Errorf("key type %q: there are %v", o.KeyType, kinds)
	}
	return certmagic.StandardKeyGenerator{KeyType: kind}, nil
}

// check returns the account with its key as the protocol wants it.
func (e *ExternalAccount) check() (*ExternalAccount, error) {
	if e == nil {
		return nil, nil
	}
	key := strings.TrimRight(e.HMACKey, "=")
	// Neither the key nor where it went wrong is shown.
	if _, err := base64.RawURLEncoding.DecodeString(key); err != nil || key == "" {
		return nil, errors.New("the HMAC key of the external account is not base64url")
	}
	if e.KeyID == "" {
		return nil, errors.New("the external account has no key id")
	}
	return &ExternalAccount{KeyID: e.KeyID, HMACKey: key}, nil
}

func rootsOf(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("roots of the authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("roots of the authority: %s has no certificate in PEM", file)
	}
	return pool, nil
}
