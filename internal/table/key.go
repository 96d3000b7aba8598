package table

import (
	"crypto/sha256"
	"encoding/hex"
	"hash/maphash"
	"net/netip"
	"strconv"
	"strings"
)

const (
	// keyBytes is how long a key may be to be kept as it is.
	keyBytes = 31
	// prefixBytes is how much of a longer one is kept, before its digest.
	prefixBytes = keyBytes - digestBytes
	digestBytes = 16
	// digested stands for the length of a longer one.
	digested = 0xff
)

// Key is a byte string in a room of fixed size. Up to 31 bytes are kept as they
// are. Of a longer string the first 15 bytes are kept, to be shown, and the
// first 128 bits of its SHA-256, to tell it from others. The zero Key is the
// empty string.
type Key struct {
	bytes [keyBytes]byte
	size  uint8
}

// KeyOf is the key of a byte string.
func KeyOf(b []byte) Key {
	var k Key
	if len(b) <= keyBytes {
		k.size = uint8(copy(k.bytes[:], b))
		return k
	}
	digest := sha256.Sum256(b)
	copy(k.bytes[:], b[:prefixBytes])
	copy(k.bytes[prefixBytes:], digest[:])
	k.size = digested
	return k
}

// Network returns the network of that many bits which an address is in, and the
// address itself as a network when it is IPv4. IPv4 in IPv6 counts as IPv4, and
// zones are ignored. It is the form in which clients are counted and told apart:
// whoever has a line at home has 2^64 addresses of IPv6.
func Network(a netip.Addr, bits6 int) netip.Prefix {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return netip.PrefixFrom(a, a.BitLen())
	}
	p, _ := a.Prefix(bits6)
	return p
}

// IsZero tells whether k is the empty string.
func (k Key) IsZero() bool { return k.size == 0 }

// Append appends the byte string, which is cut after 15 bytes when it was longer
// than 31.
func (k Key) Append(dst []byte) []byte {
	if k.size == digested {
		return append(dst, k.bytes[:prefixBytes]...)
	}
	return append(dst, k.bytes[:k.size]...)
}

// ellipsis stands in the text of a long key between its beginning and its digest.
const ellipsis = "…"

// String shows the key to people: as it is if every character can be printed,
// otherwise quoted as in Go; a long one as its first 15 bytes, "…" and the digest
// in hexadecimal.
func (k Key) String() string {
	text := string(k.Append(nil))
	if k.size == digested {
		text += ellipsis + hex.EncodeToString(k.bytes[prefixBytes:])
	}
	quoted := strconv.Quote(text)
	if quoted[1:len(quoted)-1] == text {
		return text
	}
	return quoted
}

// ParseKey reads what String has written.
func ParseKey(text string) Key {
	if plain, err := strconv.Unquote(text); err == nil && text[0] == '"' {
		text = plain
	}
	// No text of a long key is short enough to be that of a short one.
	digest, isLong := strings.CutPrefix(text[min(prefixBytes, len(text)):], ellipsis)
	if isLong && len(digest) == 2*digestBytes {
		if b, err := hex.DecodeString(digest); err == nil {
			k := Key{size: digested}
			copy(k.bytes[:], text[:prefixBytes])
			copy(k.bytes[prefixBytes:], b)
			return k
		}
	}
	return KeyOf([]byte(text))
}

func hash(seed maphash.Seed, k *Key) uint64 {
	return maphash.Bytes(seed, k.bytes[:min(k.size, keyBytes)])
}
