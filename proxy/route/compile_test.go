package route_test

import (
	"errors"
	"strings"
	"testing"

	"doorward/proxy/route"
)

func TestCompileRefuses(t *testing.T) {
	header := func(name, value string) route.Rule {
		return route.Rule{Headers: []route.Matcher{{Name: name, Value: value}}}
	}
	query := func(name, value string) route.Rule {
		return route.Rule{Query: []route.Matcher{{Name: name, Value: value}}}
	}
	path := func(p string) route.Rule { return route.Rule{Paths: []string{p}} }
	tests := []struct {
		name string
		rule route.Rule
		key  string
		hint string
	}{
		{"empty host", hosts(""), "hosts", "no host"},
		{"host with port", hosts("a.example:443"), "hosts", "without port"},
		{"IPv6 with port", hosts("[::1]:443"), "hosts", "without port"},
		{"host with scheme", hosts("https://a.example"), "hosts", "no host"},
		{"star alone", hosts("*"), "hosts", "leave hosts out"},
		{"star inside", hosts("a.*.example"), "hosts", "wildcard"},
		{"star in a label", hosts("a*.example"), "hosts", "wildcard"},
		{"two stars", hosts("*.*.example"), "hosts", "wildcard"},
		{"international host", hosts("bücher.example"), "hosts", "xn--"},
		{"bad host expression", hosts("~a("), "hosts", "missing closing"},
		{"empty host expression", hosts("~"), "hosts", "empty"},
		{"expression that leaves its brackets", hosts("~a)|(?:b"), "hosts", "unexpected )"},
		{"path without slash", path("admin"), "paths", `starts with "/"`},
		{"empty path", path(""), "paths", `starts with "/"`},
		{"exact path without slash", path("=admin"), "paths", `"=/"`},
		{"path with a star", path("/admin/*"), "paths", "prefix"},
		{"path with a query", path("/a?b"), "paths", "no request"},
		{"path with a parameter", path("/a;b"), "paths", `";"`},
		{"path with an escaped slash", path("=/a%2Fb"), "paths", "escaped"},
		{"path with an escaped delimiter", path("/%40a"), "paths", "escaped"},
		{"bad path expression", path("~["), "paths", "missing closing"},
		{"method in lower case", route.Rule{Methods: []string{"get"}}, "methods", "GET"},
		{"method that is none", route.Rule{Methods: []string{"G T"}}, "methods", "token"},
		{"empty method", route.Rule{Methods: []string{""}}, "methods", "token"},
		{"header without name", header("", "*"), "headers", "name"},
		{"header name", header("X A", "*"), "headers", "token"},
		{"bad header expression", header("X-A", "~("), "headers", "missing closing"},
		{"query without name", query("", "*"), "query", "name"},
		{"bad query expression", query("q", "~("), "query", "missing closing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.rule.Name = "whoami"
			table, err := route.Compile([]route.Rule{{}, tt.rule})
			var fault *route.RuleError
			if table != nil || !errors.As(err, &fault) {
				t.Fatalf("table %v, error %v", table, err)
			}
			if fault.Rule != 1 || fault.Key != tt.key || !strings.Contains(err.Error(), tt.hint) ||
				!strings.HasPrefix(err.Error(), `route "whoami": `+tt.key+": ") {
				t.Errorf("error %v, want key %s and %q", err, tt.key, tt.hint)
			}
		})
	}
}

func TestCompileReportsEverythingAtOnce(t *testing.T) {
	_, err := route.Compile([]route.Rule{
		{Name: "one", Hosts: []string{"a b", "fine.example"}, Paths: []string{"x"}},
		{Name: "two"},
		{Name: "three", Methods: []string{"post"}},
	})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 3 {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{`"one": hosts: "a b"`, `"one": paths: "x"`, `"three": methods`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in %v", part, err)
		}
	}
}
