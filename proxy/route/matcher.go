package route

import (
	"bytes"
	"errors"
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

func (m *matcher) equal(o matcher) bool { return m.name == o.name && m.source == o.source }

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

// matchesQuery looks through the parameters of query, which are what stands
// between "&". Names and values are compared as a server will most likely read
// them: percent-decoded, "+" as a space. Nothing is dropped for being malformed,
// as net/url drops "a;b" and "%zz"; such text stands for itself.
func (m *matcher) matchesQuery(query []byte) bool {
	for more := true; more; {
		var param []byte
		param, query, more = bytes.Cut(query, []byte{'&'})
		name, value, _ := bytes.Cut(param, []byte{'='})
		if string(unescape(name)) == m.name && m.matches(unescape(value)) && len(param) > 0 {
			return true
		}
	}
	return false
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

// unescape decodes a name or value of a query. It allocates only when there is
// something to decode.
func unescape(text []byte) []byte {
	if bytes.IndexByte(text, '%') < 0 && bytes.IndexByte(text, '+') < 0 {
		return text
	}
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		c, n := text[0], 1
		switch c {
		case '+':
			c = ' '
		case '%':
			if b, ok := unhex(text); ok {
				c, n = b, 3
			}
		}
		out, text = append(out, c), text[n:]
	}
	return out
}
