package config

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// pathPattern checks one entry of paths: a prefix, "=" and an exact path, or "~"
// and a regular expression.
func (v *validator) pathPattern(pattern string, p place) {
	if expr, ok := strings.CutPrefix(pattern, "~"); ok {
		v.expression(expr, p)
		return
	}
	path, exact := strings.CutPrefix(pattern, "=")
	if strings.HasSuffix(path, "/*") && !exact {
		v.errorf(p, p.hintf("did you mean %q?", strings.TrimSuffix(path, "*")),
			"%s: a prefix covers everything below it", p.shown())
		return
	}
	if strings.Contains(path, "*") && !exact {
		v.warnf(p, `%s: * stands for itself; behind "~" a regular expression says more`, p.shown())
	}
	v.pathAfter(pattern[:len(pattern)-len(path)], path, p)
}

// path checks that a path has the one spelling in which requests are compared:
// anything else would never match.
func (v *validator) path(path string, p place) { v.pathAfter("", path, p) }

// pathAfter is path for one that stands behind a mark.
func (v *validator) pathAfter(mark, path string, p place) {
	segments := strings.Split(path, "/")
	switch {
	case !strings.HasPrefix(path, "/"):
		v.errorf(p, p.hintf("did you mean %q?", mark+"/"+path), "%s does not begin with /", p.shown())
		return
	case strings.ContainsAny(path, "?#"):
		v.errorf(p, "", "%s has a query or a fragment, which is not part of a path", p.shown())
		return
	case !utf8.ValidString(path) || strings.ContainsAny(path, `\;`) || hasControl(path):
		v.errorf(p, "", "%s has a character that no path of a route can have", p.shown())
		return
	}
	for i, segment := range segments {
		switch {
		case segment == "." || segment == "..":
			v.errorf(p, "", "%s has a dot segment", p.shown())
			return
		case segment == "" && i > 0 && i < len(segments)-1:
			v.errorf(p, "", "%s has an empty segment", p.shown())
			return
		}
	}
	spelling, ok := canonicalEscapes(path)
	switch {
	case !ok:
		v.errorf(p, "", "%s has an escape that no path of a route can have", p.shown())
	case spelling != path:
		v.errorf(p, p.hintf("write %q", mark+spelling), "%s is not in its canonical form", p.shown())
	}
}

// canonicalEscapes returns path with exactly those characters escaped that must
// be. Escapes of characters with a meaning have no canonical form.
func canonicalEscapes(path string) (string, bool) {
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' {
			decoded, err := url.PathUnescape(path[i:min(i+3, len(path))])
			if err != nil {
				return "", false
			}
			c = decoded[0]
			if c < ' ' || c == 0x7f || strings.IndexByte("/\\;#?%!$&'()*+,=:@", c) >= 0 {
				return "", false
			}
			i += 2
		}
		out.WriteString(escaped(c))
	}
	return out.String(), true
}

// escaped returns one byte as a path has it.
func escaped(c byte) string {
	plain := c == '/' || strings.IndexByte("-._~!$&'()*+,=:@", c) >= 0 ||
		c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	if plain {
		return string(rune(c))
	}
	const digits = "0123456789ABCDEF"
	return string([]byte{'%', digits[c>>4], digits[c&15]})
}
