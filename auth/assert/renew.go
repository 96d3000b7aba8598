package assert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// rsaBits is the size of RSA keys: what RFC 7518 section 3.3 asks for at least.
const rsaBits = 2048

// key is a key with what it signs.
type key struct {
	alg     Algorithm
	from    time.Time // when it begins to sign
	private crypto.Signer
	id      string
	signer  jose.Signer
}

// kept is a key in the vault.
type kept struct {
	Alg  Algorithm `json:"alg"`
	From time.Time `json:"from"`
	Key  []byte    `json:"key"` // PKCS #8
}

func readKeys(data []byte) ([]*key, error) {
	var all []kept
	if len(data) > 0 {
		if err := json.Unmarshal(data, &all); err != nil {
			return nil, fmt.Errorf("what is kept is damaged: %w", err)
		}
	}
	list := make([]*key, 0, len(all))
	for _, k := range all {
		private, err := x509.ParsePKCS8PrivateKey(k.Key)
		if err != nil {
			return nil, fmt.Errorf("what is kept is damaged: %w", err)
		}
		signer, ok := private.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("what is kept is damaged: a %T cannot sign", private)
		}
		made, err := newKey(k.Alg, signer, k.From)
		if err != nil {
			return nil, err
		}
		list = append(list, made)
	}
	return list, nil
}

func writeKeys(list []*key) ([]byte, error) {
	all := make([]kept, len(list))
	for i, k := range list {
		der, err := x509.MarshalPKCS8PrivateKey(k.private)
		if err != nil {
			return nil, err
		}
		all[i] = kept{k.alg, k.from, der}
	}
	return json.Marshal(all)
}

func generate(alg Algorithm, from time.Time) (*key, error) {
	var private crypto.Signer
	var err error
	if alg == RS256 {
		private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	} else {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return newKey(alg, private, from)
}

func newKey(alg Algorithm, private crypto.Signer, from time.Time) (*key, error) {
	public := jose.JSONWebKey{Key: private.Public()}
	sum, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("name a key: %w", err)
	}
	k := &key{alg: alg, from: from, private: private}
	k.id = base64.RawURLEncoding.EncodeToString(sum)
	k.signer, err = jose.NewSigner(
		jose.SigningKey{
			Algorithm: jose.SignatureAlgorithm(alg),
			Key:       jose.JSONWebKey{Key: private, KeyID: k.id},
		},
		new(jose.SignerOptions).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("use a key for %s: %w", alg, err)
	}
	return k, nil
}

// renewed is the list as it should be now: with a key for each algorithm that signs, and
// the next one in time; without those whose time is long over.
func renewed(list []*key, now time.Time) (next []*key, changed bool, err error) {
	for _, alg := range []Algorithm{ES256, RS256} {
		mine := ofAlgorithm(list, alg)
		from := now
		if n := len(mine); n > 0 {
			from = mine[n-1].from.Add(keyLife)
			if now.Before(from.Add(-publishTime)) {
				next = append(next, retained(mine, now)...)
				continue
			}
			if early := now.Add(publishTime); from.Before(early) {
				from = early
			}
		}
		k, err := generate(alg, from)
		if err != nil {
			return nil, false, err
		}
		next, changed = append(next, retained(append(mine, k), now)...), true
	}
	return next, changed || len(next) != len(list), nil
}

func ofAlgorithm(list []*key, alg Algorithm) (mine []*key) {
	for _, k := range list {
		if k.alg == alg {
			mine = append(mine, k)
		}
	}
	slices.SortStableFunc(mine, func(a, b *key) int { return a.from.Compare(b.from) })
	return mine
}

// retained leaves out keys that another one took over from long ago.
func retained(mine []*key, now time.Time) []*key {
	for len(mine) > 1 && now.After(mine[1].from.Add(retainTime)) {
		mine = mine[1:]
	}
	return mine
}
