package oidc_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"doorward/auth/oidc"
	"doorward/internal/entratest"
)

// access are the claims of an access token, with changes.
func (b *bench) access(changes map[string]any) map[string]any {
	return merged(merged(b.goodClaims(), map[string]any{
		"aud": "https://api.example", "nonce": nil, "scope": "read write", "client_id": "cli",
	}), changes)
}

func TestBearer(t *testing.T) {
	on(t, nil, func(b *bench) {
		b.header["typ"] = "at+jwt"
		c, err := b.Bearer(b.Context(), b.sign(b.access(nil)), []string{"other", "https://api.example"})
		if err != nil {
			b.Fatal(err)
		}
		if c.Subject != "subject-1" || !slices.Equal(c.Scopes, []string{"read", "write"}) ||
			!slices.Equal(c.Groups, []string{"staff"}) || c.Refresh+c.IDToken != "" {
			b.Errorf("claims are %+v", c)
		}
		if want := time.Now().Add(time.Hour).UTC(); !c.Expires.Equal(want) {
			b.Errorf("it ends at %v, want %v", c.Expires, want)
		}
	})
}

func TestBearerTakesTokensThatDoNotSayTheirType(t *testing.T) {
	for name, changes := range map[string]map[string]any{
		"a scope":         {"client_id": nil},
		"scp as a list":   {"client_id": nil, "scope": nil, "scp": []string{"read", "write"}},
		"only the client": {"scope": nil},
		"of Keycloak":     {"client_id": nil, "typ": "Bearer", "azp": "cli"},
	} {
		on(t, nil, func(b *bench) {
			b.header["typ"] = "JWT"
			_, err := b.Bearer(b.Context(), b.sign(b.access(changes)), []string{"https://api.example"})
			if err != nil {
				b.Errorf("%s: %v", name, err)
			}
		})
	}
}

func TestSecurity_Bearer(t *testing.T) {
	for name, c := range map[string]struct {
		typ     any
		changes map[string]any
		want    []string
	}{
		"OIDC-18 another audience":      {"at+jwt", map[string]any{"aud": "other"}, nil},
		"OIDC-18 no audience":           {"at+jwt", map[string]any{"aud": nil}, nil},
		"OIDC-18 no audience asked for": {"at+jwt", nil, []string{}},
		"OIDC-18 an empty audience":     {"at+jwt", map[string]any{"aud": ""}, []string{""}},
		"OIDC-16 another issuer":        {"at+jwt", map[string]any{"iss": "https://x.example"}, nil},
		"OIDC-21 an ID token":           {"JWT", map[string]any{"scope": nil, "client_id": nil}, nil},
		"OIDC-21 a nonce":               {"JWT", map[string]any{"nonce": nonce}, nil},
		"OIDC-21 at_hash":               {nil, map[string]any{"at_hash": "x"}, nil},
		"OIDC-21 a refresh token":       {"JWT", map[string]any{"typ": "Refresh"}, nil},
		"OIDC-21 a logout token":        {"logout+jwt", nil, nil},
		"OIDC-21 a token of other use":  {"secevent+jwt", nil, nil},
		"OIDC-21 an ID token of Google": {"JWT",
			map[string]any{"scope": nil, "client_id": nil, "azp": client}, nil},
		"TIME-06 one that has ended":     {"at+jwt", map[string]any{"exp": time.Unix(1, 0).Unix()}, nil},
		"OIDC-22 nobody":                 {"at+jwt", map[string]any{"sub": nil}, nil},
		"OIDC-22 somebody with controls": {"at+jwt", map[string]any{"sub": "subject-1\x00"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			on(t, nil, func(b *bench) {
				b.header["typ"] = c.typ
				audiences := c.want
				if audiences == nil {
					audiences = []string{"https://api.example"}
				}
				got, err := b.Bearer(b.Context(), b.sign(b.access(c.changes)), audiences)
				if !errors.Is(err, oidc.ErrInvalid) || got != nil {
					b.Errorf("%+v, %v", got, err)
				}
			})
		})
	}
}

func TestBearerOfEntra(t *testing.T) {
	d := entraID(t, func(_ *entratest.Options, o *oidc.Options) {
		o.Tenant, o.Tenants = "", []string{ourTenant, otherTenant}
	})
	// The audience of version 2 is the API's client id, as of ID tokens.
	audiences := []string{client}
	person := d.APIToken(t, entratest.API{
		User: annID, ClientID: "cli", Audience: client, Scopes: []string{"read"},
	})
	c, err := d.Bearer(t.Context(), person, audiences)
	if err != nil || c.Subject != ourTenant+"/"+annID || !slices.Equal(c.Scopes, []string{"read"}) {
		t.Errorf("a person: %+v, %v", c, err)
	}
	app := d.APIToken(t, entratest.API{
		ClientID: "cli", Audience: client, Roles: []string{"Job"}, Tenant: otherTenant,
	})
	c, err = d.Bearer(t.Context(), app, audiences)
	if err != nil || c.Tenant != otherTenant || !reflect.DeepEqual(c.Roles, []string{"Job"}) {
		t.Errorf("an app: %+v, %v", c, err)
	}
	foreign := d.APIToken(t, entratest.API{
		ClientID: "cli", Audience: client, Roles: []string{"Job"}, Tenant: thirdTenant,
	})
	_, err = d.Bearer(t.Context(), foreign, audiences)
	checkError(t, err, oidc.ErrTenant, "")
	_, err = d.Bearer(t.Context(), d.mustSignIn("ann@contoso.example").IDToken, audiences)
	checkError(t, err, oidc.ErrInvalid, "not an access token")
}

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logout are the claims of a logout token, with changes.
func (b *bench) logout(changes map[string]any) map[string]any {
	now := time.Now().Unix()
	return merged(map[string]any{
		"iss": issuer, "aud": client, "iat": now, "exp": now + 120, "jti": "token-1",
		"sub": "subject-1", "sid": "session-1",
		"events": map[string]any{logoutEvent: map[string]any{}},
	}, changes)
}

func TestLogoutToken(t *testing.T) {
	on(t, nil, func(b *bench) {
		b.header["typ"] = "logout+jwt"
		got, err := b.LogoutToken(b.Context(), b.sign(b.logout(nil)))
		want := oidc.LogoutToken{
			Subject: "subject-1", SID: "session-1", ID: "token-1",
			Expires: time.Now().UTC().Add(3 * time.Minute),
		}
		if err != nil || got != want {
			b.Errorf("%+v, %v, want %+v", got, err, want)
		}
		far := map[string]any{"exp": time.Now().Unix() + 1e6, "sub": nil}
		got, err = b.LogoutToken(b.Context(), b.sign(b.logout(far)))
		if latest := time.Now().Add(11 * time.Minute); err != nil || got.Expires.After(latest) {
			b.Errorf("it can come again until %v, %v", got.Expires, err)
		}
	})
}

func TestLogoutTokenIsRefused(t *testing.T) {
	for name, changes := range map[string]map[string]any{
		"a nonce":           {"nonce": "x"},
		"no event":          {"events": nil},
		"another event":     {"events": map[string]any{"x": map[string]any{}}},
		"an event of text":  {"events": map[string]any{logoutEvent: "x"}},
		"no id":             {"jti": nil},
		"an id of 1 KiB":    {"jti": string(make([]byte, 1024))},
		"nobody":            {"sub": nil, "sid": nil},
		"another client":    {"aud": "other"},
		"several clients":   {"aud": []string{client, "other"}},
		"another issuer":    {"iss": "https://other.example"},
		"no time":           {"iat": nil},
		"an old one":        {"iat": time.Unix(1, 0).Unix()},
		"one of the future": {"iat": time.Unix(1<<33, 0).Unix()},
		"no end":            {"exp": nil},
		"one that ended":    {"exp": time.Unix(1, 0).Unix()},
	} {
		t.Run(name, func(t *testing.T) {
			on(t, nil, func(b *bench) {
				got, err := b.LogoutToken(b.Context(), b.sign(b.logout(changes)))
				if !errors.Is(err, oidc.ErrInvalid) || got != (oidc.LogoutToken{}) {
					b.Errorf("%+v, %v", got, err)
				}
			})
		})
	}
	on(t, nil, func(b *bench) {
		b.header["typ"] = "at+jwt"
		_, err := b.LogoutToken(b.Context(), b.sign(b.logout(nil)))
		checkError(b.T, err, oidc.ErrInvalid, "not a logout token")
		b.header["typ"] = nil
		_, err = b.LogoutToken(b.Context(), b.sign(b.goodClaims()))
		checkError(b.T, err, oidc.ErrInvalid, "")
	})
}

func FuzzTokensOfStrangers(f *testing.F) {
	p := mustFuzz(f)
	f.Add("")
	f.Add("a.b.c")
	f.Add(encode(`{"alg":"RS256"}`) + "." + encode(`{"iss":"`+issuer+`","aud":["a",1]}`) + ".c2ln")
	f.Add(encode(`{"alg":"none","typ":"at+jwt"}`) + "." + encode(`{"exp":1e999}`) + ".")
	f.Fuzz(func(t *testing.T, raw string) {
		if c, err := p.Bearer(t.Context(), raw, []string{"a"}); err == nil {
			t.Errorf("Bearer takes it: %+v", c)
		}
		if l, err := p.LogoutToken(t.Context(), raw); err == nil {
			t.Errorf("LogoutToken takes it: %+v", l)
		}
	})
}
