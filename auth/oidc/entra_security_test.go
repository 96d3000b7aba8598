package oidc_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"doorward/auth/oidc"
	"doorward/internal/entratest"
)

// TestSecurity_Entra holds the cases that only Entra ID has, and some that it has
// in its own way.
func TestSecurity_Entra(t *testing.T) {
	for name, run := range map[string]func(*testing.T){
		"OIDC-14 keys of other issuers":          foreignIssuersKeys,
		"OIDC-15 algorithms":                     entraAlgorithms,
		"OIDC-16 issuer":                         entraIssuers,
		"OIDC-17 tenant":                         entraTenants,
		"OIDC-17 no tenant list":                 noTenantList,
		"OIDC-22 the address of somebody else":   stolenAddress,
		"OIDC-26 groups unknown":                 bearerOverage,
		"OIDC-29 the provider goes and returns":  entraOutage,
		"OIDC-30 a key that is published late":   lateKey,
		"OIDC-31 a domain that leads elsewhere":  domainElsewhere,
		"OIDC-35 a token of 12 KB stays unheard": noEntraSecrets,
	} {
		t.Run(name, run)
	}
}

func entraIssuers(t *testing.T) {
	d := entraID(t, nil)
	good := d.Authority(ourTenant)
	for _, iss := range []any{
		d.Authority(otherTenant), good + "/", strings.ToUpper(good), d.Authority("{tenantid}"),
		strings.Replace(good, "https", "http", 1), "https://sts.windows.net/" + ourTenant + "/", nil,
	} {
		d.tokens(map[string]any{"iss": iss})
		_, err := d.signIn("ann@contoso.example")
		checkError(t, err, oidc.ErrInvalid, "issued by")
	}
}

func entraTenants(t *testing.T) {
	d := entraID(t, func(there *entratest.Options, o *oidc.Options) {
		o.Tenant, o.Tenants = "common", []string{ourTenant, otherTenant}
	})
	for name, c := range map[string]struct {
		claims map[string]any
		want   error
	}{
		"a tenant that is not listed": {
			map[string]any{"tid": thirdTenant, "iss": d.Authority(thirdTenant)}, oidc.ErrTenant,
		},
		"personal accounts": {map[string]any{
			"tid": entratest.ConsumersID, "iss": d.Authority(entratest.ConsumersID),
		}, oidc.ErrTenant},
		"a listed tenant, another issuer": {map[string]any{"tid": otherTenant}, oidc.ErrInvalid},
		"another issuer, a listed tenant": {
			map[string]any{"iss": d.Authority(otherTenant)}, oidc.ErrInvalid,
		},
		"no tenant":       {map[string]any{"tid": nil}, oidc.ErrInvalid},
		"no GUID":         {map[string]any{"tid": "organizations"}, oidc.ErrInvalid},
		"in upper case":   {map[string]any{"tid": strings.ToUpper(ourTenant)}, oidc.ErrInvalid},
		"version 1":       {map[string]any{"ver": "1.0"}, oidc.ErrInvalid},
		"no object":       {map[string]any{"oid": nil}, oidc.ErrInvalid},
		"a path as oid":   {map[string]any{"oid": "../" + annID}, oidc.ErrInvalid},
		"another client":  {map[string]any{"aud": "other"}, oidc.ErrInvalid},
		"another sign-in": {map[string]any{"nonce": "other"}, oidc.ErrInvalid},
	} {
		d.tokens(c.claims)
		if got, err := d.signIn("ann@contoso.example"); !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	d.tokens(nil)
	d.mustSignIn("ann@contoso.example")
}

func noTenantList(t *testing.T) {
	for _, o := range []oidc.Options{
		{}, {Tenant: "common"}, {Tenant: "organizations"}, {Tenant: "consumers"},
		{Tenant: entratest.ConsumersID}, {Tenants: []string{ourTenant, entratest.ConsumersID}},
		{Tenant: "Common", Tenants: []string{}}, {Tenant: "*"}, {Tenant: "a/../b.example"},
		{Tenants: []string{""}}, {Tenant: ourTenant, Tenants: []string{otherTenant}},
		{Tenants: []string{"common"}},
	} {
		o.Name, o.Type, o.ClientID = "azure-ad", oidc.Entra, client
		o.Secret = func() (string, error) { return secret, nil }
		if _, err := oidc.New(o); err == nil {
			t.Errorf("tenant %q of %q is taken", o.Tenant, o.Tenants)
		}
	}
}

func entraAlgorithms(t *testing.T) {
	d := entraID(t, nil)
	for _, token := range []entratest.Token{
		{Header: map[string]any{"alg": "none"}}, {Header: map[string]any{"alg": "HS256"}},
		{ForeignKey: true}, {Omit: true},
		{Rewrite: func(raw string) string { return raw + "x" }},
	} {
		d.ann(func(u *entratest.User) { u.Token = token })
		if _, err := d.signIn("ann@contoso.example"); !errors.Is(err, oidc.ErrInvalid) {
			t.Errorf("%+v: %v", token, err)
		}
	}
}

// foreignIssuersKeys signs with the key that the set limits to personal accounts.
func foreignIssuersKeys(t *testing.T) {
	d := entraID(t, nil)
	answer, err := d.Client(t).Get(d.URL + "/" + ourTenant + "/discovery/v2.0/keys")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var set struct {
		Keys []struct{ Kid, Issuer string }
	}
	if err := json.NewDecoder(answer.Body).Decode(&set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		d.SignWith(key.Kid)
		_, err := d.signIn("ann@contoso.example")
		if strings.Contains(key.Issuer, entratest.ConsumersID) {
			checkError(t, err, oidc.ErrInvalid, "does not publish")
		} else if err != nil {
			t.Errorf("by the key of %s: %v", key.Issuer, err)
		}
	}
	if len(set.Keys) < 2 {
		t.Errorf("the keys are %+v", set.Keys)
	}
}

// stolenAddress is nOAuth: an account of another tenant calls itself what the victim
// is called here.
func stolenAddress(t *testing.T) {
	d := entraID(t, func(there *entratest.Options, o *oidc.Options) {
		o.Tenant, o.Tenants = "", []string{ourTenant, otherTenant}
		there.Users = append(there.Users, entratest.User{
			Username: "ann@contoso.example.evil", Tenant: otherTenant, Name: "Ann",
			Mail: "ann@contoso.example", Token: entratest.Token{Claims: map[string]any{
				"preferred_username": "ann@contoso.example", "upn": "ann@contoso.example",
				"email_verified": true,
			}},
		})
	})
	victim := d.mustSignIn("ann@contoso.example")
	thief := d.mustSignIn("ann@contoso.example.evil")
	if thief.Subject == victim.Subject || !strings.HasPrefix(thief.Subject, otherTenant+"/") {
		t.Errorf("the thief is %s, the victim %s", thief.Subject, victim.Subject)
	}
	if thief.EmailVerified || !victim.EmailVerified {
		t.Errorf("verified: thief %v, victim %v", thief.EmailVerified, victim.EmailVerified)
	}
}

func bearerOverage(t *testing.T) {
	d := entraID(t, nil)
	raw := d.APIToken(t, entratest.API{
		User: annID, ClientID: "cli", Audience: "api", Scopes: []string{"read"},
		Claims: map[string]any{"_claim_names": map[string]any{"groups": "src1"},
			"_claim_sources": map[string]any{"src1": map[string]any{"endpoint": d.URL + "/x"}}},
	})
	c, err := d.Bearer(t.Context(), raw, []string{"api"})
	if err != nil || !c.GroupsUnknown || c.Groups != nil {
		t.Errorf("claims are %+v, %v", c, err)
	}
	if n := d.Count(entratest.Unknown) + d.Count(entratest.MemberObjects); n != 0 {
		t.Errorf("Graph was asked with somebody's token %d times", n)
	}
}

func entraOutage(t *testing.T) {
	d := entraID(t, nil)
	c := d.mustSignIn("ann@contoso.example")
	d.Stop()
	if _, err := d.AuthURL(t.Context(), request()); err != nil {
		t.Errorf("what is known is forgotten: %v", err)
	}
	_, err := d.Refresh(t.Context(), c.Refresh, c.Subject)
	checkError(t, err, oidc.ErrUnavailable, "")
	d.Again(t)
	if _, err = d.Refresh(t.Context(), c.Refresh, c.Subject); err != nil {
		t.Errorf("after it has returned: %v", err)
	}
}

func lateKey(t *testing.T) {
	d := entraID(t, nil)
	kid := d.NewKey(false)
	d.SignWith(kid)
	before := d.Count(entratest.Keys)
	for range 3 {
		_, err := d.signIn("ann@contoso.example")
		checkError(t, err, oidc.ErrInvalid, "does not publish")
	}
	if n := d.Count(entratest.Keys) - before; n != 1 {
		t.Errorf("the keys were asked for %d times", n)
	}
}

func domainElsewhere(t *testing.T) {
	d := entraID(t, nil)
	d.ChangeDiscovery(func(document map[string]any) {
		document["issuer"] = "https://evil.example/" + ourTenant + "/v2.0"
	})
	p := mustNew(t, oidc.Options{
		Name: "azure-ad", Type: oidc.Entra, Tenant: "contoso.example", ClientID: client,
		Secret:        func() (string, error) { return secret, nil },
		AuthorityHost: d.URL, GraphURL: d.URL, HTTP: d.Client(t),
	})
	p.Start(t.Context())
	defer p.Close()
	d.until("it is refused", func() bool {
		return strings.Contains(p.Status().Error, "is not the issuer of a tenant")
	})
	if p.Status().Ready {
		t.Error("it is ready")
	}
}

func noEntraSecrets(t *testing.T) {
	d := entraID(t, nil)
	d.ann(func(u *entratest.User) {
		u.Token.Claims = map[string]any{"x": strings.Repeat("long", 3000), "ver": "1.0"}
	})
	back := d.come("ann@contoso.example")
	_, err := d.Exchange(t.Context(), back)
	if err == nil || strings.Contains(err.Error(), back.Query.Get("code")) || len(err.Error()) > 300 {
		t.Errorf("the error is %v", err)
	}
}
