package config

import "strings"

// Provider is where people have an account that they sign in with.
type Provider struct {
	// The name in rules, logs and the callback address, which is
	// https://HOST/source/oauth/callback/NAME. Accounts are known by it: with another
	// name everybody is somebody new.
	Name string `toml:"name"`
	// Microsoft Entra ID, any provider of OpenID Connect, or GitHub.
	Type string `toml:"type" enum:"entra,oidc,github"`
	// What its button says.
	Title string `toml:"title" shows:"the name"`
	// The picture on its button: a file, or microsoft, github, google, gitlab, key.
	Icon Icon `toml:"icon" shows:"that of type"`

	// Entra ID: the tenant, its ID or one of its domains; "organizations" or "common" for
	// several, which tenants lists.
	Tenant string `toml:"tenant"`
	// Entra ID: the tenants that may sign in, their IDs or domains.
	Tenants []string `toml:"tenants"`
	// Entra ID: which of Microsoft's clouds.
	Cloud string `toml:"cloud" default:"global" enum:"global,usgov,usgov-dod,china"`
	// Entra ID: another host to sign in at. GitHub: the host of an Enterprise Server.
	AuthorityHost string `toml:"authority_host" shows:"that of cloud, or github.com"`
	// Entra ID: another Microsoft Graph. GitHub: another API.
	GraphURL string `toml:"graph_url" shows:"that of cloud or authority_host"`
	// OpenID Connect: the issuer, exactly as the provider writes it.
	Issuer string `toml:"issuer"`
	// OpenID Connect: more hosts that the issuer may publish its addresses on.
	IssuerHosts []string `toml:"issuer_hosts"`

	// What Doorward is called there.
	ClientID string `toml:"client_id"`
	// The secret that proves it.
	ClientSecret Secret `toml:"client_secret"`
	// In place of client_secret: a PEM file with the certificate that is registered there.
	Certificate string `toml:"certificate" is:"path"`
	// Its key.
	Key string `toml:"key" is:"path" shows:"in certificate"`
	// In place of client_secret: a file with a token of the platform (workload identity).
	FederatedTokenFile string `toml:"federated_token_file" is:"path"`
	// PEM file with the CAs to trust in place of the system's.
	CAFile string `toml:"ca_file" is:"path"`

	// What Doorward asks for, in place of what the type needs.
	Scopes []string `toml:"scopes" shows:"as type needs"`
	// The claim with the groups.
	GroupsClaim string `toml:"groups_claim" default:"groups"`
	// The claim with the roles.
	RolesClaim string `toml:"roles_claim" default:"roles"`
	// What a sign-in with a second factor is called there: Entra ID: an authentication
	// context ("c1"); OpenID Connect: a value of acr. Not given: amr says it.
	MFAContext string `toml:"mfa_context"`
	// Who types an address of these domains is sent here.
	EmailDomains []string `toml:"email_domains"`
	// Who signs in for the first time gets an account, waits for approval, or is refused.
	Onboarding string `toml:"onboarding" enum:"auto,approve,off" shows:"auto, with github approve"`
	// Groups that everybody with an account there is in.
	DefaultGroups []string `toml:"default_groups"`
	// Entra ID: guests of the tenant may sign in.
	Guests bool `toml:"guests" default:"false"`
	// Only administrators there choose the names of accounts, so that rules may name
	// them. Where people choose them themselves, an account whose name is in a rule gets
	// another name.
	NamesTrusted bool `toml:"names_trusted" shows:"true with one tenant of Entra ID and no guests"`
	// How often the provider is asked whether an account still is what it was, "0s" is
	// never.
	Recheck Delay `toml:"recheck" default:"60m"`
	// How long sessions outlive a provider that does not answer.
	RecheckGrace Duration `toml:"recheck_grace" default:"4h"`
	// Signing out ends the session here, or at the provider as well.
	Logout string `toml:"logout" default:"provider" enum:"local,provider"`
}

// Icon is the absolute name of a file, or the name of a picture that Doorward has.
type Icon string

// IsFile says whether it is a file.
func (i Icon) IsFile() bool { return strings.ContainsAny(string(i), "./") }

// decode makes the name of a file absolute.
func (i *Icon) decode(d *decoder, p place) bool {
	if !d.want(p, stringKind) {
		return false
	}
	*i = Icon(p.node.text)
	if i.IsFile() {
		*i = Icon(absolute(d.dir, p.node.text))
	}
	return true
}
