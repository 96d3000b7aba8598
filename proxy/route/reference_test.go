package route_test

import (
	"bytes"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"doorward/internal/netset"
	"doorward/proxy/route"
)

// fields are header fields as name and value by turns.
type fields []string

func (f fields) Field(name string, n int) ([]byte, bool) {
	for i := 0; i < len(f); i += 2 {
		if strings.EqualFold(f[i], name) {
			if n == 0 {
				return []byte(f[i+1]), true
			}
			n--
		}
	}
	return nil, false
}

// reference is the slow and obvious matcher that the table must agree with: all
// rules in order, each asked everything.
type reference []route.Rule

func (rules reference) match(r *route.Request) route.Result {
	out := route.Result{Rule: -1, Path: r.Path}
	onPath := false
	for i, rule := range rules {
		if !refHost(rule, string(r.Host)) {
			continue
		}
		out.Known = true
		onPath = onPath || rule.Canonical || len(rule.Paths) > 0
		if !onPath && refRest(rule, r) {
			out.Rule = i
			return out
		}
	}
	if out.Canonical = onPath; !onPath {
		return out
	}
	canonical, flags, ok := route.CanonicalPath(nil, r.Path)
	if out.Bad = !ok; out.Bad {
		return out
	}
	out.Path = canonical
	i := rules.find(string(canonical), r)
	slashes := i >= 0 && rules[i].EncodedSlashes || flags&route.EncodedSlash == 0
	if out.Bad = !slashes || i != rules.find(lenient(string(canonical), flags), r); !out.Bad {
		out.Rule = i
	}
	return out
}

func (rules reference) find(path string, r *route.Request) int {
	return slices.IndexFunc(rules, func(rule route.Rule) bool {
		return refHost(rule, string(r.Host)) && refPath(rule, path) && refRest(rule, r)
	})
}

// lenient is path as a careless server reads it.
func lenient(path string, flags route.Flags) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	path = strings.Join(segments, "/")
	if flags&(route.EncodedSlash|route.EncodedDelim) != 0 {
		for _, c := range "/!$&'()*+,=:@" {
			path = strings.ReplaceAll(path, strings.ToUpper(url.QueryEscape(string(c))), string(c))
		}
	}
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

func refHost(rule route.Rule, host string) bool {
	return len(rule.Hosts) == 0 || slices.ContainsFunc(rule.Hosts, func(h string) bool {
		if expr, ok := strings.CutPrefix(h, "~"); ok {
			return whole(expr, host)
		}
		if suffix, ok := strings.CutPrefix(h, "*."); ok {
			_, rest, dot := strings.Cut(host, ".")
			return dot && strings.EqualFold(suffix, rest)
		}
		return strings.EqualFold(strings.TrimSuffix(h, "."), host)
	})
}

func refPath(rule route.Rule, path string) bool {
	return len(rule.Paths) == 0 || slices.ContainsFunc(rule.Paths, func(p string) bool {
		if expr, ok := strings.CutPrefix(p, "~"); ok {
			return whole(expr, path)
		}
		if exact, ok := strings.CutPrefix(p, "="); ok {
			return exact == path
		}
		return strings.HasPrefix(path+"/", strings.TrimSuffix(p, "/")+"/")
	})
}

func refRest(rule route.Rule, r *route.Request) bool {
	if len(rule.Methods) > 0 && !slices.Contains(rule.Methods, string(r.Method)) ||
		rule.Networks != nil && !rule.Networks.Contains(r.Client) {
		return false
	}
	for _, m := range rule.Headers {
		found := false
		for n := 0; ; n++ {
			value, ok := r.Fields.Field(m.Name, n)
			if !ok {
				break
			}
			found = found || refValue(m.Value, string(value))
		}
		if !found {
			return false
		}
	}
	for _, m := range rule.Query {
		if !slices.ContainsFunc(strings.Split(string(r.Query), "&"), func(p string) bool {
			name, value, _ := strings.Cut(p, "=")
			return refUnescape(name) == m.Name && refValue(m.Value, refUnescape(value))
		}) {
			return false
		}
	}
	return true
}

func refUnescape(text string) string {
	if out, err := url.QueryUnescape(text); err == nil {
		return out
	}
	return text
}

func refValue(want, value string) bool {
	if expr, ok := strings.CutPrefix(want, "~"); ok {
		return whole(expr, value)
	}
	return want == "*" || want == value
}

func whole(expr, text string) bool {
	return regexp.MustCompile("^(?:" + expr + ")$").MatchString(text)
}

// chooser turns the bytes of a fuzz input into choices; it runs out into zeros.
type chooser []byte

func (c *chooser) number(n int) int {
	if len(*c) == 0 {
		return 0
	}
	b := (*c)[0]
	*c = (*c)[1:]
	return int(b) % n
}

func pick[T any](c *chooser, from ...T) T { return from[c.number(len(from))] }

func some[T any](c *chooser, from ...T) (out []T) {
	for range c.number(3) {
		out = append(out, pick(c, from...))
	}
	return out
}

func (c *chooser) rule() route.Rule {
	rule := route.Rule{
		Hosts: some(c, "a.example", "B.Example.", "x.y.example", "*.example", "*.y.example",
			"~[ab]\\.example", "~.*", "~x.*|z"),
		Paths: some(c, "/", "/a", "/a/", "/a/b", "=/a", "=/a/", "=/", "/a@b", "=/a/b/c", "/b",
			"~/a.*", "~/[^/]+", "~/a|/b"),
		Canonical:      c.number(8) == 1,
		EncodedSlashes: c.number(3) == 1,
	}
	// Most rules have no more than host and path, as in life.
	switch c.number(10) {
	case 1:
		rule.Methods = some(c, "GET", "POST", "get2")
	case 2:
		rule.Headers = some(c, route.Matcher{Name: "X-A", Value: "1"},
			route.Matcher{Name: "x-a", Value: "~[12]"}, route.Matcher{Name: "X-B", Value: "*"})
	case 3:
		rule.Query = some(c, route.Matcher{Name: "q", Value: "1"},
			route.Matcher{Name: "q", Value: "~1+"}, route.Matcher{Name: "v", Value: "*"})
	case 4:
		rule.Networks = netset.New(some(c, netip.MustParsePrefix("10.0.0.0/8"),
			netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::1/128")))
	}
	return rule
}

func (c *chooser) request() *route.Request {
	return &route.Request{
		Host: []byte(pick(c, "a.example", "b.example", "c.example", "x.y.example", "z.y.example",
			"example", "z", "other", "")),
		Path: []byte(pick(c, "/", "/a", "/a/", "/ab", "/a/b", "/a/b/c", "/a//b", "/x/../a/b", "/b",
			"/a;x", "/a%2fb", "/%2fa", "/a%40b", "/a@b", "/%61", "/a/..;/a", "/a\\b", "*", "/b;v/a",
			"/a;v%3d/b", "/a%2F%2fb%40", "/%2F", "/;/a")),
		Query:  []byte(pick(c, "", "q=1", "q=2&q=1", "q=11&v", "%71=1", "q=%31&v=;", "v=%zz")),
		Method: []byte(pick(c, "GET", "POST", "get")),
		Fields: pick(c, fields{}, fields{"X-a", "1"}, fields{"x-A", "3", "X-A", "2", "x-b", ""}),
		Client: netip.MustParseAddr(pick(c, "10.1.2.3", "10.2.2.3", "::ffff:10.1.1.1", "::1")),
	}
}

func FuzzMatch(f *testing.F) {
	f.Add([]byte("a few rules and a few requests, chosen by these bytes"))
	f.Add([]byte{3, 1, 0, 1, 1, 0, 0, 2, 3, 4, 1, 2, 0, 0, 9, 1, 5, 0, 0, 0, 7, 7})
	f.Fuzz(checkMatch)
}

func checkMatch(t *testing.T, choices []byte) {
	c := chooser(choices)
	rules := make(reference, c.number(12))
	for i := range rules {
		rules[i] = c.rule()
	}
	table, err := route.Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	shadowed := map[int]int{}
	for _, s := range table.Unreachable() {
		shadowed[s.Rule] = s.By
	}
	for len(c) > 0 {
		r := c.request()
		want := rules.match(r)
		got := table.Match(r)
		if got.Rule != want.Rule || got.Known != want.Known || got.Bad != want.Bad ||
			got.Canonical != want.Canonical || !bytes.Equal(got.Path, want.Path) {
			t.Fatalf("rules %+v\nrequest %q %q %+v\ngot  %+v\nwant %+v",
				rules, r.Host, r.Path, r, got, want)
		}
		if by, ok := shadowed[got.Rule]; ok {
			t.Fatalf("rules %+v\nrequest %+v\nrule %d matched, said to be shadowed by %d",
				rules, r, got.Rule, by)
		}
	}
}
