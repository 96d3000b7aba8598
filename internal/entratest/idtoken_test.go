package entratest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"doorward/internal/entratest"
)

// part is one of the parts of a token, without a look at the signature.
func part(t *testing.T, token string, n int) (members map[string]any) {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	return members
}

func header(t *testing.T, token string) map[string]any {
	t.Helper()
	return part(t, token, 0)
}

func TestIDToken_optional_claims(t *testing.T) {
	p := join(t, app(func(a *entratest.App) {
		a.OptionalClaims = []string{"xms_edov", "acct", "sid", "login_hint", "auth_time", "upn",
			"verified_primary_email", "acrs"}
		a.Groups = entratest.AllGroups
	}), func(o *entratest.Options) {
		o.Users[0].MailVerified, o.Users[0].MFA = true, true
		o.Users[0].DirectoryRoles = []string{"admins"}
	})
	back := p.Browser(t).SignIn(p.address(), ann)
	token, err := p.exchange(back)
	if err != nil {
		t.Fatal(err)
	}
	claims := p.claims(token)
	for name, want := range map[string]any{
		"xms_edov": true, "acct": 0.0, "sid": back.Query().Get("session_state"), "upn": ann,
		"verified_primary_email": []any{"ann@example.com"}, "acrs": []any{"c1"},
		"groups": []any{"g1", "g2"}, "roles": []any{"Gateway.Admin"}, "wids": []any{"admins"},
	} {
		if !reflect.DeepEqual(claims[name], want) {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	now := float64(p.Now().Unix())
	if was, _ := claims["auth_time"].(float64); was > now || was < now-60 {
		t.Errorf("auth_time %v, now %v", was, now)
	}
	hint, _ := claims["login_hint"].(string)
	if page := p.Browser(t).Open(p.address(set("login_hint", hint))); page.Form == nil ||
		page.Form.Values.Get("loginfmt") != ann {
		t.Errorf("the hint %q means nobody: %+v", hint, page.Form)
	}
}

func TestIDToken_differs_by_user_and_app(t *testing.T) {
	p := join(t, users(entratest.User{Username: "guest@fabrikam.example", Guest: true,
		Mail: "ann@example.com", HomeIDP: "https://sts.windows.net/other/"}),
		func(o *entratest.Options) {
			o.Apps = append(o.Apps, entratest.App{ClientID: "other", Secrets: []string{"secret"},
				RedirectURIs: []string{callback}, OptionalClaims: []string{"acct"}})
		})
	first := p.claims(p.token(ann))
	p.config.ClientID = "other"
	p.verifier = nil
	token := p.token(ann).Extra("id_token").(string)
	second := part(t, token, 1)
	if first["sub"] == second["sub"] || first["oid"] != second["oid"] {
		t.Errorf("sub %v and %v, oid %v and %v",
			first["sub"], second["sub"], first["oid"], second["oid"])
	}
	if second["groups"] != nil || second["aud"] != "other" {
		t.Errorf("%v", second)
	}
	p.config.Scopes = []string{"openid"}
	guest := part(t, p.token("guest@fabrikam.example").Extra("id_token").(string), 1)
	if guest["idp"] == nil || guest["acct"] != 1.0 || guest["email"] != "ann@example.com" ||
		guest["oid"] != nil || guest["name"] != nil {
		t.Errorf("a guest without the scope profile: %v", guest)
	}
}

func TestIDToken_of_another_tenant_with_the_same_app(t *testing.T) {
	p := join(t, func(o *entratest.Options) {
		o.Tenants = []entratest.Tenant{{ID: entratest.TenantID, Domain: entratest.Domain},
			{ID: "7c3f8a52-0000-4000-8000-00000000000b", Domain: "fabrikam.example"}}
		o.Apps[0].Multi = true
		o.Users = append(o.Users, entratest.User{Username: "eve@fabrikam.example",
			Tenant: o.Tenants[1].ID, Mail: "ann@example.com"})
	})
	p.config.Endpoint.AuthURL = p.URL + "/organizations/oauth2/v2.0/authorize"
	p.config.Endpoint.TokenURL = p.URL + "/organizations/oauth2/v2.0/token"
	raw := p.token("eve@fabrikam.example").Extra("id_token").(string)
	claims := part(t, raw, 1)
	if claims["tid"] != "7c3f8a52-0000-4000-8000-00000000000b" ||
		claims["iss"] != p.Authority("7c3f8a52-0000-4000-8000-00000000000b") ||
		claims["email"] != "ann@example.com" || claims["aud"] != "gate" {
		t.Errorf("%v", claims)
	}
	if _, err := p.verifier.Verify(p.ctx, raw); err == nil {
		t.Error("it is good at another tenant")
	}
}

func TestIDToken_groups_overflow_above_200(t *testing.T) {
	var groups []string
	for i := range 201 {
		groups = append(groups, fmt.Sprintf("%08d-0000-4000-8000-000000000000", i))
	}
	p := join(t, func(o *entratest.Options) { o.Users[0].Groups = groups[:200] })
	token := p.token(ann)
	if got := p.claims(token)["groups"].([]any); len(got) != 200 {
		t.Errorf("%d groups, want 200", len(got))
	}
	if n := len(token.Extra("id_token").(string)); n < 10_000 {
		t.Errorf("a token of %d bytes, want a large one", n)
	}
	for name, change := range map[string]func(*entratest.User){
		"too many": func(u *entratest.User) { u.Groups = groups },
		"forced":   func(u *entratest.User) { u.Groups, u.Overage = groups[:1], true },
	} {
		p.ChangeUser(t, ann, change)
		claims := p.claims(p.token(ann))
		source, _ := json.Marshal(claims["_claim_sources"])
		if claims["groups"] != nil || claims["_claim_names"] == nil ||
			!strings.Contains(string(source), "https://graph.windows.net/") {
			t.Errorf("%s: %v", name, claims)
		}
	}
	p.ChangeApp(t, "gate", func(a *entratest.App) {
		a.Groups, a.Assigned = entratest.AssignedGroups, []string{groups[0], "other"}
	})
	p.ChangeUser(t, ann, func(u *entratest.User) { u.Overage = false })
	if got := p.claims(p.token(ann))["groups"]; !reflect.DeepEqual(got, []any{groups[0]}) {
		t.Errorf("assigned groups %v, want one", got)
	}
}

func TestIDToken_spoiled(t *testing.T) {
	p := join(t)
	for name, spoil := range map[string]entratest.Token{
		"aud":           {Claims: map[string]any{"aud": "other"}},
		"iss":           {Claims: map[string]any{"iss": "https://evil.example"}},
		"version 1.0":   {Claims: map[string]any{"ver": "1.0", "iss": "https://sts.windows.net/"}},
		"expired":       {Claims: map[string]any{"exp": 1}},
		"no exp":        {Claims: map[string]any{"exp": nil}},
		"alg none":      {Header: map[string]any{"alg": "none"}},
		"alg HS256":     {Header: map[string]any{"alg": "HS256"}},
		"kid":           {Header: map[string]any{"kid": "unknown"}},
		"foreign key":   {ForeignKey: true},
		"cut signature": {Rewrite: func(s string) string { return s[:len(s)-10] }},
		"absent":        {Omit: true},
	} {
		p.ChangeUser(t, ann, func(u *entratest.User) { u.Token = spoil })
		raw, _ := p.token(ann).Extra("id_token").(string)
		if _, err := p.verifier.Verify(p.ctx, raw); err == nil {
			t.Errorf("%s: the token is good", name)
		}
	}
	// What the library leaves to its user.
	for name, want := range map[string]any{"nonce": "other", "tid": nil, "oid": "other"} {
		p.ChangeUser(t, ann, func(u *entratest.User) {
			u.Token = entratest.Token{Claims: map[string]any{name: want}}
		})
		if got := p.claims(p.token(ann))[name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestAPIToken_and_Sign_are_verifiable(t *testing.T) {
	p := join(t)
	verifier := oidc.NewVerifier(p.Authority(entratest.TenantID),
		oidc.NewRemoteKeySet(p.ctx, p.URL+"/common/discovery/v2.0/keys"),
		&oidc.Config{ClientID: "api"})
	for name, api := range map[string]entratest.API{
		"person": {User: ann, ClientID: "gate", Audience: "api", Scopes: []string{"read"}},
		"app":    {ClientID: "gate", Audience: "api", Roles: []string{"Job"}},
	} {
		raw := p.APIToken(t, api)
		if _, err := verifier.Verify(p.ctx, raw); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		claims := part(t, raw, 1)
		if (claims["scp"] == "read") != (name == "person") || claims["azp"] != "gate" {
			t.Errorf("%s: %v", name, claims)
		}
	}
	raw := p.Sign(nil, map[string]any{"iss": p.Authority(entratest.TenantID), "aud": "api",
		"exp": p.Now().Unix() + 60})
	if _, err := verifier.Verify(p.ctx, raw); err != nil {
		t.Error(err)
	}
	p.config.Scopes = []string{"openid", "api://api/read"}
	if _, err := verifier.Verify(p.ctx, p.token(ann).AccessToken); err != nil {
		t.Errorf("the access token for a scope of the API: %v", err)
	}
}
