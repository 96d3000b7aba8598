package oidc_test

import (
	"crypto/tls"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"doorward/auth/oidc"
)

func TestNewRefusesWhatCannotWork(t *testing.T) {
	read := func() (string, error) { return secret, nil }
	for name, c := range map[string]struct {
		o    oidc.Options
		says string
	}{
		"no client":     {oidc.Options{Type: oidc.OpenID, Issuer: issuer}, "client_id"},
		"no type":       {oidc.Options{ClientID: client}, "none of entra, oidc, github"},
		"another cloud": {oidc.Options{Type: oidc.Entra, Tenant: ourTenant, Cloud: "mars"}, "cloud"},
		"two proofs": {oidc.Options{Type: oidc.Entra, Tenant: ourTenant, FederatedTokenFile: "x"},
			"exclude each other"},
		"no issuer":           {oidc.Options{Type: oidc.OpenID}, "issuer"},
		"issuer without TLS":  {oidc.Options{Type: oidc.OpenID, Issuer: "http://id.example"}, "https://"},
		"issuer of a file":    {oidc.Options{Type: oidc.OpenID, Issuer: "file:///etc"}, "https://"},
		"issuer and password": {oidc.Options{Type: oidc.OpenID, Issuer: "https://a@id.example"}, "plain"},
		"issuer and fragment": {oidc.Options{Type: oidc.OpenID, Issuer: "https://id.example#x"}, "plain"},
		"Graph without TLS": {oidc.Options{Type: oidc.Entra, Tenant: ourTenant,
			GraphURL: "http://graph.example"}, "graph_url"},
		"authority without TLS": {oidc.Options{Type: oidc.Entra, Tenant: ourTenant,
			AuthorityHost: "http://login.example"}, "authority_host"},
		"GitHub without TLS": {oidc.Options{Type: oidc.GitHub, AuthorityHost: "http://git.example"},
			"authority_host"},
	} {
		c.o.Name = "peer"
		if name != "no client" {
			c.o.ClientID, c.o.Secret = client, read
		}
		_, err := oidc.New(c.o)
		if err == nil || !strings.Contains(err.Error(), c.says) ||
			!strings.Contains(err.Error(), "provider peer") {
			t.Errorf("%s: %v, want one that says %q", name, err, c.says)
		}
	}
}

func TestNewWantsProofOfTheClient(t *testing.T) {
	certificate := func() (*tls.Certificate, error) { return nil, nil }
	for _, o := range []oidc.Options{
		{Type: oidc.Entra, Tenant: ourTenant}, {Type: oidc.GitHub},
		{Type: oidc.GitHub, Certificate: certificate},
	} {
		o.Name, o.ClientID = "peer", client
		if _, err := oidc.New(o); err == nil || !strings.Contains(err.Error(), "client_secret") {
			t.Errorf("%s: %v", o.Type, err)
		}
	}
}

func TestPlainHTTPWithinThisMachineOnly(t *testing.T) {
	for issuer, good := range map[string]bool{
		"http://127.0.0.1:8080": true, "http://[::1]:8080": true, "http://localhost:8080": true,
		"http://127.0.0.1.evil.example": false, "http://10.0.0.1": false,
		"http://localhost.evil.example": false,
	} {
		_, err := oidc.New(oidc.Options{Name: "p", Type: oidc.OpenID, Issuer: issuer, ClientID: client})
		if (err == nil) != good {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}

func mustFuzz(f *testing.F) *oidc.Provider {
	f.Helper()
	p, err := oidc.New(oidc.Options{
		Name: "peer", Type: oidc.OpenID, Issuer: issuer, ClientID: client,
		HTTP: &http.Client{Transport: newPeer(nil)},
	})
	if err != nil {
		f.Fatal(err)
	}
	p.Start(f.Context())
	f.Cleanup(p.Close)
	for !p.Status().Ready && f.Context().Err() == nil {
		runtime.Gosched()
	}
	return p
}
