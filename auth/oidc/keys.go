package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"

	"doorward/internal/safe"
)

// The limits of a key set.
const (
	maxKeys = 50
	minRSA  = 2048
	// keysLast is how long keys count when the provider cannot be asked again.
	keysLast = 24 * time.Hour
	// askEvery is how often a token with an unknown key makes us ask: anybody can send
	// such tokens, in any number.
	askEvery = time.Minute
)

// keySet holds the keys that an issuer signs with. Its VerifySignature makes it a
// KeySet of go-oidc, whose own would ask the provider again for each unknown key.
type keySet struct {
	p           *Provider
	url, issuer string
	algs        []jose.SignatureAlgorithm

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time
	asked   time.Time
	flight  *flight
}

// flight is a fetch that others may wait for. Err is there when done is closed.
type flight struct {
	done chan struct{}
	err  error
}

func newKeySet(p *Provider, address, issuer string, algs []string) *keySet {
	k := &keySet{p: p, url: address, issuer: issuer}
	for _, alg := range algs {
		k.algs = append(k.algs, jose.SignatureAlgorithm(alg))
	}
	return k
}

// inherit takes over the keys of an older set of the same issuer.
func (k *keySet) inherit(old *keySet) {
	if old.url != k.url || old.issuer != k.issuer {
		return
	}
	old.mu.Lock()
	defer old.mu.Unlock()
	k.keys, k.fetched, k.asked = old.keys, old.fetched, old.asked
}

func (k *keySet) usable() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.current()) > 0
}

// current are the keys that count now. The caller holds the lock.
func (k *keySet) current() []jose.JSONWebKey {
	if k.p.o.Now().Sub(k.fetched) > keysLast {
		return nil
	}
	return k.keys
}

// load fetches the keys.
func (k *keySet) load(ctx context.Context) error {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := k.p.web.get(ctx, k.url, "", &raw); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if len(raw.Keys) > maxKeys {
		return unavailable("keys: more than %d of them", maxKeys)
	}
	keys := make([]jose.JSONWebKey, 0, len(raw.Keys))
	for _, each := range raw.Keys {
		if parsed, ok := k.parse(each); ok {
			keys = append(keys, parsed)
		}
	}
	if len(keys) == 0 {
		return unavailable("keys: none of them can sign")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys, k.fetched = keys, k.p.o.Now()
	return nil
}

// parse reads one key. One that is of no use here is left out, as RFC 7517, section 5,
// asks: for encryption, symmetric, private, too short. So is one of another issuer:
// Entra ID publishes keys of several in one set.
func (k *keySet) parse(raw json.RawMessage) (key jose.JSONWebKey, ok bool) {
	var more struct {
		Issuer string `json:"issuer"`
	}
	if key.UnmarshalJSON(raw) != nil || json.Unmarshal(raw, &more) != nil {
		return key, false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() < minRSA {
			return key, false
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return key, false
	}
	if more.Issuer != "" && k.p.o.Type == Entra &&
		strings.ReplaceAll(more.Issuer, "{tenantid}", k.tenant()) != k.issuer {
		return key, false
	}
	return key, key.Use == "" || key.Use == "sig"
}

// tenant is that of an issuer of Entra ID, https://HOST/TENANT/v2.0.
func (k *keySet) tenant() string {
	rest, _ := strings.CutSuffix(k.issuer, "/v2.0")
	return rest[strings.LastIndexByte(rest, '/')+1:]
}

// fitting are the keys that a token with this header may be signed with. Without a
// key id it must be clear which one is meant (OpenID Connect Core 1.0, section 10.1).
func (k *keySet) fitting(h header) []jose.JSONWebKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	var fit []jose.JSONWebKey
	for _, each := range k.current() {
		if signs(&each, h.Alg) && (h.Kid == "" || each.KeyID == h.Kid) {
			fit = append(fit, each)
		}
	}
	if h.Kid == "" && len(fit) > 1 {
		return nil
	}
	return fit
}

// signs tells whether the key is of the kind that the algorithm takes.
func signs(k *jose.JSONWebKey, alg string) bool {
	if k.Algorithm != "" && k.Algorithm != alg {
		return false
	}
	switch k.Key.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")
	case *ecdsa.PublicKey:
		return strings.HasPrefix(alg, "ES")
	default:
		return alg == "EdDSA"
	}
}

// prepare sees to it that the key of a token is there, and asks the provider again
// when it is not, seldom enough.
func (k *keySet) prepare(ctx context.Context, h header) error {
	if !slices.Contains(k.algs, jose.SignatureAlgorithm(h.Alg)) {
		return invalid("a token may not be signed with %q", clean(h.Alg, maxCode))
	}
	if len(k.fitting(h)) > 0 {
		return nil
	}
	if err := k.ask(ctx); err != nil {
		return err
	}
	if len(k.fitting(h)) > 0 {
		return nil
	}
	if !k.usable() {
		return unavailable("the keys of %s are not known", k.issuer)
	}
	return invalid("a token is signed with a key that %s does not publish", k.issuer)
}

// ask fetches the keys, at most once per askEvery, for all who want them meanwhile.
func (k *keySet) ask(ctx context.Context) error {
	k.mu.Lock()
	running := k.flight
	if running == nil {
		if now := k.p.o.Now(); now.Sub(k.asked) < askEvery {
			k.mu.Unlock()
			return nil
		}
		running = k.takeOff(ctx)
	}
	k.mu.Unlock()
	select {
	case <-ctx.Done():
		return unavailable("keys: %w", ctx.Err())
	case <-running.done:
		return running.err
	}
}

// takeOff begins a fetch, which goes on when the caller goes away. The lock is held.
func (k *keySet) takeOff(ctx context.Context) *flight {
	f := &flight{done: make(chan struct{}), err: errors.New("keys could not be read")}
	k.flight, k.asked = f, k.p.o.Now()
	safe.Go(k.p.o.Log, "keys of "+k.issuer, func() {
		defer close(f.done)
		defer k.land()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
		defer cancel()
		f.err = k.load(ctx)
		k.p.o.Log.Info("keys of the provider asked for again", zap.Error(f.err))
	})
	return f
}

func (k *keySet) land() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flight = nil
}

// VerifySignature checks the signature of a token with the keys at hand and returns
// its payload. Header and claims are for the caller to judge.
func (k *keySet) VerifySignature(_ context.Context, raw string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(raw, k.algs)
	if err != nil {
		return nil, errors.New("not a signed token")
	}
	h := signed.Signatures[0].Header
	for _, each := range k.fitting(header{Alg: h.Algorithm, Kid: h.KeyID}) {
		if payload, err := signed.Verify(each.Key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("the signature is wrong")
}
