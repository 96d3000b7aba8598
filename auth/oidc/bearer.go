package oidc

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// logoutLasts is how old a logout token may be, so that the mark of one that was seen
// need not be kept for long.
const logoutLasts = 10 * time.Minute

// Bearer verifies an access token that a program sends, which must be a JWT for one of
// the audiences (RFC 9068). Groups beyond what fits into it are unknown. An error is
// ErrInvalid, ErrTenant, ErrUnavailable or ErrUnsupported.
func (p *Provider) Bearer(ctx context.Context, raw string, audiences []string) (*Claims, error) {
	if p.o.Type == GitHub {
		return nil, ErrUnsupported
	}
	m, err := p.metadata()
	if err != nil {
		return nil, err
	}
	t, err := parse(raw)
	if err != nil {
		return nil, err
	}
	// Before the signature: it is cheap, and most wrong tokens are of the wrong kind.
	if !t.opensAPIs() {
		return nil, invalid("not an access token")
	}
	meant := func(audience string) bool { return slices.Contains(audiences, audience) }
	if !slices.ContainsFunc(t.audiences(), meant) {
		return nil, invalid("the token is for another audience (aud)")
	}
	if err := p.open(ctx, m, t); err != nil {
		return nil, err
	}
	if err := subjectOf(t.claims.text("sub")); err != nil {
		return nil, err
	}
	c, err := p.bearerClaims(t)
	if err != nil {
		return nil, err
	}
	c.Scopes = append(t.claims.words("scp"), t.claims.words("scope")...)
	if many, _ := t.claims.list("scp"); len(c.Scopes) == 0 {
		c.Scopes = many
	}
	return c, nil
}

func (p *Provider) bearerClaims(t *token) (*Claims, error) {
	if e, ok := p.source.(*entra); ok {
		return e.account(t)
	}
	c := p.common(t)
	(&openID{p}).describe(c, t.claims)
	return c, nil
}

// opensAPIs tells access tokens from ID tokens, which are signed by the same keys, may
// have the same audience, and lie in places where access tokens would not be put. Where
// the type in the header does not say it, what only one of them has does.
func (t *token) opensAPIs() bool {
	if t.is("at+jwt") {
		return true
	}
	if t.header.Typ != "" && !t.is("jwt") {
		return false
	}
	for _, name := range []string{"nonce", "at_hash", "c_hash", "s_hash", "events"} {
		if t.claims[name] != nil {
			return false
		}
	}
	// Keycloak says it in the payload.
	if typ := t.claims.text("typ"); typ != "" && !strings.EqualFold(typ, "bearer") {
		return false
	}
	for _, name := range []string{"scp", "scope", "client_id", "azpacr", "appidacr"} {
		if t.claims[name] != nil {
			return true
		}
	}
	return false
}

// LogoutToken verifies a token that the provider posts when a session has ended there
// (OpenID Connect Back-Channel Logout 1.0, section 2.6). That its ID has not been seen
// before is the caller's to check.
func (p *Provider) LogoutToken(ctx context.Context, raw string) (LogoutToken, error) {
	if p.o.Type == GitHub {
		return LogoutToken{}, ErrUnsupported
	}
	m, err := p.metadata()
	if err != nil {
		return LogoutToken{}, err
	}
	t, err := parse(raw)
	if err != nil {
		return LogoutToken{}, err
	}
	if t.header.Typ != "" && !t.is("logout+jwt") && !t.is("jwt") {
		return LogoutToken{}, invalid("not a logout token")
	}
	if err := p.openLogout(ctx, m, t); err != nil {
		return LogoutToken{}, err
	}
	out := LogoutToken{
		Subject: t.claims.text("sub"), SID: t.claims.text("sid"), ID: t.claims.text("jti"),
	}
	if object := t.claims.text("oid"); p.o.Type == Entra {
		out.Subject = ""
		if guid.MatchString(object) {
			out.Subject = t.from.tenant + "/" + object
		}
	}
	at, _ := t.claims.time("iat")
	end, _ := t.claims.time("exp")
	if latest := at.Add(logoutLasts); end.After(latest) {
		end = latest
	}
	out.Expires = end.Add(skew)
	if out.Subject == "" && out.SID == "" || len(out.ID) > maxValue {
		return LogoutToken{}, invalid("the logout token does not say whose session ended")
	}
	return out, nil
}

// openLogout is open for logout tokens.
func (p *Provider) openLogout(ctx context.Context, m *metadata, t *token) (err error) {
	if t.from, err = p.issued(m, t); err != nil {
		return err
	}
	if err := t.from.keys.prepare(ctx, t.header); err != nil {
		return err
	}
	if _, err := t.from.verifier(p).VerifyLogout(ctx, t.raw); err != nil {
		return p.judged(err)
	}
	if err := p.timely(t); err != nil {
		return err
	}
	at, ok := t.claims.time("iat")
	if !ok || p.o.Now().Sub(at) > logoutLasts {
		return invalid("the logout token is too old, or does not say how old it is (iat)")
	}
	var events map[string]map[string]any
	if json.Unmarshal(t.claims["events"], &events) != nil {
		return invalid("the events of the logout token are no objects")
	}
	return p.forUs(t)
}
