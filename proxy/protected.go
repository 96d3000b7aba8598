package proxy

// guard says what becomes of a request field because of its name.
type guard uint8

const (
	passes   guard = iota
	ours           // a forwarding field, which we write ourselves
	trusted        // passes only from a trusted proxy
	identity       // says who the user is: passes like the above, until we say that
	never          // nobody may send it
)

// maxGuarded is longer than every name below: more of a name need not be seen.
const maxGuarded = 40

// guardOf classifies a field name. Software behind us may read any sign in a
// name as '-' or '_', so a guarded name in another spelling is never let
// through, whoever sends it.
func guardOf(name []byte) guard {
	if len(name) < 5 {
		return passes
	}
	switch name[0] | 0x20 {
	case 'x', 'f', 'p', 'r':
	default:
		return passes
	}
	var buf [maxGuarded]byte
	folded, exact := foldName(buf[:0], name[:min(len(name), maxGuarded)])
	g := guardOfFolded(string(folded))
	if g != passes && !exact {
		return never
	}
	return g
}

// foldName lower-cases name and makes every sign a '-'. Exact says that no sign
// was changed.
func foldName(b, name []byte) (folded []byte, exact bool) {
	exact = true
	for _, c := range name {
		switch {
		case 'A' <= c && c <= 'Z':
			c += 32
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-':
		default:
			c, exact = '-', false
		}
		b = append(b, c)
	}
	return b, exact
}

// foldsTo tells whether software that reads any sign in a name as '-' takes name
// for want (security case ID-06).
func foldsTo(name []byte, want string) bool {
	if len(name) != len(want) {
		return false
	}
	for i, c := range name {
		if c|0x20 == want[i]|0x20 && isAlnum(c) || !isAlnum(c) && !isAlnum(want[i]) {
			continue
		}
		return false
	}
	return true
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

func guardOfFolded(name string) guard {
	switch name {
	case "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto":
		return ours
	case "x-forwarded-client-cert", "proxy":
		return never
	case "x-real-ip":
		return trusted
	case "x-forwarded-user", "x-forwarded-email", "x-forwarded-groups", "x-remote-user",
		"x-forwarded-preferred-username", "x-forwarded-access-token":
		return identity
	}
	for _, p := range [...]string{"remote-", "x-authentik-", "x-auth-request-", "x-doorward-",
		"x-pomerium-", "x-webauth-"} {
		if hasPrefix(name, p) {
			return identity
		}
	}
	for _, p := range [...]string{"x-ssl-", "x-client-cert"} {
		if hasPrefix(name, p) {
			return never
		}
	}
	for _, p := range [...]string{"x-forwarded-", "x-original-", "x-rewrite-url",
		"x-http-method", "x-envoy-", "x-arr-"} {
		if hasPrefix(name, p) {
			return trusted
		}
	}
	return passes
}

func hasPrefix(s, p string) bool { return len(s) >= len(p) && s[:len(p)] == p }

// protectedFromConnection tells which names a Connection field may not take out
// of a request: what decides where it goes, who sent it and where it ends
// (security cases HOP-01 to HOP-06).
func protectedFromConnection(name []byte) bool {
	var buf [maxGuarded]byte
	folded, _ := foldName(buf[:0], name[:min(len(name), maxGuarded)])
	switch string(folded) {
	case "host", "content-length", "transfer-encoding", "cookie", "authorization",
		"expect", "content-type":
		return true
	case "te", "trailer", "trailers", "http2-settings", "proxy-connection":
		return false
	}
	return guardOfFolded(string(folded)) != passes
}

// hasUnderscore tells whether a name would be another one to software that
// makes variables of names.
func hasUnderscore(name []byte) bool {
	for _, c := range name {
		if c == '_' {
			return true
		}
	}
	return false
}
