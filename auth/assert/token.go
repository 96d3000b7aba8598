package assert

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"doorward/auth/user"
)

const (
	// tokenLife is how long a token is good, renewBefore how much of that is left
	// when the next one is made.
	tokenLife   = 5 * time.Minute
	renewBefore = time.Minute
)

// tokenClaims are what a token says beyond RFC 7519: what OpenID Connect Core calls
// so, and the groups.
type tokenClaims struct {
	jwt.Claims
	Name              string   `json:"name,omitempty"`
	GivenName         string   `json:"given_name,omitempty"`
	Nickname          string   `json:"nickname,omitempty"`
	PreferredUsername string   `json:"preferred_username"`
	Email             string   `json:"email,omitempty"`
	EmailVerified     bool     `json:"email_verified"`
	Groups            []string `json:"groups"`
	Roles             []string `json:"roles"`
}

// claims are those of a token about the user. The subject is the uid.
func (t *Template) claims(v *user.View, groups []string, now time.Time) *tokenClaims {
	u := v.User
	return &tokenClaims{
		Claims: jwt.Claims{
			Issuer: t.o.Issuer, Subject: uid(u), Audience: jwt.Audience{t.o.Audience},
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now),
			Expiry: jwt.NewNumericDate(now.Add(tokenLife)), ID: rand.Text(),
		},
		Name: u.Display(), GivenName: u.Display(), Nickname: u.Name,
		PreferredUsername: u.Name, Email: t.email(u),
		EmailVerified: u.EmailVerified && u.Email != "",
		Groups:        append([]string{}, groups...), Roles: append([]string{}, v.Roles...),
	}
}

// sign makes a token with the key that is in use.
func (k *Keys) sign(alg Algorithm, claims *tokenClaims, now time.Time) (string, error) {
	key := k.ring.Load().current(alg, now)
	if key == nil {
		return "", fmt.Errorf("no key for %s", alg)
	}
	token, err := jwt.Signed(key.signer).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return token, nil
}
