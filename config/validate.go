package config

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// validator checks a decoded configuration and fills in what follows from other
// keys: names, networks, inherited timeouts. It reads no files and resolves no
// names. There is one file for each section.
type validator struct {
	*report
	cfg  *Config
	root place
	// listeners are the addresses that Doorward itself is at.
	listeners []listener
}

func (v *validator) config() {
	v.networkSets()
	v.listen()
	v.tls()
	v.acme()
	v.limits()
	v.headers()
	v.errorPages(v.cfg.ErrorPages, v.root.key("error_pages"))
	v.signIn()
	v.stats()
	v.mail()
	v.alerts()
	v.rateLimits()
	v.backends()
	v.routes()
	v.acmeHosts()
}

// errorPages checks a map from status codes to files.
func (v *validator) errorPages(pages ErrorPages, p place) {
	for code, file := range pages {
		at := p.key(strconv.Itoa(code))
		if code < 400 || code > 599 {
			v.errorf(at, "", "is not the status code of an error, 400 to 599")
		} else if file == "" {
			v.errorf(at, "", "the name of the file is empty")
		}
	}
}

// maxRegexp bounds regular expressions. Matching takes time in proportion to
// their length, whatever they say.
const maxRegexp = 1 << 10

// expression checks a regular expression, without the "~" before it.
func (v *validator) expression(expr string, p place) bool {
	if expr == "" {
		v.errorf(p, "", "the regular expression is empty")
		return false
	}
	if len(expr) > maxRegexp {
		v.errorf(p, "", "the regular expression is longer than %v", Size(maxRegexp))
		return false
	}
	if _, err := regexp.Compile(expr); err != nil {
		v.errorf(p, "", "the regular expression is not valid: %s", regexpFault(err, p))
		return false
	}
	return true
}

// regexpFault says what is wrong with an expression. The library's message
// quotes it, which is kept from those that came from outside of the file.
func regexpFault(err error, p place) string {
	var syntax interface{ Unwrap() error }
	if errors.As(err, &syntax) {
		err = syntax.Unwrap()
	}
	text := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	if p.node.expanded || strings.ContainsFunc(text, notPrintable) {
		text, _, _ = strings.Cut(text, ":")
	}
	return text
}

func notPrintable(r rune) bool { return !unicode.IsPrint(r) }

// matchers checks the values of header and query matchers.
func (v *validator) matchers(m map[string]string, p place) {
	for _, name := range sortedKeys(m) {
		if expr, ok := strings.CutPrefix(m[name], "~"); ok {
			v.expression(expr, p.key(name))
		} else if hasControl(m[name]) {
			v.errorf(p.key(name), "", "the value has a control character")
		}
	}
}

// duplicates warns about entries of a list that are there twice.
func (v *validator) duplicates(list []string, p place) {
	seen := make(map[string]bool, len(list))
	for i, entry := range list {
		if seen[entry] {
			v.warnf(p.item(i), "%s is in the list twice", p.item(i).shown())
		}
		seen[entry] = true
	}
}

// isName reports whether text can name a backend or a set: it stands in log
// lines, where spaces and slashes separate.
func isName(text string) bool {
	return len(text) <= 64 && text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return quoteKey(string(r)) != string(r)
	})
}

// isToken reports whether text is a token of RFC 9110 section 5.6.2.
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return quoteKey(string(r)) != string(r) && !strings.ContainsRune("!#$%&'*+.^`|~", r)
	})
}

// hasControl reports whether text has a character that no field value may have
// (RFC 9110 section 5.5).
func hasControl(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' && r != '\t' || r == 0x7f
	})
}
