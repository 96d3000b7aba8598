package oidcpeer_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"doorward/internal/oidcpeer"
)

const (
	callback = "https://login.example.com/source/oauth/callback/peer"
	verifier = "0123456789012345678901234567890123456789012"
)

// party is an app that signs people in with a library that is not ours.
type party struct {
	*oidcpeer.Peer
	t        *testing.T
	ctx      context.Context
	config   oauth2.Config
	provider *oidc.Provider
}

// join starts a provider that knows the client "gate", as it is given, and Ann.
func join(t *testing.T, c oidcpeer.Client, o oidcpeer.Options) *party {
	t.Helper()
	c.ID, c.RedirectURIs = "gate", []string{callback}
	o.Clients = []oidcpeer.Client{c}
	o.Accounts = map[string]map[string]any{"ann": {"name": "Ann", "email": "ann@example.com",
		"email_verified": true, "groups": []string{"g1"}}}
	p := &party{Peer: oidcpeer.Start(t, o), t: t}
	p.ctx = oidc.ClientContext(t.Context(), p.Client(t))
	var err error
	if p.provider, err = oidc.NewProvider(p.ctx, p.Issuer); err != nil {
		t.Fatal(err)
	}
	p.config = oauth2.Config{
		ClientID: "gate", ClientSecret: c.Secret, Endpoint: p.provider.Endpoint(),
		RedirectURL: callback, Scopes: []string{"openid", "profile", "email", "groups"},
	}
	p.config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if c.Secret == "" || c.InForm {
		p.config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return p
}

func (p *party) address() string {
	return p.config.AuthCodeURL("s1", oidc.Nonce("n1"), oauth2.S256ChallengeOption(verifier))
}

func (p *party) exchange(back *url.URL, more ...oauth2.AuthCodeOption) (*oauth2.Token, error) {
	more = append([]oauth2.AuthCodeOption{oauth2.VerifierOption(verifier)}, more...)
	return p.config.Exchange(p.ctx, back.Query().Get("code"), more...)
}

// token signs Ann in with a browser.
func (p *party) token(b *oidcpeer.Browser, more ...oauth2.AuthCodeOption) *oauth2.Token {
	p.t.Helper()
	token, err := p.exchange(b.SignIn(p.address(), "ann"), more...)
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}

// claims are what a good ID token says.
func (p *party) claims(token *oauth2.Token) map[string]any {
	p.t.Helper()
	raw, _ := token.Extra("id_token").(string)
	good, err := p.provider.Verifier(&oidc.Config{ClientID: "gate"}).Verify(p.ctx, raw)
	if err != nil {
		p.t.Fatal(err)
	}
	var claims map[string]any
	if err := good.Claims(&claims); err != nil {
		p.t.Fatal(err)
	}
	return claims
}

func TestSignIn_by_code_with_pkce(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		client oidcpeer.Client
		o      oidcpeer.Options
	}{
		"secret in the header": {client: oidcpeer.Client{Secret: "secret"}},
		"without TLS":          {oidcpeer.Client{Secret: "secret"}, oidcpeer.Options{Plain: true}},
		"secret in the form":   {client: oidcpeer.Client{Secret: "secret", InForm: true}},
		"public":               {client: oidcpeer.Client{}},
		"private_key_jwt":      {client: oidcpeer.Client{Key: key.Public()}},
		"ES256":                {client: oidcpeer.Client{Secret: "secret", Algorithm: "ES256"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.o.InIDToken = true
			p := join(t, c.client, c.o)
			var more []oauth2.AuthCodeOption
			if c.client.Key != nil {
				more = p.assertion(key)
			}
			claims := p.claims(p.token(p.Browser(t), more...))
			groups, _ := claims["groups"].([]any)
			if claims["sub"] != "ann" || claims["name"] != "Ann" || claims["nonce"] != "n1" ||
				claims["email_verified"] != true || len(groups) != 1 || claims["iss"] != p.Issuer {
				t.Errorf("%v", claims)
			}
		})
	}
}

// assertion signs that it is the app (RFC 7523).
func (p *party) assertion(key *ecdsa.PrivateKey) []oauth2.AuthCodeOption {
	p.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	now := time.Now()
	text, err := jwt.Signed(signer).Claims(jwt.Claims{Issuer: "gate", Subject: "gate",
		Audience: jwt.Audience{p.Issuer}, ID: rand.Text(), IssuedAt: jwt.NewNumericDate(now),
		Expiry: jwt.NewNumericDate(now.Add(time.Minute))}).Serialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("client_assertion", text),
		oauth2.SetAuthURLParam("client_assertion_type",
			"urn:ietf:params:oauth:client-assertion-type:jwt-bearer")}
}

func TestPeer_is_strict(t *testing.T) {
	p := join(t, oidcpeer.Client{Secret: "secret"}, oidcpeer.Options{})
	b := p.Browser(t)
	if back := b.SignIn(p.config.AuthCodeURL("s1"), "ann"); back.Query().Get("error") == "" {
		t.Errorf("without PKCE: %s", back)
	}
	back := b.SignIn(p.address(), "ann")
	if back.Query().Get("iss") != p.Issuer || back.Query().Get("state") != "s1" {
		t.Errorf("came back with %s", back)
	}
	_, err := p.exchange(back, oauth2.SetAuthURLParam("code_verifier", strings.Repeat("x", 43)))
	if no := new(oauth2.RetrieveError); !errors.As(err, &no) || no.ErrorCode != "invalid_grant" {
		t.Errorf("another verifier: %v", err)
	}
	back = b.SignIn(p.address(), "ann")
	p.config.ClientSecret = "wrong"
	_, err = p.exchange(back)
	if no := new(oauth2.RetrieveError); !errors.As(err, &no) || no.ErrorCode != "invalid_client" {
		t.Errorf("a wrong secret: %v", err)
	}
	if !strings.Contains(p.Log(), "grant.error") {
		t.Errorf("the log does not say so: %s", p.Log())
	}
}

func TestPeer_tells_the_rest_at_userinfo(t *testing.T) {
	p := join(t, oidcpeer.Client{Secret: "secret"}, oidcpeer.Options{})
	token := p.token(p.Browser(t))
	if claims := p.claims(token); claims["name"] != nil || claims["sub"] != "ann" {
		t.Errorf("the ID token has %v", claims)
	}
	info, err := p.provider.UserInfo(p.ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Groups []string }
	if err := info.Claims(&claims); err != nil || len(claims.Groups) != 1 || !info.EmailVerified {
		t.Errorf("%+v %+v, %v", info, claims, err)
	}
}

func TestPeer_refresh_tokens(t *testing.T) {
	p := join(t, oidcpeer.Client{Secret: "secret"}, oidcpeer.Options{AlwaysRefresh: true})
	first := p.token(p.Browser(t))
	second, err := p.config.TokenSource(p.ctx,
		&oauth2.Token{RefreshToken: first.RefreshToken}).Token()
	if err != nil {
		t.Fatal(err)
	}
	if p.claims(second)["sub"] != "ann" {
		t.Error("a refreshed ID token of another")
	}
}

func TestPeer_signs_access_tokens_for_an_API(t *testing.T) {
	p := join(t, oidcpeer.Client{Secret: "secret"},
		oidcpeer.Options{API: "https://api.example", APIScopes: "read write"})
	p.config.Scopes = append(p.config.Scopes, "read")
	raw := p.token(p.Browser(t)).AccessToken
	verifier := p.provider.Verifier(&oidc.Config{ClientID: "https://api.example"})
	good, err := verifier.Verify(p.ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Scope string }
	if err := good.Claims(&claims); err != nil || claims.Scope != "read" || good.Subject != "ann" {
		t.Errorf("%+v of %s, %v", claims, good.Subject, err)
	}
}

func TestSignOut_leads_back_and_tells_the_app(t *testing.T) {
	tokens := make(chan string, 1)
	app := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tokens <- r.PostFormValue("logout_token")
	}))
	defer app.Close()
	_, port, _ := net.SplitHostPort(app.Listener.Addr().String())
	const after = "https://login.example.com/"
	p := join(t, oidcpeer.Client{Secret: "secret", LogoutURIs: []string{after},
		// The test server's certificate is for this name, which is in no DNS here.
		BackChannel: "https://example.com:" + port + "/backchannel"},
		oidcpeer.Options{CAFile: rootOf(t, app)})
	b := p.Browser(t)
	raw, _ := p.token(b).Extra("id_token").(string)

	var end struct {
		Address string `json:"end_session_endpoint"`
	}
	if err := p.provider.Claims(&end); err != nil {
		t.Fatal(err)
	}
	back := b.SignOut(end.Address + "?" + url.Values{"id_token_hint": {raw},
		"post_logout_redirect_uri": {after}, "state": {"s2"}}.Encode())
	if back == nil || back.String() != after+"?state=s2" {
		t.Errorf("leads to %v", back)
	}
	select {
	case text := <-tokens:
		told, err := p.provider.Verifier(&oidc.Config{ClientID: "gate"}).VerifyLogout(p.ctx, text)
		if err != nil {
			t.Fatal(err)
		}
		if told.Subject != "ann" || told.SessionID == "" {
			t.Errorf("%+v", told)
		}
	case <-time.After(oidcpeer.Patience):
		t.Fatal("nobody was told")
	}
}

func TestStop_leaves_nobody_there(t *testing.T) {
	p := oidcpeer.Start(t, oidcpeer.Options{Plain: true})
	p.Stop()
	p.Stop()
	if answer, err := http.Get(p.Issuer); err == nil {
		_ = answer.Body.Close()
		t.Error("it answers after it was stopped")
	}
}

// rootOf writes the certificate of a test server to a file.
func rootOf(t *testing.T, s *httptest.Server) string {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	file := filepath.Join(t.TempDir(), "app.pem")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
