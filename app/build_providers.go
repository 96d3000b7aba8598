package app

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"doorward/auth"
	"doorward/auth/oidc"
	"doorward/auth/portal"
	"doorward/auth/user"
	"doorward/config"
)

// provider is where people sign in, from the configuration that named it first to the
// one that says something else about it.
type provider struct {
	*oidc.Provider
	cfg     config.Provider
	roots   [sha256.Size]byte
	started bool
}

// start lets it find out what the provider publishes, in the background.
func (p *provider) start() {
	if !p.started {
		p.started = true
		p.Start(context.Background())
	}
}

// buildProviders makes the providers. One about which nothing has changed goes on. None
// is asked anything: one that is down keeps nothing from being served.
func (g *generation) buildProviders(before *signIn) error {
	var errs []error
	for i := range g.cfg.SignIn.Providers {
		c := &g.cfg.SignIn.Providers[i]
		p, err := g.buildProvider(c, before)
		if err != nil {
			errs = append(errs, placed(g.cfg.At("sign_in", "provider", i), err))
			continue
		}
		g.signIn.providers = append(g.signIn.providers, p)
	}
	return errors.Join(errs...)
}

func (g *generation) buildProvider(c *config.Provider, before *signIn) (*provider, error) {
	client, roots, err := providerClient(c)
	if err != nil {
		return nil, err
	}
	var old *provider
	if before != nil {
		old = before.provider(c.Name)
	}
	if old != nil && old.roots == roots && sameSection(&old.cfg, c) {
		return old, nil
	}
	p := &provider{cfg: *c, roots: roots}
	if p.Provider, err = oidc.New(g.providerOptions(c, client)); err != nil {
		return nil, err
	}
	if old != nil {
		p.Inherit(old.Provider)
	}
	return p, nil
}

// provider is the one of that name, nil when there is none.
func (s *signIn) provider(name string) *provider {
	for _, p := range s.providers {
		if p.cfg.Name == name {
			return p
		}
	}
	return nil
}

func (g *generation) providerOptions(c *config.Provider, client *http.Client) oidc.Options {
	o := oidc.Options{
		Name: c.Name, Type: oidc.Kind(c.Type), Tenant: c.Tenant, Tenants: c.Tenants,
		Cloud: c.Cloud, AuthorityHost: c.AuthorityHost, GraphURL: c.GraphURL,
		Issuer: c.Issuer, IssuerHosts: c.IssuerHosts, ClientID: c.ClientID,
		FederatedTokenFile: c.FederatedTokenFile, Scopes: c.Scopes,
		GroupsClaim: c.GroupsClaim, RolesClaim: c.RolesClaim, MFAContext: c.MFAContext,
		Recheck: time.Duration(c.Recheck), HTTP: client, Log: g.log.Named("sign-in"),
	}
	if secret := c.ClientSecret.Reveal(); secret != "" {
		o.Secret = func() (string, error) { return secret, nil }
	}
	if c.Certificate != "" {
		certificate, key := c.Certificate, c.Key
		if key == "" {
			key = certificate
		}
		o.Certificate = func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(certificate, key)
			return &pair, err
		}
	}
	return o
}

// providerClient is how the provider is reached, nil for the usual way, and what its
// roots are known by.
func providerClient(c *config.Provider) (*http.Client, [sha256.Size]byte, error) {
	if c.CAFile == "" {
		return nil, [sha256.Size]byte{}, nil
	}
	text, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, [sha256.Size]byte{}, fmt.Errorf("ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, [sha256.Size]byte{}, fmt.Errorf("ca_file: %s: no certificate in it", c.CAFile)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return &http.Client{Transport: transport}, sha256.Sum256(text), nil
}

// closeProviders ends those that the other generation has not.
func (g *generation) closeProviders(other *generation) {
	if g.signIn == nil {
		return
	}
	for _, p := range g.signIn.providers {
		if other != nil && other.signIn != nil && other.signIn.provider(p.cfg.Name) == p || !p.started {
			continue
		}
		p.Close()
	}
}

// portalProviders are the providers as the pages have them.
func (s *signIn) portalProviders(cfg *config.Config) []portal.Provider {
	var list []portal.Provider
	for _, p := range s.providers {
		c := &p.cfg
		list = append(list, portal.Provider{
			Name: c.Name, Title: c.Title, Icon: string(c.Icon), Type: c.Type,
			Client: p, Channel: p, Status: p.Status, EmailDomains: c.EmailDomains,
			Onboarding: portal.Onboarding(c.Onboarding), Guests: c.Guests,
			NamesTrusted: c.NamesTrusted, LogoutThere: c.Logout == "provider",
			Origin: originOf(c), Recheck: time.Duration(c.Recheck),
			RecheckGrace: time.Duration(c.RecheckGrace),
		})
	}
	return list
}

// originOf is where the provider's own pages are.
func originOf(c *config.Provider) string {
	raw := c.Issuer
	switch {
	case c.AuthorityHost != "":
		raw = c.AuthorityHost
	case c.Type == "entra":
		raw = map[string]string{
			"global": "login.microsoftonline.com", "usgov": "login.microsoftonline.us",
			"usgov-dod": "login.microsoftonline.us",
			"china":     "login.partner.microsoftonline.cn",
		}[c.Cloud]
	case c.Type == "github":
		raw = "github.com"
	}
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// bearers are the tokens of providers that let programs pass a route.
func (s *signIn) bearers(c *config.Route) []auth.Bearer {
	var list []auth.Bearer
	for _, b := range c.Bearer {
		p := s.provider(b.Provider)
		if p == nil {
			continue // which the configuration was checked for
		}
		list = append(list, auth.Bearer{
			Provider: b.Provider, Audiences: b.Audiences, Scopes: b.Scopes,
			Verify: func(ctx context.Context, raw string, audiences []string) (auth.Caller, error) {
				claims, err := p.Bearer(ctx, raw, audiences)
				if errors.Is(err, oidc.ErrUnavailable) {
					return auth.Caller{}, auth.ErrUnavailable
				}
				if err != nil {
					return auth.Caller{}, err
				}
				return s.caller(p, claims)
			},
		})
	}
	return list
}

var errStranger = errors.New("the account of the token has no account here")

// caller is whom a provider's token is about: the account here, or where people get
// one by signing in, the account there.
func (s *signIn) caller(p *provider, c *oidc.Claims) (auth.Caller, error) {
	person := s.directory.ByIdentity(p.cfg.Name, c.Subject)
	switch {
	case person != nil && person.View().User.State != user.Active,
		person == nil && p.cfg.Onboarding != "auto",
		c.Guest && !p.cfg.Guests:
		return auth.Caller{}, errStranger
	case person == nil:
		person = s.directory.Visitor(visitor(p.cfg.Name, c))
	}
	scopes := append(append([]string{}, c.Scopes...), c.Roles...)
	return auth.Caller{
		Person: person, Provider: p.cfg.Name, Scopes: scopes, MFA: c.MFA, Expires: c.Expires,
	}, nil
}

// visitor is an account of a provider that has none here. Its name is one that no rule
// can mean.
func visitor(provider string, c *oidc.Claims) user.User {
	return user.User{
		ID: provider + ":" + c.Subject, Name: provider + ":" + c.Subject, Title: c.Title,
		Email: c.Email, State: user.Active, Service: true,
		Identities: []user.Identity{{
			Provider: provider, Subject: c.Subject, Name: c.Name, Email: c.Email,
			Groups: c.Groups, Roles: c.Roles, GroupsUnknown: c.GroupsUnknown, Guest: c.Guest,
		}},
	}
}
