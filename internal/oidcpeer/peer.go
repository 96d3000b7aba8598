// Package oidcpeer runs oidc-provider, a certified OpenID Connect provider that
// nobody here wrote, so that signing in is tested against somebody else's reading
// of the standards.
//
//	peer := oidcpeer.Start(t, oidcpeer.Options{
//		Clients:  []oidcpeer.Client{{ID: "gate", Secret: "secret",
//			RedirectURIs: []string{callback}}},
//		Accounts: map[string]map[string]any{"ann": {"name": "Ann"}},
//	})
//	provider, err := oidc.NewProvider(ctx, peer.Issuer)
//	...
//	back := peer.Browser(t).SignIn(config.AuthCodeURL(state), "ann")
//
// It is a Node program in testdata, whose modules scripts/tools installs. It
// demands PKCE of everybody, shows its own forms, ends sessions when an app asks
// (RP-initiated logout) and tells the other apps (back-channel logout).
//
// It is for tests: nothing that ships imports it.
package oidcpeer

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Patience is how long anything may take that must happen. It is generous, since
// it is only spent by tests that fail.
const Patience = 30 * time.Second

// Options says what is there. The zero value is a provider with TLS that knows
// nobody.
type Options struct {
	// Plain is a provider without TLS.
	Plain bool
	// Clients are the apps.
	Clients []Client
	// Accounts are the claims of people by their sub, which is their login too;
	// any password will do. Scopes give them out: profile has name and
	// preferred_username, email has email and email_verified, groups has groups
	// and roles.
	Accounts map[string]map[string]any
	// InIDToken puts them into the ID token; else only sub is there and the rest is
	// asked for at the userinfo endpoint.
	InIDToken bool
	// AlwaysRefresh gives refresh tokens without the scope offline_access. With it
	// alone they come only to who asks for consent too (OpenID Connect Core, 11).
	AlwaysRefresh bool
	// API makes access tokens JWTs for this audience, an absolute URI, with
	// APIScopes, separated by spaces. Empty: they are opaque, for userinfo.
	API, APIScopes string
	// CAFile holds the roots, in PEM, of those it tells of a logout.
	CAFile string
}

// Client is an app.
type Client struct {
	// ID is its name on the wire.
	ID string
	// Secret is shown in the header, or in the form with InForm. Key verifies
	// assertions instead (private_key_jwt). Without both the app is public.
	Secret string
	InForm bool
	Key    crypto.PublicKey
	// RedirectURIs, and LogoutURIs to go to after signing out.
	RedirectURIs, LogoutURIs []string
	// BackChannel is told when a session ends; empty: not.
	BackChannel string
	// Algorithm signs its ID tokens, RS256 or ES256; empty: RS256.
	Algorithm string
}

// Peer is a running provider.
type Peer struct {
	// Issuer is where it is, and its name.
	Issuer string
	// CAFile is its root in PEM; empty without TLS.
	CAFile string

	process *process
	roots   *x509.CertPool
}

// Start starts one that ends with the test. What it wrote is shown if the test
// fails.
func Start(t testing.TB, o Options) *Peer {
	t.Helper()
	p := &Peer{roots: x509.NewCertPool()}
	settings := map[string]any{
		"clients": o.clients(), "accounts": o.Accounts, "claimsInIDToken": o.InIDToken,
		"alwaysRefresh": o.AlwaysRefresh, "api": o.API, "apiScopes": o.APIScopes,
		"cookieKey": rand.Text(),
	}
	if o.Accounts == nil {
		settings["accounts"] = map[string]any{}
	}
	if !o.Plain {
		settings["tls"] = p.certify(t)
	}
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "peer.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	p.process, p.Issuer = listening(t, folder(t), file, o.CAFile)
	return p
}

// folder is where the program lies, looked for from the folder of the test, which
// go test runs in, up to the module's.
func folder(t testing.TB) string {
	t.Helper()
	at, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for !exists(filepath.Join(at, "go.mod")) {
		if at == filepath.Dir(at) {
			t.Fatal("the test does not run in the repository")
		}
		at = filepath.Dir(at)
	}
	path := filepath.Join(at, "internal", "oidcpeer", "testdata")
	if !exists(filepath.Join(path, "node_modules", "oidc-provider")) {
		t.Fatalf("no node_modules in %s: scripts/tools installs them", path)
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Stop ends the provider at once; what it knew is lost. A second Stop does
// nothing.
func (p *Peer) Stop() { p.process.stop() }

// Log is what it wrote so far.
func (p *Peer) Log() string { return p.process.out.String() }

// Client trusts the provider. It keeps no cookies and ends with the test.
func (p *Peer) Client(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: Patience}
}

// clients are the apps in the words of OpenID Connect Dynamic Registration.
func (o Options) clients() []map[string]any {
	clients := []map[string]any{}
	for _, c := range o.Clients {
		m := map[string]any{
			"client_id": c.ID, "redirect_uris": c.RedirectURIs,
			"response_types": []string{"code"},
			"grant_types":    []string{"authorization_code", "refresh_token"},
		}
		c.authenticate(m)
		if c.LogoutURIs != nil {
			m["post_logout_redirect_uris"] = c.LogoutURIs
		}
		if c.BackChannel != "" {
			m["backchannel_logout_uri"] = c.BackChannel
			m["backchannel_logout_session_required"] = true
		}
		if c.Algorithm != "" {
			m["id_token_signed_response_alg"] = c.Algorithm
		}
		clients = append(clients, m)
	}
	return clients
}

// authenticate says how the app shows that it is the one.
func (c Client) authenticate(m map[string]any) {
	switch {
	case c.Key != nil:
		m["token_endpoint_auth_method"] = "private_key_jwt"
		m["jwks"] = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: c.Key, Use: "sig"}}}
	case c.Secret == "":
		m["token_endpoint_auth_method"] = "none"
		return
	case c.InForm:
		m["token_endpoint_auth_method"] = "client_secret_post"
		m["client_secret"] = c.Secret
	default:
		m["client_secret"] = c.Secret
	}
	m["grant_types"] = append(m["grant_types"].([]string), "client_credentials")
}
