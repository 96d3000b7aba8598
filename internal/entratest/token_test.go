package entratest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"doorward/internal/entratest"
)

func TestToken_code_is_good_once_and_for_its_asker(t *testing.T) {
	p := join(t, func(o *entratest.Options) {
		o.Apps = append(o.Apps, entratest.App{ClientID: "other", Secrets: []string{"secret"},
			RedirectURIs: []string{callback}})
	})
	code := func() *url.URL { return p.Browser(t).SignIn(p.address(), ann) }
	for name, c := range map[string]struct {
		number int
		change func(*party)
		more   oauth2.AuthCodeOption
	}{
		"verifier":     {501481, nil, set("code_verifier", strings.Repeat("x", 43))},
		"redirect":     {500112, nil, set("redirect_uri", "https://other.example/")},
		"another app":  {700005, func(p *party) { p.config.ClientID = "other" }, nil},
		"ten minutes":  {70008, func(p *party) { p.Advance(11 * time.Minute) }, nil},
		"revoked":      {50173, func(p *party) { p.Revoke(t, ann) }, nil},
		"unknown code": {9002313, nil, set("code", "unknown")},
		"no verifier":  {501481, nil, set("code_verifier", "")},
	} {
		back, changed := code(), *p
		if c.change != nil {
			c.change(&changed)
		}
		more := []oauth2.AuthCodeOption{oauth2.VerifierOption(verifier)}
		if c.more != nil {
			more = append(more, c.more)
		}
		_, err := changed.config.Exchange(p.ctx, back.Query().Get("code"), more...)
		t.Log(name) // shown with what fails
		p.refused(err, "invalid_grant", c.number)
	}
	back := code()
	if _, err := p.exchange(back); err != nil {
		t.Fatal(err)
	}
	_, err := p.exchange(back)
	p.refused(err, "invalid_grant", 54005)
}

func TestToken_authenticates_by_secret(t *testing.T) {
	p := join(t, app(func(a *entratest.App) {
		a.Secrets = append(a.Secrets, "new+ %secret")
		a.ExpiredSecrets = []string{"old"}
	}))
	for _, c := range []struct {
		secret string
		style  oauth2.AuthStyle
		number int
	}{
		{"secret", oauth2.AuthStyleInParams, 0},
		{"new+ %secret", oauth2.AuthStyleInParams, 0},
		{"new+ %secret", oauth2.AuthStyleInHeader, 0},
		{"wrong", oauth2.AuthStyleInParams, 7000215},
		{"wrong", oauth2.AuthStyleInHeader, 7000215},
		{"old", oauth2.AuthStyleInParams, 7000222},
		{"", oauth2.AuthStyleInParams, 7000218},
	} {
		p.config.ClientSecret, p.config.Endpoint.AuthStyle = c.secret, c.style
		_, err := p.exchange(p.Browser(t).SignIn(p.address(), ann))
		if c.number != 0 {
			p.refused(err, "invalid_client", c.number)
		} else if err != nil {
			t.Errorf("%q: %v", c.secret, err)
		}
	}
	if r := p.Requests(entratest.TokenPart); r[len(r)-1].Status != 401 {
		t.Errorf("status %d, want 401", r[len(r)-1].Status)
	}
}

func TestToken_counts_no_parameters_of_the_address(t *testing.T) {
	p := join(t)
	back := p.Browser(t).SignIn(p.address(), ann)
	v := url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")},
		"client_id": {"gate"}, "client_secret": {"secret"}, "redirect_uri": {callback}}
	answer, err := p.Client(t).Post(p.config.Endpoint.TokenURL+"?"+v.Encode(),
		"application/x-www-form-urlencoded", strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != 400 {
		t.Errorf("%s, want 400", answer.Status)
	}
}

// signer makes assertions with a key under a certificate.
type signer struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		Subject: pkix.Name{CommonName: "gate"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{certificate, key}
}

func sign(t *testing.T, algorithm jose.SignatureAlgorithm, key crypto.Signer, thumb string,
	claims map[string]any) string {
	t.Helper()
	o := (&jose.SignerOptions{}).WithType("JWT")
	if thumb != "" {
		o = o.WithHeader("x5t#S256", thumb)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (s *signer) thumb() string {
	h := sha256.Sum256(s.certificate.Raw)
	return base64.RawURLEncoding.EncodeToString(h[:])
}

// withAssertion redeems a fresh code with an assertion for a secret.
func (p *party) withAssertion(assertion string) error {
	p.t.Helper()
	p.config.ClientSecret = ""
	_, err := p.exchange(p.Browser(p.t).SignIn(p.address(), ann),
		set("client_assertion", assertion), set("client_assertion_type",
			"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"))
	return err
}

func TestToken_authenticates_by_certificate(t *testing.T) {
	own, other := newSigner(t), newSigner(t)
	p := join(t, app(func(a *entratest.App) {
		a.Certificates = []*x509.Certificate{own.certificate}
	}))
	assertion := func(by *signer, thumb string, changes map[string]any) string {
		now := p.Now()
		claims := map[string]any{"iss": "gate", "sub": "gate", "jti": rand.Text(),
			"aud": p.config.Endpoint.TokenURL, "nbf": now.Unix(),
			"exp": now.Add(5 * time.Minute).Unix()}
		for name, value := range changes {
			claims[name] = value
		}
		return sign(t, jose.PS256, by.key, thumb, claims)
	}
	good := assertion(own, own.thumb(), nil)
	if err := p.withAssertion(good); err != nil {
		t.Fatal(err)
	}
	p.refused(p.withAssertion(good), "invalid_client", 700027) // its jti is used up
	for _, c := range []struct {
		number    int
		assertion string
	}{
		{700027, assertion(other, own.thumb(), nil)},
		{700027, assertion(other, other.thumb(), nil)},
		{700027, assertion(own, "", nil)},
		{700023, assertion(own, own.thumb(), map[string]any{"aud": "https://other.example"})},
		{700021, assertion(own, own.thumb(), map[string]any{"sub": "other"})},
		{700024, assertion(own, own.thumb(), map[string]any{"exp": p.Now().Unix() - 1})},
		{700024, assertion(own, own.thumb(), map[string]any{"exp": p.Now().Unix() + 3600})},
		{700024, assertion(own, own.thumb(), map[string]any{"exp": nil})},
		{700027, assertion(own, own.thumb(), map[string]any{"jti": ""})},
		{50027, "no.token.atall"},
	} {
		p.refused(p.withAssertion(c.assertion), "invalid_client", c.number)
	}
}

func TestToken_authenticates_by_a_token_of_another_issuer(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := join(t, app(func(a *entratest.App) {
		a.Federated = []entratest.Federated{{Issuer: "https://cluster.example", Key: key.Public(),
			Subject: "system:serviceaccount:edge:gate", Audience: "api://AzureADTokenExchange"}}
	}))
	token := func(subject string, life time.Duration) string {
		return sign(t, jose.ES256, key, "", map[string]any{"iss": "https://cluster.example",
			"sub": subject, "aud": []string{"api://AzureADTokenExchange"},
			"exp": p.Now().Add(life).Unix()})
	}
	good := token("system:serviceaccount:edge:gate", time.Hour)
	for range 2 { // a file's token is used until it is renewed
		if err := p.withAssertion(good); err != nil {
			t.Fatal(err)
		}
	}
	p.refused(p.withAssertion(token("system:serviceaccount:edge:other", time.Hour)),
		"invalid_client", 700213)
	p.refused(p.withAssertion(token("system:serviceaccount:edge:gate", -time.Hour)),
		"invalid_client", 700024)
}

func TestToken_answer(t *testing.T) {
	p := join(t)
	token := p.token(ann)
	if token.RefreshToken != "" {
		t.Error("a refresh token without offline_access")
	}
	if life := token.ExpiresIn; life < 3600 || life > 5400 {
		t.Errorf("expires_in %d", life)
	}
	asked := strings.Join(p.config.Scopes, " ")
	scope := token.Extra("scope").(string)
	if scope == asked || !slices.Contains(strings.Fields(scope), "User.Read") {
		t.Errorf("scope %q, asked for %q", scope, asked)
	}
	if strings.Count(token.AccessToken, ".") != 0 {
		t.Error("the access token is not opaque")
	}
}

// renew asks with a refresh token.
func (p *party) renew(refresh string) (*oauth2.Token, error) {
	return p.config.TokenSource(p.ctx, &oauth2.Token{RefreshToken: refresh}).Token()
}

func TestToken_refresh_rotates_and_leaves_the_old_one_good(t *testing.T) {
	p := join(t)
	p.config.Scopes = append(p.config.Scopes, "offline_access")
	first := p.token(ann)
	if strings.Contains(first.Extra("scope").(string), "offline_access") {
		t.Error("offline_access is in the scope that was granted")
	}
	second, err := p.renew(first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken == first.RefreshToken || second.RefreshToken == "" {
		t.Errorf("the second refresh token is %q", second.RefreshToken)
	}
	p.ChangeUser(t, ann, func(u *entratest.User) { u.Groups = []string{"g3"} })
	third, err := p.renew(first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	claims := p.claims(third)
	if got := claims["groups"].([]any); len(got) != 1 || got[0] != "g3" {
		t.Errorf("groups %v after they changed", got)
	}
	if claims["nonce"] != nil {
		t.Errorf("nonce %v", claims["nonce"])
	}
}

func TestToken_refresh_ends(t *testing.T) {
	p := join(t)
	p.config.Scopes = append(p.config.Scopes, "offline_access")
	before := p.User(t, ann)
	for number, change := range map[int]func(){
		50173:  func() { p.Revoke(t, ann) },
		50057:  func() { p.ChangeUser(t, ann, func(u *entratest.User) { u.Disabled = true }) },
		50105:  func() { p.ChangeUser(t, ann, func(u *entratest.User) { u.NotAssigned = true }) },
		50076:  func() { p.ChangeUser(t, ann, func(u *entratest.User) { u.MFA = true }) },
		700082: func() { p.Advance(91 * 24 * time.Hour) },
	} {
		token := p.token(ann)
		change()
		_, err := p.renew(token.RefreshToken)
		p.refused(err, "invalid_grant", number)
		p.ChangeUser(t, ann, func(u *entratest.User) { *u = before })
	}
}

func TestToken_for_the_app_itself(t *testing.T) {
	p := join(t)
	for scope, good := range map[string]bool{
		"https://graph.microsoft.com/.default": true, "User.Read": false,
	} {
		v := url.Values{"grant_type": {"client_credentials"}, "client_id": {"gate"},
			"client_secret": {"secret"}, "scope": {scope}}
		answer, err := p.Client(t).PostForm(p.config.Endpoint.TokenURL, v)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if (answer.StatusCode == 200) != good {
			t.Errorf("%s: %s", scope, answer.Status)
		}
	}
}
