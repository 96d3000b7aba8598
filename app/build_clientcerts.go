package app

import (
	"errors"
	"slices"
	"strings"

	"doorward/config"
	"doorward/proxy"
	"doorward/tls"
)

// readClientCAs reads whom routes trust to sign the certificates of their clients.
func (g *generation) readClientCAs() error {
	g.clientCAs = map[string]*tls.ClientCA{}
	var errs []error
	for i := range g.cfg.Routes {
		c := g.cfg.Routes[i].ClientCertificate
		if !c.Asks() {
			continue
		}
		g.noteClientFields(c)
		if g.clientCAs[c.CAFile] != nil {
			continue
		}
		place := g.cfg.At("route", i, "client_certificate", "ca_file")
		ca, warnings, err := tls.ReadClientCA(c.CAFile)
		if err != nil {
			errs = append(errs, placed(place, err))
			continue
		}
		g.clientCAs[c.CAFile] = ca
		for _, w := range warnings {
			g.warnings = append(g.warnings, config.Diagnostic{
				File: w.File, Message: w.Text, Severity: config.Warning,
			})
		}
	}
	return errors.Join(errs...)
}

// clientRules say which hosts ask for certificates, in the order of the routes. The
// page of statistics comes before them all and asks for none.
func (g *generation) clientRules() []tls.ClientRule {
	var rules []tls.ClientRule
	if host := g.cfg.Stats.Host; host != "" {
		rules = append(rules, tls.ClientRule{Hosts: []string{host}, Whole: true})
	}
	for i := range g.cfg.Routes {
		r := &g.cfg.Routes[i]
		rules = append(rules, tls.ClientRule{
			Hosts: r.Hosts, CA: g.clientCA(r.ClientCertificate),
			Whole: len(r.Paths)+len(r.Methods)+len(r.Headers.Match)+len(r.Query) == 0 &&
				!r.Networks.Given(),
		})
	}
	return rules
}

// clientCA is whom a route trusts; nil is nobody, because it asks for nothing.
func (g *generation) clientCA(c *config.ClientCertificate) *tls.ClientCA {
	if !c.Asks() {
		return nil
	}
	return g.clientCAs[c.CAFile]
}

// clientPolicy is how the request path tells hosts apart by what they ask for.
func (g *generation) clientPolicy() func(host []byte) string {
	if len(g.clientCAs) == 0 {
		return nil
	}
	return g.certs.ClientPolicy
}

// clientCertificate is what a route wants of the certificates of clients.
func (g *generation) clientCertificate(c *config.ClientCertificate) proxy.ClientCertificate {
	ca := g.clientCA(c)
	if ca == nil {
		return proxy.ClientCertificate{}
	}
	out := proxy.ClientCertificate{
		Mode: proxy.ClientRequire, Authority: ca, Headers: proxy.ClientHeaders(c.Headers),
	}
	if c.Mode == "request" {
		out.Mode = proxy.ClientRequest
	}
	return out
}

// noteClientFields notes the fields in which a route tells its server about
// certificates. Those with the usual names nobody may send anyway.
func (g *generation) noteClientFields(c *config.ClientCertificate) {
	for _, name := range c.Headers.Named() {
		name = strings.ToLower(name)
		if !strings.HasPrefix(name, "x-client-cert") && !slices.Contains(g.clientFields, name) {
			g.clientFields = append(g.clientFields, name)
		}
	}
}
