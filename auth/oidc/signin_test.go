package oidc_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"doorward/auth/oidc"
)

func request() oidc.AuthRequest {
	return oidc.AuthRequest{State: "st", Nonce: nonce, Verifier: verifier, RedirectURL: back}
}

func TestAuthURLAsksForACodeBoundToTheSignIn(t *testing.T) {
	on(t, nil, func(b *bench) {
		to, err := b.AuthURL(b.Context(), request())
		if err != nil {
			b.Fatal(err)
		}
		u, err := url.Parse(to)
		if err != nil {
			b.Fatal(err)
		}
		if got := u.Scheme + "://" + u.Host + u.Path; got != issuer+"/authorize" {
			b.Errorf("the browser goes to %s", got)
		}
		sum := sha256.Sum256([]byte(verifier))
		want := url.Values{
			"client_id": {client}, "response_type": {"code"}, "response_mode": {"query"},
			"redirect_uri": {back}, "scope": {"openid profile email"}, "state": {"st"},
			"nonce": {nonce}, "code_challenge_method": {"S256"},
			"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
		}
		if got := u.Query(); !reflect.DeepEqual(got, want) {
			b.Errorf("it asks %v, want %v", got, want)
		}
	})
}

func TestAuthURLTakesWishes(t *testing.T) {
	for name, c := range map[string]struct {
		options func(*peer, *oidc.Options)
		request func(*oidc.AuthRequest)
		want    map[string]string
	}{
		"account and prompt": {
			request: func(r *oidc.AuthRequest) { r.Prompt, r.LoginHint = "login", "ada" },
			want:    map[string]string{"prompt": "login", "login_hint": "ada"},
		},
		"no account where one is chosen": {
			request: func(r *oidc.AuthRequest) { r.Prompt, r.LoginHint = "select_account", "ada" },
			want:    map[string]string{"prompt": "select_account", "login_hint": ""},
		},
		"a second factor": {
			options: func(_ *peer, o *oidc.Options) { o.MFAContext = "urn:mfa" },
			request: func(r *oidc.AuthRequest) { r.MFA = true },
			want:    map[string]string{"acr_values": "urn:mfa"},
		},
		"scopes of the options": {
			options: func(_ *peer, o *oidc.Options) { o.Scopes = []string{"email"} },
			want:    map[string]string{"scope": "openid email"},
		},
		"a refresh token where the provider has them": {
			options: func(p *peer, o *oidc.Options) {
				o.Recheck = time.Hour
				p.document["scopes_supported"] = []string{"openid", "offline_access"}
			},
			want: map[string]string{"scope": "openid profile email offline_access"},
		},
		"parameters that the address has": {
			options: func(p *peer, _ *oidc.Options) {
				p.document["authorization_endpoint"] = issuer + "/authorize?p=policy"
			},
			want: map[string]string{"p": "policy", "client_id": client},
		},
	} {
		t.Run(name, func(t *testing.T) {
			on(t, c.options, func(b *bench) {
				r := request()
				if c.request != nil {
					c.request(&r)
				}
				to, err := b.AuthURL(b.Context(), r)
				if err != nil {
					b.Fatal(err)
				}
				u, err := url.Parse(to)
				if err != nil {
					b.Fatal(err)
				}
				for name, want := range c.want {
					if got := u.Query().Get(name); got != want {
						b.Errorf("%s is %q, want %q", name, got, want)
					}
				}
			})
		})
	}
}

func TestAuthURLNeedsItsSecrets(t *testing.T) {
	on(t, nil, func(b *bench) {
		for _, r := range []oidc.AuthRequest{
			{Nonce: nonce, Verifier: verifier}, {State: "st", Verifier: verifier},
			{State: "st", Nonce: nonce}, {State: "st", Nonce: nonce, Verifier: "short"},
		} {
			if to, err := b.AuthURL(b.Context(), r); err == nil {
				b.Errorf("%+v leads to %s", r, to)
			}
		}
	})
}

func TestExchangeMakesClaims(t *testing.T) {
	on(t, nil, func(b *bench) {
		b.claims = map[string]any{
			"sid": "session-1", "login_hint": "hint", "auth_time": time.Now().Unix() - 60,
			"amr": []string{"pwd", "mfa"}, "roles": []string{"b", "a"},
		}
		got := b.mustSignIn()
		want := &oidc.Claims{
			Subject: "subject-1", Issuer: issuer, Name: "ada", Title: "Ada Lovelace",
			Email: "ada@example.com", EmailVerified: true, Groups: []string{"staff"},
			Roles: []string{"a", "b"}, MFA: true, SID: "session-1", LoginHint: "hint",
			AuthTime: time.Now().UTC().Add(-time.Minute), Expires: time.Now().UTC().Add(time.Hour),
			Refresh: "the-refresh-token", IDToken: got.IDToken,
		}
		if !reflect.DeepEqual(got, want) {
			b.Errorf("claims are\n%+v, want\n%+v", got, want)
		}
		form := b.lastForm()
		for name, want := range map[string]string{
			"grant_type": "authorization_code", "code": code, "code_verifier": verifier,
			"redirect_uri": back, "client_id": client, "client_secret": "",
		} {
			if form.Get(name) != want {
				b.Errorf("%s is %q, want %q", name, form.Get(name), want)
			}
		}
		if n := b.count("/token"); n != 1 {
			b.Errorf("the code was redeemed %d times", n)
		}
	})
}

func TestUserinfoSaysWhatTheTokenDoesNot(t *testing.T) {
	withUserinfo := func(p *peer, _ *oidc.Options) {
		p.document["userinfo_endpoint"] = issuer + "/userinfo"
	}
	more := map[string]any{
		"sub": "subject-1", "preferred_username": "ada", "name": "Ada from userinfo",
		"email": "ada@home.example", "email_verified": true, "groups": []string{"ops"},
	}
	t.Run("all is in the token", func(t *testing.T) {
		on(t, withUserinfo, func(b *bench) {
			b.mustSignIn()
			if b.count("/userinfo") != 0 {
				b.Error("userinfo was asked")
			}
		})
	})
	t.Run("groups and address are not", func(t *testing.T) {
		on(t, withUserinfo, func(b *bench) {
			b.claims = map[string]any{"groups": nil, "email": nil}
			b.page("/userinfo", answering(more))
			c := b.mustSignIn()
			if c.Title != "Ada Lovelace" || c.Email != "ada@home.example" || !c.EmailVerified ||
				!reflect.DeepEqual(c.Groups, []string{"ops"}) {
				b.Errorf("claims are %+v", c)
			}
			if got := b.last("/userinfo").Header.Get("Authorization"); got != "Bearer the-access-token" {
				b.Errorf("userinfo was asked with %q", got)
			}
		})
	})
	t.Run("the token's unverified address is not verified by another", func(t *testing.T) {
		on(t, withUserinfo, func(b *bench) {
			b.claims = map[string]any{"groups": nil, "email_verified": nil}
			b.page("/userinfo", answering(more))
			if c := b.mustSignIn(); c.Email != "ada@example.com" || c.EmailVerified {
				b.Errorf("the address is %s, verified %v", c.Email, c.EmailVerified)
			}
		})
	})
	t.Run("groups are unknown when it is down", func(t *testing.T) {
		on(t, withUserinfo, func(b *bench) {
			b.claims = map[string]any{"groups": nil}
			b.page("/userinfo", refusing(http.StatusBadGateway, nil))
			if c := b.mustSignIn(); !c.GroupsUnknown || c.Groups != nil || c.Title != "Ada Lovelace" {
				b.Errorf("claims are %+v", c)
			}
		})
	})
}

func TestRefreshSaysWhatTheAccountIsNow(t *testing.T) {
	on(t, nil, func(b *bench) {
		b.claims = map[string]any{"nonce": nil, "groups": []string{"new"}}
		b.answer = map[string]any{"refresh_token": "the-next-token"}
		c, err := b.Refresh(b.Context(), "the-refresh-token", "subject-1")
		if err != nil {
			b.Fatal(err)
		}
		if c.Refresh != "the-next-token" || !reflect.DeepEqual(c.Groups, []string{"new"}) {
			b.Errorf("claims are %+v", c)
		}
		if f := b.lastForm(); f.Get("grant_type") != "refresh_token" ||
			f.Get("refresh_token") != "the-refresh-token" {
			b.Errorf("it asks %v", f)
		}
		b.answer = map[string]any{"refresh_token": nil}
		if c, err = b.Refresh(b.Context(), "kept", "subject-1"); err != nil || c.Refresh != "kept" {
			b.Errorf("without a new one: %+v, %v", c, err)
		}
	})
}

func TestRefreshWithoutIDToken(t *testing.T) {
	on(t, nil, func(b *bench) {
		b.answer = map[string]any{"id_token": nil}
		c, err := b.Refresh(b.Context(), "r", "subject-1")
		if err != nil || !c.Unchanged || c.Subject != "subject-1" {
			b.Errorf("without userinfo: %+v, %v", c, err)
		}
	})
	on(t, func(p *peer, _ *oidc.Options) {
		p.document["userinfo_endpoint"] = issuer + "/userinfo"
	}, func(b *bench) {
		b.answer = map[string]any{"id_token": nil}
		b.page("/userinfo", answering(map[string]any{"sub": "subject-1", "groups": "ops"}))
		c, err := b.Refresh(b.Context(), "r", "subject-1")
		if err != nil || c.Unchanged || !reflect.DeepEqual(c.Groups, []string{"ops"}) {
			b.Errorf("with userinfo: %+v, %v", c, err)
		}
		b.page("/userinfo", answering(map[string]any{"sub": "subject-2"}))
		_, err = b.Refresh(b.Context(), "r", "subject-1")
		checkError(b.T, err, oidc.ErrRevoked, "another subject")
	})
}

func TestRefreshTellsTheAccountFromTheProvider(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		code   string
		want   error
	}{
		"grant revoked":       {400, "invalid_grant", oidc.ErrRevoked},
		"second factor":       {400, "interaction_required", oidc.ErrRevoked},
		"our secret ended":    {401, "invalid_client", oidc.ErrUnavailable},
		"our request":         {400, "invalid_request", oidc.ErrUnavailable},
		"busy":                {429, "slow_down", oidc.ErrUnavailable},
		"broken":              {503, "invalid_grant", oidc.ErrUnavailable},
		"says it is away":     {400, "temporarily_unavailable", oidc.ErrUnavailable},
		"a page of something": {403, "", oidc.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			on(t, nil, func(b *bench) {
				b.page("/token", refusing(c.status, map[string]string{"error": c.code}))
				_, err := b.Refresh(b.Context(), "the-refresh-token", "subject-1")
				checkError(b.T, err, c.want, "")
				if other := errors.Is(err, oidc.ErrRevoked) && errors.Is(err, oidc.ErrUnavailable); other {
					b.Errorf("%v is both", err)
				}
			})
		})
	}
}

func TestLogoutURL(t *testing.T) {
	on(t, func(p *peer, _ *oidc.Options) {
		p.document["end_session_endpoint"] = issuer + "/logout"
	}, func(b *bench) {
		u, err := url.Parse(b.LogoutURL("id.token.raw", "", "https://login.example/"))
		if err != nil {
			b.Fatal(err)
		}
		want := url.Values{
			"client_id": {client}, "id_token_hint": {"id.token.raw"},
			"post_logout_redirect_uri": {"https://login.example/"},
		}
		if u.Path != "/logout" || !reflect.DeepEqual(u.Query(), want) {
			b.Errorf("the browser goes to %s", u)
		}
		if long := b.LogoutURL(strings.Repeat("x", 5000), "", ""); len(long) > 1000 {
			b.Error("a long ID token is in the address")
		}
	})
	on(t, nil, func(b *bench) {
		if to := b.LogoutURL("id.token.raw", "hint", back); to != "" {
			b.Errorf("the browser goes to %s, where there is nothing", to)
		}
	})
}
