package config

import (
	"encoding/base64"
	"net"
	"net/url"
	"slices"
	"strings"
)

// The challenges of ACME.
const (
	tlsALPN01 = "tls-alpn-01"
	http01    = "http-01"
	dns01     = "dns-01"
)

// acme checks who issues certificates.
func (v *validator) acme() {
	a := v.cfg.TLS.ACME
	p := v.root.key("tls").key("acme")
	if a == nil {
		return
	}
	if a.Email != "" && !isMailbox(a.Email) {
		v.errorf(p.key("email"), `write "ops@example.com"`, "%s is not an address for mail",
			p.key("email").shown())
	}
	v.directory(a.Directory, p.key("directory"))
	v.externalAccount(a.ExternalAccount, p.key("external_account"))
	if f := a.Fallback; f != nil {
		at := p.key("fallback")
		if f.Directory == "" {
			v.missingf(at, `directory = "https://acme.zerossl.com/v2/DV90"`, "needs a directory")
		} else {
			v.directory(f.Directory, at.key("directory"))
		}
		if f.Directory == a.Directory {
			v.warnf(at.key("directory"), "is the CA that it stands in for")
		}
		v.externalAccount(f.ExternalAccount, at.key("external_account"))
	}
	v.acmeDNS(a, p)
	v.challenges(a, p.key("challenges"))
	if len(v.cfg.Listen.HTTPS) == 0 {
		v.warnf(p, "there is no https listener that would show the certificates")
	}
}

// directory checks the URL of a CA. Over plain HTTP anybody on the way could be it.
func (v *validator) directory(text string, p place) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		v.errorf(p, `write "https://acme-v02.api.letsencrypt.org/directory"`,
			"%s is not the URL of a directory", p.shown())
	case u.Scheme != "https":
		v.errorf(p, "", "%s is not https: anybody on the way could issue", p.shown())
	}
}

func (v *validator) externalAccount(e *ExternalAccount, p place) {
	if e == nil {
		return
	}
	key := strings.TrimRight(e.HMACKey.Reveal(), "=")
	_, err := base64.RawURLEncoding.DecodeString(key)
	switch {
	case e.KeyID == "":
		v.missingf(p, "the CA gives both", "needs a key_id")
	case key == "":
		v.missingf(p, "the CA gives both", "needs an hmac_key")
	case err != nil:
		v.errorf(p.key("hmac_key"), "write it as the CA gives it", "is not base64url")
	}
}

// challenges fills in the default and checks that each can be answered.
func (v *validator) challenges(a *ACME, p place) {
	if !p.given || v.failed[p.path] {
		a.Challenges = []string{tlsALPN01, http01}
		if a.DNS != nil {
			a.Challenges = []string{dns01}
		}
	}
	if p.given && len(a.Challenges) == 0 {
		v.errorf(p, `write ["tls-alpn-01", "http-01"]`, "names none")
	}
	for i, c := range a.Challenges {
		at := p.item(i)
		switch c {
		case tlsALPN01, http01:
		case dns01:
			if a.DNS == nil {
				v.errorf(at, "say who serves the zones in [tls.acme.dns]", "dns-01 needs a DNS provider")
			}
		default:
			v.errorf(at, didYouMean(c, []string{tlsALPN01, http01, dns01}), "%s is no challenge", at.shown())
		}
	}
	if len(v.failed) == 0 {
		v.challengePorts(a, p)
	}
}

// challengePorts warns when nobody listens where the CA will ask. Of challenges that
// nobody chose one is enough.
func (v *validator) challengePorts(a *ACME, p place) {
	l := &v.cfg.Listen
	asks := map[string]struct {
		port      string
		listeners []string
	}{tlsALPN01: {"443", l.HTTPS}, http01: {"80", l.HTTP}}
	answered := 0
	for i, c := range a.Challenges {
		ask, asked := asks[c]
		switch {
		case !asked || listensOn(ask.listeners, ask.port):
			answered++
		case p.given:
			v.warnf(p.item(i), "the CA asks on port %s, where no listener is:"+
				" something in front has to pass that on", ask.port)
		}
	}
	if answered == 0 && !p.given {
		v.warnf(p, "the CA asks on port 443 (tls-alpn-01) or 80 (http-01), where no listener is:"+
			" something in front has to pass that on")
	}
}

func listensOn(listeners []string, port string) bool {
	return slices.ContainsFunc(listeners, func(l string) bool {
		_, its, _ := net.SplitHostPort(l)
		return its == port
	})
}

// acmeHosts looks for hosts that no certificate can be ordered for. Whether a file
// covers them is seen when files are read.
func (v *validator) acmeHosts() {
	t := &v.cfg.TLS
	if t.ACME == nil || len(t.Certificates) > 0 {
		return
	}
	for i, r := range v.cfg.Routes {
		for j, host := range r.Hosts {
			at := v.root.key("route").item(i).key("hosts").item(j)
			switch {
			case slices.Contains(t.Internal, host):
			case strings.HasPrefix(host, "~"):
				v.warnf(at, "no certificate can be ordered for an expression: name hosts too, or a file")
			case strings.HasPrefix(host, "*.") && !slices.Contains(t.ACME.Challenges, dns01):
				v.errorf(at, "use dns-01, or a file that covers it",
					"a certificate for a wildcard takes the challenge dns-01")
			}
		}
	}
}

// acmeDNS checks that the provider has the keys it needs.
func (v *validator) acmeDNS(a *ACME, p place) {
	d := a.DNS
	if d == nil {
		return
	}
	p = p.key("dns")
	v.resolvers(d.Resolvers, p.key("resolvers"))
	if v.failed[p.key("provider").path] {
		return
	}
	if d.Provider == "" {
		v.missingf(p, `provider = "cloudflare"`, "needs a provider")
		return
	}
	at := p.key(d.Provider)
	if !at.given {
		v.missingf(p, "[tls.acme.dns."+d.Provider+"]", "needs the table of its provider")
	}
	switch {
	case d.Azure != nil && d.Provider == "azure":
		v.azure(d.Azure, at)
	case d.Cloudflare != nil && d.Provider == "cloudflare":
		v.needed(at, need{"token", d.Cloudflare.Token.Reveal()})
	case d.Route53 != nil && d.Provider == "route53":
		v.needed(at, need{"access_key_id", d.Route53.AccessKeyID},
			need{"secret_access_key", d.Route53.SecretAccessKey.Reveal()})
	case d.RFC2136 != nil && d.Provider == "rfc2136":
		v.rfc2136(d.RFC2136, at)
	}
}

// need is a key that a table must have, with what it has.
type need struct{ key, value string }

// needed wants keys that are not empty.
func (v *validator) needed(p place, all ...need) {
	var missing []string
	for _, n := range all {
		at := p.key(n.key)
		switch {
		case n.value != "" || v.failed[at.path]:
		case at.given:
			v.errorf(at, "", "is empty")
		default:
			missing = append(missing, n.key)
		}
	}
	if len(missing) > 0 {
		v.missingf(p, "", "needs %s", strings.Join(missing, " and "))
	}
}

// azure checks that it is clear who signs in: an application with a secret or a token
// of its platform, or the machine.
func (v *validator) azure(a *AzureDNS, p place) {
	all := []need{{"subscription_id", a.SubscriptionID}, {"resource_group", a.ResourceGroup}}
	secret := a.ClientSecret.Reveal() != ""
	if secret || a.TokenFile != "" {
		all = append(all, need{"tenant_id", a.TenantID}, need{"client_id", a.ClientID})
	}
	v.needed(p, all...)
	if secret && a.TokenFile != "" {
		v.errorf(p.key("token_file"), "", "client_secret is there as well: one of them signs in")
	}
}

func (v *validator) rfc2136(u *RFC2136DNS, p place) {
	v.needed(p, need{"server", u.Server}, need{"key_name", u.KeyName}, need{"key", u.Key.Reveal()})
	at := p.key("server")
	if u.Server != "" && checkHost(u.Server) != nil && hostPort(u.Server) != nil {
		v.errorf(at, `write "ns1.example.com" or "192.0.2.1:53"`, "%s is not a server", at.shown())
	}
	if at := p.key("key_name"); u.KeyName != "" && !isHostname(strings.TrimSuffix(u.KeyName, ".")) {
		v.errorf(at, "", "%s is not the name of a key", at.shown())
	}
	if _, err := base64.StdEncoding.DecodeString(u.Key.Reveal()); err != nil {
		v.errorf(p.key("key"), "write it as tsig-keygen does", "is not base64")
	}
}

func (v *validator) resolvers(list []string, p place) {
	for i, r := range list {
		host, port, err := net.SplitHostPort(r)
		if err != nil || port == "" || checkHost(host) != nil {
			v.errorf(p.item(i), `write "192.0.2.53:53"`, "%s is not an address with a port",
				p.item(i).shown())
		}
	}
}
