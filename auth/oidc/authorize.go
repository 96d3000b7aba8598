package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// maxHint is how long an ID token may be to go into an address.
const maxHint = 4 << 10

// AuthURL is where the browser goes to sign in: the authorization endpoint with a
// request for a code, bound by PKCE with S256 (RFC 7636) and a nonce. It asks nobody.
func (p *Provider) AuthURL(_ context.Context, r AuthRequest) (string, error) {
	m, err := p.metadata()
	if err != nil {
		return "", err
	}
	if r.State == "" || r.Nonce == "" || len(r.Verifier) < 43 || len(r.Verifier) > 128 {
		return "", fmt.Errorf("provider %s: state, nonce and verifier are needed", p.o.Name)
	}
	challenge := sha256.Sum256([]byte(r.Verifier))
	v := url.Values{
		"client_id":             {p.o.ClientID},
		"response_type":         {"code"},
		"redirect_uri":          {r.RedirectURL},
		"scope":                 {strings.Join(p.scopes(m), " ")},
		"state":                 {r.State},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}
	if r.Prompt != "" {
		v.Set("prompt", r.Prompt)
	}
	if p.o.Type == GitHub {
		if r.LoginHint != "" {
			v.Set("login", r.LoginHint)
		}
		return with(m.authURL, v), nil
	}
	p.askOpenID(m, r, v)
	return with(m.authURL, v), nil
}

// askOpenID adds what OpenID Connect has beyond OAuth.
func (p *Provider) askOpenID(m *metadata, r AuthRequest, v url.Values) {
	v.Set("nonce", r.Nonce)
	if len(m.modes) == 0 || slices.Contains(m.modes, "query") {
		v.Set("response_mode", "query")
	}
	// Entra ID refuses a hint where the account is to be chosen.
	if r.LoginHint != "" && r.Prompt != "select_account" {
		v.Set("login_hint", r.LoginHint)
	}
	switch {
	case !r.MFA || p.o.MFAContext == "":
	case p.o.Type == Entra:
		v.Set("claims", fmt.Sprintf(`{"id_token":{"acrs":{"essential":true,"value":%q}}}`,
			p.o.MFAContext))
	default:
		v.Set("acr_values", p.o.MFAContext)
	}
}

// scopes are those to ask for.
func (p *Provider) scopes(m *metadata) []string {
	if p.o.Type == GitHub {
		if len(p.o.Scopes) > 0 {
			return p.o.Scopes
		}
		return []string{"read:user", "user:email", "read:org"}
	}
	if len(p.o.Scopes) > 0 {
		if slices.Contains(p.o.Scopes, "openid") {
			return p.o.Scopes
		}
		return append([]string{"openid"}, p.o.Scopes...)
	}
	scopes := []string{"openid", "profile", "email"}
	// Some providers refuse the scope when they do not know it.
	if p.o.Recheck > 0 && (p.o.Type == Entra || slices.Contains(m.scopes, "offline_access")) {
		scopes = append(scopes, "offline_access")
	}
	if p.o.Type == Entra {
		scopes = append(scopes, "User.Read")
	}
	return scopes
}

// LogoutURL is where the browser goes to sign out at the provider as well, and comes
// back from to the address back, which must be registered there (OpenID Connect
// RP-Initiated Logout 1.0, section 2). It is empty where there is no such place. The
// arguments are of Claims and may be empty.
func (p *Provider) LogoutURL(idToken, loginHint, back string) string {
	m := p.known.Load()
	if m == nil || m.endSessionURL == "" {
		return ""
	}
	v := url.Values{}
	if back != "" {
		v.Set("post_logout_redirect_uri", back)
	}
	if loginHint != "" {
		v.Set("logout_hint", loginHint)
	}
	if p.o.Type != Entra {
		v.Set("client_id", p.o.ClientID)
		if idToken != "" && len(idToken) <= maxHint {
			v.Set("id_token_hint", idToken)
		}
	}
	return with(m.endSessionURL, v)
}

// with adds parameters to an address that may have some.
func with(address string, v url.Values) string {
	if len(v) == 0 {
		return address
	}
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + v.Encode()
}
