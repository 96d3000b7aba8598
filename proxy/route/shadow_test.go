package route_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"doorward/internal/netset"
	"doorward/proxy/route"
)

func TestUnreachable(t *testing.T) {
	network := func(p string) *netset.Set {
		return netset.New([]netip.Prefix{netip.MustParsePrefix(p)})
	}
	rule := func(host string, paths ...string) route.Rule {
		return route.Rule{Hosts: []string{host}, Paths: paths}
	}
	with := func(r route.Rule, change func(*route.Rule)) route.Rule {
		change(&r)
		return r
	}
	a := hosts("a.example")
	get := func(r *route.Rule) { r.Methods = []string{"GET"} }
	getPost := func(r *route.Rule) { r.Methods = []string{"POST", "GET"} }
	inner := func(r *route.Rule) { r.Networks = network("10.1.0.0/16") }
	outer := func(r *route.Rule) { r.Networks = network("10.0.0.0/8") }
	beta := func(r *route.Rule) { r.Headers = []route.Matcher{{Name: "X-Beta", Value: "*"}} }
	gamma := func(r *route.Rule) {
		r.Headers = []route.Matcher{{Name: "X-Gamma", Value: "1"}, {Name: "x-beta", Value: "*"}}
	}
	query := func(r *route.Rule) { r.Query = []route.Matcher{{Name: "q", Value: "1"}} }
	tests := []struct {
		name  string
		rules []route.Rule
		want  []route.Shadow
	}{
		{"same host", []route.Rule{a, a}, []route.Shadow{{Rule: 1, By: 0}}},
		{"other host", []route.Rule{a, hosts("b.example")}, nil},
		{"wildcard takes exact", []route.Rule{hosts("*.example"), a}, []route.Shadow{{1, 0}}},
		{"exact leaves wildcard", []route.Rule{a, hosts("*.example")}, nil},
		{"expression takes exact", []route.Rule{hosts("~.*"), a}, []route.Shadow{{1, 0}}},
		{"same expression", []route.Rule{hosts("~a+"), hosts("~a+")}, []route.Shadow{{1, 0}}},
		{"every host takes all", []route.Rule{hosts(), a, hosts("*.b"), hosts("~c"), hosts()},
			[]route.Shadow{{1, 0}, {2, 0}, {3, 0}, {4, 0}}},
		{"named leaves every host", []route.Rule{a, hosts()}, nil},
		{"both hosts taken", []route.Rule{a, hosts("b"), hosts("b", "a.example")},
			[]route.Shadow{{2, 0}}},
		{"one host of two taken", []route.Rule{a, hosts("a.example", "b")}, nil},
		{"prefix takes longer", []route.Rule{rule("a", "/x"), rule("a", "/x/y")},
			[]route.Shadow{{1, 0}}},
		{"prefix leaves shorter", []route.Rule{rule("a", "/x/y"), rule("a", "/x")}, nil},
		{"prefix leaves neighbour", []route.Rule{rule("a", "/x"), rule("a", "/xy")}, nil},
		{"prefix takes exact", []route.Rule{rule("a", "/x"), rule("a", "=/x/")},
			[]route.Shadow{{1, 0}}},
		{"exact takes exact", []route.Rule{rule("a", "=/x"), rule("a", "=/x")},
			[]route.Shadow{{1, 0}}},
		{"exact leaves slash", []route.Rule{rule("a", "=/x"), rule("a", "=/x/")}, nil},
		{"exact leaves prefix", []route.Rule{rule("a", "=/x"), rule("a", "/x")}, nil},
		{"root takes every path", []route.Rule{rule("a", "/"), rule("a", "~/x"), rule("a")},
			[]route.Shadow{{1, 0}, {2, 0}}},
		{"no path takes every path", []route.Rule{rule("a"), rule("a", "~/x", "=/y")},
			[]route.Shadow{{1, 0}}},
		{"path leaves no path", []route.Rule{rule("a", "/x"), rule("a")}, nil},
		{"path expression takes exact", []route.Rule{rule("a", "~/x.*"), rule("a", "=/xy")},
			[]route.Shadow{{1, 0}}},
		{"path expression leaves prefix", []route.Rule{rule("a", "~/x.*"), rule("a", "/x")}, nil},
		{"same path expression", []route.Rule{rule("a", "~/x"), rule("a", "~/x")},
			[]route.Shadow{{1, 0}}},
		{"paths taken by several", []route.Rule{rule("a", "/x"), rule("a", "/y"),
			rule("a", "/y/1", "/x/1")}, []route.Shadow{{2, 0}}},
		{"more methods", []route.Rule{with(a, getPost), with(a, get)}, []route.Shadow{{1, 0}}},
		{"fewer methods", []route.Rule{with(a, get), with(a, getPost)}, nil},
		{"method leaves all", []route.Rule{with(a, get), a}, nil},
		{"wider network", []route.Rule{with(a, outer), with(a, inner)}, []route.Shadow{{1, 0}}},
		{"narrower network", []route.Rule{with(a, inner), with(a, outer)}, nil},
		{"network leaves all", []route.Rule{with(a, outer), a}, nil},
		{"fewer headers", []route.Rule{with(a, beta), with(a, gamma)}, []route.Shadow{{1, 0}}},
		{"more headers", []route.Rule{with(a, gamma), with(a, beta)}, nil},
		{"same query", []route.Rule{with(a, query), with(a, query)}, []route.Shadow{{1, 0}}},
		{"query leaves all", []route.Rule{with(a, query), a}, nil},
		{"gate", []route.Rule{with(a, func(r *route.Rule) { r.Canonical = true }), a},
			[]route.Shadow{{1, 0}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := compile(t, tt.rules...).Unreachable(); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// manyRules are 10,000 rules that can all be reached.
func manyRules(shape func(i int) route.Rule) []route.Rule {
	rules := make([]route.Rule, 10_000)
	for i := range rules {
		rules[i] = shape(i)
	}
	return rules
}

func distinctHost(i int) route.Rule { return hosts(fmt.Sprintf("h%d.example", i)) }

func distinctPath(i int) route.Rule {
	return route.Rule{Hosts: []string{"a"}, Paths: []string{fmt.Sprintf("/p%d", i)}}
}

func distinctHeader(i int) route.Rule {
	return route.Rule{Headers: []route.Matcher{{Name: "X", Value: fmt.Sprint(i)}}}
}

func TestUnreachableOfManyRules(t *testing.T) {
	for name, shape := range map[string]func(int) route.Rule{
		"hosts": distinctHost, "paths": distinctPath,
	} {
		rules := manyRules(shape)
		rules = append(rules, rules[5000])
		got := compile(t, rules...).Unreachable()
		if want := []route.Shadow{{Rule: 10_000, By: 5000}}; !slices.Equal(got, want) {
			t.Errorf("%s: got %d shadows", name, len(got))
		}
	}
}

func BenchmarkUnreachable(b *testing.B) {
	for name, shape := range map[string]func(int) route.Rule{
		"hosts": distinctHost, "paths": distinctPath, "headers": distinctHeader,
	} {
		table := compile(b, manyRules(shape)...)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				table.Unreachable()
			}
		})
	}
}
