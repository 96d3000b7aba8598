package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	// signInTime is how long all calls of one sign-in may take together.
	signInTime = 20 * time.Second
	// maxParameter is how long each parameter of a callback may be.
	maxParameter = 16 << 10
	maxSubject   = 255
)

// Callback is what the browser came back with. The caller has checked the state.
type Callback struct {
	// Query are the parameters of the address.
	Query url.Values
	// Nonce, Verifier and RedirectURL are those of the AuthRequest.
	Nonce, Verifier, RedirectURL string
}

// grant is an answer to our asking for tokens, and what it must fit to.
type grant struct {
	*answer
	m *metadata
	// nonce and issuer are of the callback, the second where it told one. After a
	// refresh there are neither, but subject, whose tokens they must be.
	nonce, issuer, subject string
}

// again tells whether the grant is a refreshed one.
func (g *grant) again() bool { return g.subject != "" }

// Exchange makes claims of a callback: it redeems the code and verifies all that comes
// for it. A refusal of the provider is a *CallbackError; other errors are ErrInvalid,
// ErrTenant or ErrUnavailable.
func (p *Provider) Exchange(ctx context.Context, c Callback) (*Claims, error) {
	m, err := p.metadata()
	if err != nil {
		return nil, err
	}
	code, issuer, err := m.returned(c.Query)
	if err != nil {
		return nil, err
	}
	if c.Nonce == "" || c.Verifier == "" {
		return nil, invalid("a callback without the nonce or verifier of its sign-in")
	}
	ctx, cancel := context.WithTimeout(ctx, signInTime)
	defer cancel()
	a, err := p.ask(ctx, m, url.Values{
		"grant_type": {"authorization_code"}, "code": {code},
		"redirect_uri": {c.RedirectURL}, "code_verifier": {c.Verifier},
	})
	if err != nil {
		return nil, err
	}
	return p.source.claims(ctx, grant{answer: a, m: m, nonce: c.Nonce, issuer: issuer})
}

// returned takes the code out of a callback. Who answers is compared first, since all
// else may be another provider's (RFC 9207, section 2.4).
func (m *metadata) returned(q url.Values) (code, issuer string, err error) {
	for _, name := range []string{"code", "state", "iss", "error", "error_description"} {
		switch values := q[name]; {
		case len(values) > 1:
			return "", "", invalid("the parameter %s is there twice", name)
		case len(values) == 1 && len(values[0]) > maxParameter:
			return "", "", invalid("the parameter %s is over 16 KiB", name)
		}
	}
	switch issuer = q.Get("iss"); {
	case issuer != "" && !slices.Contains(m.issuers(), issuer):
		return "", "", invalid("the answer is another provider's (iss)")
	case issuer == "" && m.issParameter:
		return "", "", invalid("the answer does not say whose it is (iss)")
	}
	code = q.Get("code")
	switch refused := q.Get("error"); {
	case refused != "" && code != "":
		return "", "", invalid("both a code and an error")
	case refused != "":
		return "", "", refusal(refused, q.Get("error_description"))
	case code == "":
		return "", "", invalid("neither a code nor an error")
	}
	return code, issuer, nil
}

// Refresh asks whether an account still is what it was, with the Refresh of its last
// Claims and its Subject, and returns what it is now, with the Refresh to use next time.
// What belongs to the sign-in itself (AuthTime, MFA, SID, IDToken) may be missing there.
// An error is ErrRevoked, which ends what the account has here, or ErrUnavailable.
func (p *Provider) Refresh(ctx context.Context, refresh, subject string) (*Claims, error) {
	m, err := p.metadata()
	if err != nil {
		return nil, err
	}
	if refresh == "" || subject == "" {
		return nil, revoked(errors.New("there is no refresh token"))
	}
	ctx, cancel := context.WithTimeout(ctx, signInTime)
	defer cancel()
	a, err := p.source.renew(ctx, m, refresh)
	if err != nil {
		return nil, refreshError(err)
	}
	c, err := p.source.claims(ctx, grant{answer: a, m: m, subject: subject})
	if err != nil {
		return nil, refreshError(err)
	}
	if c.Subject != subject {
		return nil, revoked(errors.New("the tokens are another account's now"))
	}
	if c.Refresh == "" {
		c.Refresh = refresh
	}
	return c, nil
}

// renewed asks the token endpoint for new tokens.
func (p *Provider) renewed(ctx context.Context, m *metadata, refresh string) (*answer, error) {
	return p.ask(ctx, m, url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {refresh},
	})
}

// refreshError tells an account that is gone from a provider that is. What the
// provider holds against us, a secret that has ended, is no fault of the account; nor is
// a token that cannot be verified, which the caller's patience limits.
func refreshError(err error) error {
	var refused *CallbackError
	switch {
	case errors.Is(err, ErrRevoked), errors.Is(err, ErrUnavailable):
		return err
	case errors.Is(err, ErrTenant):
		return revoked(err)
	case !errors.As(err, &refused):
		return unavailable("%w", err)
	}
	switch refused.Code {
	case "invalid_grant", "interaction_required", "login_required", "consent_required",
		"access_denied", "account_selection_required", "bad_refresh_token":
		return revoked(err)
	}
	return unavailable("%w", err)
}

func revoked(err error) error { return &revokedError{err} }

// revokedError is ErrRevoked with its reason.
type revokedError struct{ reason error }

func (e *revokedError) Error() string   { return ErrRevoked.Error() + ": " + e.reason.Error() }
func (e *revokedError) Unwrap() []error { return []error{ErrRevoked, e.reason} }

// idToken verifies the ID token of a grant (OpenID Connect Core 1.0, sections 3.1.3.7
// and 12.2).
func (p *Provider) idToken(ctx context.Context, g grant) (*token, error) {
	if g.IDToken == "" {
		return nil, invalid("the answer of the token endpoint holds no ID token")
	}
	t, err := parse(g.IDToken)
	if err != nil {
		return nil, err
	}
	// Access tokens and logout tokens are signed by the same keys.
	if strings.Contains(strings.ToLower(t.header.Typ), "+jwt") {
		return nil, invalid("a token of type %q is no ID token", clean(t.header.Typ, maxCode))
	}
	if err := p.open(ctx, g.m, t); err != nil {
		return nil, err
	}
	if err := p.forUs(t); err != nil {
		return nil, err
	}
	nonce := t.claims.text("nonce")
	switch {
	case !g.again() && subtle.ConstantTimeCompare([]byte(nonce), []byte(g.nonce)) != 1:
		return nil, invalid("the ID token is of another sign-in (nonce)")
	case g.issuer != "" && g.issuer != t.from.issuer:
		return nil, invalid("the ID token is issued by another than the answer (iss)")
	case t.id.AccessTokenHash != "" && t.id.VerifyAccessToken(g.AccessToken) != nil:
		return nil, invalid("the access token is not the one the ID token came with (at_hash)")
	}
	return t, subjectOf(t.claims.text("sub"))
}

// subjectOf refuses what cannot be a key: to clean it could make it another's.
func subjectOf(sub string) error {
	if sub == "" || len(sub) > maxSubject || clean(sub, maxSubject) != sub {
		return invalid("the subject (sub) is missing, or is no identifier")
	}
	return nil
}

// common are the claims that all tokens say alike.
func (p *Provider) common(t *token) *Claims {
	c := &Claims{
		Subject: t.claims.text("sub"), Issuer: t.from.issuer, Tenant: t.from.tenant,
		SID: t.claims.text("sid"), LoginHint: t.claims.text("login_hint"),
		MFA: p.secondFactor(t.claims),
	}
	c.Expires, _ = t.claims.time("exp")
	if at, ok := t.claims.time("auth_time"); ok && !at.After(p.o.Now().Add(skew)) {
		c.AuthTime = at
	}
	var all bool
	c.Groups, all = t.claims.list(p.o.GroupsClaim)
	c.GroupsUnknown = !all
	c.Roles, _ = t.claims.list(p.o.RolesClaim)
	return c
}

// secondFactor tells whether the provider vouches for one: in words of RFC 8176, or by
// what the options name.
func (p *Provider) secondFactor(f fields) bool {
	methods, _ := f.list("amr")
	if slices.Contains(methods, "mfa") {
		return true
	}
	contexts, _ := f.list("acrs")
	return p.o.MFAContext != "" &&
		(f.text("acr") == p.o.MFAContext || slices.Contains(contexts, p.o.MFAContext))
}
