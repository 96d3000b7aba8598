package app

import (
	cryptotls "crypto/tls"
	"path/filepath"

	"doorward/tls"
)

// buildTLS reads the certificates.
func (g *generation) buildTLS(o Options, previous *generation) error {
	c := g.cfg.TLS
	opts := tls.Options{
		Certificates: c.Certificates, Internal: c.Internal,
		MinVersion: cryptotls.VersionTLS12, Tickets: c.Tickets, StrictSNI: c.StrictSNI,
	}
	if c.MinVersion == "1.3" {
		opts.MinVersion = cryptotls.VersionTLS13
	}
	if o.StateDir != "" {
		opts.InternalDir = filepath.Join(o.StateDir, "internal-ca")
	}
	var old *tls.Manager
	if previous != nil {
		old = previous.certs
	}
	m, warnings, err := tls.Load(opts, old)
	for _, w := range warnings {
		g.warnings = append(g.warnings, w.String())
	}
	g.certs = m
	return err
}
