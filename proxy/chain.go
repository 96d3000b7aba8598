package proxy

import (
	"bytes"
	"net/netip"

	"doorward/proxy/h1"
)

// believeScheme takes the scheme that a trusted proxy says the client used.
func (x *exchange) believeScheme(v []byte) {
	switch {
	case h1.EqualFold(v, "https"):
		x.scheme = "https"
	case h1.EqualFold(v, "http"):
		x.scheme = "http"
	}
}

// forwardedFor walks the chain of forwarding addresses from the right: the first
// one that is no trusted proxy is the client. A malformed entry ends the walk at
// what stood right of it.
func (x *exchange) forwardedFor() (netip.AddrPort, bool) {
	var client netip.AddrPort
	for n := x.countFields("x-forwarded-for") - 1; n >= 0; n-- {
		v, _ := x.Field("x-forwarded-for", n)
		for len(v) > 0 {
			var element []byte
			element, v = lastElement(v)
			a, ok := parseNode(element)
			if !ok {
				return client, client.IsValid()
			}
			client = a
			if !x.snap.trusts(a.Addr()) {
				return client, true
			}
		}
	}
	return client, client.IsValid()
}

func (x *exchange) countFields(name string) (n int) {
	for {
		if _, ok := x.Field(name, n); !ok {
			return n
		}
		n++
	}
}

// lastElement cuts the last element off a comma-separated list.
func lastElement(list []byte) (element, rest []byte) {
	i := bytes.LastIndexByte(list, ',')
	return bytes.Trim(list[i+1:], " \t"), list[:max(i, 0)]
}

// parseNode reads an address with or without port, IPv6 with or without
// brackets.
func parseNode(b []byte) (netip.AddrPort, bool) {
	s := string(b)
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(a.Unmap().WithZone(""), 0), true
	}
	if a, err := netip.ParseAddrPort(s); err == nil {
		return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port()), true
	}
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		if a, err := netip.ParseAddr(s[1 : len(s)-1]); err == nil {
			return netip.AddrPortFrom(a.Unmap().WithZone(""), 0), true
		}
	}
	return netip.AddrPort{}, false
}

// readForwarded walks the elements of Forwarded (RFC 7239) from the right as
// forwardedFor does its addresses, and believes the scheme of the one it ends at.
// An obfuscated address ("unknown", "_name") ends the walk like a malformed one.
func (x *exchange) readForwarded() {
	for n := x.countFields("forwarded") - 1; n >= 0; n-- {
		v, _ := x.Field("forwarded", n)
		for _, element := range fromRight(v) {
			node, scheme := forwardedElement(element)
			a, ok := parseNode(node)
			if !ok {
				return
			}
			x.client = a
			x.believeScheme(scheme)
			if !x.snap.trusts(a.Addr()) {
				return
			}
		}
	}
}

// fromRight splits a list at the commas outside of quotes, last element first.
func fromRight(list []byte) (elements [][]byte) {
	end := len(list)
	quoted := false
	for i := len(list) - 1; i >= 0; i-- {
		switch {
		case list[i] == '"':
			quoted = !quoted
		case list[i] == ',' && !quoted:
			elements = append(elements, list[i+1:end])
			end = i
		}
	}
	return append(elements, list[:end])
}

// forwardedElement reads the parameters for and proto of one element.
func forwardedElement(element []byte) (node, scheme []byte) {
	for pair := range bytes.SplitSeq(element, []byte(";")) {
		name, value, _ := bytes.Cut(pair, []byte("="))
		value = bytes.Trim(bytes.Trim(value, " \t"), `"`)
		switch name = bytes.Trim(name, " \t"); {
		case h1.EqualFold(name, "for"):
			node = value
		case h1.EqualFold(name, "proto"):
			scheme = value
		}
	}
	return node, scheme
}
