// Package seal hides what leaves our hands and comes back: the state that
// travels through a browser, records in a store that others can write to. From
// one secret it derives a key for every purpose, so that what was made for one is
// worth nothing for another.
//
// The package keeps no secret anywhere and knows no meaning of any purpose. All it
// makes is text in the URL alphabet of base64 (RFC 4648, section 5), without
// padding, and each value has one spelling only.
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
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

// RootSize is the length of a root secret in bytes.
const RootSize = 32

// What can be wrong.
var (
	// ErrRoot is a root secret of another length.
	ErrRoot = errors.New("a root secret has 32 bytes")
	// ErrOpen is a text that was not sealed by this secret for this purpose and
	// these additional data. It does not say which, since nobody may find out.
	ErrOpen = errors.New("not sealed by us, or not for this")
)

// Box seals with one root secret. Its methods may be called by many goroutines.
type Box struct {
	current  *root
	previous *root // nil: none
}

// New makes a box of the current root secret and, while secrets change, the one
// before: what that one made is still good. The roots are copied. Any but the
// first previous one is too many; nil stands for none.
func New(current []byte, previous ...[]byte) (*Box, error) {
	b := new(Box)
	var err error
	if b.current, err = newRoot(current); err != nil {
		return nil, err
	}
	switch {
	case len(previous) > 1:
		return nil, fmt.Errorf("seal: %d previous secrets, at most 1", len(previous))
	case len(previous) == 1 && previous[0] != nil:
		if b.previous, err = newRoot(previous[0]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Seal encrypts plain for a purpose and authenticates it together with aad
// (XChaCha20-Poly1305 with a random nonce). Purposes are constants of the program:
// what is kept for one is never dropped.
func (b *Box) Seal(purpose string, plain, aad []byte) string {
	aead := b.current.purpose(purpose).aead
	sealed := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	_, _ = rand.Read(sealed) // never fails, by its documentation
	return base64.RawURLEncoding.EncodeToString(aead.Seal(sealed, sealed, plain, aad))
}

// Open is the opposite of Seal: for the same purpose and aad, or ErrOpen.
func (b *Box) Open(purpose, sealed string, aad []byte) ([]byte, error) {
	data, err := decode(sealed)
	if err != nil || len(data) < chacha20poly1305.NonceSizeX {
		return nil, ErrOpen
	}
	nonce, data := data[:chacha20poly1305.NonceSizeX], data[chacha20poly1305.NonceSizeX:]
	for _, root := range []*root{b.current, b.previous} {
		if root == nil {
			continue
		}
		if plain, err := root.purpose(purpose).aead.Open(nil, nonce, data, aad); err == nil {
			return plain, nil
		}
	}
	return nil, ErrOpen
}

// MAC authenticates data for a purpose (HMAC-SHA-256). Where one string ends and
// the next begins is part of it.
func (b *Box) MAC(purpose string, data ...string) string {
	return base64.RawURLEncoding.EncodeToString(b.Derive(purpose, data...))
}

// Check tells whether mac is what MAC makes of the same purpose and data. It takes
// the same time wherever they differ.
func (b *Box) Check(purpose, mac string, data ...string) bool {
	for _, root := range []*root{b.current, b.previous} {
		if root == nil {
			continue
		}
		want := base64.RawURLEncoding.EncodeToString(root.mac(purpose, data))
		if hmac.Equal([]byte(mac), []byte(want)) {
			return true
		}
	}
	return false
}

// Derive makes 32 bytes of a purpose and data that only this secret makes, and
// always makes again. It knows the current secret alone.
func (b *Box) Derive(purpose string, data ...string) []byte {
	return b.current.mac(purpose, data)
}

// decode reads base64 strictly: no padding, no line breaks, no bits left over.
func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, ErrOpen
	}
	return base64.RawURLEncoding.Strict().DecodeString(text)
}

// root is one secret with the keys made of it so far.
type root struct {
	secret []byte
	keys   sync.Map // purpose -> *keys
}

// keys are those of one purpose.
type keys struct {
	aead cipher.AEAD
	mac  []byte
}

func newRoot(secret []byte) (*root, error) {
	if len(secret) != RootSize {
		return nil, fmt.Errorf("seal: %w, not %d", ErrRoot, len(secret))
	}
	return &root{secret: append([]byte(nil), secret...)}, nil
}

// purpose returns the keys of a purpose (HKDF, RFC 5869).
func (r *root) purpose(name string) *keys {
	if made, ok := r.keys.Load(name); ok {
		return made.(*keys)
	}
	aead, err := chacha20poly1305.NewX(r.derive("seal", name))
	if err != nil {
		panic("seal: " + err.Error()) // only for keys of another length
	}
	made, _ := r.keys.LoadOrStore(name, &keys{aead: aead, mac: r.derive("mac", name)})
	return made.(*keys)
}

func (r *root) derive(use, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, r.secret, nil, "doorward "+use+" "+purpose, RootSize)
	if err != nil {
		panic("seal: " + err.Error()) // only for lengths that no key has
	}
	return key
}

func (r *root) mac(purpose string, data []string) []byte {
	hash := hmac.New(sha256.New, r.purpose(purpose).mac)
	for _, part := range data {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		_, _ = hash.Write(size[:]) // a hash never fails
		_, _ = hash.Write([]byte(part))
	}
	return hash.Sum(nil)
}
