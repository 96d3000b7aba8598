package config

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// providers checks the list of providers: each has a name of its own, and an address
// leads to one of them.
func (v *validator) providers(s *SignIn, p place) {
	names, domains := make(map[string]place), make(map[string]place)
	for i := range s.Providers {
		pr, at := &s.Providers[i], p.item(i)
		v.providerNeeds(pr, at)
		v.providerName(pr.Name, at.key("name"), names)
		v.providerKeys(pr, at)
		v.credentials(pr, at)
		v.tenants(pr, at)
		v.issuer(pr, at)
		v.providerHosts(pr, at)
		v.providerWords(pr, at)
		v.newcomers(pr, at)
		for j, domain := range pr.EmailDomains {
			v.emailDomain(domain, at.key("email_domains").item(j), domains)
		}
		if pr.Recheck > 0 && pr.Recheck < Delay(time.Minute) {
			v.errorf(at.key("recheck"), `write "0s" for never`, "is shorter than 1m")
		}
	}
}

// providerNeeds finds what is missing, all at once.
func (v *validator) providerNeeds(pr *Provider, p place) {
	all := []need{{"name", pr.Name}, {"type", pr.Type}}
	switch pr.Type {
	case "entra":
		if len(pr.Tenants) == 0 {
			all = append(all, need{"tenant", pr.Tenant})
		}
	case "oidc":
		all = append(all, need{"issuer", pr.Issuer})
	}
	all = append(all, need{"client_id", pr.ClientID})
	public := pr.Type == "oidc" && !p.key("client_secret").given
	file := p.key("certificate").given || p.key("federated_token_file").given
	if pr.Type != "" && !public && !file {
		all = append(all, need{"client_secret", pr.ClientSecret.Reveal()})
	}
	v.needed(p, all...)
}

// providerName checks a name that is a part of paths and of log lines.
func (v *validator) providerName(name string, p place, names map[string]place) {
	lower := strings.ToLower(name)
	first, taken := names[lower]
	switch {
	case name == "" || v.failed[p.path]:
	case !isName(name):
		v.errorf(p, "letters, digits, - and _", "%s cannot be a part of the callback's path", p.shown())
	case lower == "local":
		v.errorf(p, "", "this is what users with a password kept here sign in with")
	case taken:
		v.errorf(p, "", "the provider in %s has this name already", p.as(first.position()))
	default:
		names[lower] = p
	}
}

// providerKeys finds keys that the type of a provider has no use for. One that is given
// and has no effect is mostly one that was believed to close something.
func (v *validator) providerKeys(pr *Provider, p place) {
	if pr.Type == "" {
		return
	}
	own := []struct {
		types string
		keys  []string
	}{
		{"entra", []string{"tenant", "tenants", "cloud", "guests"}},
		{"oidc", []string{"issuer", "issuer_hosts"}},
		{"entra,github", []string{"authority_host", "graph_url"}},
		{"entra,oidc", []string{
			"certificate", "key", "federated_token_file", "groups_claim", "roles_claim", "mfa_context",
		}},
	}
	for _, o := range own {
		types := split(o.types)
		for _, key := range o.keys {
			if at := p.key(key); at.given && !slices.Contains(types, pr.Type) {
				v.errorf(at, "", "is for type = %s only", `"`+strings.Join(types, `" and "`)+`"`)
			}
		}
	}
}

// credentials checks what Doorward proves itself with.
func (v *validator) credentials(pr *Provider, p place) {
	var given []string
	for _, key := range []string{"client_secret", "certificate", "federated_token_file"} {
		if p.key(key).given {
			given = append(given, key)
		}
	}
	if len(given) > 1 {
		v.errorf(p.key(given[1]), "", "%s is there as well: one of them proves who we are", given[0])
	}
	for _, key := range []string{"certificate", "federated_token_file"} {
		if at := p.key(key); at.given && at.node.text == "" {
			v.errorf(at, "", "the name of the file is empty")
		}
	}
	if at := p.key("client_secret"); at.given && !v.failed[at.path] {
		if hasControl(pr.ClientSecret.Reveal()) {
			v.errorf(at, "", "has a control character")
		}
		v.chosen(pr.ClientSecret.Reveal(), at)
	}
	if at := p.key("key"); pr.Key != "" && pr.Certificate == "" {
		v.errorf(at, "", "needs certificate")
	}
}

var guid = regexp.MustCompile(`^(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// isPersonal reports the tenant of all personal accounts of Microsoft.
func isPersonal(tenant string) bool {
	return strings.EqualFold(tenant, "consumers") ||
		strings.EqualFold(tenant, "9188040d-6c67-4c5b-b112-36a304b66dad")
}

// isSeveral reports the words for the sign-in page of all tenants.
func isSeveral(tenant string) bool {
	return strings.EqualFold(tenant, "common") || strings.EqualFold(tenant, "organizations")
}

// tenants checks whose accounts sign in. Everybody can have a tenant of their own, so
// that "any" would be everybody.
func (v *validator) tenants(pr *Provider, p place) {
	one, list := p.key("tenant"), p.key("tenants")
	switch {
	case pr.Type != "entra" || v.failed[one.path] || v.failed[list.path]:
		return
	case isPersonal(pr.Tenant):
		v.errorf(one, "", "everybody can have a personal account, so they are no tenant")
	case isSeveral(pr.Tenant) && len(pr.Tenants) == 0:
		v.errorf(one, `list the tenants that may sign in: tenants = ["contoso.com"]`,
			"%s is every company there is", one.shown())
	case pr.Tenant == "" || isSeveral(pr.Tenant):
	case !isTenant(pr.Tenant):
		v.errorf(one, "", "%s is neither the ID of a tenant nor one of its domains", one.shown())
	case len(pr.Tenants) > 0:
		v.errorf(list, `write tenant = "organizations"`, "tenant says already that it is one")
	}
	for i, t := range pr.Tenants {
		at := list.item(i)
		switch {
		case isPersonal(t):
			v.errorf(at, "", "everybody can have a personal account, so they are no tenant")
		case !isTenant(t):
			v.errorf(at, "", "%s is neither the ID of a tenant nor one of its domains", at.shown())
		}
	}
	v.duplicates(pr.Tenants, list)
}

func isTenant(text string) bool {
	return guid.MatchString(text) || strings.Contains(text, ".") && isHostname(text)
}

func (v *validator) issuer(pr *Provider, p place) {
	at := p.key("issuer")
	if pr.Type != "oidc" || pr.Issuer == "" {
		return
	}
	u := v.secretURL(pr.Issuer, at)
	if u != nil && (u.RawQuery != "" || u.ForceQuery) {
		v.errorf(at, "", "%s has a query", at.shown())
	}
	for i, host := range pr.IssuerHosts {
		if at := p.key("issuer_hosts").item(i); checkHost(host) != nil && hostPort(host) != nil {
			v.errorf(at, "", "%s is not a host", at.shown())
		}
	}
}

// providerHosts checks the addresses that stand in for the usual ones.
func (v *validator) providerHosts(pr *Provider, p place) {
	if at := p.key("authority_host"); pr.AuthorityHost != "" {
		text := pr.AuthorityHost
		if !strings.Contains(text, "://") {
			text = "https://" + text
		}
		if u := v.secretURL(text, at); u != nil && strings.Trim(u.Path, "/") != "" {
			v.errorf(at, "", "%s has a path", at.shown())
		}
	}
	if pr.GraphURL != "" {
		v.secretURL(pr.GraphURL, p.key("graph_url"))
	}
}

// secretURL checks an address that secrets are sent to: https, or this machine.
func (v *validator) secretURL(text string, p place) *url.URL {
	u, err := url.Parse(text)
	switch {
	case v.failed[p.path]:
		return nil
	case err != nil || u.Host == "" || u.Opaque != "" || u.User != nil || u.Fragment != "" ||
		strings.ContainsFunc(text, notPrintable) || checkHost(u.Hostname()) != nil ||
		u.Port() != "" && hostPort(u.Host) != nil:
		v.errorf(p, `write "https://id.example.com"`, "%s is not the address of a provider", p.shown())
	case u.Scheme != "https" && !(u.Scheme == "http" && isThisMachine(u.Hostname())):
		v.errorf(p, "", "%s must begin with https://: secrets are sent there", p.shown())
	default:
		return u
	}
	return nil
}

// providerIcons are the pictures that Doorward has.
func providerIcons() []string {
	return []string{"microsoft", "github", "google", "gitlab", "key"}
}

// providerWords checks what is shown and what is sent.
func (v *validator) providerWords(pr *Provider, p place) {
	if at := p.key("title"); hasControl(pr.Title) || at.given && pr.Title == "" {
		v.errorf(at, "", "is empty or has a control character")
	}
	if at := p.key("icon"); pr.Icon.IsFile() {
		v.picture(string(pr.Icon), at)
	} else if pr.Icon != "" && !slices.Contains(providerIcons(), string(pr.Icon)) {
		v.errorf(at, didYouMean(string(pr.Icon), providerIcons()),
			"%s is neither a file nor a picture that Doorward has", at.shown())
	}
	for i, scope := range pr.Scopes {
		if scope == "" || strings.ContainsFunc(scope, notInScope) {
			v.errorf(p.key("scopes").item(i), "", "is not a scope")
		}
	}
	v.duplicates(pr.Scopes, p.key("scopes"))
	for i, name := range pr.DefaultGroups {
		v.groupName(name, p.key("default_groups").item(i))
	}
	if strings.ContainsFunc(pr.MFAContext, notInScope) {
		v.errorf(p.key("mfa_context"), "", "is not an authentication context")
	}
}

// notInScope reports what a scope-token cannot have (RFC 6749 section 3.3).
func notInScope(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }

// newcomers says what becomes of those without an account, and whose names are
// believed. Anybody may have an account at GitHub or Google, under any name.
func (v *validator) newcomers(pr *Provider, p place) {
	u, _ := url.Parse(pr.Issuer)
	anybody := pr.Type == "github" || u != nil && u.Host == "accounts.google.com"
	switch at := p.key("onboarding"); {
	case v.failed[at.path]:
	case pr.Onboarding == "auto" && anybody:
		v.warnf(at, "everybody there gets an account here: routes should name users or groups, not any-user")
	case pr.Onboarding == "" && anybody:
		pr.Onboarding = "approve"
	case pr.Onboarding == "":
		pr.Onboarding = "auto"
	}
	if !p.key("names_trusted").given {
		one := pr.Type == "entra" && !isSeveral(pr.Tenant) && len(pr.Tenants) == 0
		pr.NamesTrusted = one && !pr.Guests
	}
}

// emailDomain checks one of the domains whose people sign in at a provider.
func (v *validator) emailDomain(domain string, p place, domains map[string]place) {
	lower := strings.ToLower(domain)
	_, err := netip.ParseAddr(domain)
	first, taken := domains[lower]
	switch {
	case strings.HasPrefix(domain, "@"):
		v.errorf(p, p.hintf("did you mean %q?", domain[1:]), "%s begins with @", p.shown())
	case !isHostname(domain) || err == nil:
		v.errorf(p, `write "example.com"`, "%s is not a domain", p.shown())
	case taken:
		v.errorf(p, "", "the provider in %s has this domain already", p.as(first.position()))
	default:
		domains[lower] = p
	}
}
