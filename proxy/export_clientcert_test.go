package proxy

import (
	"crypto/tls"
	"time"
)

// DistinguishedName is a name of a certificate as servers get it.
func DistinguishedName(der []byte) string { return distinguishedName(der) }

// ClientCert is what a connection knows of its client.
type ClientCert struct{ c *clientCert }

// NewClientCert keeps what a handshake has found out.
func NewClientCert(s *Snapshot, state *tls.ConnectionState) ClientCert {
	return ClientCert{newClientCert(s, state)}
}

// Asked is what the handshake asked for.
func (c ClientCert) Asked() string { return c.c.asked() }

// Judge gives the values of the fields, or why there are none.
func (c ClientCert) Judge(by ClientAuthority, now time.Time) ([5]string, error) {
	said, err := c.c.judge(by, now)
	return [5]string{
		said.subject, said.issuer, said.serial, said.fingerprint, said.notAfter,
	}, err
}
