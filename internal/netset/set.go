// Package netset answers one question quickly: is this address in one of these
// networks? Trust lists, route matchers and access rules all ask it per
// request. Reading networks from text is left to whoever has the text.
package netset

import (
	"net/netip"
	"slices"
)

// Set is an immutable set of IP addresses built from networks. A nil *Set and
// the zero Set contain nothing. Safe for concurrent use.
type Set struct {
	// spans are sorted, and no two of them overlap or touch.
	spans []span
}

// span holds the addresses from lo to hi, both included, of one family.
type span struct{ lo, hi netip.Addr }

// New returns the set of all addresses in prefixes. Host bits are ignored, a
// network of IPv4-mapped IPv6 addresses (::ffff:10.0.0.0/104) counts as the
// IPv4 network inside, and an invalid prefix adds nothing.
func New(prefixes []netip.Prefix) *Set {
	spans := make([]span, 0, len(prefixes))
	for _, p := range prefixes {
		if p = unmap(p).Masked(); p.IsValid() {
			spans = append(spans, span{p.Addr(), last(p)})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.lo.Compare(b.lo) })
	return &Set{spans: merge(spans)}
}

// Contains reports whether a is in the set. An IPv4-mapped IPv6 address is
// looked up as the IPv4 address it carries, a zone is ignored, and the zero
// Addr is in no set.
func (s *Set) Contains(a netip.Addr) bool {
	if s == nil {
		return false
	}
	a = a.Unmap().WithZone("")
	i := s.after(a)
	return i > 0 && a.Compare(s.spans[i-1].hi) <= 0
}

// Covers reports whether every address of other is also in s. Nothing is
// covered by every set.
func (s *Set) Covers(other *Set) bool {
	if other == nil {
		return true
	}
	for _, o := range other.spans {
		if s == nil {
			return false
		}
		i := s.after(o.lo)
		if i == 0 || o.hi.Compare(s.spans[i-1].hi) > 0 {
			return false
		}
	}
	return true
}

// after returns the index of the first span that starts after a. Addresses of
// one family never fall into a span of the other, because netip sorts all of
// IPv4 before all of IPv6.
func (s *Set) after(a netip.Addr) int {
	low, high := 0, len(s.spans)
	for low < high {
		mid := int(uint(low+high) >> 1)
		if s.spans[mid].lo.Compare(a) <= 0 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// merge joins sorted spans that overlap or touch, in place.
func merge(spans []span) []span {
	out := spans[:0]
	for _, s := range spans {
		if n := len(out); n > 0 && s.lo.BitLen() == out[n-1].hi.BitLen() {
			prev := &out[n-1]
			if next := prev.hi.Next(); !next.IsValid() || s.lo.Compare(next) <= 0 {
				if prev.hi.Less(s.hi) {
					prev.hi = s.hi
				}
				continue
			}
		}
		out = append(out, s)
	}
	return out
}

func unmap(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

// last returns the highest address of p, which is masked.
func last(p netip.Prefix) netip.Addr {
	a := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(a)*8; bit++ {
		a[bit/8] |= 0x80 >> (bit % 8)
	}
	addr, _ := netip.AddrFromSlice(a)
	return addr
}
