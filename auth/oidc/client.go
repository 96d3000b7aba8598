package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// answer is that of a token endpoint (RFC 6749, section 5.1).
type answer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	IDToken     string `json:"id_token"`
	Refresh     string `json:"refresh_token"`
	Scope       string `json:"scope"`

	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// ask posts to the token endpoint, once: what a code or a refresh token bought must not
// be bought again. An error is ErrUnavailable or a CallbackError.
func (p *Provider) ask(ctx context.Context, m *metadata, form url.Values) (*answer, error) {
	secrets := []string{form.Get("code"), form.Get("code_verifier"), form.Get("refresh_token")}
	form.Set("client_id", p.o.ClientID)
	basic, err := p.authenticate(m, form)
	if err != nil {
		return nil, unavailable("%w", err)
	}
	secrets = append(secrets, basic, form.Get("client_secret"), form.Get("client_assertion"))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.tokenURL,
		strings.NewReader(form.Encode()))
	if err != nil {
		return nil, unavailable("token endpoint: not an address")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if basic != "" {
		r.SetBasicAuth(url.QueryEscape(p.o.ClientID), url.QueryEscape(basic))
	}
	got, err := p.web.do(r)
	if err != nil {
		return nil, err
	}
	return got.answer(r.URL, secrets)
}

// answer reads what the token endpoint said.
func (r *reply) answer(u *url.URL, secrets []string) (*answer, error) {
	var a answer
	readable := json.Unmarshal(r.body, &a) == nil
	switch {
	case r.try():
		return nil, r.failure(u)
	case readable && a.Error != "":
		refused := refusal(a.Error, a.Description, secrets...)
		if refused.Code == "temporarily_unavailable" || refused.Code == "server_error" {
			return nil, unavailable("%w", refused)
		}
		return nil, refused
	case !r.ok():
		return nil, r.failure(u)
	case !readable || a.AccessToken == "" || !strings.EqualFold(a.TokenType, "bearer"):
		return nil, invalid("the answer of the token endpoint holds no access token")
	}
	for _, t := range []string{a.AccessToken, a.Refresh, a.IDToken} {
		if len(t) > maxToken {
			return nil, invalid("a token over 64 KiB")
		}
	}
	return &a, nil
}

// authenticate adds what proves who we are. It returns the secret where that goes into
// the Authorization field (RFC 6749, section 2.3.1), and is empty elsewhere.
func (p *Provider) authenticate(m *metadata, form url.Values) (basic string, err error) {
	switch {
	case p.o.Certificate != nil:
		assertion, err := p.assertion(m)
		if err != nil {
			return "", fmt.Errorf("certificate: %w", err)
		}
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", assertion)
	case p.o.FederatedTokenFile != "":
		assertion, err := readToken(p.o.FederatedTokenFile)
		if err != nil {
			return "", fmt.Errorf("federated_token_file: %w", err)
		}
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", assertion)
	case p.o.Secret != nil:
		secret, err := p.o.Secret()
		switch {
		case err != nil:
			return "", fmt.Errorf("client_secret: %w", err)
		case secret == "":
			return "", errors.New("client_secret: it is empty")
		case p.wantsBasic(m):
			return secret, nil
		}
		form.Set("client_secret", secret)
	}
	return "", nil
}

// wantsBasic tells where the secret goes. A provider of OpenID Connect that says
// nothing means the Authorization field (Discovery 1.0, section 3). To try both would
// use up a code.
func (p *Provider) wantsBasic(m *metadata) bool {
	return p.o.Type == OpenID &&
		(len(m.clientAuth) == 0 || slices.Contains(m.clientAuth, "client_secret_basic"))
}

// readToken reads a token that others keep fresh in a file.
func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(content))
	if token == "" || len(content) > maxToken {
		return "", fmt.Errorf("%s holds no token", path)
	}
	return token, nil
}

// assertion signs that we are this client (RFC 7523, sections 2.2 and 3). The
// certificate is named by its SHA-256, as Entra ID asks.
func (p *Provider) assertion(m *metadata) (string, error) {
	certificate, err := p.o.Certificate()
	if err != nil {
		return "", err
	}
	if certificate == nil || len(certificate.Certificate) == 0 {
		return "", errors.New("there is none")
	}
	signer, err := assertionSigner(certificate, m)
	if err != nil {
		return "", err
	}
	now := p.o.Now()
	claims, err := json.Marshal(map[string]any{
		"aud": m.tokenURL, "iss": p.o.ClientID, "sub": p.o.ClientID, "jti": rand.Text(),
		"nbf": now.Unix(), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	})
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

func assertionSigner(c *tls.Certificate, m *metadata) (jose.Signer, error) {
	key, ok := c.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("its key cannot sign")
	}
	alg := jose.PS256
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		if slices.Contains(m.assertionAlgs, "RS256") && !slices.Contains(m.assertionAlgs, "PS256") {
			alg = jose.RS256
		}
	case *ecdsa.PublicKey:
		alg = map[int]jose.SignatureAlgorithm{
			256: jose.ES256, 384: jose.ES384, 521: jose.ES512,
		}[public.Curve.Params().BitSize]
	default:
		alg = jose.EdDSA
	}
	sum := sha256.Sum256(c.Certificate[0])
	options := (&jose.SignerOptions{}).WithType("JWT").
		WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(sum[:]))
	opaque := cryptosigner.Opaque(saltedSigner{key})
	return jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: opaque}, options)
}

// saltedSigner signs PS256 with a salt as long as the hash, which RFC 7518, section
// 3.5, demands and strict providers check. cryptosigner takes the longest that fits.
type saltedSigner struct{ crypto.Signer }

func (s saltedSigner) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if pss, ok := o.(*rsa.PSSOptions); ok {
		o = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: pss.Hash}
	}
	return s.Signer.Sign(r, digest, o)
}
