package directory

import (
	"crypto/sha256"
	"encoding/base64"
	"hash/crc32"
)

// The form of a token's secret. The check sum tells a slip from a token that is no
// more, and lets those who search for leaked secrets be sure.
const (
	secretPrefix = "dw_"
	tokenBytes   = 32
	tokenChars   = 43
	sumChars     = 6
	secretLength = len(secretPrefix) + tokenChars + sumChars
)

// tokenHash is the SHA-256 of a secret. A hash made for passwords would be slow to
// no end: nobody tries 256 bits.
type tokenHash [sha256.Size]byte

func hashOf(secret []byte) tokenHash { return sha256.Sum256(secret) }

// text is the hash as it stands in keys.
func (h tokenHash) text() string { return base64.RawURLEncoding.EncodeToString(h[:]) }

func parseHash(text string) (h tokenHash, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != len(h) {
		return h, false
	}
	return tokenHash(raw), true
}

func writeSecret(raw [tokenBytes]byte) string {
	secret := make([]byte, 0, secretLength)
	secret = append(secret, secretPrefix...)
	secret = base64.RawURLEncoding.AppendEncode(secret, raw[:])
	sum := checkSum(secret[len(secretPrefix):])
	return string(append(secret, sum[:]...))
}

func checkSum(chars []byte) (text [sumChars]byte) {
	crc := crc32.ChecksumIEEE(chars)
	raw := [4]byte{byte(crc >> 24), byte(crc >> 16), byte(crc >> 8), byte(crc)}
	base64.RawURLEncoding.Encode(text[:], raw[:])
	return text
}

// wellFormed tells whether it could be the secret of a token.
func wellFormed(secret []byte) bool {
	if len(secret) != secretLength || string(secret[:len(secretPrefix)]) != secretPrefix {
		return false
	}
	chars := secret[len(secretPrefix) : len(secretPrefix)+tokenChars]
	sum := checkSum(chars)
	return string(sum[:]) == string(secret[len(secretPrefix)+tokenChars:])
}
