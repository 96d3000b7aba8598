package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/json/jsontext"
	"errors"
	"slices"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
)

const (
	maxToken = 64 << 10
	// skew is how far the provider's clock and ours may differ.
	skew = time.Minute
)

// header is that of a token. Keys in it (jwk, jku, x5u, x5c) are not even read.
type header struct {
	Alg, Kid, Typ string
}

// token is a JWT (RFC 7519) in its compact form. Until open has returned, nothing in
// it is true.
type token struct {
	raw    string
	header header
	claims fields
	// from and id are there once the token is open.
	from *authority
	id   *gooidc.IDToken
}

// parse takes a token apart.
func parse(raw string) (*token, error) {
	if len(raw) > maxToken {
		return nil, invalid("a token over 64 KiB")
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, invalid("not a signed token in compact form")
	}
	t := &token{raw: raw}
	head, err := section(parts[0])
	if err != nil {
		return nil, err
	}
	t.header = header{Alg: head.text("alg"), Kid: head.text("kid"), Typ: head.text("typ")}
	t.claims, err = section(parts[1])
	return t, err
}

// section reads a part of a token. A name that is there twice is refused: two readers
// could take different ones.
func section(encoded string) (fields, error) {
	// The decoder skips line ends, which two readers might see differently, too.
	if strings.ContainsAny(encoded, "\r\n") {
		return nil, invalid("a token with line ends")
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, invalid("a token that is not base64url")
	}
	var f fields
	if !jsontext.Value(text).IsValid() || json.Unmarshal(text, &f) != nil || f == nil {
		return nil, invalid("a token that is no JSON object, or has a name twice")
	}
	return f, nil
}

// audiences are those that the token is for.
func (t *token) audiences() []string {
	if one := t.claims.text("aud"); one != "" {
		return []string{one}
	}
	all, _ := t.claims.list("aud")
	return all
}

// is tells whether the header names this type of token (RFC 7515, section 4.1.9).
func (t *token) is(typ string) bool {
	return strings.EqualFold(strings.TrimPrefix(strings.ToLower(t.header.Typ), "application/"), typ)
}

// open verifies the signature of a token, its issuer and its times. Who it is for is
// the caller's to check.
func (p *Provider) open(ctx context.Context, m *metadata, t *token) (err error) {
	if t.from, err = p.issued(m, t); err != nil {
		return err
	}
	if err := t.from.keys.prepare(ctx, t.header); err != nil {
		return err
	}
	if t.id, err = t.from.verifier(p).Verify(ctx, t.raw); err != nil {
		return p.judged(err)
	}
	return p.timely(t)
}

// verifier checks the signature, the issuer, and that the token has not ended, by a
// clock that is a little late.
func (a *authority) verifier(p *Provider) *gooidc.IDTokenVerifier {
	algs := make([]string, len(a.keys.algs))
	for i, alg := range a.keys.algs {
		algs[i] = string(alg)
	}
	return gooidc.NewVerifier(a.issuer, a.keys, &gooidc.Config{
		SkipClientIDCheck: true, SupportedSigningAlgs: algs,
		Now: func() time.Time { return p.o.Now().Add(-skew) },
	})
}

// judged says an error of go-oidc in our words: its own repeat what stands in the
// token.
func (p *Provider) judged(err error) error {
	var expired *gooidc.TokenExpiredError
	if errors.As(err, &expired) {
		return invalid("the token ended at %s, and here it is %s: is the clock right?",
			expired.Expiry.UTC().Format(time.RFC3339), p.o.Now().UTC().Format(time.RFC3339))
	}
	return invalid("the signature or the form of the token is wrong")
}

// issued finds who has issued the token, by what it says of itself. That is proven
// when its signature is.
func (p *Provider) issued(m *metadata, t *token) (*authority, error) {
	tenant := ""
	if p.o.Type == Entra {
		tenant = t.claims.text("tid")
	}
	from := m.authorities[tenant]
	switch {
	case p.o.Type == GitHub:
		return nil, ErrUnsupported
	case from == nil && !guid.MatchString(tenant):
		return nil, invalid("the token names no tenant (tid)")
	case from == nil:
		return nil, invalid("%w: %s", ErrTenant, tenant)
	case t.claims.text("iss") != from.issuer:
		return nil, invalid("the token is issued by %q, not by %q",
			clean(t.claims.text("iss"), maxDescription), from.issuer)
	}
	return from, nil
}

// timely checks the times of a token that go-oidc does not look at, or not closely.
func (p *Provider) timely(t *token) error {
	latest := p.o.Now().Add(skew)
	for _, name := range []string{"iat", "nbf"} {
		at, ok := t.claims.time(name)
		if ok && at.After(latest) {
			return invalid("the token is of %s (%s), and here it is %s: is the clock right?",
				at.UTC().Format(time.RFC3339), name, p.o.Now().UTC().Format(time.RFC3339))
		}
	}
	if _, ok := t.claims.time("exp"); !ok {
		return invalid("the token has no end (exp)")
	}
	return nil
}

// forUs checks that an ID token is for this client and nobody else (OpenID Connect Core
// 1.0, section 3.1.3.7, 3 to 5).
func (p *Provider) forUs(t *token) error {
	audiences := t.audiences()
	azp, given := t.claims["azp"]
	switch {
	case !slices.Contains(audiences, p.o.ClientID):
		return invalid("the token is for another client (aud)")
	case len(audiences) > 1 && !given:
		return invalid("the token is for several clients, and does not say which one (azp)")
	case given && text(azp) != p.o.ClientID:
		return invalid("the token was given to another client (azp)")
	}
	return nil
}
