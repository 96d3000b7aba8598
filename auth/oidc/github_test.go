package oidc_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"doorward/auth/oidc"
)

type list = []map[string]any

// onGitHub runs a test against github.com as far as it matters here.
func onGitHub(t *testing.T, change func(*peer, *oidc.Options), test func(*bench)) {
	t.Helper()
	on(t, func(p *peer, o *oidc.Options) {
		o.Type, o.Issuer, o.Recheck = oidc.GitHub, "", time.Hour
		p.pages["/login/oauth/access_token"] = answering(map[string]any{
			"access_token": "gho_the-access-token", "token_type": "bearer", "scope": "read:org",
		})
		p.pages["/user"] = answering(map[string]any{
			"id": 4711, "login": "Ada", "name": "Ada Lovelace", "email": "public@evil.example",
		})
		p.pages["/user/emails"] = answering(list{
			{"email": "second@example.com", "primary": false, "verified": true},
			{"email": "ada@Example.com", "primary": true, "verified": true},
		})
		p.pages["/user/orgs"] = answering(list{{"login": "Acme"}, {"login": "Lone"}})
		p.pages["/user/teams"] = answering(list{
			{"slug": "ops", "organization": map[string]any{"login": "Acme"}},
		})
		if change != nil {
			change(p, o)
		}
	}, test)
}

func TestGitHubSignsIn(t *testing.T) {
	onGitHub(t, nil, func(b *bench) {
		r := request()
		r.LoginHint, r.Prompt = "Ada", "select_account"
		to, err := b.AuthURL(b.Context(), r)
		if err != nil {
			b.Fatal(err)
		}
		u, err := url.Parse(to)
		if err != nil {
			b.Fatal(err)
		}
		q := u.Query()
		if u.Host+u.Path != "github.com/login/oauth/authorize" || q.Get("login") != "Ada" ||
			q.Get("code_challenge_method") != "S256" || q.Has("nonce") ||
			q.Get("scope") != "read:user user:email read:org" {
			b.Errorf("the browser goes to %s", to)
		}
		got := b.mustSignIn()
		want := &oidc.Claims{
			Subject: "4711", Issuer: "https://github.com/login/oauth", Name: "Ada",
			Title: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true,
			Groups: []string{"Acme", "Acme/ops", "Lone"}, LoginHint: "Ada", Refresh: got.Refresh,
		}
		if !reflect.DeepEqual(got, want) {
			b.Errorf("claims are\n%+v, want\n%+v", got, want)
		}
		if form := b.lastForm(); form.Get("code_verifier") != verifier ||
			form.Get("client_secret") != secret {
			b.Errorf("it asks %v", form)
		}
		if host := b.last("/user").URL.Host; host != "api.github.com" {
			b.Errorf("the API is asked at %s", host)
		}
	})
}

func TestGitHubTakesOnlyAVerifiedPrimaryAddress(t *testing.T) {
	onGitHub(t, nil, func(b *bench) {
		b.page("/user/emails", answering(list{
			{"email": "ada@example.com", "primary": true, "verified": false},
			{"email": "b@example.com", "primary": false, "verified": true},
		}))
		if c := b.mustSignIn(); c.Email != "" || c.EmailVerified {
			b.Errorf("the address is %q", c.Email)
		}
		b.page("/user/emails", refusing(http.StatusForbidden, nil))
		if c := b.mustSignIn(); c.Email != "" || c.Subject != "4711" {
			b.Errorf("without the scope: %+v", c)
		}
	})
}

func TestGitHubGroups(t *testing.T) {
	onGitHub(t, nil, func(b *bench) {
		b.page("/user/orgs", func(w http.ResponseWriter, r *http.Request) {
			var page int
			if _, err := fmt.Sscan(r.URL.Query().Get("page"), &page); err != nil {
				panic(err)
			}
			some := list{}
			for i := (page - 1) * 100; i < min(page*100, 150); i++ {
				some = append(some, map[string]any{"login": fmt.Sprintf("org-%03d", i)})
			}
			writeJSON(w, some)
		})
		if c := b.mustSignIn(); len(c.Groups) != 152 || c.GroupsUnknown {
			b.Errorf("150 organizations and a team: %d groups", len(c.Groups))
		}
		full := make(list, 100)
		for i := range full {
			full[i] = map[string]any{"login": fmt.Sprint(i)}
		}
		b.page("/user/orgs", answering(full))
		if c := b.mustSignIn(); !c.GroupsUnknown || c.Groups != nil {
			b.Errorf("a list without end: %d groups", len(c.Groups))
		}
		b.page("/user/orgs", answering(list{{"login": "Acme"}, {"login": "Acme/ops/"}, {"login": ""}}))
		b.page("/user/teams", answering(list{}))
		if c := b.mustSignIn(); !reflect.DeepEqual(c.Groups, []string{"Acme"}) {
			b.Errorf("odd names: %q", c.Groups)
		}
		b.page("/user/teams", refusing(http.StatusForbidden, nil))
		if c := b.mustSignIn(); !c.GroupsUnknown || c.Groups != nil {
			b.Errorf("without the scope: %q, unknown %v", c.Groups, c.GroupsUnknown)
		}
	})
}

func TestGitHubRefresh(t *testing.T) {
	onGitHub(t, nil, func(b *bench) {
		first := b.mustSignIn()
		next, err := b.Refresh(b.Context(), first.Refresh, "4711")
		if err != nil || next.Refresh != first.Refresh || len(next.Groups) != 3 {
			b.Errorf("claims are %+v, %v", next, err)
		}
		_, err = b.Refresh(b.Context(), first.Refresh, "4712")
		checkError(b.T, err, oidc.ErrRevoked, "another account")
		b.page("/user", refusing(http.StatusBadGateway, nil))
		_, err = b.Refresh(b.Context(), first.Refresh, "4711")
		checkError(b.T, err, oidc.ErrUnavailable, "502")
		b.page("/user", refusing(http.StatusUnauthorized, nil))
		_, err = b.Refresh(b.Context(), first.Refresh, "4711")
		checkError(b.T, err, oidc.ErrRevoked, "401")
		if errors.Is(err, oidc.ErrUnavailable) {
			b.Errorf("%v is both", err)
		}
	})
	onGitHub(t, nil, func(b *bench) {
		answer := map[string]any{
			"access_token": "ghu_1", "token_type": "bearer", "refresh_token": "ghr_1",
		}
		b.page("/login/oauth/access_token", answering(answer))
		first := b.mustSignIn()
		answer["refresh_token"] = "ghr_2"
		next, err := b.Refresh(b.Context(), first.Refresh, "4711")
		if err != nil || next.Refresh != "ghr_2" || b.lastForm().Get("refresh_token") != "ghr_1" {
			b.Errorf("of an app with refresh tokens: %+v, %v", next, err)
		}
		b.page("/login/oauth/access_token", answering(map[string]any{"error": "bad_refresh_token"}))
		_, err = b.Refresh(b.Context(), next.Refresh, "4711")
		checkError(b.T, err, oidc.ErrRevoked, "")
	})
}

func TestGitHubRefusesWithStatus200(t *testing.T) {
	onGitHub(t, nil, func(b *bench) {
		b.page("/login/oauth/access_token", answering(map[string]any{
			"error": "bad_verification_code", "error_description": "The code is incorrect or expired.",
		}))
		_, err := b.signIn()
		var refused *oidc.CallbackError
		if !errors.As(err, &refused) || refused.Code != "bad_verification_code" {
			b.Errorf("the error is %v", err)
		}
		b.page("/login/oauth/access_token", answering(map[string]any{}))
		b.mustFail(oidc.ErrInvalid, "no access token")
	})
	onGitHub(t, nil, func(b *bench) {
		for _, user := range []map[string]any{{"login": "ada"}, {"id": 0}, {"id": -1}} {
			b.page("/user", answering(user))
			b.mustFail(oidc.ErrInvalid, "which user")
		}
	})
}

func TestGitHubHasNoTokensOfOpenIDConnect(t *testing.T) {
	onGitHub(t, nil, func(b *bench) {
		raw := b.sign(b.goodClaims())
		if _, err := b.Bearer(b.Context(), raw, []string{client}); !errors.Is(err, oidc.ErrUnsupported) {
			b.Errorf("Bearer: %v", err)
		}
		if _, err := b.LogoutToken(b.Context(), raw); !errors.Is(err, oidc.ErrUnsupported) {
			b.Errorf("LogoutToken: %v", err)
		}
		if to := b.LogoutURL(raw, "ada", back); to != "" {
			b.Errorf("LogoutURL: %s", to)
		}
	})
}

func TestGitHubOfOnesOwn(t *testing.T) {
	onGitHub(t, func(p *peer, o *oidc.Options) {
		o.AuthorityHost = "git.example"
		for _, path := range []string{"/user", "/user/emails", "/user/orgs", "/user/teams"} {
			p.pages["/api/v3"+path] = p.pages[path]
		}
	}, func(b *bench) {
		to, err := b.AuthURL(b.Context(), request())
		if err != nil || !strings.HasPrefix(to, "https://git.example/login/oauth/authorize?") {
			b.Errorf("the browser goes to %s, %v", to, err)
		}
		_, err = b.Exchange(b.Context(), callback("iss", "https://github.com/login/oauth"))
		checkError(b.T, err, oidc.ErrInvalid, "iss")
		_, err = b.Exchange(b.Context(), callback("iss", "https://git.example/login/oauth"))
		if host := b.last("/api/v3/user").URL.Host; err != nil || host != "git.example" {
			b.Errorf("the API is asked at %s, %v", host, err)
		}
	})
}
