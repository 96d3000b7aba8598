package entratest_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"doorward/internal/entratest"
)

const callback = "https://login.example.com/source/oauth/callback/azure-ad"

// party is an app that signs people in with libraries that are not ours.
type party struct {
	*entratest.Server
	t        *testing.T
	ctx      context.Context
	config   oauth2.Config
	verifier *oidc.IDTokenVerifier
}

// join starts a provider with the usual app, changed by options, and Ann.
func join(t *testing.T, options ...func(*entratest.Options)) *party {
	t.Helper()
	o := entratest.Options{
		Apps: []entratest.App{{
			ClientID: "gate", Secrets: []string{"secret"}, RedirectURIs: []string{callback},
			Groups: entratest.SecurityGroups,
		}},
		Users: []entratest.User{{
			Username: "ann@contoso.example", Name: "Ann", Mail: "ann@example.com",
			Groups: []string{"g1", "g2"}, Roles: []string{"Gateway.Admin"},
		}},
	}
	for _, change := range options {
		change(&o)
	}
	s := entratest.Start(t, o)
	return party{Server: s, t: t}.at(entratest.TenantID)
}

// at is the party at a tenant.
func (p party) at(tenant string) *party {
	p.t.Helper()
	p.ctx = oidc.ClientContext(p.t.Context(), p.Client(p.t))
	provider, err := oidc.NewProvider(p.ctx, p.Authority(tenant))
	if err != nil {
		p.t.Fatal(err)
	}
	p.config = oauth2.Config{
		ClientID: "gate", ClientSecret: "secret", Endpoint: provider.Endpoint(),
		RedirectURL: callback, Scopes: []string{"openid", "profile", "email", "User.Read"},
	}
	p.config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	p.verifier = provider.Verifier(&oidc.Config{ClientID: "gate", Now: p.Now})
	return &p
}

// address is where a browser begins, with PKCE by the verifier "…43 characters".
func (p *party) address(options ...oauth2.AuthCodeOption) string {
	options = append(options, oauth2.S256ChallengeOption(verifier), oidc.Nonce("n1"))
	return p.config.AuthCodeURL("s1", options...)
}

const verifier = "0123456789012345678901234567890123456789012"

// exchange redeems the code that a browser came back with.
func (p *party) exchange(back *url.URL) (*oauth2.Token, error) {
	return p.config.Exchange(p.ctx, back.Query().Get("code"), oauth2.VerifierOption(verifier))
}

// claims signs a user in and returns what a verified token says.
func (p *party) claims(user string) map[string]any {
	p.t.Helper()
	token, err := p.exchange(p.Browser(p.t).SignIn(p.address(), user))
	if err != nil {
		p.t.Fatal(err)
	}
	return p.verified(token)
}

func (p *party) verified(token *oauth2.Token) map[string]any {
	p.t.Helper()
	raw, _ := token.Extra("id_token").(string)
	good, err := p.verifier.Verify(p.ctx, raw)
	if err != nil {
		p.t.Fatal(err)
	}
	var claims map[string]any
	if err := good.Claims(&claims); err != nil {
		p.t.Fatal(err)
	}
	return claims
}

func TestSignIn_through_the_form(t *testing.T) {
	p := join(t)
	claims := p.claims("ANN@contoso.example")
	for name, want := range map[string]any{
		"tid": entratest.TenantID, "ver": "2.0", "nonce": "n1", "name": "Ann",
		"oid":                p.User(t, "ann@contoso.example").ID,
		"preferred_username": "ann@contoso.example", "email": "ann@example.com",
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
}
