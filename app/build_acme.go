package app

import (
	"crypto/sha256"
	"errors"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"doorward/config"
	"doorward/tls/acme"
	"doorward/tls/acme/dnsprovider"
)

// buildACME makes who orders certificates; nobody when none are to be ordered. One
// whose configuration is the same goes on with what it does. It contacts nobody before
// the generation is in force.
func (g *generation) buildACME(o Options, previous *generation) error {
	c := g.cfg.TLS.ACME
	if c == nil || len(g.cfg.Listen.HTTPS) == 0 {
		return nil
	}
	at := g.cfg.At("tls", "acme")
	g.warnMemory(o, at, "certificates are kept in memory and ordered again at each start,"+
		" which CAs allow a few times a week")
	g.roots = rootsOf(c)
	if previous != nil && previous.orders != nil && previous.roots == g.roots &&
		reflect.DeepEqual(previous.cfg.TLS.ACME, c) {
		g.orders = previous.orders
		return nil
	}
	options := acme.Options{
		Store: g.store, Log: g.log.Named("acme"), Email: c.Email, CA: authority(c),
		Challenges: c.Challenges, KeyType: c.KeyType, Orders: int(c.Orders),
	}
	if f := c.Fallback; f != nil {
		options.Fallback = &acme.CA{
			Directory: f.Directory, CAFile: f.CAFile,
			ExternalAccount: externalAccount(f.ExternalAccount),
		}
	}
	var err error
	if c.DNS != nil {
		if options.DNS, err = dnsOptions(c.DNS); err != nil {
			return placed(g.cfg.At("tls", "acme", "dns"), err)
		}
	}
	g.orders, err = acme.Open(options)
	return placed(at, unnamed(err))
}

// rootsOf tells the contents of the files with roots apart. What cannot be read is
// found out by who needs it.
func rootsOf(c *config.ACME) [sha256.Size]byte {
	files := []string{c.CAFile}
	if c.Fallback != nil {
		files = append(files, c.Fallback.CAFile)
	}
	var all []byte
	for _, file := range files {
		text, _ := os.ReadFile(file)
		sum := sha256.Sum256(text)
		all = append(all, sum[:]...)
	}
	return sha256.Sum256(all)
}

func authority(c *config.ACME) acme.CA {
	return acme.CA{
		Directory: c.Directory, CAFile: c.CAFile,
		ExternalAccount: externalAccount(c.ExternalAccount),
	}
}

func externalAccount(c *config.ExternalAccount) *acme.ExternalAccount {
	if c == nil {
		return nil
	}
	return &acme.ExternalAccount{KeyID: c.KeyID, HMACKey: c.HMACKey.Reveal()}
}

func dnsOptions(c *config.ACMEDNS) (acme.DNS, error) {
	o := dnsprovider.Options{Provider: c.Provider}
	if a := c.Azure; a != nil {
		o.SubscriptionID, o.ResourceGroup, o.TenantID = a.SubscriptionID, a.ResourceGroup, a.TenantID
		o.ClientID, o.ClientSecret, o.TokenFile = a.ClientID, a.ClientSecret.Reveal(), a.TokenFile
	}
	if f := c.Cloudflare; f != nil {
		o.Token, o.ZoneToken = f.Token.Reveal(), f.ZoneToken.Reveal()
	}
	if r := c.Route53; r != nil {
		o.AccessKeyID, o.SecretAccessKey = r.AccessKeyID, r.SecretAccessKey.Reveal()
		o.HostedZoneID = r.HostedZoneID
	}
	if u := c.RFC2136; u != nil {
		o.Server, o.KeyName, o.KeyAlgorithm, o.Key = u.Server, u.KeyName, u.KeyAlgorithm, u.Key.Reveal()
	}
	p, err := dnsprovider.New(o)
	if err != nil {
		return acme.DNS{}, err
	}
	return acme.DNS{
		Provider: p, Resolvers: c.Resolvers, Propagation: time.Duration(c.Propagation),
		FollowCNAME: c.FollowCNAME,
	}, nil
}

// orderedNames are the hosts that certificates may be ordered for: those that routes
// name, and nothing that a client says.
func orderedNames(cfg *config.Config) []string {
	hosts := []string{cfg.Stats.Host, signInHost(cfg)}
	for i := range cfg.Routes {
		hosts = append(hosts, cfg.Routes[i].Hosts...)
	}
	var names []string
	for _, host := range hosts {
		if host != "" && !strings.HasPrefix(host, "~") && !isAddress(host) &&
			!slices.Contains(names, host) {
			names = append(names, host)
		}
	}
	return names
}

// checkWildcards finds wildcards that no file covers and no challenge is for. What
// files cover is known only now.
func (g *generation) checkWildcards() error {
	if g.orders == nil || slices.Contains(g.cfg.TLS.ACME.Challenges, acme.DNS01) {
		return nil
	}
	var errs []error
	ordered := g.certs.ManagedNames()
	for i := range g.cfg.Routes {
		for j, host := range g.cfg.Routes[i].Hosts {
			if !strings.HasPrefix(host, "*.") || !slices.Contains(ordered, strings.ToLower(host)) {
				continue
			}
			place := g.cfg.At("route", i, "hosts", j)
			place.Hint = "use dns-01, or a file that covers it"
			errs = append(errs, placed(place, errWildcard))
		}
	}
	return errors.Join(errs...)
}

var errWildcard = errors.New("no file covers the wildcard, and a certificate for it takes" +
	" the challenge dns-01")

// isAddress tells whether a host is an address, which has no name to show the control
// of.
func isAddress(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}

// orderCertificates lets the names of the generation be ordered, and says which of them
// have to make do without until then.
func (g *generation) orderCertificates() {
	if g.orders == nil {
		return
	}
	g.orders.Manage(g.certs.ManagedNames())
	if names := g.certs.Unready(); len(names) > 0 {
		g.log.Warn("hosts have a temporary certificate, which no browser trusts, until the CA"+
			" has issued one", zap.Strings("hosts", names))
	}
}

// closeOrders ends who orders certificates, unless the next generation has it.
func (g *generation) closeOrders(next *generation) {
	if g.orders != nil && (next == nil || next.orders != g.orders) {
		g.orders.Close()
	}
}
