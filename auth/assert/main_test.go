package assert_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"doorward/auth/assert"
	"doorward/auth/user"
)

// vault keeps keys in memory, as several processes would share them.
type vault struct {
	mu      sync.Mutex
	data    []byte
	version uint64
	saves   int
	err     error
	// between is called after a Load: what somebody else does meanwhile.
	between func()
}

func (v *vault) Load(context.Context) ([]byte, uint64, error) {
	v.mu.Lock()
	data, version, err, between := v.data, v.version, v.err, v.between
	v.between = nil
	v.mu.Unlock()
	if between != nil {
		between()
	}
	return data, version, err
}

func (v *vault) Save(_ context.Context, data []byte, version uint64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if version != v.version {
		return assert.ErrStale
	}
	v.data, v.version, v.saves = data, version+1, v.saves+1
	return nil
}

// clock is a time that the test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newKeys(t testing.TB, v *vault, c *clock) *assert.Keys {
	t.Helper()
	k, err := assert.NewKeys(context.Background(), assert.KeyOptions{Vault: v, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// bob is a user about whom there is something to tell.
func bob(change ...func(*user.View)) *user.View {
	u := &user.User{
		ID: "u1", Name: "bob", Title: "Bob Bauer", Email: "bob@example.com", State: user.Active,
	}
	v := user.NewView(u, []string{"staff", "users"}, []string{"Writer"}, nil)
	for _, c := range change {
		c(v)
	}
	return v
}

func template(t testing.TB, o assert.Options) *assert.Template {
	t.Helper()
	tmpl, err := assert.CompileTemplate(o)
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

// head is the fields by name. No field may come twice, and every line is one.
func head(t testing.TB, tmpl *assert.Template, v *user.View) map[string]string {
	t.Helper()
	lines, err := tmpl.Head(v)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for line := range strings.SplitAfterSeq(string(lines), "\r\n") {
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\r\n"), ": ")
		if !ok || strings.ContainsAny(value, "\r\n\x00") || !strings.HasSuffix(line, "\r\n") {
			t.Fatalf("no line of a head: %q", line)
		}
		if _, twice := fields[name]; twice {
			t.Fatalf("%s comes twice", name)
		}
		fields[name] = value
	}
	return fields
}

// jwk is a public key as RFC 7517 and 7518 write it.
type jwk struct {
	Kty, Kid, Use, Alg, Crv, X, Y, N, E string
	D                                   string
}

func published(t testing.TB, k *assert.Keys) []jwk {
	t.Helper()
	w := httptest.NewRecorder()
	k.JWKS().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	var set struct{ Keys []jwk }
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil {
		t.Fatalf("the keys: %v in %s", err, w.Body)
	}
	for _, k := range set.Keys {
		if k.D != "" || k.Use != "sig" {
			t.Fatalf("a private key, or one for anything: %+v", k)
		}
	}
	return set.Keys
}

var errToken = errors.New("no token that a server would take")

// verify does what a server does, without our code or its libraries: look for the key,
// check the signature, then the audience and the time.
func verify(keys []jwk, token, audience string, now time.Time) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errToken
	}
	var h struct{ Alg, Kid, Typ string }
	if err := json.Unmarshal(unbase64(parts[0]), &h); err != nil || h.Typ != "JWT" {
		return nil, errToken
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	good := false
	for _, k := range keys {
		if k.Kid == h.Kid && k.Alg == h.Alg {
			good = k.signed(sum[:], unbase64(parts[2]))
		}
	}
	var claims map[string]any
	if err := json.Unmarshal(unbase64(parts[1]), &claims); err != nil || !good {
		return nil, errToken
	}
	aud, one := claims["aud"].(string)
	if list, ok := claims["aud"].([]any); ok && len(list) == 1 {
		aud, one = list[0].(string)
	}
	exp, _ := claims["exp"].(float64)
	if !one || aud != audience || now.Unix() >= int64(exp) {
		return claims, errToken
	}
	return claims, nil
}

func (k jwk) signed(sum, signature []byte) bool {
	number := func(s string) *big.Int { return new(big.Int).SetBytes(unbase64(s)) }
	if k.Alg == "RS256" {
		pub := &rsa.PublicKey{N: number(k.N), E: int(number(k.E).Int64())}
		return rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum, signature) == nil
	}
	if len(signature) != 64 || k.Crv != "P-256" {
		return false
	}
	point := append(append([]byte{4}, unbase64(k.X)...), unbase64(k.Y)...)
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	return ecdsa.Verify(pub, sum, r, s)
}

func unbase64(s string) []byte {
	b, _ := base64.RawURLEncoding.DecodeString(s)
	return b
}
