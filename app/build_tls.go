package app

import (
	"cmp"
	cryptotls "crypto/tls"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"doorward/config"
	"doorward/tls"
)

// buildTLS reads the certificates.
func (g *generation) buildTLS(o Options, previous *generation) error {
	clients := g.readClientCAs()
	c := g.cfg.TLS
	opts := tls.Options{
		Certificates: c.Certificates, Internal: c.Internal,
		MinVersion: cryptotls.VersionTLS12, Tickets: c.Tickets, StrictSNI: c.StrictSNI,
		NextProtos: []string{"h2", "http/1.1", "http/1.0"}, Clients: g.clientRules(),
	}
	if !g.cfg.Listen.HTTP2 {
		opts.NextProtos = opts.NextProtos[1:]
	}
	if g.orders != nil {
		opts.Managed, opts.ManagedNames = g.orders, orderedNames(g.cfg)
	}
	if c.MinVersion == "1.3" {
		opts.MinVersion = cryptotls.VersionTLS13
	}
	// A dry build has a CA in memory: to open one would make it.
	if dir := cmp.Or(o.StateDir, o.stateFolder(g.cfg)); dir != "" && !o.dry {
		opts.InternalDir = filepath.Join(dir, "internal-ca")
	}
	var old *tls.Manager
	if previous != nil {
		old = previous.certs
	}
	m, warnings, err := tls.Load(opts, old)
	if len(g.cfg.Listen.HTTPS) == 0 {
		// Nobody will ask for a certificate.
		warnings = nil
	}
	for _, w := range warnings {
		g.warnings = append(g.warnings, config.Diagnostic{
			File: cmp.Or(w.File, g.cfg.Files[0]), Message: w.Text, Severity: config.Warning,
		})
	}
	g.certs = m
	if err == nil {
		err = g.checkWildcards()
	}
	if err == nil {
		g.warnUncovered()
	}
	return errors.Join(clients, g.placedFiles(err))
}

// warnUncovered warns of hosts without a certificate. It says nothing where plain HTTP may
// be all that a host is for.
func (g *generation) warnUncovered() {
	l := g.cfg.Listen
	certificates := g.certs.Certificates()
	if len(l.HTTPS) == 0 || len(l.HTTP) > 0 && !l.HTTPRedirect || len(certificates) == 0 {
		return
	}
	said := map[string]bool{}
	warn := func(host string, at ...any) {
		if strings.ContainsAny(host, "~:") || host == "*" || host == "" || isAddress(host) ||
			said[host] || g.certs.Covers(host) || below(host, certificates) {
			return
		}
		said[host] = true
		d := g.cfg.At(at...)
		d.Severity, d.Message = config.Warning, "no certificate covers "+host+": clients are refused"
		if !g.cfg.TLS.StrictSNI {
			d.Message = "no certificate covers " + host + ": clients get that of another name"
		}
		d.Hint = "add one to tls.certificates, or the name to tls.internal, or tls.acme"
		g.warnings = append(g.warnings, d)
	}
	for i := range g.cfg.Routes {
		for j, host := range g.cfg.Routes[i].Hosts {
			warn(host, "route", i, "hosts", j)
		}
	}
	warn(signInHost(g.cfg), "sign_in", "host")
	warn(g.cfg.Stats.Host, "stats", "host")
}

// below tells whether there are certificates for names that a wildcard stands for.
func below(host string, certificates []tls.Certificate) bool {
	parent, wild := strings.CutPrefix(strings.ToLower(host), "*")
	return wild && slices.ContainsFunc(certificates, func(c tls.Certificate) bool {
		return slices.ContainsFunc(c.Names, func(name string) bool {
			return strings.HasSuffix(name, parent)
		})
	})
}

// placedFiles gives each file at fault the place of the entry that it was found by.
func (g *generation) placedFiles(err error) error {
	var list interface{ Unwrap() []error }
	var file *tls.FileError
	switch {
	case asItself(err, &list) && isJoin(err, list.Unwrap()):
		errs := slices.Clone(list.Unwrap())
		for i, e := range errs {
			errs[i] = g.placedFiles(e)
		}
		return errors.Join(errs...)
	case asItself(err, &file):
		for i, entry := range g.cfg.TLS.Certificates {
			rest, found := strings.CutPrefix(file.File, filepath.Clean(entry))
			if found && (rest == "" || rest[0] == filepath.Separator) {
				return placed(g.cfg.At("tls", "certificates", i), err)
			}
		}
	}
	return placed(g.cfg.At("tls"), err)
}
