package route

import "net/netip"

const (
	maxHost  = 253
	maxLabel = 63
)

// CanonicalHost returns the one spelling of the host in raw, the value of a Host
// field or an authority: ASCII letters in lower case, the port and one trailing
// dot cut off, IPv6 addresses in brackets as RFC 5952 writes them.
//
// It is stricter than RFC 3986 section 3.2.2, because what two parsers could
// read differently must not reach a server: names are labels of at most 63
// letters, digits, "_" and inner "-", 253 bytes in all. Anything else makes ok
// false: user information, commas, escapes, zones, an empty host, an empty port
// or one outside 1 to 65535.
//
// The result aliases raw when nothing had to change but its length, else dst,
// which is overwritten from its start and may be nil.
func CanonicalHost(dst, raw []byte) (host []byte, ok bool) {
	if len(raw) > 0 && raw[0] == '[' {
		return canonicalIPv6(dst, raw)
	}
	end, upper := scanName(raw)
	if end < len(raw) && !isPort(raw[end:]) {
		return nil, false
	}
	name := raw[:end]
	if end > 1 && name[end-1] == '.' {
		name = name[:end-1]
	}
	if len(name) == 0 || len(name) > maxHost || !endsLabel(name) {
		return nil, false
	}
	if upper {
		dst = append(dst[:0], name...)
		for i, c := range dst {
			if 'A' <= c && c <= 'Z' {
				dst[i] = c + 'a' - 'A'
			}
		}
		return dst, true
	}
	return name, true
}

// scanName returns where the name at the head of raw ends, and whether it has
// upper-case letters. All labels but the last one are known to be good then.
func scanName(raw []byte) (end int, upper bool) {
	start := 0
	for i, c := range raw {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_':
		case 'A' <= c && c <= 'Z':
			upper = true
		case c == '-' && i > start:
		case c == '.' && i > start && i-start <= maxLabel && raw[i-1] != '-':
			start = i + 1
		default:
			return i, upper
		}
	}
	return len(raw), upper
}

// endsLabel reports whether the last label of name, scanned already, is good.
func endsLabel(name []byte) bool {
	last := len(name) - 1
	if name[last] == '-' || name[last] == '.' {
		return false
	}
	for i := last; i >= 0 && name[i] != '.'; i-- {
		if last-i >= maxLabel {
			return false
		}
	}
	return true
}

// isPort reports whether text is a colon and a port number.
func isPort(text []byte) bool {
	if len(text) < 2 || len(text) > 6 || text[0] != ':' {
		return false
	}
	port := 0
	for _, c := range text[1:] {
		if c < '0' || c > '9' {
			return false
		}
		port = port*10 + int(c-'0')
	}
	return 0 < port && port <= 65535
}

func canonicalIPv6(dst, raw []byte) ([]byte, bool) {
	// The longest IPv6 address in text has 45 bytes.
	for i := 1; i < len(raw) && i <= 46; i++ {
		if raw[i] == '%' {
			return nil, false
		}
		if raw[i] != ']' {
			continue
		}
		addr, err := netip.ParseAddr(string(raw[1:i]))
		if err != nil || !addr.Is6() || i+1 < len(raw) && !isPort(raw[i+1:]) {
			return nil, false
		}
		dst = addr.AppendTo(append(dst[:0], '['))
		return append(dst, ']'), true
	}
	return nil, false
}
