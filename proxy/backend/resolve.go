package backend

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// lookupEvery is the time between lookups of a name, give or take a tenth.
	lookupEvery = 30 * time.Second
	// lookupRetry is the same while the name has no address.
	lookupRetry = 5 * time.Second
	// lookupGap is the least time between two lookups, however many connections
	// go wrong.
	lookupGap = time.Second
	// lookupLimit bounds one lookup.
	lookupLimit = 10 * time.Second
	// maxAddresses is how many addresses of one name are used.
	maxAddresses = 32
)

// addresses are where a server is to be found; only good changes.
type addresses struct {
	list []netip.AddrPort
	// good is the index of the address that worked last.
	good atomic.Int32
	// found tells that they come from a lookup.
	found bool
	// err says why there are none.
	err error
}

// has tells whether the address at an index of other is among these.
func (a *addresses) has(other *addresses, at int) bool {
	return at < len(other.list) && slices.Contains(a.list, other.list[at])
}

// lookUp asks the resolver and puts what it says in force. What is known stays
// when the answer is an error or leads to where no server may be.
func (s *Server) lookUp() {
	ctx, cancel := context.WithTimeout(s.life, lookupLimit)
	defer cancel()
	list, err := s.find(ctx, s.address.host, s.address.port)
	old := s.addresses.Load()
	s.complain(err)
	switch {
	case err != nil:
		if old == nil || old.err != nil {
			s.move(&addresses{err: err})
		}
	case old == nil || !sameSet(old.list, list):
		s.log.Info("server name has addresses", zap.Stringers("addresses", list))
		s.move(&addresses{list: list, found: true})
	}
}

// find asks the resolver where a name leads to.
func (s *Server) find(ctx context.Context, host string, port uint16) ([]netip.AddrPort, error) {
	var resolver Resolver = net.DefaultResolver
	if s.resolver != nil {
		resolver = s.resolver
	}
	found, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	return allowed(found, host, port)
}

// complain logs trouble with lookups when it begins or changes.
func (s *Server) complain(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != s.trouble && err != nil && s.life.Err() == nil {
		s.log.Warn("server name cannot be resolved", zap.Error(err))
	}
	s.trouble = text
}

// move puts addresses in force and closes idle connections to others.
func (s *Server) move(to *addresses) {
	if s.addresses.Swap(to) == nil {
		close(s.resolved)
	}
	s.pool.drop(func(c *Conn) bool { return !to.has(c.address, c.at) })
}

// allowed filters what a name may stand for.
func allowed(found []netip.Addr, host string, port uint16) ([]netip.AddrPort, error) {
	var list []netip.AddrPort
	var refused error
	for _, ip := range found {
		ip = ip.Unmap()
		if forbidden(ip) {
			refused = fmt.Errorf("%s leads to %v, which only an address in the URL may do",
				host, ip)
			continue
		}
		to := netip.AddrPortFrom(ip, port)
		if len(list) < maxAddresses && !slices.Contains(list, to) {
			list = append(list, to)
		}
	}
	switch {
	case len(list) > 0:
		return list, nil
	case refused != nil:
		return nil, refused
	}
	return nil, errors.New(host + " has no address")
}

// forbidden tells whether a name may not lead to ip: link-local addresses, where
// clouds keep the credentials of a machine, and what is no single machine
// (BE-13). The translations of IPv4 addresses that a NAT64 gateway would undo
// count as the addresses they stand for (RFC 6052).
func forbidden(ip netip.Addr) bool {
	if nat64 := netip.MustParsePrefix("64:ff9b::/96"); nat64.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	return ip.IsUnspecified() || ip.IsLinkLocalUnicast() || ip.IsMulticast() ||
		ip.Is4() && (ip.As4()[0] == 0 || ip.As4()[0] >= 240)
}

func sameSet(a, b []netip.AddrPort) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		if !slices.Contains(b, x) {
			return false
		}
	}
	return true
}

// lookUpSoon asks for a lookup out of turn; it never waits.
func (s *Server) lookUpSoon() {
	if !s.address.named() {
		return
	}
	select {
	case s.soon <- struct{}{}:
	default:
	}
}

// untilLookup is the time to the next regular lookup.
func (s *Server) untilLookup() time.Duration {
	every := lookupEvery
	if known := s.addresses.Load(); known == nil || known.err != nil {
		every = lookupRetry
	}
	return every*9/10 + rand.N(every/5)
}
