package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"doorward/auth/oidc"
)

const (
	issuer   = "https://id.example"
	client   = "the-client"
	back     = "https://login.example/source/oauth/callback/peer"
	nonce    = "the-nonce-of-this-sign-in"
	verifier = "the-verifier-of-this-sign-in-which-is-long-enough"
	code     = "the-code-of-this-sign-in"
	secret   = "the-secret-of-the-client"
)

// Keys are made once: they cost more than all the rest of a test.
var (
	firstRSA  = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })
	secondRSA = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })
	shortRSA  = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(1024) })
	firstEC   = sync.OnceValue(func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	})
)

func newRSA(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// published is a key of the peer as it stands in its set.
type published struct {
	id, use, alg string
	private      crypto.Signer
	more         map[string]any
}

// peer is a provider of OpenID Connect without a network: a client's transport. A test
// changes its fields before the sign-in that they are to spoil.
type peer struct {
	t  *testing.T
	mu sync.Mutex
	// document, claims, header and answer are changed on their way out.
	document, claims, header, answer map[string]any
	keys                             []published
	signing                          int    // index in keys
	alg                              string // that of the signature, RS256 when empty
	idToken                          string // instead of one that is signed
	pages                            map[string]http.HandlerFunc
	down                             bool
	seen                             []*http.Request
	forms                            []url.Values
}

func newPeer(t *testing.T) *peer {
	return &peer{
		t: t, document: map[string]any{}, claims: map[string]any{}, header: map[string]any{},
		answer: map[string]any{}, pages: map[string]http.HandlerFunc{},
		keys: []published{{id: "one", use: "sig", private: firstRSA()}},
	}
}

// RoundTrip answers a request, whatever its host.
func (p *peer) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var form url.Values
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		form, _ = url.ParseQuery(string(body)) // some bodies are JSON
		r.Body = io.NopCloser(strings.NewReader(string(body)))
	}
	p.seen, p.forms = append(p.seen, r), append(p.forms, form)
	if p.down {
		return nil, errors.New("connection refused")
	}
	w := httptest.NewRecorder()
	if p.serve(w, r); r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	answer := w.Result()
	answer.Request = r
	return answer, nil
}

func (p *peer) serve(w http.ResponseWriter, r *http.Request) {
	if page := p.pages[r.URL.Path]; page != nil {
		page(w, r)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		writeJSON(w, merged(map[string]any{
			"issuer": issuer, "authorization_endpoint": issuer + "/authorize",
			"token_endpoint": issuer + "/token", "jwks_uri": issuer + "/keys",
		}, p.document))
	case "/keys":
		writeJSON(w, p.keySet())
	case "/token":
		raw := p.idToken
		if raw == "" {
			raw = p.sign(p.goodClaims())
		}
		writeJSON(w, merged(map[string]any{
			"access_token": "the-access-token", "token_type": "Bearer", "expires_in": 3600,
			"refresh_token": "the-refresh-token", "id_token": raw,
		}, p.answer))
	default:
		http.NotFound(w, r)
	}
}

func (p *peer) keySet() map[string]any {
	keys := []any{}
	for _, k := range p.keys {
		text, err := json.Marshal(jose.JSONWebKey{
			Key: k.private.Public(), KeyID: k.id, Use: k.use, Algorithm: k.alg,
		})
		if err != nil {
			p.t.Error(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(text, &fields); err != nil {
			p.t.Error(err)
		}
		keys = append(keys, merged(fields, k.more))
	}
	return map[string]any{"keys": keys}
}

// goodClaims are those of an ID token, with what the test changes. Nil takes one away.
func (p *peer) goodClaims() map[string]any {
	now := time.Now().Unix()
	return merged(map[string]any{
		"iss": issuer, "aud": client, "sub": "subject-1", "iat": now, "exp": now + 3600,
		"nonce": nonce, "preferred_username": "ada", "name": "Ada Lovelace",
		"email": "ada@example.com", "email_verified": true, "groups": []string{"staff"},
	}, p.claims)
}

// sign makes a token of claims, or of any text.
func (p *peer) sign(claims any) string {
	payload, ok := claims.(string)
	if !ok {
		text, err := json.Marshal(claims)
		if err != nil {
			p.t.Error(err)
		}
		payload = string(text)
	}
	key := p.keys[p.signing]
	alg := jose.RS256
	if p.alg != "" {
		alg = jose.SignatureAlgorithm(p.alg)
	}
	options := (&jose.SignerOptions{}).WithHeader("kid", key.id)
	for name, value := range p.header {
		if value == nil {
			delete(options.ExtraHeaders, jose.HeaderKey(name))
			continue
		}
		options = options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key.private}, options)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		p.t.Error(err)
		return ""
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		p.t.Error(err)
	}
	return raw
}

// count is how often a path was asked for.
func (p *peer) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, r := range p.seen {
		if r.URL.Path == path {
			n++
		}
	}
	return n
}

// lastForm is what was last posted to the token endpoint.
func (p *peer) lastForm() url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.seen) - 1; i >= 0; i-- {
		if strings.HasSuffix(p.seen[i].URL.Path, "token") {
			return p.forms[i]
		}
	}
	return nil
}

// last is the last request for a path.
func (p *peer) last(path string) *http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.seen) - 1; i >= 0; i-- {
		if p.seen[i].URL.Path == path {
			return p.seen[i]
		}
	}
	p.t.Fatalf("%s was not asked for", path)
	return nil
}

func (p *peer) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *peer) page(path string, h http.HandlerFunc) {
	p.set(func() { p.pages[path] = h })
}

func merged(base, changes map[string]any) map[string]any {
	all := maps.Clone(base)
	for name, value := range changes {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

func answering(v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, v) }
}

func refusing(status int, v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		writeJSON(w, v)
	}
}

// bench is a provider of ours in front of a peer, in a bubble of its own time.
type bench struct {
	*testing.T
	*peer
	*oidc.Provider
	logs *observer.ObservedLogs
}

// on runs a test against a peer. Change, which may be nil, is for the options.
func on(t *testing.T, change func(*peer, *oidc.Options), test func(*bench)) {
	t.Helper()
	firstRSA() // outside of the bubble, whose time would stand still
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, peer: newPeer(t)}
		core, logs := observer.New(zapcore.DebugLevel)
		b.logs = logs
		o := oidc.Options{
			Name: "peer", Type: oidc.OpenID, Issuer: issuer, ClientID: client,
			Secret: func() (string, error) { return secret, nil },
			HTTP:   &http.Client{Transport: b.peer}, Log: zap.New(core),
		}
		if change != nil {
			change(b.peer, &o)
		}
		b.Provider = mustNew(t, o)
		b.Start(t.Context())
		defer b.Close()
		synctest.Wait()
		test(b)
	})
}

func mustNew(t *testing.T, o oidc.Options) *oidc.Provider {
	t.Helper()
	p, err := oidc.New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return p
}

func callback(pairs ...string) oidc.Callback {
	q := url.Values{"code": {code}, "state": {"the-state-of-this-sign-in"}}
	for i := 0; i < len(pairs); i += 2 {
		q.Add(pairs[i], pairs[i+1])
	}
	return oidc.Callback{Query: q, Nonce: nonce, Verifier: verifier, RedirectURL: back}
}

func (b *bench) signIn() (*oidc.Claims, error) { return b.Exchange(b.Context(), callback()) }

func (b *bench) mustSignIn() *oidc.Claims {
	b.Helper()
	c, err := b.signIn()
	if err != nil {
		b.Fatalf("Exchange: %v", err)
	}
	return c
}

// mustFail signs in, which must fail with an error of this kind that says this.
func (b *bench) mustFail(kind error, says string) {
	b.Helper()
	c, err := b.signIn()
	checkError(b.T, err, kind, says)
	if c != nil {
		b.Errorf("Exchange returned claims of %s along with an error", c.Subject)
	}
}

func checkError(t *testing.T, err, kind error, says string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), says) {
		t.Errorf("the error is %v, want one that is %v and says %q", err, kind, says)
	}
}
