package health

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Expect is what the answer to an HTTP check must be. Everything given must hold;
// if nothing is given, the status code must be 200 to 399.
type Expect struct {
	// Status are status codes, of which one must fit, StatusRegex what the code must
	// match as a text.
	Status      []StatusRange
	StatusRegex string
	// Body is a text that the first 16 KiB of the body must contain, BodyRegex what
	// something in them must match.
	Body, BodyRegex string
	// Header are fields by name: "*" must be there, "~" begins a regular expression,
	// anything else is the value.
	Header map[string]string
	// Not turns it round: an answer that fits is bad.
	Not bool
}

// StatusRange is a range of status codes, From and To included.
type StatusRange struct {
	From, To int
}

// expectation is an Expect ready for use.
type expectation struct {
	status      []StatusRange
	statusRegex *regexp.Regexp
	fields      []fieldRule
	body        []byte
	bodyRegex   *regexp.Regexp
	not         bool
}

// fieldRule is what one field must be: there, this value, or like this.
type fieldRule struct {
	name, value string
	regex       *regexp.Regexp
}

func (e Expect) compile() (expectation, error) {
	x := expectation{status: e.Status, body: []byte(e.Body), not: e.Not}
	var err error
	if x.statusRegex, err = pattern("status", e.StatusRegex); err != nil {
		return x, err
	}
	if x.bodyRegex, err = pattern("body", e.BodyRegex); err != nil {
		return x, err
	}
	for _, name := range slices.Sorted(maps.Keys(e.Header)) {
		rule := fieldRule{name: http.CanonicalHeaderKey(name), value: e.Header[name]}
		if expr, is := strings.CutPrefix(rule.value, "~"); is {
			if rule.regex, err = pattern("field "+name, expr); err != nil {
				return x, err
			}
		}
		x.fields = append(x.fields, rule)
	}
	if len(x.status)+len(x.fields) == 0 && x.statusRegex == nil && !x.aboutBody() {
		x.status = []StatusRange{{200, 399}}
	}
	return x, nil
}

func pattern(what, expr string) (*regexp.Regexp, error) {
	if expr == "" {
		return nil, nil
	}
	compiled, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return compiled, nil
}

func (x expectation) aboutBody() bool { return len(x.body) > 0 || x.bodyRegex != nil }

// fault is why an answer does not fit; the zero value means that it does. What
// HAProxy finds in the head it calls a wrong status, fields included.
type fault struct {
	outcome Outcome
	text    string
}

// head looks at what stands before the body.
func (x expectation) head(answer *http.Response) fault {
	if !x.fitsStatus(answer.StatusCode) {
		// Servers often say why in the phrase.
		_, phrase, _ := strings.Cut(answer.Status, " ")
		return fault{L7Status, phrase}
	}
	for _, rule := range x.fields {
		if text := rule.miss(answer.Header[rule.name]); text != "" {
			return fault{L7Status, text}
		}
	}
	return fault{}
}

func (x expectation) fitsStatus(code int) bool {
	if x.statusRegex != nil && !x.statusRegex.MatchString(strconv.Itoa(code)) {
		return false
	}
	return len(x.status) == 0 || slices.ContainsFunc(x.status, func(r StatusRange) bool {
		return r.From <= code && code <= r.To
	})
}

// miss says why values of a field do not fit, "" when one does.
func (r fieldRule) miss(values []string) string {
	if len(values) == 0 {
		return fmt.Sprintf("no field %s", r.name)
	}
	for _, value := range values {
		if r.value == "*" || r.regex != nil && r.regex.MatchString(value) || r.value == value {
			return ""
		}
	}
	return fmt.Sprintf("field %s is %q", r.name, values[0])
}

// content looks at the body, as far as it was read.
func (x expectation) content(body []byte) fault {
	switch {
	case !bytes.Contains(body, x.body):
		return fault{L7Response, fmt.Sprintf("%q is not in the body", x.body)}
	case x.bodyRegex != nil && !x.bodyRegex.Match(body):
		return fault{L7Response, fmt.Sprintf("nothing in the body matches %q", x.bodyRegex)}
	}
	return fault{}
}

// judge turns what was found round where that is asked for.
func (x expectation) judge(found fault) fault {
	switch {
	case !x.not:
		return found
	case found != fault{}:
		return fault{}
	case x.aboutBody():
		return fault{L7Response, "the answer is one that is not expected"}
	}
	return fault{L7Status, "the answer is one that is not expected"}
}
