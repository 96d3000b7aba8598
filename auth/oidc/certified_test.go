package oidc_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"doorward/auth/oidc"
	"doorward/internal/oidcpeer"
)

// certified is a provider of ours in front of one that nobody here wrote.
type certified struct {
	*testing.T
	*oidc.Provider
	peer *oidcpeer.Peer
}

// onCertified starts both. Change is for what is there, and may be nil.
func onCertified(t *testing.T, change func(*oidcpeer.Options, *oidc.Options)) *certified {
	t.Helper()
	there := oidcpeer.Options{
		Clients: []oidcpeer.Client{{
			ID: client, Secret: secret, RedirectURIs: []string{back},
			LogoutURIs: []string{"https://login.example/"},
		}},
		Accounts: map[string]map[string]any{"ann": {
			"name": "Ann", "preferred_username": "ann", "email": "ann@example.com",
			"email_verified": true, "groups": []string{"staff"},
		}},
		AlwaysRefresh: true,
	}
	o := oidc.Options{
		Name: "peer", Type: oidc.OpenID, ClientID: client, Log: zaptest.NewLogger(t),
		Secret: func() (string, error) { return secret, nil },
		Scopes: []string{"openid", "profile", "email", "groups"},
	}
	if change != nil {
		change(&there, &o)
	}
	c := &certified{T: t, peer: oidcpeer.Start(t, there)}
	o.Issuer, o.HTTP = c.peer.Issuer, c.peer.Client(t)
	c.Provider = mustNew(t, o)
	c.Start(t.Context())
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), oidcpeer.Patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !c.Status().Ready {
		select {
		case <-ctx.Done():
			t.Fatalf("the provider is not ready: %+v", c.Status())
		case <-tick.C:
		}
	}
	return c
}

func (c *certified) signIn(browser *oidcpeer.Browser) *oidc.Claims {
	c.Helper()
	to, err := c.AuthURL(c.Context(), request())
	if err != nil {
		c.Fatal(err)
	}
	left := browser.SignIn(to, "ann")
	claims, err := c.Exchange(c.Context(), oidc.Callback{Query: left.Query(), Nonce: nonce,
		Verifier: verifier, RedirectURL: back})
	if err != nil {
		c.Fatalf("sign-in: %v", err)
	}
	return claims
}

func TestCertifiedProvider(t *testing.T) {
	for name, change := range map[string]func(*oidcpeer.Options, *oidc.Options){
		"userinfo says it all":      nil,
		"all in the ID token":       func(p *oidcpeer.Options, _ *oidc.Options) { p.InIDToken = true },
		"without TLS on this host":  func(p *oidcpeer.Options, _ *oidc.Options) { p.Plain = true },
		"signed with ECDSA":         byECDSA,
		"a certificate of ours":     byCertificate(t),
		"a client without a secret": publicly,
	} {
		t.Run(name, func(t *testing.T) {
			c := onCertified(t, change)
			got := c.signIn(c.peer.Browser(t))
			if got.Subject != "ann" || got.Name != "ann" || got.Title != "Ann" || !got.EmailVerified ||
				!slices.Equal(got.Groups, []string{"staff"}) || got.GroupsUnknown {
				t.Errorf("claims are %+v", got)
			}
			next, err := c.Refresh(t.Context(), got.Refresh, got.Subject)
			if err != nil || next.Subject != "ann" || !slices.Equal(next.Groups, got.Groups) {
				t.Errorf("refreshed they are %+v, %v", next, err)
			}
			_, err = c.Refresh(t.Context(), "no-such-token", got.Subject)
			checkError(t, err, oidc.ErrRevoked, "invalid_grant")
		})
	}
}

func byCertificate(t *testing.T) func(*oidcpeer.Options, *oidc.Options) {
	t.Helper()
	shown := certificate(t, firstRSA())
	return func(there *oidcpeer.Options, o *oidc.Options) {
		there.Clients[0].Secret, there.Clients[0].Key = "", firstRSA().Public()
		o.Secret, o.Certificate = nil, func() (*tls.Certificate, error) { return shown, nil }
	}
}

func byECDSA(there *oidcpeer.Options, _ *oidc.Options) {
	there.Clients[0].Algorithm = "ES256"
}

func publicly(there *oidcpeer.Options, o *oidc.Options) {
	there.Clients[0].Secret, o.Secret = "", nil
}

func TestCertifiedProviderEndsSessions(t *testing.T) {
	posted := make(chan string, 1)
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		posted <- r.PostFormValue("logout_token")
	}))
	defer receiver.Close()
	roots := filepath.Join(t.TempDir(), "roots.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receiver.Certificate().Raw})
	if err := os.WriteFile(roots, text, 0o600); err != nil {
		t.Fatal(err)
	}
	c := onCertified(t, func(there *oidcpeer.Options, _ *oidc.Options) {
		there.CAFile, there.Clients[0].BackChannel = roots, receiver.URL
	})
	browser := c.peer.Browser(t)
	who := c.signIn(browser)
	left := browser.SignOut(c.LogoutURL(who.IDToken, who.LoginHint, "https://login.example/"))
	if left == nil || left.Host != "login.example" {
		t.Errorf("the browser is led to %v", left)
	}
	select {
	case raw := <-posted:
		got, err := c.LogoutToken(t.Context(), raw)
		if err != nil || got.Subject != "ann" || got.SID == "" || got.SID != who.SID {
			t.Errorf("the logout token says %+v, %v; the session was %s", got, err, who.SID)
		}
	case <-time.After(oidcpeer.Patience):
		t.Error("nobody is told of the sign-out")
	}
}

func TestCertifiedProviderOpensAPIs(t *testing.T) {
	const api = "https://api.example"
	c := onCertified(t, func(there *oidcpeer.Options, _ *oidc.Options) {
		there.API, there.APIScopes = api, "read write"
		there.InIDToken = true
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.peer.Issuer+"/token",
		strings.NewReader("grant_type=client_credentials&scope=read"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(client, secret)
	answer, err := c.peer.Client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&token); err != nil {
		t.Fatal(err)
	}
	got, err := c.Bearer(t.Context(), token.Access, []string{api})
	if err != nil || got.Subject != client || !slices.Equal(got.Scopes, []string{"read"}) {
		t.Errorf("claims are %+v, %v", got, err)
	}
	_, err = c.Bearer(t.Context(), c.signIn(c.peer.Browser(t)).IDToken, []string{client, api})
	checkError(t, err, oidc.ErrInvalid, "not an access token")
}
