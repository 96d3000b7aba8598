package app

import (
	"cmp"

	"doorward/stats"
	"doorward/tls/acme"
)

// viewCertificates are the certificates of files and of our own, and how it stands with
// those that are ordered.
func (g *generation) viewCertificates() []stats.Certificate {
	var list []stats.Certificate
	for _, c := range g.certs.Certificates() {
		if g.orders != nil && c.Source == "acme" {
			continue // below, with its state
		}
		if c.Internal && len(c.Names) == 0 {
			continue // the root of temporary ones alone
		}
		list = append(list, stats.Certificate{
			Names: c.Names, Source: cmp.Or(c.Source, "internal"), Issuer: c.Issuer,
			NotAfter: c.NotAfter,
		})
	}
	if g.orders == nil {
		return list
	}
	for _, s := range g.orders.Status() {
		list = append(list, ordered(&s))
	}
	return list
}

func ordered(s *acme.Status) stats.Certificate {
	c := stats.Certificate{
		Names: []string{s.Name}, Source: "acme", Issuer: s.Issuer, NotAfter: s.NotAfter,
		State: string(s.State), Error: s.LastError, NextTry: s.NextTry,
	}
	if c.Issuer == "" {
		c.Issuer = "temporary, until " + s.CA + " issues"
	}
	return c
}
