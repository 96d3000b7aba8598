package config

import (
	"net/netip"
	"reflect"
	"strings"
)

// Networks is a list of networks, addresses, and names of [networks.NAME] sets.
type Networks struct {
	// Entries are as written; nil when the key was not given, which is not the
	// same as an empty list: that one holds nobody.
	Entries []string
	// Prefixes are the networks that Entries stand for, IPv4 ones as IPv4.
	Prefixes []netip.Prefix
}

// Given says whether the key was in the file. A list that is given and empty
// holds nobody.
func (n Networks) Given() bool { return n.Entries != nil }

func (n *Networks) decode(d *decoder, p place) bool {
	return d.list(reflect.ValueOf(&n.Entries).Elem(), "", p)
}

// networkSets checks [networks] and resolves the sets. Sets do not hold sets:
// what a name stands for is seen in one place.
func (v *validator) networkSets() {
	at := v.root.key("networks")
	for _, name := range sortedKeys(v.cfg.Networks) {
		p := at.key(name)
		if !isName(name) || isNetwork(name) {
			v.errorf(p, "letters, digits, - and _", "cannot be the name of a set")
		}
		if !p.key("addresses").given {
			v.missingf(p, "", `needs addresses = ["10.0.0.0/8"]`)
			continue
		}
		p = p.key("addresses")
		set := v.cfg.Networks[name]
		for i, entry := range set.Addresses.Entries {
			if _, isSet := v.cfg.Networks[entry]; isSet && !isNetwork(entry) {
				v.errorf(p.item(i), "", "%s is a set; a set holds only networks and addresses",
					p.item(i).shown())
			} else if prefix, ok := v.prefix(entry, p.item(i)); ok {
				set.Addresses.Prefixes = append(set.Addresses.Prefixes, prefix)
			}
		}
		v.cfg.Networks[name] = set
		v.nobody(set.Addresses, p)
	}
}

// networks resolves a list outside of [networks].
func (v *validator) networks(n *Networks, p place) {
	for i, entry := range n.Entries {
		if set, ok := v.cfg.Networks[entry]; ok && !isNetwork(entry) {
			n.Prefixes = append(n.Prefixes, set.Addresses.Prefixes...)
		} else if prefix, ok := v.prefix(entry, p.item(i)); ok {
			n.Prefixes = append(n.Prefixes, prefix)
		}
	}
}

// nobody warns about a list that is given and empty.
func (v *validator) nobody(n Networks, p place) {
	if n.Given() && len(n.Entries) == 0 {
		v.warnf(p, "is empty: it holds nobody")
	}
}

// prefix reads one network or address.
func (v *validator) prefix(entry string, p place) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(entry); err == nil {
		if addr.Zone() != "" {
			v.errorf(p, "", "%s has a zone, which no client address has", p.shown())
			return netip.Prefix{}, false
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	prefix, err := netip.ParsePrefix(entry)
	switch {
	case err != nil && strings.Contains(entry, "/"):
		v.errorf(p, "", "%s is not a network", p.shown())
	case err != nil:
		v.errorf(p, didYouMean(entry, sortedKeys(v.cfg.Networks)),
			"%s is not a network, an address or a set in [networks]", p.shown())
	case prefix.Addr().Is4In6():
		v.errorf(p, "", "%s must be written as an IPv4 network", p.shown())
	case prefix != prefix.Masked():
		v.errorf(p, p.hintf("did you mean %q or %q?", prefix.Masked(), prefix.Addr()),
			"%s has bits set outside of the network", p.shown())
	default:
		return prefix, true
	}
	return netip.Prefix{}, false
}

func isNetwork(text string) bool {
	_, errAddr := netip.ParseAddr(text)
	_, errPrefix := netip.ParsePrefix(text)
	return errAddr == nil || errPrefix == nil
}
