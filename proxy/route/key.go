package route

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

type hostKind uint8

const (
	exactHost hostKind = iota
	wildHost
	regexpHost
	everyHost
)

// hostKey is an entry of Rule.Hosts. Its text is the canonical host, what
// follows "*." in it, or the source of the expression.
type hostKey struct {
	kind hostKind
	text string
	re   *regexp.Regexp
}

type pathKind uint8

const (
	prefixPath pathKind = iota
	exactPath
	regexpPath
)

// pathKey is an entry of Rule.Paths. Its text is a canonical path, without its
// last slash if it is a prefix, or the source of the expression.
type pathKey struct {
	kind pathKind
	text string
	re   *regexp.Regexp
}

var (
	errHost = errors.New(`it is no host: write a name without port ("app.example.com"), ` +
		`a wildcard for one label ("*.example.com") or "~" and a regular expression`)
	errNotASCII   = errors.New(`write international names in their ASCII form ("xn--...")`)
	errStar       = errors.New(`a wildcard is "*." and a name; leave hosts out for every host`)
	errNoSlash    = errors.New(`a path starts with "/", an exact one with "=/"`)
	errPath       = errors.New("no request has such a path")
	errAmbiguous  = errors.New(`a path of a route has no ";" and no escaped slash or delimiter`)
	errTrailStar  = errors.New(`a prefix covers all below it: leave the "*" out`)
	errNotToken   = errors.New("it is not a token of letters, digits and !#$%&'*+-.^_`|~")
	errMethodCase = errors.New("methods are compared with case: write it in upper case")
)

func compileHost(entry string) (hostKey, error) {
	if expr, ok := strings.CutPrefix(entry, "~"); ok {
		re, err := compileRegexp(expr)
		return hostKey{regexpHost, expr, re}, err
	}
	kind, name := exactHost, entry
	if rest, ok := strings.CutPrefix(entry, "*."); ok {
		kind, name = wildHost, rest
	}
	host, ok := CanonicalHost(nil, []byte(name))
	switch {
	case ok && !hasPort(name):
		return hostKey{kind, string(host), nil}, nil
	case strings.Contains(name, "*"):
		return hostKey{}, errStar
	case strings.ContainsFunc(name, func(r rune) bool { return r > '~' }):
		return hostKey{}, errNotASCII
	}
	return hostKey{}, errHost
}

// hasPort reports whether a valid authority ends with a port.
func hasPort(authority string) bool {
	return strings.Contains(authority, ":") && !strings.HasSuffix(authority, "]")
}

func compilePath(entry string) (pathKey, error) {
	if expr, ok := strings.CutPrefix(entry, "~"); ok {
		re, err := compileRegexp(expr)
		return pathKey{regexpPath, expr, re}, err
	}
	if path, ok := strings.CutPrefix(entry, "="); ok {
		text, err := literalPath(path)
		return pathKey{exactPath, text, nil}, err
	}
	return compilePrefix(entry)
}

func compilePrefix(entry string) (pathKey, error) {
	if strings.HasSuffix(entry, "/*") {
		return pathKey{}, errTrailStar
	}
	text, err := literalPath(entry)
	return pathKey{prefixPath, strings.TrimSuffix(text, "/"), nil}, err
}

// literalPath returns the canonical form of a path in a rule. A path that would
// set flags can never match, as requests with such paths are refused when the
// rules tell their readings apart.
func literalPath(path string) (string, error) {
	if !strings.HasPrefix(path, "/") {
		return "", errNoSlash
	}
	text, flags, ok := CanonicalPath(nil, []byte(path))
	switch {
	case !ok:
		return "", errPath
	case flags != 0:
		return "", errAmbiguous
	}
	return string(text), nil
}

func compileMethod(entry string) (string, error) {
	if !isToken(entry) {
		return "", errNotToken
	}
	switch upper := strings.ToUpper(entry); upper {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH":
		if upper != entry {
			return "", fmt.Errorf("%w: %s", errMethodCase, upper)
		}
	}
	return entry, nil
}

func compileHeader(m Matcher) (matcher, error) {
	if m.Name != "" && !isToken(m.Name) {
		return matcher{}, errNotToken
	}
	m.Name = strings.ToLower(m.Name)
	return compileMatcher(m)
}

// isToken reports whether text is a token of RFC 9110 section 5.6.2.
func isToken(text string) bool {
	for i := range len(text) {
		c := text[i]
		if pathClasses[c] != unreserved && strings.IndexByte("!#$%&'*+^`|", c) < 0 {
			return false
		}
	}
	return text != ""
}
