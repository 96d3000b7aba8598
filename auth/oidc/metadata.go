package oidc

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/net/publicsuffix"
)

// metadata is what is known of a provider. It does not change; what its key sets
// hold does.
type metadata struct {
	authURL, tokenURL, userinfoURL, endSessionURL string
	// issParameter says that every callback carries an iss parameter (RFC 9207).
	issParameter bool
	// clientAuth and assertionAlgs are how clients may prove who they are, scopes what
	// may be asked for, modes how the browser may come back; nil is not told.
	clientAuth, assertionAlgs, scopes, modes []string
	// authorities are those whose tokens count, by tenant; by "" elsewhere.
	authorities map[string]*authority
	// resolved are the GUIDs of tenants that the options name by a domain.
	resolved map[string]string
}

// authority issues tokens: one issuer with its keys.
type authority struct {
	issuer, tenant string
	keys           *keySet
}

// document is the part that matters here of a discovery document (OpenID Connect
// Discovery 1.0, section 3; RFC 9207, section 3).
type document struct {
	Issuer        string   `json:"issuer"`
	AuthURL       string   `json:"authorization_endpoint"`
	TokenURL      string   `json:"token_endpoint"`
	UserinfoURL   string   `json:"userinfo_endpoint"`
	EndSessionURL string   `json:"end_session_endpoint"`
	KeysURL       string   `json:"jwks_uri"`
	ClientAuth    []string `json:"token_endpoint_auth_methods_supported"`
	AssertionAlgs []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	Algs          []string `json:"id_token_signing_alg_values_supported"`
	Scopes        []string `json:"scopes_supported"`
	Modes         []string `json:"response_modes_supported"`
	IssParameter  bool     `json:"authorization_response_iss_parameter_supported"`
}

// document fetches the discovery document below base. Nothing in it is checked.
func (p *Provider) document(ctx context.Context, base string) (document, error) {
	var d document
	address := strings.TrimSuffix(base, "/") + "/.well-known/openid-configuration"
	if err := p.web.get(ctx, address, "", &d); err != nil {
		return d, fmt.Errorf("discovery: %w", err)
	}
	return d, nil
}

// check tells whether the document is the issuer's and leads to places where our
// secrets may go.
func (d *document) check(issuer string, hosts []string) error {
	if d.Issuer != issuer {
		return unavailable("discovery: the issuer there is %q, not %q",
			clean(d.Issuer, maxDescription), issuer)
	}
	for name, address := range map[string]string{
		"authorization_endpoint": d.AuthURL, "token_endpoint": d.TokenURL, "jwks_uri": d.KeysURL,
	} {
		if address == "" {
			return unavailable("discovery: %s is missing", name)
		}
	}
	for name, address := range map[string]string{
		"authorization_endpoint": d.AuthURL, "token_endpoint": d.TokenURL, "jwks_uri": d.KeysURL,
		"userinfo_endpoint": d.UserinfoURL, "end_session_endpoint": d.EndSessionURL,
	} {
		if address == "" {
			continue
		}
		if err := belongs(address, issuer, hosts); err != nil {
			return unavailable("discovery: %s: %w", name, err)
		}
	}
	return nil
}

// belongs tells whether an address that an issuer publishes is one of its own: on its
// host, on its site, or on one of the further hosts. Plain http is for an issuer that
// is plain itself, which only one on this machine may be.
func belongs(address, issuer string, hosts []string) error {
	u, err := secureURL(address)
	if err != nil {
		return err
	}
	i, err := url.Parse(issuer)
	if err != nil {
		return err
	}
	host, own := strings.ToLower(u.Hostname()), strings.ToLower(i.Hostname())
	switch {
	case u.Scheme != "https" && u.Scheme != i.Scheme:
		return fmt.Errorf("%q is not encrypted", clean(address, maxDescription))
	case host == own, sameSite(host, own), slices.Contains(hosts, host),
		slices.Contains(siblings[own], host):
		return nil
	case strings.HasPrefix(own, "cognito-idp.") && strings.HasSuffix(own, ".amazonaws.com") &&
		strings.HasSuffix(host, ".amazoncognito.com"):
		return nil
	}
	return fmt.Errorf("%s is another host than the issuer's: if it is the provider's, add it to"+
		" issuer_hosts", clean(host, maxDescription))
}

// siblings are hosts of well-known providers that lie on another site than the issuer.
var siblings = map[string][]string{
	"accounts.google.com": {"oauth2.googleapis.com", "www.googleapis.com",
		"openidconnect.googleapis.com"},
}

func sameSite(a, b string) bool {
	siteA, errA := publicsuffix.EffectiveTLDPlusOne(a)
	siteB, errB := publicsuffix.EffectiveTLDPlusOne(b)
	return errA == nil && errB == nil && siteA == siteB
}

// metadata makes what we keep of a checked document, all but the authorities.
func (d *document) metadata() *metadata {
	return &metadata{
		authURL: d.AuthURL, tokenURL: d.TokenURL,
		userinfoURL: d.UserinfoURL, endSessionURL: d.EndSessionURL,
		issParameter: d.IssParameter, clientAuth: d.ClientAuth, assertionAlgs: d.AssertionAlgs,
		scopes: d.Scopes, modes: d.Modes,
		authorities: map[string]*authority{}, resolved: map[string]string{},
	}
}

// authority makes an authority and fetches its keys. When they cannot be had, those
// of last stay.
func (p *Provider) authority(
	ctx context.Context, d document, tenant string, last *metadata,
) (*authority, error) {
	keys := newKeySet(p, d.KeysURL, d.Issuer, algorithms(d.Algs))
	if last != nil && last.authorities[tenant] != nil {
		keys.inherit(last.authorities[tenant].keys)
	}
	if err := keys.load(ctx); err != nil {
		if !keys.usable() {
			return nil, err
		}
		return &authority{d.Issuer, tenant, keys}, err
	}
	return &authority{d.Issuer, tenant, keys}, nil
}

// algorithms are those of the fixed list that the provider says it signs with, all of
// them when it says nothing. It can neither add one nor ask for none.
func algorithms(published []string) []string {
	fixed := []string{
		gooidc.RS256, gooidc.PS256, gooidc.ES256, gooidc.EdDSA,
		gooidc.RS384, gooidc.RS512, gooidc.PS384, gooidc.PS512, gooidc.ES384, gooidc.ES512,
	}
	if len(published) == 0 {
		return fixed
	}
	return slices.DeleteFunc(fixed, func(alg string) bool { return !slices.Contains(published, alg) })
}

// issuers are those whose tokens count.
func (m *metadata) issuers() []string {
	var all []string
	for _, tenant := range slices.Sorted(maps.Keys(m.authorities)) {
		all = append(all, m.authorities[tenant].issuer)
	}
	return all
}
