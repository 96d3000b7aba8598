package config

import (
	"slices"
	"strings"
)

// minSecret is what 24 random bytes take in base64, and 16 in hex.
const minSecret = 32

// stateSecret checks what keys are made of: somebody who finds it out can write
// whatever Doorward believes to have written itself.
func (v *validator) stateSecret() {
	secret := v.cfg.State.Secret.Reveal()
	p := v.root.key("state").key("secret")
	const hint = `make one with "openssl rand -base64 32"`
	different := make(map[rune]bool)
	for _, r := range secret {
		different[r] = true
	}
	switch {
	case secret == "":
	case !v.chosen(secret, p):
	case len(secret) < minSecret:
		v.errorf(p, hint, "has fewer than %d characters", minSecret)
	case len(different) < 10:
		v.errorf(p, hint, "is not random")
	}
}

// chosen refuses secrets that stand in examples and were never replaced: they are the
// first that are tried.
func (v *validator) chosen(secret string, p place) bool {
	letters := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(secret))
	bad := slices.Contains([]string{
		"secret", "clientsecret", "password", "admin", "example", "default", "todo",
	}, letters)
	for _, word := range []string{"changeme", "changethis", "replaceme", "yourclientsecret"} {
		bad = bad || strings.Contains(letters, word)
	}
	if bad {
		v.errorf(p, "", "is a word from an example, which everybody knows")
	}
	return !bad
}
