// Package tls holds the certificates the edge shows to its clients and the
// server-side rules of TLS: which files they come from, which one a handshake
// gets, protocol versions, cipher suites, session tickets, and an internal
// certificate authority for names that no public one signs.
//
// It leaves to others: accepting connections and the deadline of a handshake
// (whoever accepts), TLS towards servers (proxy/backend), and what to do when
// loading fails (the caller keeps the previous Manager).
//
// Only package app imports it, so that nobody else has to tell this package and
// crypto/tls apart.
package tls

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Options says what a Manager is made of. The zero value has no certificate and
// refuses every handshake.
type Options struct {
	// Certificates are files or folders of PEM. A folder is read with one level
	// of sub-folders; names that begin with a dot are left out. The first
	// certificate found answers for clients that name no host, or an unknown one.
	Certificates []string
	// Internal are host patterns served from the internal authority where no
	// file covers them: exact names, or "*.example.com" for exactly one more
	// label.
	Internal []string
	// InternalDir is the folder that keeps the internal authority's root and key
	// between runs. Empty: the root lives as long as the Managers that were
	// loaded from one another. The folder is made when it is missing.
	InternalDir string
	// MinVersion is the oldest protocol version spoken, tls.VersionTLS12 or
	// tls.VersionTLS13; 0 means 1.2. Older ones are an error.
	MinVersion uint16
	// NextProtos are the protocols offered through ALPN, best first; none means
	// "http/1.1" alone. A client that offers others only is refused.
	NextProtos []string
	// Tickets allows session resumption through tickets.
	Tickets bool
	// StrictSNI refuses clients that name no host, or one without a certificate,
	// instead of showing them the first certificate.
	StrictSNI bool
	// Managed has the certificates of ManagedNames; nil: there are none.
	Managed Managed
	// ManagedNames are the host names, or "*." and a host name, that Managed may
	// be asked for. Where a file covers one, the file wins; where Internal does,
	// the name is left to it. Until Managed has a certificate the internal
	// authority gives one that lives for days.
	ManagedNames []string
	// Clients say whom to ask for certificates; none asks nobody.
	Clients []ClientRule
}

// Manager is one consistent set of certificates and rules. It never changes;
// a reload loads a new one. It may be used from many goroutines.
type Manager struct {
	policy    policy
	names     index
	loaded    []*certificate
	parsed    map[digest]*certificate
	internal  patterns
	managed   *managed // nil: no name is
	clients   *clients // nil: nobody is asked
	authority *authority
	tickets   *tls.Config
	config    *tls.Config
}

// policy is what decides whether two Managers may honour each other's tickets:
// a session made under one set of rules must not be resumed under another.
type policy struct {
	minVersion uint16
	strictSNI  bool
	protocols  string
}

// Load reads everything that o names and returns a Manager for it, with what is
// legal but unwise as warnings. It fails as a whole: the error joins one
// FileError for each file at fault, and nothing of o is in force.
//
// What previous, which may be nil, has in common with o lives on: parsed
// certificates, issued internal ones, the keys of session tickets.
// previous itself is not touched and stays usable.
//
// With InternalDir set, Load makes the folder and the root when they are
// missing, after all else was found to be right.
func Load(o Options, previous *Manager) (*Manager, []Warning, error) {
	m := &Manager{policy: policyOf(o), parsed: map[digest]*certificate{}}
	l := newLoader(m.parsed, previous)
	if v := m.policy.minVersion; v != tls.VersionTLS12 && v != tls.VersionTLS13 {
		l.errs = append(l.errs, fmt.Errorf("oldest TLS version %s: %w",
			tls.VersionName(v), ErrVersion))
	}
	var err error
	if m.internal, err = newPatterns(o.Internal); err != nil {
		l.errs = append(l.errs, err)
	}
	for _, path := range o.Certificates {
		l.path(path)
	}
	l.lonelyKeys()
	if err := errors.Join(l.errs...); err != nil {
		return nil, l.warnings, err
	}
	m.loaded = l.found
	m.names = newIndex(l.found, l.now, l.warn)
	if err := m.setManaged(o); err != nil {
		return nil, l.warnings, err
	}
	if err := m.openAuthority(o, previous, l); err != nil {
		return nil, l.warnings, err
	}
	if len(m.loaded) == 0 && m.authority == nil {
		l.warn("", "no certificate: every TLS handshake will be refused")
	}
	m.tickets = &tls.Config{}
	if previous != nil && previous.policy == m.policy {
		m.tickets = previous.tickets
	}
	m.config = m.serverConfig(o)
	if m.clients, err = newClients(o.Clients, m.config); err != nil {
		return nil, l.warnings, err
	}
	return m, l.warnings, nil
}

// Rules tells the rules of handshakes apart, other than which certificates there are:
// those of two Managers that are equal make the same of a client.
func (m *Manager) Rules() string { return fmt.Sprintf("%+v", m.policy) }

func policyOf(o Options) policy {
	protocols := o.NextProtos
	if len(protocols) == 0 {
		protocols = []string{"http/1.1"}
	}
	return policy{
		minVersion: cmp.Or(o.MinVersion, tls.VersionTLS12),
		strictSNI:  o.StrictSNI,
		protocols:  strings.Join(protocols, ","),
	}
}

func (m *Manager) openAuthority(o Options, previous *Manager, l *loader) error {
	if m.internal.empty() && m.managed == nil {
		return nil
	}
	var kept *authority
	if previous != nil {
		kept = previous.authority
	}
	a, err := openAuthority(o.InternalDir, kept, l.now)
	if err != nil {
		return err
	}
	if left := a.root.NotAfter.Sub(l.now); left < rootNotice {
		l.warn(a.source, "the internal root ends on "+day(a.root.NotAfter)+
			"; remove the file to have a new one made")
	}
	m.authority = a
	m.setTemporary(previous)
	return nil
}

// ServerConfig returns the configuration for handshakes with clients. It is the
// same one at every call and must not be changed. Handshakes that began with
// the configuration of an earlier Manager end with it.
func (m *Manager) ServerConfig() *tls.Config { return m.config }

func (m *Manager) serverConfig(o Options) *tls.Config {
	return &tls.Config{
		MinVersion: m.policy.minVersion,
		// For TLS 1.2, those with forward secrecy and authenticated encryption;
		// the suites of TLS 1.3 are all of that kind.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos:         strings.Split(m.policy.protocols, ","),
		GetCertificate:     m.certificateFor,
		GetConfigForClient: m.configFor,
		// Full records from the first byte: small ones at the start of a connection
		// would save a slow client some latency, and cost a system call each.
		DynamicRecordSizingDisabled: true,
		SessionTicketsDisabled:      !o.Tickets,
		WrapSession:                 m.wrapSession,
		UnwrapSession:               m.unwrapSession,
	}
}

// certificateFor picks the certificate for a handshake. A file wins over a managed
// one, that over the internal authority, an exact name over a wildcard.
func (m *Manager) certificateFor(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := canonical(hello.ServerName)
	if c := m.names.find(name); c != nil {
		return c.pick(hello), nil
	}
	if m.managed.match(name) {
		return m.managed.certificate(name)
	}
	if m.internal.match(name) {
		return m.authority.certificate(name)
	}
	if m.policy.strictSNI {
		return unrecognizedName()
	}
	if m.names.first != nil {
		return m.names.first.pick(hello), nil
	}
	if m.managed != nil && m.managed.names.first != "" {
		return m.managed.certificate(m.managed.names.first)
	}
	if len(m.internal.exact) > 0 {
		return m.authority.certificate(m.internal.first)
	}
	return unrecognizedName()
}

// unrecognizedName makes crypto/tls end the handshake with the alert
// unrecognized_name (RFC 6066, section 3): it sends that one only when there is
// no certificate and no error, and internal_error for any error of ours.
func unrecognizedName() (*tls.Certificate, error) { return nil, nil }

// serves reports whether name has a certificate of its own.
func (m *Manager) serves(name string) bool {
	return m.names.find(name) != nil || m.managed.match(name) || m.internal.match(name)
}

// RootPEM returns the certificate of the internal authority's root for clients
// to trust, nil when no name is internal or managed.
func (m *Manager) RootPEM() []byte {
	if m.authority == nil {
		return nil
	}
	return encodeCertificate(m.authority.root)
}

// Certificate describes one certificate, for pages and metrics.
type Certificate struct {
	// Names are the host names and addresses it is for, or the host patterns of
	// the internal authority.
	Names []string
	// Source is the file it came from, "acme" for a managed one, and empty for a
	// root kept in memory.
	Source string
	// Issuer is the name of who signed it.
	Issuer string
	// NotBefore and NotAfter bound its validity.
	NotBefore, NotAfter time.Time
	// Internal marks the root of the internal authority.
	Internal bool
}

// Certificates lists the certificates of files in the order they were found,
// then those managed that are ready, the internal authority's root last.
func (m *Manager) Certificates() []Certificate {
	list := make([]Certificate, 0, len(m.loaded)+1)
	for _, c := range m.loaded {
		list = append(list, describe(c.leaf(), slices.Clone(c.names), c.source))
	}
	list = append(list, m.managedCertificates()...)
	if m.authority != nil {
		root := describe(m.authority.root, m.internal.list(), m.authority.source)
		root.Internal = true
		list = append(list, root)
	}
	return list
}

func describe(c *x509.Certificate, names []string, source string) Certificate {
	return Certificate{
		Names:     names,
		Source:    source,
		Issuer:    c.Issuer.String(),
		NotBefore: c.NotBefore,
		NotAfter:  c.NotAfter,
	}
}
