package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"doorward/auth/oidc"
	"doorward/internal/entratest"
)

func TestSecretGoesWhereTheProviderWantsIt(t *testing.T) {
	const odd = "s p+a&c=e%é"
	for name, c := range map[string]struct {
		methods any
		basic   bool
	}{
		"nothing is said": {nil, true},
		"basic":           {[]string{"client_secret_post", "client_secret_basic"}, true},
		"post":            {[]string{"client_secret_post"}, false},
	} {
		on(t, func(p *peer, o *oidc.Options) {
			o.Secret = func() (string, error) { return odd, nil }
			p.document["token_endpoint_auth_methods_supported"] = c.methods
		}, func(b *bench) {
			b.mustSignIn()
			user, password, ok := b.last("/token").BasicAuth()
			if ok != c.basic || ok && (user != client || password != "s+p%2Ba%26c%3De%25%C3%A9") {
				b.Errorf("%s: the field is %q, %q", name, user, password)
			}
			if got := b.lastForm().Get("client_secret"); (got == odd) == c.basic {
				b.Errorf("%s: the form holds %q", name, got)
			}
		})
	}
}

func TestSecretIsReadAtEachUse(t *testing.T) {
	d := entraID(t, func(there *entratest.Options, o *oidc.Options) {
		there.Apps[0].Secrets = []string{secret, "the-next"}
		there.Apps[0].ExpiredSecrets = []string{"the-last"}
		now := ""
		o.Secret = func() (string, error) {
			now = map[string]string{"": "the-last", "the-last": "the-next"}[now]
			return now, nil
		}
	})
	_, err := d.signIn("ann@contoso.example")
	var refused *oidc.CallbackError
	if !errors.As(err, &refused) || !strings.Contains(refused.Hint, "expired") {
		t.Errorf("an expired secret: %v", err)
	}
	d.mustSignIn("ann@contoso.example")
}

func TestSecretThatCannotBeRead(t *testing.T) {
	for _, read := range []func() (string, error){
		func() (string, error) { return "", errors.New("the file is gone") },
		func() (string, error) { return "", nil },
	} {
		on(t, func(_ *peer, o *oidc.Options) { o.Secret = read }, func(b *bench) {
			b.mustFail(oidc.ErrUnavailable, "client_secret: ")
			if b.count("/token") != 0 {
				b.Error("the provider was asked without it")
			}
		})
	}
}

func TestPublicClientShowsNothing(t *testing.T) {
	on(t, func(_ *peer, o *oidc.Options) { o.Secret = nil }, func(b *bench) {
		b.mustSignIn()
		if _, _, ok := b.last("/token").BasicAuth(); ok || b.lastForm().Has("client_secret") {
			b.Error("there is a secret")
		}
	})
}

func certificate(t *testing.T, key crypto.Signer) *tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestCertificateSignsForUs(t *testing.T) {
	shown := certificate(t, firstRSA())
	leaf, err := x509.ParseCertificate(shown.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	d := entraID(t, func(there *entratest.Options, o *oidc.Options) {
		there.Apps[0].Secrets, there.Apps[0].Certificates = nil, []*x509.Certificate{leaf}
		o.Secret = nil
		o.Certificate = func() (*tls.Certificate, error) { return shown, nil }
	})
	c := d.mustSignIn("ann@contoso.example")
	if _, err := d.Refresh(t.Context(), c.Refresh, c.Subject); err != nil {
		t.Errorf("refresh: %v", err)
	}
	shown = certificate(t, secondRSA())
	if _, err := d.signIn("ann@contoso.example"); err == nil {
		t.Error("a certificate that is not registered is taken")
	}
}

func TestAssertionSaysWhoAndForHowLong(t *testing.T) {
	for name, c := range map[string]struct {
		key  crypto.Signer
		algs any
		want jose.SignatureAlgorithm
	}{
		"RSA":            {firstRSA(), nil, jose.PS256},
		"RSA of old":     {firstRSA(), []string{"RS256"}, jose.RS256},
		"ECDSA on P-256": {firstEC(), nil, jose.ES256},
	} {
		shown := certificate(t, c.key)
		on(t, func(p *peer, o *oidc.Options) {
			p.document["token_endpoint_auth_signing_alg_values_supported"] = c.algs
			o.Secret, o.Certificate = nil, func() (*tls.Certificate, error) { return shown, nil }
		}, func(b *bench) {
			b.mustSignIn()
			form := b.lastForm()
			if got := form.Get("client_assertion_type"); !strings.HasSuffix(got, ":jwt-bearer") {
				b.Errorf("%s: the type is %q", name, got)
			}
			raw := form.Get("client_assertion")
			checkAssertion(b, raw, shown, c.want)
			b.mustSignIn()
			if b.lastForm().Get("client_assertion") == raw {
				b.Errorf("%s: the same assertion twice", name)
			}
		})
	}
}

func checkAssertion(b *bench, raw string, shown *tls.Certificate, want jose.SignatureAlgorithm) {
	b.Helper()
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{want})
	if err != nil {
		b.Fatal(err)
	}
	text, err := signed.Verify(shown.PrivateKey.(crypto.Signer).Public())
	if err != nil {
		b.Fatal(err)
	}
	if key, ok := shown.PrivateKey.(*rsa.PrivateKey); ok && want == jose.PS256 {
		checkSalt(b, &key.PublicKey, raw)
	}
	sum := sha256.Sum256(shown.Certificate[0])
	thumb := signed.Signatures[0].Protected.ExtraHeaders["x5t#S256"]
	if thumb != base64.RawURLEncoding.EncodeToString(sum[:]) {
		b.Errorf("the certificate is named %v", thumb)
	}
	var claims struct {
		Aud, Iss, Sub, Jti string
		Exp, Nbf           int64
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		b.Fatal(err)
	}
	if claims.Aud != issuer+"/token" || claims.Iss != client || claims.Sub != client ||
		claims.Jti == "" || claims.Exp-claims.Nbf > 600 || claims.Nbf > time.Now().Unix() {
		b.Errorf("the assertion says %s", text)
	}
}

// checkSalt verifies as providers do that read RFC 7518 to the letter.
func checkSalt(b *bench, public *rsa.PublicKey, raw string) {
	b.Helper()
	dot := strings.LastIndexByte(raw, '.')
	signature, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte(raw[:dot]))
	err = rsa.VerifyPSS(public, crypto.SHA256, sum[:], signature,
		&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	if err != nil {
		b.Errorf("the salt is not as long as the hash: %v", err)
	}
}

func TestFederatedTokenIsReadAtEachUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	d := entraID(t, func(there *entratest.Options, o *oidc.Options) {
		there.Apps[0].Secrets = nil
		there.Apps[0].Federated = []entratest.Federated{{
			Issuer: "https://cluster.example", Subject: "doorward",
			Audience: "api://AzureADTokenExchange", Key: firstEC().Public(),
		}}
		o.Secret, o.FederatedTokenFile = nil, path
	})
	back := d.come("ann@contoso.example")
	_, err := d.Exchange(t.Context(), back)
	checkError(t, err, oidc.ErrUnavailable, path)
	for _, content := range []string{"", strings.Repeat("x", 1<<17)} {
		write(t, path, content)
		_, err = d.Exchange(t.Context(), back)
		checkError(t, err, oidc.ErrUnavailable, "holds no token")
	}
	write(t, path, clusterToken(t, firstEC())+"\n")
	if _, err = d.Exchange(t.Context(), back); err != nil {
		t.Errorf("with a token: %v", err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// clusterToken is what a cluster gives to a service of its own.
func clusterToken(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	p := newPeer(t)
	p.keys, p.alg = []published{{id: "k", private: key}}, "ES256"
	now := time.Now().Unix()
	return p.sign(map[string]any{
		"iss": "https://cluster.example", "sub": "doorward", "aud": "api://AzureADTokenExchange",
		"iat": now, "nbf": now, "exp": now + 600,
	})
}
