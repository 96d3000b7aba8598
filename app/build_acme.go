package app

import (
	"net/netip"
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
	if previous != nil && previous.orders != nil &&
		reflect.DeepEqual(previous.cfg.TLS.ACME, c) {
		g.orders = previous.orders
		return nil
	}
	if g.cfg.State.URL == "" && o.StateDir == "" && !o.dry {
		g.warnings = append(g.warnings, config.Diagnostic{
			File: g.cfg.Files[0], Severity: config.Warning,
			Message: "tls.acme: certificates are kept in memory and ordered again at each" +
				" start, which CAs allow a few times a week: set state.url",
		})
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
	return placed(g.cfg.At("tls", "acme"), err)
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
	c := cfg.TLS.ACME
	if c == nil {
		return nil
	}
	hosts := []string{cfg.Stats.Host}
	for i := range cfg.Routes {
		hosts = append(hosts, cfg.Routes[i].Hosts...)
	}
	wildcards := slices.Contains(c.Challenges, acme.DNS01)
	var names []string
	for _, host := range hosts {
		wild := strings.HasPrefix(host, "*.")
		if host == "" || strings.HasPrefix(host, "~") || isAddress(host) || wild && !wildcards ||
			slices.Contains(names, host) {
			continue
		}
		names = append(names, host)
	}
	return names
}

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
