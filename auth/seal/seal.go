// Package seal keeps what others carry for us from being read, changed or made up:
// sealed texts, proofs and keys, all derived from one root secret.
//
// Every use has a purpose of its own, with keys of its own: what was sealed for one
// cannot be opened for another. The package stores nothing and knows no time.
package seal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// RootSize is the smallest root secret, in bytes.
const RootSize = 32

// ErrSealed is a text that we did not seal for that purpose and data.
var ErrSealed = errors.New("not sealed by us")

// Box seals and proves. It may be used by many goroutines.
type Box struct {
	roots [][]byte
}

// New makes a Box that seals with the root secret, and opens what it and previous
// ones have sealed, so that a new secret ends nothing.
func New(root []byte, previous ...[]byte) (*Box, error) {
	b := &Box{roots: append([][]byte{root}, previous...)}
	for _, r := range b.roots {
		if len(r) < RootSize {
			return nil, fmt.Errorf("a secret of %d bytes, at least %d are needed", len(r), RootSize)
		}
	}
	return b, nil
}

// encoding is base64url in the one spelling that we write.
func encoding() *base64.Encoding { return base64.RawURLEncoding.Strict() }

// Seal encrypts plain, and ties it to the purpose and to aad, which both have to be
// given again to open it (XChaCha20-Poly1305). The text is base64url.
func (b *Box) Seal(purpose string, plain, aad []byte) string {
	aead := sealer(b.roots[0], purpose)
	sealed := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	_, _ = rand.Read(sealed) // never fails, by its documentation
	return encoding().EncodeToString(aead.Seal(sealed, sealed, plain, aad))
}

// Open is the reverse of Seal. Whatever is wrong, the error is ErrSealed.
func (b *Box) Open(purpose, sealed string, aad []byte) ([]byte, error) {
	data, err := decode(sealed)
	if err != nil {
		return nil, ErrSealed
	}
	for _, root := range b.roots {
		aead := sealer(root, purpose)
		if len(data) < aead.NonceSize() {
			break
		}
		nonce, text := data[:aead.NonceSize()], data[aead.NonceSize():]
		if plain, err := aead.Open(nil, nonce, text, aad); err == nil {
			return plain, nil
		}
	}
	return nil, ErrSealed
}

// decode takes the one spelling that we write: the library reads over ends of lines.
func decode(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, ErrSealed
	}
	return encoding().DecodeString(s)
}

func sealer(root []byte, purpose string) cipher.AEAD {
	aead, err := chacha20poly1305.NewX(key(root, "seal", purpose))
	if err != nil {
		panic(err) // the key has the right length, or the library another one
	}
	return aead
}

// MAC proves that we wrote this data for this purpose (HMAC-SHA-256, base64url). The
// pieces cannot be taken for others that join to the same text.
func (b *Box) MAC(purpose string, data ...string) string {
	return encoding().EncodeToString(mac(b.roots[0], "mac", purpose, data))
}

// Check tells whether MAC, with this or a previous root, made the proof for this
// data.
func (b *Box) Check(purpose, proof string, data ...string) bool {
	given, err := decode(proof)
	if err != nil {
		return false
	}
	good := false
	for _, root := range b.roots {
		good = hmac.Equal(given, mac(root, "mac", purpose, data)) || good
	}
	return good
}

// Derive returns 32 bytes that are the same for the same purpose and data, and tell
// nothing to those who know neither the root nor these bytes.
func (b *Box) Derive(purpose string, data ...string) []byte {
	return mac(b.roots[0], "derive", purpose, data)
}

func mac(root []byte, use, purpose string, data []string) []byte {
	h := hmac.New(sha256.New, key(root, use, purpose))
	var n [8]byte
	for _, d := range data {
		binary.BigEndian.PutUint64(n[:], uint64(len(d)))
		h.Write(n[:])
		h.Write([]byte(d))
	}
	return h.Sum(nil)
}

// key is the key for one use and purpose (RFC 5869).
func key(root []byte, use, purpose string) []byte {
	k, err := hkdf.Key(sha256.New, root, nil, "doorward "+use+" "+purpose, chacha20poly1305.KeySize)
	if err != nil {
		panic(err) // only a length that SHA-256 cannot give
	}
	return k
}
