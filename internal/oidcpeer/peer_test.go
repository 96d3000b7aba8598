package oidcpeer_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"doorward/internal/oidcpeer"
)

const callback = "https://login.example.com/source/oauth/callback/peer"

func TestSignIn_by_code_with_pkce(t *testing.T) {
	for name, plain := range map[string]bool{"with TLS": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			peer := oidcpeer.Start(t, oidcpeer.Options{
				Plain: plain, InIDToken: true,
				Clients: []oidcpeer.Client{{ID: "gate", Secret: "secret",
					RedirectURIs: []string{callback}}},
				Accounts: map[string]map[string]any{"ann": {"name": "Ann", "groups": []string{"g1"}}},
			})
			ctx := oidc.ClientContext(t.Context(), peer.Client(t))
			config, provider := configure(t, ctx, peer, "secret")
			back := peer.Browser(t).SignIn(
				config.AuthCodeURL("s1", oidc.Nonce("n1"), oauth2.S256ChallengeOption(verifier)), "ann")
			claims := redeem(t, ctx, config, provider, back)
			if claims.Subject != "ann" || claims.Name != "Ann" || claims.Nonce != "n1" ||
				len(claims.Groups) != 1 || back.Query().Get("state") != "s1" {
				t.Errorf("%+v, state %q", claims, back.Query().Get("state"))
			}
		})
	}
}

const verifier = "0123456789012345678901234567890123456789012"

func configure(t *testing.T, ctx context.Context, peer *oidcpeer.Peer, secret string,
) (*oauth2.Config, *oidc.Provider) {
	t.Helper()
	provider, err := oidc.NewProvider(ctx, peer.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	config := &oauth2.Config{
		ClientID: "gate", ClientSecret: secret, Endpoint: provider.Endpoint(),
		RedirectURL: callback, Scopes: []string{"openid", "profile", "groups"},
	}
	config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	return config, provider
}

type claims struct {
	Subject string `json:"sub"`
	Name    string
	Nonce   string
	Groups  []string
}

func redeem(t *testing.T, ctx context.Context, config *oauth2.Config, provider *oidc.Provider,
	back *url.URL) (c claims) {
	t.Helper()
	token, err := config.Exchange(ctx, back.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	good, err := provider.Verifier(&oidc.Config{ClientID: "gate"}).Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := good.Claims(&c); err != nil {
		t.Fatal(err)
	}
	return c
}
