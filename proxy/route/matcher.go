package route

import (
	"bytes"
	"errors"
	"hash/maphash"
	"regexp"
	"strings"
)

// matcher is a Matcher ready to be asked.
type matcher struct {
	name string
	// source is Matcher.Value, by which two matchers are compared.
	source string
	any    bool
	re     *regexp.Regexp
}

var (
	errNoName = errors.New("a name is missing")
	errNoText = errors.New("it is empty")
)

func compileMatcher(m Matcher) (matcher, error) {
	if m.Name == "" {
		return matcher{}, errNoName
	}
	out := matcher{name: m.Name, source: m.Value, any: m.Value == "*"}
	var err error
	if expr, ok := strings.CutPrefix(m.Value, "~"); ok {
		out.re, err = compileRegexp(expr)
	}
	return out, err
}

// compileRegexp compiles expr so that it matches whole texts only. It is
// compiled alone first: "a)|(?:b" would be valid between the brackets, and
// would escape from them.
func compileRegexp(expr string) (*regexp.Regexp, error) {
	if expr == "" {
		return nil, errNoText
	}
	if _, err := regexp.Compile(expr); err != nil {
		return nil, err
	}
	return regexp.Compile(`\A(?:` + expr + `)\z`)
}

// marks returns one bit for each matcher of all, by its name and value.
func marks(seed maphash.Seed, all []matcher) uint64 {
	var bits uint64
	for i := range all {
		text := [2]string{all[i].name, all[i].source}
		bits |= 1 << (maphash.Comparable(seed, text) % 64)
	}
	return bits
}

// covers reports whether whatever all of narrow match, all of wide match too.
func covers(wide, narrow []matcher) bool {
	for i := range wide {
		if !wide[i].in(narrow) {
			return false
		}
	}
	return true
}

func (m *matcher) in(all []matcher) bool {
	for i := range all {
		if all[i].name == m.name && all[i].source == m.source {
			return true
		}
	}
	return false
}

func (m *matcher) matchesField(fields Fields) bool {
	for n := 0; ; n++ {
		value, ok := fields.Field(m.name, n)
		if !ok {
			return false
		}
		if m.matches(value) {
			return true
		}
	}
}

func (m *matcher) matches(value []byte) bool {
	switch {
	case m.any:
		return true
	case m.re != nil:
		return m.re.Match(value)
	default:
		return string(value) == m.source
	}
}

// matchesQuery looks through the parameters of query, which are what stands
// between "&". Names and values are compared as a server will most likely read
// them: percent-decoded, "+" as a space. Nothing is dropped for being malformed,
// as net/url drops "a;b" and "%zz"; such text stands for itself.
func (m *matcher) matchesQuery(query []byte) bool {
	for more := true; more; {
		var param []byte
		param, query, more = bytes.Cut(query, []byte{'&'})
		name, value, _ := bytes.Cut(param, []byte{'='})
		if unescapesTo(name, m.name) && m.matchesParam(value) {
			return true
		}
	}
	return false
}

func (m *matcher) matchesParam(value []byte) bool {
	switch {
	case m.any:
		return true
	case m.re != nil:
		return m.re.Match(unescape(value))
	default:
		return unescapesTo(value, m.source)
	}
}

// unescapesTo reports whether want is what text, from a query, stands for.
func unescapesTo(text []byte, want string) bool {
	for i := range len(want) {
		if len(text) == 0 {
			return false
		}
		c, n := unescapeFirst(text)
		if c != want[i] {
			return false
		}
		text = text[n:]
	}
	return len(text) == 0
}

// unescape decodes text from a query. It allocates only when there is something
// to decode.
func unescape(text []byte) []byte {
	if bytes.IndexByte(text, '%') < 0 && bytes.IndexByte(text, '+') < 0 {
		return text
	}
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		c, n := unescapeFirst(text)
		out, text = append(out, c), text[n:]
	}
	return out
}

// unescapeFirst returns what the head of text stands for and how long that is.
func unescapeFirst(text []byte) (c byte, n int) {
	if text[0] == '+' {
		return ' ', 1
	}
	if b, ok := unhex(text); ok {
		return b, 3
	}
	return text[0], 1
}
