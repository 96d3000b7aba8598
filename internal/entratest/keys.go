package entratest

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"
)

// made are keys that all servers of a process share, since to make one takes
// longer than most tests.
var made = [...]func() *rsa.PrivateKey{
	sync.OnceValue(makeKey), sync.OnceValue(makeKey), sync.OnceValue(makeKey),
	sync.OnceValue(makeKey),
}

func makeKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // the system has no random numbers
	}
	return key
}

// key signs tokens.
type key struct {
	private   *rsa.PrivateKey
	kid, x5c  string
	consumers bool // for personal accounts alone
	published bool
}

// keyring holds keys, one of which signs for organizations.
type keyring struct {
	keys    []*key
	signing *key
	foreign *key // never published
}

func newKeyring() *keyring {
	r := &keyring{}
	r.signing = r.add(true)
	r.add(true).consumers = true
	r.foreign = &key{private: made[3](), kid: r.signing.kid}
	return r
}

func (r *keyring) add(published bool) *key {
	k := &key{published: published}
	if n := len(r.keys); n < len(made)-1 {
		k.private = made[n]()
	} else {
		k.private = makeKey()
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(r.keys) + 1)),
		Subject:      pkix.Name{CommonName: "accounts.accesscontrol.example"},
		NotBefore:    time.Unix(1700000000, 0), NotAfter: time.Unix(1900000000, 0),
	}
	der, err := x509.CreateCertificate(nil, template, template, &k.private.PublicKey, k.private)
	if err != nil {
		panic(err) // nothing in it comes from outside
	}
	thumb := sha1.Sum(der)
	k.kid = base64.RawURLEncoding.EncodeToString(thumb[:])
	k.x5c = base64.StdEncoding.EncodeToString(der)
	r.keys = append(r.keys, k)
	return k
}

// of is the key that signs for a tenant.
func (r *keyring) of(tenant string) *key {
	if tenant != ConsumersID {
		return r.signing
	}
	return r.keys[slices.IndexFunc(r.keys, func(k *key) bool { return k.consumers })]
}

// NewKey makes one, published in the key set or not, and returns its kid. It
// signs nothing before SignWith.
func (s *Server) NewKey(published bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys.add(published).kid
}

// SigningKey is the kid of the key that signs for organizations.
func (s *Server) SigningKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys.signing.kid
}

// SignWith makes a key of NewKey the one that signs, published or not.
func (s *Server) SignWith(kid string) {
	s.withKey(kid, func(k *key) { s.keys.signing = k })
}

// Publish puts a key into the key set, Withdraw takes one out.
func (s *Server) Publish(kid string) { s.withKey(kid, func(k *key) { k.published = true }) }

// Withdraw takes a key out of the key set. It goes on signing if it is the one.
func (s *Server) Withdraw(kid string) { s.withKey(kid, func(k *key) { k.published = false }) }

func (s *Server) withKey(kid string, change func(*key)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys.keys {
		if k.kid == kid {
			change(k)
		}
	}
}

// jwk is a key as Entra publishes it: with the issuer that it may sign for, a
// template where that is any organization.
func (k *key) jwk(base, tenant string) map[string]any {
	if tenant == "" {
		tenant = "{tenantid}"
	}
	if k.consumers {
		tenant = ConsumersID
	}
	return map[string]any{
		"kty": "RSA", "use": "sig", "kid": k.kid, "x5t": k.kid, "x5c": []string{k.x5c},
		"n":                   base64.RawURLEncoding.EncodeToString(k.private.N.Bytes()),
		"e":                   "AQAB",
		"issuer":              issuer(base, tenant),
		"cloud_instance_name": "microsoftonline.com",
	}
}

// sign makes a token of a header, whose alg decides how, and claims.
func (k *key) sign(header, claims map[string]any) string {
	text := encode(header) + "." + encode(claims)
	return text + "." + base64.RawURLEncoding.EncodeToString(k.signature(text, header["alg"]))
}

func (k *key) signature(text string, algorithm any) []byte {
	digest := sha256.Sum256([]byte(text))
	switch algorithm {
	case "RS256":
		signature, err := rsa.SignPKCS1v15(nil, k.private, crypto.SHA256, digest[:])
		if err != nil {
			panic(err) // the key is ours and long enough
		}
		return signature
	case "HS256":
		mac := hmac.New(sha256.New, x509.MarshalPKCS1PublicKey(&k.private.PublicKey))
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	return nil
}

func encode(part map[string]any) string {
	text, err := json.Marshal(part)
	if err != nil {
		panic(fmt.Sprintf("a claim that has no form in JSON: %v", err))
	}
	return base64.RawURLEncoding.EncodeToString(text)
}
