package portal_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"sync"
	"time"

	"doorward/auth/oidc"
	"doorward/auth/portal"
)

// provider is one that is not real: it signs in whoever the test says, and holds us
// to nonce, verifier and redirect address.
type provider struct {
	name string

	mu     sync.Mutex
	asked  map[string]oidc.AuthRequest // by state
	codes  map[string]*oidc.Claims
	err    error // of whatever is asked
	tokens map[string]oidc.LogoutToken
	// refreshed is what Refresh answers, refreshes what it was asked.
	refreshed *oidc.Claims
	refreshes []string
	down      string
	// meanwhile, if there is one, happens once while it is asked.
	meanwhile func()
}

func newProvider(name string) *provider {
	return &provider{
		name: name, asked: map[string]oidc.AuthRequest{}, codes: map[string]*oidc.Claims{},
		tokens: map[string]oidc.LogoutToken{},
	}
}

func (p *provider) options() portal.Provider {
	return portal.Provider{
		Name: p.name, Title: "Provider " + p.name, Type: "entra", Client: p, Channel: p,
		Onboarding: portal.Auto, Origin: "https://" + p.name + ".example",
		Recheck: time.Hour, RecheckGrace: 4 * time.Hour,
		Status: func() oidc.Status { return oidc.Status{Ready: p.down == "", Error: p.down} },
	}
}

func (p *provider) AuthURL(_ context.Context, r oidc.AuthRequest) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return "", p.err
	}
	p.asked[r.State] = r
	return "https://" + p.name + ".example/authorize?" +
		url.Values{"state": {r.State}, "prompt": {r.Prompt}}.Encode(), nil
}

func (p *provider) Exchange(_ context.Context, c oidc.Callback) (*oidc.Claims, error) {
	p.wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if code := c.Query.Get("error"); code != "" {
		return nil, &oidc.CallbackError{Code: code, Description: c.Query.Get("error_description")}
	}
	asked, claims := p.asked[c.Query.Get("state")], p.codes[c.Query.Get("code")]
	delete(p.codes, c.Query.Get("code"))
	switch {
	case p.err != nil:
		return nil, p.err
	case claims == nil:
		return nil, &oidc.CallbackError{Code: "invalid_grant"}
	case asked.Nonce != c.Nonce || asked.Verifier != c.Verifier ||
		asked.RedirectURL != c.RedirectURL:
		return nil, errors.Join(oidc.ErrInvalid, errors.New("another nonce or verifier"))
	}
	return claims, nil
}

func (p *provider) Refresh(_ context.Context, refresh, _ string) (*oidc.Claims, error) {
	p.mu.Lock()
	p.refreshes = append(p.refreshes, refresh)
	claims, err := p.refreshed, p.err
	p.mu.Unlock()
	p.wait()
	return claims, err
}

func (p *provider) wait() {
	if happens := p.meanwhile; happens != nil {
		p.meanwhile = nil
		happens()
	}
}

// answers says what Refresh answers from now on.
func (p *provider) answers(c *oidc.Claims, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refreshed, p.err = c, err
}

// askedAgain is what Refresh was asked with, so far.
func (p *provider) askedAgain() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.refreshes)
}

func (p *provider) LogoutURL(idToken, hint, back string) string {
	return "https://" + p.name + ".example/logout?" + url.Values{
		"id_token_hint": {idToken}, "logout_hint": {hint}, "post_logout_redirect_uri": {back},
	}.Encode()
}

func (p *provider) LogoutToken(_ context.Context, raw string) (oidc.LogoutToken, error) {
	token, ok := p.tokens[raw]
	if !ok {
		return token, oidc.ErrInvalid
	}
	return token, nil
}

// bob is somebody whom the provider knows.
func bob() *oidc.Claims {
	return &oidc.Claims{
		Subject: "tenant/bob", Name: "Bob@Example.com", Title: "Bob", Email: "bob@example.com",
		Groups: []string{"g2", "g1"}, Roles: []string{"r1"}, SID: "sid-of-bob",
		LoginHint: "hint-of-bob", Refresh: "refresh-of-bob", IDToken: "id-token-of-bob",
	}
}

// away sends the browser to the provider and returns the callback that it comes back
// with, for somebody whom the provider knows.
func (p *provider) away(b *browser, start string, who *oidc.Claims) string {
	b.h.Helper()
	a := b.get(start)
	if a.status == 200 {
		a = b.goOn(a)
	}
	return p.back(b, a.location, who)
}

// back is the callback for a browser that was sent to the address.
func (p *provider) back(b *browser, address string, who *oidc.Claims) string {
	b.h.Helper()
	u := must(url.Parse(address))(b.h.T)
	state := u.Query().Get("state")
	if u.Host != p.name+".example" || state == "" {
		b.h.Fatalf("not sent to %s but to %q", p.name, address)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	code := "code-" + state[:20]
	p.codes[code] = who
	redirect := must(url.Parse(p.asked[state].RedirectURL))(b.h.T)
	return redirect.Path + "?" + url.Values{"code": {code}, "state": {state}}.Encode()
}

// with begins a sign-in at the provider.
func (p *provider) with() string { return "/sign_in/with/" + p.name }

// signIn signs somebody in, and returns the browser.
func (p *provider) signIn(b *browser, who *oidc.Claims) *browser {
	b.h.Helper()
	b.get(p.away(b, p.with(), who)).want(b.h, 303, home)
	return b
}
