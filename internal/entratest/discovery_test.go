package entratest_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"doorward/internal/entratest"
)

func TestDiscovery_names_the_tenant_by_its_id(t *testing.T) {
	s := entratest.Start(t, entratest.Options{})
	for name, issuer := range map[string]string{
		entratest.TenantID:    s.Authority(entratest.TenantID),
		entratest.Domain:      s.Authority(entratest.TenantID),
		"organizations":       s.Authority("{tenantid}"),
		"common":              s.Authority("{tenantid}"),
		"consumers":           s.Authority(entratest.ConsumersID),
		entratest.ConsumersID: s.Authority(entratest.ConsumersID),
	} {
		ctx := oidc.ClientContext(t.Context(), s.Client(t))
		_, err := oidc.NewProvider(ctx, s.Authority(name))
		var mismatch *oidc.IssuerMismatchError
		switch same := issuer == s.Authority(name); {
		case same && err != nil:
			t.Errorf("%s: %v", name, err)
		case !same && (!errors.As(err, &mismatch) || mismatch.Discovered != issuer):
			t.Errorf("%s: %v, want the issuer %s", name, err, issuer)
		}
	}
}

func TestDiscovery_knows_no_other_tenant(t *testing.T) {
	s := entratest.Start(t, entratest.Options{Tenants: []entratest.Tenant{{ID: "a", Domain: "b"}}})
	ctx := oidc.ClientContext(t.Context(), s.Client(t))
	if _, err := oidc.NewProvider(ctx, s.Authority(entratest.TenantID)); err == nil {
		t.Error("an unknown tenant has a document")
	}
}

func TestDiscovery_is_silent_about_what_entra_is_silent_about(t *testing.T) {
	s := entratest.Start(t, entratest.Options{})
	document := fetch(t, s, s.Authority(entratest.TenantID)+"/.well-known/openid-configuration")
	for _, name := range []string{"code_challenge_methods_supported", "revocation_endpoint",
		"introspection_endpoint", "backchannel_logout_supported"} {
		if v, ok := document[name]; ok {
			t.Errorf("%s is %v", name, v)
		}
	}
	for _, name := range []string{"end_session_endpoint", "frontchannel_logout_supported",
		"tenant_region_scope", "msgraph_host"} {
		if _, ok := document[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestDiscovery_changes_as_the_test_wants(t *testing.T) {
	s := entratest.Start(t, entratest.Options{})
	s.ChangeDiscovery(func(document map[string]any) { document["issuer"] = "https://evil.example" })
	ctx := oidc.ClientContext(t.Context(), s.Client(t))
	_, err := oidc.NewProvider(ctx, s.Authority(entratest.TenantID))
	if !errors.As(err, new(*oidc.IssuerMismatchError)) {
		t.Error(err)
	}
	s.ChangeDiscovery(nil)
	if _, err := oidc.NewProvider(ctx, s.Authority(entratest.TenantID)); err != nil {
		t.Error(err)
	}
}

func TestClouds_have_hosts_of_their_own(t *testing.T) {
	for login, graph := range map[string]string{
		"login.microsoftonline.com":        "graph.microsoft.com",
		"login.microsoftonline.us":         "graph.microsoft.us",
		"login.partner.microsoftonline.cn": "microsoftgraph.chinacloudapi.cn",
	} {
		t.Run(login, func(t *testing.T) {
			p := join(t)
			authority := "https://" + login + "/" + entratest.TenantID + "/v2.0"
			p.at(authority)
			document := fetch(t, p.Server, authority+"/.well-known/openid-configuration")
			if document["msgraph_host"] != graph {
				t.Errorf("msgraph_host %v, want %s", document["msgraph_host"], graph)
			}
			if got := p.claims(p.token(ann))["iss"]; got != authority {
				t.Errorf("iss %v, want %s", got, authority)
			}
		})
	}
}

func TestKeys_say_whose_tokens_they_may_sign(t *testing.T) {
	s := entratest.Start(t, entratest.Options{})
	for name, want := range map[string][]string{
		entratest.TenantID: {s.Authority(entratest.TenantID), s.Authority(entratest.ConsumersID)},
		"common":           {s.Authority("{tenantid}"), s.Authority(entratest.ConsumersID)},
	} {
		set := fetch(t, s, s.URL+"/"+name+"/discovery/v2.0/keys")
		var got []string
		for _, key := range set["keys"].([]any) {
			k := key.(map[string]any)
			if k["x5t"] != k["kid"] || k["x5c"] == nil || k["use"] != "sig" {
				t.Errorf("%v", k)
			}
			got = append(got, k["issuer"].(string))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: issuers %q, want %q", name, got, want)
		}
	}
}

func TestKeys_of_personal_accounts_are_others(t *testing.T) {
	p := join(t, app(func(a *entratest.App) { a.Multi = true }), users(entratest.User{
		Username: "eve@outlook.example", Tenant: entratest.ConsumersID}))
	p.at(p.Authority(entratest.ConsumersID))
	token := p.token("eve@outlook.example")
	p.claims(token)
	if kid := header(t, token.Extra("id_token").(string))["kid"]; kid == p.SigningKey() {
		t.Error("the key of organizations signed for a person")
	}
}

func TestKeys_roll_over(t *testing.T) {
	p := join(t)
	old := p.SigningKey()
	p.claims(p.token(ann))

	next := p.NewKey(true)
	if p.SigningKey() != old {
		t.Fatal("a new key signs at once")
	}
	p.SignWith(next)
	before := p.token(ann)
	if kid := header(t, before.Extra("id_token").(string))["kid"]; kid != next {
		t.Fatalf("kid %v, want %s", kid, next)
	}
	p.claims(before)

	hidden := p.NewKey(false)
	p.SignWith(hidden)
	early := p.token(ann)
	if _, err := p.verifier.Verify(p.ctx, early.Extra("id_token").(string)); err == nil {
		t.Error("a token is good whose key is not published")
	}
	p.Publish(hidden)
	p.at(p.Authority(entratest.TenantID)) // one that remembers no keys, nor asks at the moment
	p.claims(early)

	p.Withdraw(old)
	p.Withdraw(next)
	p.at(p.Authority(entratest.TenantID))
	if _, err := p.verifier.Verify(p.ctx, before.Extra("id_token").(string)); err == nil {
		t.Error("a token is good whose key was withdrawn")
	}
}

func TestMoveKeys_leaves_nothing_behind(t *testing.T) {
	p := join(t)
	token := p.token(ann)
	p.MoveKeys("/elsewhere/keys")
	if _, err := p.verifier.Verify(p.ctx, token.Extra("id_token").(string)); err == nil {
		t.Error("keys are still at the old place")
	}
	p.at(p.Authority(entratest.TenantID))
	p.claims(token)
}

// fetch is a JSON document.
func fetch(t *testing.T, s *entratest.Server, address string) (document map[string]any) {
	t.Helper()
	answer, err := s.Client(t).Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if err := json.NewDecoder(answer.Body).Decode(&document); err != nil {
		t.Fatalf("%s: %s, %v", address, answer.Status, err)
	}
	return document
}
