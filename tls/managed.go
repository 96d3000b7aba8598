package tls

import (
	"crypto/tls"
	"slices"
	"strings"
	"time"
)

// ChallengeProtocol is what a certificate authority offers alone, through ALPN,
// when it asks who answers for a host name (RFC 8737). Such a connection has done
// its work when the handshake ends: who accepted it closes it, nothing is read.
const ChallengeProtocol = "acme-tls/1"

// temporaryLife is that of certificates that stand in for one that is on its way.
// It is short, for nobody should come to trust them.
const temporaryLife = 7 * 24 * time.Hour

// Managed is where certificates come from that somebody else keeps, an ACME
// client. It is asked at handshakes, by many goroutines, and does not wait.
type Managed interface {
	// Certificate is the certificate for a canonical host name; nil: not ready.
	Certificate(name string) *tls.Certificate
	// Challenge is the certificate for a handshake of ChallengeProtocol; nil: no
	// challenge is pending for the name.
	Challenge(name string) *tls.Certificate
}

// managed are the names that are left to Managed.
type managed struct {
	source    Managed
	names     patterns
	list      []string   // as configured
	temporary *authority // for what is not ready
	challenge *tls.Config
}

// setManaged leaves to o.Managed what neither files nor the internal authority
// cover. A wildcard among them covers names of its own that a file has as well:
// there the file still wins.
func (m *Manager) setManaged(o Options) error {
	if o.Managed == nil {
		return nil
	}
	var list []string
	seen := map[string]bool{}
	for _, entry := range o.ManagedNames {
		if name := canonical(entry); !seen[name] && !m.covers(name) {
			seen[name] = true
			list = append(list, name)
		}
	}
	names, err := newPatterns(list)
	if err != nil || len(list) == 0 {
		return err
	}
	m.managed = &managed{source: o.Managed, names: names, list: list}
	m.managed.challenge = &tls.Config{
		MinVersion:             tls.VersionTLS12,
		NextProtos:             []string{ChallengeProtocol},
		SessionTicketsDisabled: true,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			// Without one pending there is no certificate: the alert unrecognized_name.
			return o.Managed.Challenge(canonical(hello.ServerName)), nil
		},
	}
	return nil
}

// Covers reports whether the host of a route, which may be a wildcard, has a certificate,
// or will have one that is ordered.
func (m *Manager) Covers(host string) bool {
	name := canonical(host)
	return m.covers(name) || slices.Contains(m.ManagedNames(), name)
}

// covers reports whether a name as configured, which may be a wildcard, has a
// certificate from a file or the internal authority.
func (m *Manager) covers(name string) bool {
	parent, wild := strings.CutPrefix(name, "*.")
	if wild {
		return m.names.wildcard[parent] != nil || m.internal.parent[parent]
	}
	return m.names.find(name) != nil || m.internal.match(name)
}

// setTemporary makes the authority of temporary certificates. It has the root of
// the internal one, and lives on with it.
func (m *Manager) setTemporary(previous *Manager) {
	if m.managed == nil {
		return
	}
	if previous != nil && previous.managed != nil {
		if kept := previous.managed.temporary; kept.root.Equal(m.authority.root) {
			m.managed.temporary = kept
			return
		}
	}
	a := m.authority
	m.managed.temporary = newAuthority(a.root, a.key, a.source)
	m.managed.temporary.life = temporaryLife
}

// match reports whether a canonical name is managed; a nil managed has none.
func (s *managed) match(name string) bool { return s != nil && s.names.match(name) }

// certificate is the one for a managed name: that of the source, or until there
// is one a temporary one. Clients choose names under a wildcard, so that is made
// for the wildcard.
func (s *managed) certificate(name string) (*tls.Certificate, error) {
	if c := s.source.Certificate(name); c != nil {
		return c, nil
	}
	if !s.names.exact[name] {
		_, parent, _ := strings.Cut(name, ".")
		name = "*." + parent
	}
	return s.temporary.certificate(name)
}

// configFor has another configuration for who asks for a challenge, and for him
// alone: others must not be able to choose that protocol. Another one is for hosts
// whose clients are asked for certificates.
func (m *Manager) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if m.managed != nil && len(hello.SupportedProtos) == 1 &&
		hello.SupportedProtos[0] == ChallengeProtocol {
		return m.managed.challenge, nil
	}
	return m.clients.config(hello.ServerName), nil
}

// ManagedNames are the names of [Options.ManagedNames] that neither a file nor
// the internal authority covers: those that [Options.Managed] has to keep.
func (m *Manager) ManagedNames() []string {
	if m.managed == nil {
		return nil
	}
	return slices.Clone(m.managed.list)
}

// Unready are the managed names that get a temporary certificate now.
func (m *Manager) Unready() []string {
	var names []string
	for _, name := range m.ManagedNames() {
		if m.managed.source.Certificate(sample(name)) == nil {
			names = append(names, name)
		}
	}
	return names
}

// managedCertificates describes those that are ready, each once.
func (m *Manager) managedCertificates() []Certificate {
	var list []Certificate
	for _, name := range m.ManagedNames() {
		if c := m.managed.source.Certificate(sample(name)); c != nil && c.Leaf != nil {
			list = append(list, describe(c.Leaf, []string{name}, "acme"))
		}
	}
	return list
}

// sample is a host name that a name as configured stands for.
func sample(name string) string {
	if parent, wild := strings.CutPrefix(name, "*."); wild {
		return "any." + parent
	}
	return name
}
