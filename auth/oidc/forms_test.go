package oidc_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"doorward/auth/oidc"
)

func wrongForms(t *testing.T) {
	good := func(b *bench) string { return b.sign(b.goodClaims()) }
	headed := func(header string) func(*bench) string {
		return func(b *bench) string { return encode(header) + "." + payload(good(b)) + "." }
	}
	for name, make := range map[string]func(*bench) string{
		"none":         headed(`{"alg":"none"}`),
		"None":         headed(`{"alg":"None"}`),
		"no signature": headed(`{"alg":"RS256","kid":"one"}`),
		"no algorithm": headed(`{"kid":"one"}`),
		"HS256":        hmacWithPublicKey,
		"JSON":         jsonForm,
		"nested":       func(b *bench) string { return b.sign(good(b)) },
		"JWE": func(*bench) string {
			return encode(`{"alg":"PBES2-HS256+A128KW","p2c":99999999}`) + ".a.b.c.d"
		},
		"line ends": func(b *bench) string { return strings.Replace(good(b), ".", "\n.", 1) },
		"padding":   func(b *bench) string { return strings.Replace(good(b), ".", "=.", 1) },
		"critical": func(b *bench) string {
			b.header["crit"], b.header["x"] = []string{"x"}, 1
			return good(b)
		},
		"over 64 KiB": func(b *bench) string {
			b.claims["x"] = strings.Repeat("x", 64<<10)
			return good(b)
		},
		"payload of []": func(b *bench) string { return b.sign("[]") },
		"empty":         func(*bench) string { return "" },
		"dots":          func(*bench) string { return ".." },
		"signed wrong":  func(b *bench) string { raw := good(b); return raw[:len(raw)-8] + "AAAAAAAA" },
	} {
		on(t, nil, func(b *bench) {
			b.answer["id_token"] = make(b)
			if c, err := b.signIn(); !errors.Is(err, oidc.ErrInvalid) || c != nil {
				b.Errorf("%s: %v, %v", name, c, err)
			}
		})
	}
}

func payload(raw string) string { return strings.Split(raw, ".")[1] }

// hmacWithPublicKey signs with the public key as if it were a shared secret.
func hmacWithPublicKey(b *bench) string {
	public, err := json.Marshal(jose.JSONWebKey{Key: firstRSA().Public()})
	if err != nil {
		b.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: public},
		(&jose.SignerOptions{}).WithHeader("kid", "one"))
	if err != nil {
		b.Fatal(err)
	}
	text, err := json.Marshal(b.goodClaims())
	if err != nil {
		b.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		b.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		b.Fatal(err)
	}
	return raw
}

func jsonForm(b *bench) string {
	parts := strings.Split(b.sign(b.goodClaims()), ".")
	one := fmt.Sprintf(`{"protected":%q,"signature":%q}`, parts[0], parts[2])
	return fmt.Sprintf(`{"payload":%q,"signatures":[%s,%s]}`, parts[1], one, one)
}

func clockSkew(t *testing.T) {
	for name, c := range map[string]struct {
		claim  string
		offset time.Duration
		good   bool
	}{
		"ended 50 s ago":     {"exp", -50 * time.Second, true},
		"ended 70 s ago":     {"exp", -70 * time.Second, false},
		"made in 50 s":       {"iat", 50 * time.Second, true},
		"made in 70 s":       {"iat", 70 * time.Second, false},
		"counts from in 70s": {"nbf", 70 * time.Second, false},
	} {
		on(t, nil, func(b *bench) {
			b.claims[c.claim] = time.Now().Add(c.offset).Unix()
			if _, err := b.signIn(); (err == nil) != c.good {
				b.Errorf("%s: %v", name, err)
			}
		})
	}
}

func oldClock(t *testing.T) {
	on(t, func(_ *peer, o *oidc.Options) {
		o.Now = func() time.Time { return time.Unix(1000, 0) }
	}, func(b *bench) {
		b.mustFail(oidc.ErrInvalid, "is the clock right?")
	})
}

func farEnd(t *testing.T) {
	for _, exp := range []any{1e18, "soon", nil, -1} {
		on(t, nil, func(b *bench) {
			b.claims["exp"] = exp
			b.mustFail(oidc.ErrInvalid, "")
		})
	}
}
