package tls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// What a client may send for its certificate. A session ticket carries all of it,
// and a connection keeps it for as long as it lives.
const (
	maxClientChain = 10
	maxClientBytes = 32 << 10
	// maxHints bounds the names of CAs in a handshake message of 64 KiB.
	maxHints = 32 << 10
)

// ErrClientChain means a client that sends more certificates than a connection
// should have to keep: the handshake fails.
var ErrClientChain = errors.New("client sends more than 10 certificates or 32 KiB of them")

// ClientRule says for which hosts clients are asked for certificates. Rules have the
// order of the routes that they come from.
type ClientRule struct {
	// Hosts are host names, "*.example.com", addresses, or "~" and a regular
	// expression of the whole name; none means every host.
	Hosts []string
	// CA is whom the rule trusts; nil asks nobody.
	CA *ClientCA
	// Whole says that the rule takes every request of its hosts: rules after it
	// mean nothing to them.
	Whole bool
}

// clients knows what handshakes ask clients for. A handshake is over before a path
// is known, so it asks when one of the routes of its host does, for certificates
// that any of them would take; each request is judged by its own route later.
type clients struct {
	base  *tls.Config
	rules []ClientRule
	// names holds what the names that rules have ask for.
	names map[string]*ClientCA
	// parent holds the candidates of names below wildcards, by what follows "*.";
	// other those of every other name.
	parent map[string][]candidate
	other  []candidate
	// address are those of clients that name no host, because they know none.
	address []candidate
	// unions hold *ClientCA, and configs *tls.Config, by the identity of the CA.
	unions, configs sync.Map
}

// candidate is a rule that may hold for a host: if name matches it, when it is not
// nil.
type candidate struct {
	rule int
	name *regexp.Regexp
	// alone says that the rule is whole for all names that the candidate is for.
	alone bool
}

// newClients returns nil when no rule asks for anything.
func newClients(rules []ClientRule, base *tls.Config) (*clients, error) {
	if !slices.ContainsFunc(rules, func(r ClientRule) bool { return r.CA != nil }) {
		return nil, nil
	}
	c := &clients{
		base: base, rules: rules,
		names: map[string]*ClientCA{}, parent: map[string][]candidate{},
	}
	exact := map[string][]candidate{}
	var errs []error
	for i, r := range rules {
		errs = append(errs, c.index(i, r, exact))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for parent, own := range c.parent {
		c.parent[parent] = inOrder(own, c.other)
	}
	for name, own := range exact {
		c.names[name] = c.among(inOrder(own, c.candidates(name)), name)
	}
	return c, nil
}

// index notes for which names a rule is a candidate; exact is for whole names.
func (c *clients) index(i int, r ClientRule, exact map[string][]candidate) error {
	if len(r.Hosts) == 0 {
		c.other = append(c.other, candidate{rule: i, alone: r.Whole})
		c.address = append(c.address, candidate{rule: i, alone: r.Whole})
	}
	for _, host := range r.Hosts {
		if expr, ok := strings.CutPrefix(host, "~"); ok {
			re, err := regexp.Compile(`\A(?:` + expr + `)\z`)
			if err != nil {
				return fmt.Errorf("host %q: %w", host, err)
			}
			c.other = append(c.other, candidate{rule: i, name: re, alone: r.Whole})
			continue
		}
		name := canonical(host)
		parent, wild := strings.CutPrefix(name, "*.")
		switch {
		case wild:
			c.parent[parent] = append(c.parent[parent], candidate{rule: i, alone: r.Whole})
		case isAddress(name):
			// Which address a client means is not known in its handshake.
			c.address = append(c.address, candidate{rule: i})
		default:
			exact[name] = append(exact[name], candidate{rule: i, alone: r.Whole})
		}
	}
	return nil
}

// inOrder joins lists in the order of their rules.
func inOrder(lists ...[]candidate) []candidate {
	all := slices.Concat(lists...)
	slices.SortStableFunc(all, func(a, b candidate) int { return a.rule - b.rule })
	return all
}

// isAddress reports whether a host as requests have it is an address.
func isAddress(name string) bool {
	if last := name[len(name)-1]; last != ']' && (last < '0' || last > '9') {
		return false
	}
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil
}

// asked is whose certificates a handshake for a canonical host asks for; nil is
// nobody's. A nil clients asks for none.
func (c *clients) asked(host []byte) *ClientCA {
	if c == nil {
		return nil
	}
	if ca, ok := c.names[string(host)]; ok {
		return ca
	}
	name := string(host)
	return c.among(c.candidates(name), name)
}

// among is whom the rules trust of the candidates that name matches.
func (c *clients) among(list []candidate, name string) *ClientCA {
	var found []*ClientCA
	for _, k := range list {
		if k.name != nil && !k.name.MatchString(name) {
			continue
		}
		if ca := c.rules[k.rule].CA; ca != nil && !slices.ContainsFunc(found,
			func(known *ClientCA) bool { return known.id == ca.id }) {
			found = append(found, ca)
		}
		if k.alone {
			break
		}
	}
	return c.union(found)
}

// candidates are the rules for a name that none has as it is.
func (c *clients) candidates(name string) []candidate {
	if name == "" || isAddress(name) {
		return c.address
	}
	if label, parent, ok := strings.Cut(name, "."); ok && label != "" {
		if list, ok := c.parent[parent]; ok {
			return list
		}
	}
	return c.other
}

// union is whoever trusts the same as all of the list; nil for none.
func (c *clients) union(list []*ClientCA) *ClientCA {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	slices.SortFunc(list, func(a, b *ClientCA) int { return strings.Compare(a.id, b.id) })
	id := list[0].id
	for _, ca := range list[1:] {
		id += "+" + ca.id
	}
	if known, ok := c.unions.Load(id); ok {
		return known.(*ClientCA)
	}
	all := &ClientCA{id: id, pool: x509.NewCertPool()}
	for _, ca := range list {
		for _, cert := range ca.certificates {
			all.add(cert)
		}
	}
	known, _ := c.unions.LoadOrStore(id, all)
	return known.(*ClientCA)
}

// config is the configuration of a handshake for a host as the client names it; nil
// where nothing is asked for.
func (c *clients) config(name string) *tls.Config {
	ca := c.asked([]byte(canonical(name)))
	if ca == nil {
		return nil
	}
	known, ok := c.configs.Load(ca.id)
	if !ok {
		known, _ = c.configs.LoadOrStore(ca.id, askingFor(ca, c.base))
	}
	return known.(*tls.Config)
}

// askingFor is base for handshakes that ask for certificates. The handshake only
// proves that the client has the key: whether the certificate is good enough is
// judged for each request, where there can be an answer that people understand.
func askingFor(ca *ClientCA, base *tls.Config) *tls.Config {
	cfg := base.Clone()
	cfg.GetConfigForClient = nil
	cfg.ClientAuth = tls.RequestClientCert
	cfg.VerifyPeerCertificate = boundClientChain
	size := 0
	for _, c := range ca.certificates {
		size += len(c.RawSubject) + 2
	}
	if size <= maxHints { // without them clients offer what they have
		cfg.ClientCAs = ca.pool
	}
	return cfg
}

func boundClientChain(chain [][]byte, _ [][]*x509.Certificate) error {
	size := 0
	for _, der := range chain {
		size += len(der)
	}
	if len(chain) > maxClientChain || size > maxClientBytes {
		return ErrClientChain
	}
	return nil
}

// ClientPolicy identifies what handshakes that name a canonical host ask clients
// for: "" is nothing. What came over a connection for another host is as good where
// both have the same policy. An empty host stands for clients that name none, and so
// does every address.
func (m *Manager) ClientPolicy(host []byte) string {
	if ca := m.clients.asked(host); ca != nil {
		return ca.id
	}
	return ""
}
