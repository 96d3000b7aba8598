package config

import (
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

const (
	maxHost  = 253
	maxLabel = 63
)

// checkHost checks a name or address to connect to, without brackets.
func checkHost(host string) error {
	addr, err := netip.ParseAddr(host)
	switch {
	case err == nil && addr.Zone() != "":
		return &valueError{what: "has an address with a zone"}
	case err != nil && !isHostname(host):
		return &valueError{what: "has no valid host"}
	}
	return nil
}

// isHostname reports whether text is labels of letters, digits, "_" and inner
// "-" (RFC 1123 section 2.1, and the underscore that container networks use). Several
// that end with a number are an address, or what was to be one.
func isHostname(text string) bool {
	if len(text) > maxHost {
		return false
	}
	for label := range strings.SplitSeq(text, ".") {
		bad := len(label) > maxLabel || label == "" || label[0] == '-' ||
			label[len(label)-1] == '-'
		if bad || quoteKey(label) != label {
			return false
		}
	}
	dot := strings.LastIndexByte(text, '.')
	return dot < 0 || strings.Trim(text[dot+1:], "0123456789") != ""
}

// hostPattern checks one entry of hosts: a name, a wildcard for one label, an
// address, or "~" and a regular expression where regexps are allowed.
func (v *validator) hostPattern(pattern string, p place, regexps bool) {
	if expr, ok := strings.CutPrefix(pattern, "~"); ok && regexps {
		v.expression(expr, p)
		return
	}
	name := strings.TrimPrefix(pattern, "*.")
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	switch {
	case err == nil && addr.Zone() == "" && name == pattern && addr.Is6() == (name[0] == '['):
	case err == nil && addr.Is6() && name == pattern && addr.Zone() == "":
		v.errorf(p, p.hintf("write %q", "["+addr.String()+"]"), "%s needs brackets", p.shown())
	case err == nil || !isHostname(name):
		v.badHost(pattern, p)
	}
}

// badHost says what is wrong with a host, and what was probably meant.
func (v *validator) badHost(pattern string, p place) {
	_, rest, hasScheme := strings.Cut(pattern, "://")
	host, _, hasPath := strings.Cut(rest, "/")
	ascii, err := idna.Lookup.ToASCII(pattern)
	bare, port, hasPort := strings.Cut(pattern, ":")
	mean := func(host string) string {
		if checkHost(strings.TrimPrefix(host, "*.")) != nil {
			return ""
		}
		return p.hintf("did you mean %q?", host)
	}
	switch {
	case pattern == "*":
		v.errorf(p, "without hosts the route takes every host", `"*" is not a host`)
	case hasScheme && hasPath:
		v.errorf(p, mean(host), "%s is a URL, not a host; paths have a key of their own", p.shown())
	case hasScheme:
		v.errorf(p, mean(rest), "%s is a URL, not a host", p.shown())
	case strings.HasSuffix(pattern, "."):
		v.errorf(p, mean(strings.TrimSuffix(pattern, ".")), "%s ends with a dot", p.shown())
	case hasPort && strings.Trim(port, "0123456789") == "":
		v.errorf(p, mean(bare), "%s has a port, which does not matter here", p.shown())
	case strings.Contains(pattern, "*"):
		v.errorf(p, `write "*.example.com", or "~" and a regular expression`,
			"%s: a wildcard stands for the first label only", p.shown())
	case strings.Contains(pattern, "/"):
		v.errorf(p, mean(pattern[:strings.Index(pattern, "/")]),
			"%s has a path, which has a key of its own", p.shown())
	case err == nil && ascii != pattern && isHostname(ascii):
		v.errorf(p, mean(ascii), "%s must be in its ASCII form", p.shown())
	default:
		v.errorf(p, "", "%s is not a host", p.shown())
	}
}
