package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

func (v *validator) listen() {
	l := &v.cfg.Listen
	p := v.root.key("listen")
	for _, list := range []struct {
		key       string
		addresses []string
	}{{"http", l.HTTP}, {"https", l.HTTPS}} {
		for i, address := range list.addresses {
			at := p.key(list.key).item(i)
			host, port, ok := v.address(address, at)
			if ok {
				v.listeners = v.listener(v.listeners, listener{at, host, port})
			}
		}
	}
	if len(l.HTTP)+len(l.HTTPS) == 0 {
		v.missingf(p, `http = [":80"], https = [":443"]`, "there is nothing to listen on")
	}
	if l.HTTPRedirect && len(l.HTTP) > 0 && len(l.HTTPS) == 0 && p.key("https").given {
		v.warnf(p.key("http_redirect"),
			"redirects to HTTPS, but there is no https listener; false serves the routes here")
	}
	v.networks(&l.TrustedProxies, p.key("trusted_proxies"))
	v.networks(&l.ProxyProtocol, p.key("proxy_protocol"))
	v.http3(l, p)
	v.everybody(l.TrustedProxies, p.key("trusted_proxies"),
		"believes the forwarding headers of every client")
	v.everybody(l.ProxyProtocol, p.key("proxy_protocol"),
		"lets every client say what its address is")
}

// http3 checks that there is something for HTTP/3 to stand beside.
func (v *validator) http3(l *Listen, p place) {
	switch {
	case !l.HTTP3:
	case len(l.HTTPS) == 0:
		v.errorf(p.key("http3"), `https = [":443"]`, "has the addresses of https, and there is none")
	case len(l.ProxyProtocol.Prefixes) > 0:
		v.warnf(p.key("http3"), "has no PROXY protocol: over HTTP/3 the peers in"+
			" proxy_protocol count as clients")
	}
}

// listener is an address in use.
type listener struct {
	at         place
	host, port string
}

// listener adds one, unless it overlaps another.
func (v *validator) listener(seen []listener, l listener) []listener {
	for _, s := range seen {
		if l.port == s.port && l.port != "0" && overlap(l.host, s.host) {
			other := strconv.Quote(s.host+":"+s.port) + " by default"
			if s.at.given {
				other = s.at.shown()
			}
			v.errorf(l.at, "", "%s overlaps %s, %s", l.at.shown(), s.at.path, other)
			return seen
		}
	}
	return append(seen, l)
}

// overlap reports whether two listeners on one port want the same address. No
// host, or "::", is every address of both families.
func overlap(a, b string) bool {
	ipA, _ := netip.ParseAddr(a)
	ipB, _ := netip.ParseAddr(b)
	every := func(host string, ip netip.Addr) bool {
		return host == "" || ip == netip.IPv6Unspecified()
	}
	switch {
	case a == b || every(a, ipA) || every(b, ipB):
		return true
	case ipA == netip.IPv4Unspecified():
		return ipB.Is4()
	case ipB == netip.IPv4Unspecified():
		return ipA.Is4()
	}
	return ipA.IsValid() && ipA == ipB
}

// answers reports whether a server's address, "host:port", leads to the listener.
func (l listener) answers(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil || strings.TrimLeft(port, "0") != l.port {
		return false
	}
	own, errOwn := netip.ParseAddr(l.host)
	ip, errIP := netip.ParseAddr(host)
	own, ip = own.Unmap(), ip.Unmap()
	// Whoever connects to no address in particular gets to this machine.
	here := isLoopback(host) || errIP == nil && ip.IsUnspecified()
	switch {
	case l.host == "" || errOwn == nil && own.IsUnspecified():
		return here
	case errOwn != nil || errIP != nil:
		return here && isLoopback(l.host) || strings.EqualFold(host, l.host)
	case ip.IsUnspecified():
		return own.IsLoopback()
	}
	return ip == own
}

// address checks the address of a listener: a port, with a host or without.
func (v *validator) address(address string, p place) (host, port string, ok bool) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		hint := `write ":443" or "127.0.0.1:8080"`
		if _, atoi := strconv.Atoi(address); atoi == nil {
			hint = p.hintf("did you mean %q?", ":"+address)
		}
		v.errorf(p, hint, "%s is not an address with a port", p.shown())
		return "", "", false
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		v.errorf(p, "", "%s has no port between 0 and 65535", p.shown())
		return "", "", false
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && !isHostname(host) {
		v.errorf(p, "", "%s is not an address to listen on", p.shown())
		return "", "", false
	}
	return host, port, true
}

// everybody warns about a trust list that holds all addresses.
func (v *validator) everybody(n Networks, p place, what string) {
	for _, prefix := range n.Prefixes {
		if prefix.Bits() == 0 {
			v.warnf(p, "%s", what)
			return
		}
	}
}

// hostPort checks an address to connect to, and returns what is wrong with it.
func hostPort(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return &valueError{what: "needs a host and a port"}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return &valueError{what: "has no port between 1 and 65535"}
	}
	return checkHost(host)
}
