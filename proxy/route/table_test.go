package route_test

import (
	"net/netip"
	"testing"

	"doorward/internal/netset"
	"doorward/proxy/route"
)

func compile(t testing.TB, rules ...route.Rule) *route.Table {
	t.Helper()
	table, err := route.Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func hosts(names ...string) route.Rule { return route.Rule{Hosts: names} }

func TestMatchTakesTheFirstRuleOfTheHost(t *testing.T) {
	a, wild, re, all := hosts("a.example"), hosts("*.example"), hosts(`~[a-c]\.example`), hosts()
	tests := []struct {
		name  string
		rules []route.Rule
		host  string
		want  int
	}{
		{"exact", []route.Rule{hosts("b.example"), a}, "a.example", 1},
		{"wildcard before exact", []route.Rule{wild, a}, "a.example", 0},
		{"exact before wildcard", []route.Rule{a, wild}, "a.example", 0},
		{"wildcard for the others", []route.Rule{a, wild}, "b.example", 1},
		{"expression before exact", []route.Rule{re, a}, "a.example", 0},
		{"exact before expression", []route.Rule{a, re}, "a.example", 0},
		{"expression before wildcard", []route.Rule{re, wild}, "b.example", 0},
		{"wildcard where no expression", []route.Rule{re, wild}, "d.example", 1},
		{"wildcard before expression", []route.Rule{wild, re}, "b.example", 0},
		{"all before exact", []route.Rule{all, a}, "a.example", 0},
		{"all after exact", []route.Rule{a, all}, "a.example", 0},
		{"all for the others", []route.Rule{a, wild, re, all}, "other", 3},
		{"no host", []route.Rule{a, wild, re, all}, "", 3},
		{"expression is anchored", []route.Rule{re, all}, "xa.example", 1},
		{"second of two hosts", []route.Rule{hosts("x", "a.example")}, "a.example", 0},
		{"upper case in the rule", []route.Rule{hosts("A.Example.")}, "a.example", 0},
		{"IPv6 in the rule", []route.Rule{hosts("[0:0:0:0:0:0:0:1]")}, "[::1]", 0},
		{"none", []route.Rule{a, wild}, "a.b.example", -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := compile(t, tt.rules...).Match(&route.Request{Host: []byte(tt.host)})
			if got.Rule != tt.want || got.Known != (tt.want >= 0) {
				t.Errorf("rule %d, known %v, want %d", got.Rule, got.Known, tt.want)
			}
		})
	}
}

func TestMatchKnowsHosts(t *testing.T) {
	post := []string{"POST"}
	named := compile(t,
		route.Rule{Hosts: []string{"a.example", "*.w.example", "~r[0-9]"}, Methods: post})
	for host, want := range map[string]bool{
		"a.example": true, "x.w.example": true, "r7": true, "b.example": false, "": false,
	} {
		got := named.Match(&route.Request{Host: []byte(host), Path: []byte("/")})
		if got.Known != want || got.Rule != -1 {
			t.Errorf("%q: %+v, want known %v", host, got, want)
		}
		if named.Names([]byte(host)) != want {
			t.Errorf("Names(%q) = %v", host, !want)
		}
	}
	all := compile(t, route.Rule{Methods: post})
	if got := all.Match(&route.Request{Host: []byte("b.example")}); !got.Known {
		t.Error("a rule without hosts does not know a host")
	}
	if all.Names([]byte("b.example")) {
		t.Error("a rule without hosts names a host")
	}
}

func TestMatchMakesPathsCanonicalOnlyWhereARuleLooksAtThem(t *testing.T) {
	const raw = "/a/../%62;x=%2F/\\"
	byHost := hosts("a.example")
	posts := route.Rule{Hosts: []string{"a.example"}, Methods: []string{"POST"}}
	tests := []struct {
		name  string
		rules []route.Rule
		want  route.Result
	}{
		{"by host alone", []route.Rule{byHost}, route.Result{Rule: 0}},
		{"by host, path rule later", []route.Rule{byHost, {Paths: []string{"/"}}},
			route.Result{Rule: 0}},
		{"by host after a miss", []route.Rule{posts, byHost, {Canonical: true}},
			route.Result{Rule: 1}},
		{"no rule", []route.Rule{posts}, route.Result{Rule: -1}},
		{"path rule of another host", []route.Rule{
			{Hosts: []string{"b.example"}, Paths: []string{"/"}}, byHost}, route.Result{Rule: 1}},
		{"path rule tried first", []route.Rule{{Paths: []string{"/zz"}}, byHost},
			route.Result{Rule: -1, Canonical: true, Bad: true}},
		{"path rule of another method tried first", []route.Rule{
			{Paths: []string{"/"}, Methods: []string{"POST"}}, byHost},
			route.Result{Rule: -1, Canonical: true, Bad: true}},
		{"gate", []route.Rule{{Hosts: []string{"a.example"}, Canonical: true}},
			route.Result{Rule: -1, Canonical: true, Bad: true}},
		{"path rule of an expression", []route.Rule{
			{Hosts: []string{"~a.*"}, Paths: []string{"/zz"}}, hosts("*.example")},
			route.Result{Rule: -1, Canonical: true, Bad: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := compile(t, tt.rules...).Match(&route.Request{
				Host: []byte("a.example"), Path: []byte(raw), Method: []byte("GET")})
			if got.Rule != tt.want.Rule || got.Bad != tt.want.Bad ||
				got.Canonical != tt.want.Canonical || string(got.Path) != raw {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestMatchForwardsThePathItDecidedOn(t *testing.T) {
	table := compile(t, route.Rule{Paths: []string{"/admin"}}, hosts("a.example"))
	got := table.Match(&route.Request{Host: []byte("a.example"), Path: []byte("/x/..//%61/b")})
	if got.Rule != 1 || !got.Canonical || string(got.Path) != "/a/b" {
		t.Errorf("got %d %v %q", got.Rule, got.Canonical, got.Path)
	}
}

func TestMatchPaths(t *testing.T) {
	table := compile(t,
		route.Rule{Paths: []string{"=/healthz", "=/status/"}},
		route.Rule{Paths: []string{"/api/v1"}},
		route.Rule{Paths: []string{"~/api/v[0-9]+/.*"}},
		route.Rule{Paths: []string{"/api/v1/users", "/api/"}},
		route.Rule{Paths: []string{"/größe", "/a%20b"}},
		route.Rule{Paths: []string{"=/"}},
	)
	for path, want := range map[string]int{
		"/healthz": 0, "/healthz/": -1, "/status": -1, "/status/": 0, "/api/v1": 1,
		"/api/v1/users": 1, "/api/v2/users": 2, "/api/v2": 3, "/api": 3, "/api/": 3, "/apis": -1,
		"/gr%c3%b6%C3%9Fe/x": 4, "/a%20b": 4, "/": 5, "//": 5, "/other": -1,
	} {
		if got := table.Match(&route.Request{Path: []byte(path)}); got.Rule != want {
			t.Errorf("%q: rule %d, want %d", path, got.Rule, want)
		}
	}
}

func TestMatchOtherMatchers(t *testing.T) {
	office := netset.New([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	header := func(value string) route.Rule {
		return route.Rule{Headers: []route.Matcher{{Name: "X-Kind", Value: value}}}
	}
	query := func(value string) route.Rule {
		return route.Rule{Query: []route.Matcher{{Name: "q", Value: value}}}
	}
	get := &route.Request{Method: []byte("GET"), Client: netip.MustParseAddr("10.1.1.1")}
	tests := []struct {
		name string
		rule route.Rule
		r    *route.Request
		want bool
	}{
		{"method", route.Rule{Methods: []string{"POST", "GET"}}, get, true},
		{"method, case", route.Rule{Methods: []string{"GET"}},
			&route.Request{Method: []byte("get")}, false},
		{"client", route.Rule{Networks: office}, get, true},
		{"client outside", route.Rule{Networks: office},
			&route.Request{Client: netip.MustParseAddr("11.1.1.1")}, false},
		{"client unknown", route.Rule{Networks: office}, &route.Request{}, false},
		{"nobody's network", route.Rule{Networks: netset.New(nil)}, get, false},
		{"header", header("a"), &route.Request{Fields: fields{"x-kind", "a"}}, true},
		{"header, second line", header("a"),
			&route.Request{Fields: fields{"X-KIND", "b", "X-Kind", "a"}}, true},
		{"header, value's case", header("a"), &route.Request{Fields: fields{"X-Kind", "A"}}, false},
		{"header, part of the value", header("a"),
			&route.Request{Fields: fields{"X-Kind", "a,b"}}, false},
		{"header, expression", header("~a|b"), &route.Request{Fields: fields{"X-Kind", "b"}}, true},
		{"header, anchored", header("~a|b"), &route.Request{Fields: fields{"X-Kind", "ab"}}, false},
		{"header, obs-text", header("~.*"), &route.Request{Fields: fields{"X-Kind", "\x85"}}, true},
		{"header present", header("*"), &route.Request{Fields: fields{"X-Kind", ""}}, true},
		{"header absent", header("*"), &route.Request{Fields: fields{"X-Other", "a"}}, false},
		{"header empty", header(""), &route.Request{Fields: fields{"X-Kind", ""}}, true},
		{"no headers at all", header("*"), &route.Request{}, false},
		{"query", query("1"), &route.Request{Query: []byte("p=0&q=1")}, true},
		{"query, second", query("1"), &route.Request{Query: []byte("q=2&q=1")}, true},
		{"query, escaped", query("a b"), &route.Request{Query: []byte("%71=a+%62")}, true},
		{"query, bad escape", query("%zz"), &route.Request{Query: []byte("q=%zz")}, true},
		{"query, other value", query("1"), &route.Request{Query: []byte("q=11")}, false},
		{"query, other name", query("1"), &route.Request{Query: []byte("qq=1&Q=1")}, false},
		{"query, expression", query("~[0-9]+"), &route.Request{Query: []byte("q=42")}, true},
		{"query present", query("*"), &route.Request{Query: []byte("a&q")}, true},
		{"query absent", query("*"), &route.Request{Query: []byte("&&")}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := compile(t, tt.rule).Match(tt.r); (got.Rule == 0) != tt.want {
				t.Errorf("matched: %v, want %v", got.Rule == 0, tt.want)
			}
		})
	}
}

func TestMatchersAreAllNeeded(t *testing.T) {
	table := compile(t, route.Rule{
		Methods: []string{"GET"},
		Headers: []route.Matcher{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}},
		Query:   []route.Matcher{{Name: "c", Value: "3"}},
	})
	full := route.Request{Method: []byte("GET"), Fields: fields{"A", "1", "B", "2"},
		Query: []byte("c=3")}
	if got := table.Match(&full); got.Rule != 0 {
		t.Fatalf("got %+v", got)
	}
	for name, change := range map[string]func(*route.Request){
		"method": func(r *route.Request) { r.Method = []byte("PUT") },
		"header": func(r *route.Request) { r.Fields = fields{"A", "1"} },
		"query":  func(r *route.Request) { r.Query = nil },
	} {
		r := full
		change(&r)
		if got := table.Match(&r); got.Rule != -1 {
			t.Errorf("without %s: %+v", name, got)
		}
	}
}

func TestEmptyTable(t *testing.T) {
	got := compile(t).Match(&route.Request{Host: []byte("a.example"), Path: []byte("/")})
	if got.Rule != -1 || got.Known || got.Bad || got.Canonical {
		t.Errorf("got %+v", got)
	}
}
