package tls

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// index finds certificates by name; its cost does not grow with their number.
type index struct {
	exact    map[string]*choice
	wildcard map[string]*choice // by what follows "*."
	first    *choice            // for clients without a known name; may be nil
}

// choice holds the certificates of one name, at most one for each kind of key,
// the cheapest to sign with first.
type choice struct{ list []*certificate }

// newIndex builds the index over certificates. Of two for the same name and kind
// of key the one valid now, then the one valid longer, is taken; warn is told.
func newIndex(found []*certificate, now time.Time, warn func(file, text string)) index {
	x := index{exact: map[string]*choice{}, wildcard: map[string]*choice{}}
	doubles := map[[2]*certificate][]string{}
	for _, c := range found {
		for _, name := range c.names {
			if better, worse := x.at(name).add(c, now); worse != nil {
				pair := [2]*certificate{better, worse}
				doubles[pair] = append(doubles[pair], name)
			}
		}
	}
	for _, pair := range slices.SortedFunc(maps.Keys(doubles), bySource) {
		warn(pair[1].source, fmt.Sprintf("%s also in %s, which is valid longer and is used",
			shorten(doubles[pair]), pair[0].source))
	}
	if len(found) > 0 {
		x.first = &choice{list: found[:1]}
		if len(found[0].names) > 0 {
			x.first = x.at(found[0].names[0])
		}
	}
	return x
}

func bySource(a, b [2]*certificate) int {
	return strings.Compare(a[1].source+"\x00"+a[0].source, b[1].source+"\x00"+b[0].source)
}

func shorten(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%s and %d more names", names[0], len(names)-1)
}

// at returns the choice for a name as it stands in a certificate, a new one if
// need be.
func (x *index) at(name string) *choice {
	where := x.exact
	if parent, ok := strings.CutPrefix(name, "*."); ok {
		where, name = x.wildcard, parent
	}
	if where[name] == nil {
		where[name] = &choice{}
	}
	return where[name]
}

// find returns the choice for a canonical name: the exact name, else a wildcard
// for its first label (RFC 9525, section 6.3), else nil.
func (x *index) find(name string) *choice {
	if c := x.exact[name]; c != nil {
		return c
	}
	if label, parent, ok := strings.Cut(name, "."); ok && label != "" {
		return x.wildcard[parent]
	}
	return nil
}

// add puts c among the certificates. When one with the same kind of key is
// there, only the better stays, and both are returned.
func (s *choice) add(c *certificate, now time.Time) (better, worse *certificate) {
	for i, other := range s.list {
		if keyRank(other) != keyRank(c) {
			continue
		}
		if other.leaf().Equal(c.leaf()) {
			return nil, nil
		}
		if better, worse = c, other; !outlives(c, other, now) {
			better, worse = other, c
		}
		s.list[i] = better
		return better, worse
	}
	s.list = append(s.list, c)
	slices.SortStableFunc(s.list, func(a, b *certificate) int {
		return keyRank(a) - keyRank(b)
	})
	return nil, nil
}

func keyRank(c *certificate) int {
	switch c.leaf().PublicKey.(type) {
	case *ecdsa.PublicKey:
		return 0
	case ed25519.PublicKey:
		return 1
	}
	return 2
}

// outlives reports whether a is the better of two certificates for a name.
func outlives(a, b *certificate, now time.Time) bool {
	started := func(c *certificate) bool { return !now.Before(c.leaf().NotBefore) }
	if started(a) != started(b) {
		return started(a)
	}
	return a.leaf().NotAfter.After(b.leaf().NotAfter)
}

// pick takes the first certificate that the client can use; when there is none,
// the last, the most widely understood, and the handshake says why it fails.
func (s *choice) pick(hello *tls.ClientHelloInfo) *tls.Certificate {
	last := len(s.list) - 1
	for _, c := range s.list[:last] {
		if hello.SupportsCertificate(&c.pair) == nil {
			return &c.pair
		}
	}
	return &s.list[last].pair
}

// canonical returns a host name as it is compared: ASCII letters in lower case,
// one trailing dot removed. Other letters are left alone: mapping them would
// make different names equal.
func canonical(name string) string {
	name = strings.TrimSuffix(name, ".")
	for i := range len(name) {
		if 'A' <= name[i] && name[i] <= 'Z' {
			return lower(name)
		}
	}
	return name
}

func lower(name string) string {
	b := []byte(name)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
