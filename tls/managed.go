package tls

import "crypto/tls"

// Managed is where certificates come from that somebody else keeps, an ACME
// client. It is asked at handshakes, by many goroutines, and does not wait.
type Managed interface {
	// Certificate is the certificate for a canonical host name; nil: not ready.
	Certificate(name string) *tls.Certificate
	// Challenge is the certificate for a handshake of the protocol "acme-tls/1"
	// (RFC 8737); nil: no challenge is pending for the name.
	Challenge(name string) *tls.Certificate
}

// ManagedNames are the names of [Options.ManagedNames] that neither a file nor
// the internal authority covers: those that Options.Managed has to keep.
func (m *Manager) ManagedNames() []string { return nil }
