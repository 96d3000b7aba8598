package route_test

import (
	"fmt"
	"testing"

	"doorward/internal/alloctest"
	"doorward/proxy/route"
)

// hostRules are n routes by host alone, as most sites have.
func hostRules(n int) []route.Rule {
	rules := make([]route.Rule, n)
	for i := range rules {
		rules[i] = hosts(fmt.Sprintf("app%05d.apps.example.com", i))
	}
	return rules
}

func pathRules(n int) []route.Rule {
	rules := make([]route.Rule, n)
	for i := range rules {
		rules[i] = route.Rule{Hosts: []string{"api.example.com"},
			Paths: []string{fmt.Sprintf("/api/v1/service%d", i)}}
	}
	return rules
}

type workload struct {
	name    string
	rules   []route.Rule
	host    string
	path    string
	request func(*route.Request)
}

func workloads() []workload {
	wild := append(hostRules(1000), hosts("*.wild.example.com"))
	return []workload{
		{"hosts 10", hostRules(10), "app00007.apps.example.com", "/", nil},
		{"hosts 10000", hostRules(10_000), "app07007.apps.example.com", "/", nil},
		{"wildcard", wild, "some.wild.example.com", "/", nil},
		{"unknown host", wild, "nobody.example.com", "/", nil},
		{"gate", []route.Rule{{Hosts: []string{"app.example.com"}, Canonical: true}},
			"app.example.com", "/static/css/site.css", nil},
		{"paths 10", pathRules(10), "api.example.com", "/api/v1/service7/users/12", nil},
		{"paths 1000", pathRules(1000), "api.example.com", "/api/v1/service907/users/12", nil},
		{"escapes", pathRules(10), "api.example.com", "/api/v1/service7/a%20b%40c", nil},
		{"expression", append(hostRules(10), hosts(`~app[0-9]+\.example\.com`)),
			"app42.example.com", "/", nil},
		{"headers", []route.Rule{
			{Hosts: []string{"a"}, Headers: []route.Matcher{{Name: "X-Version", Value: "2"}}},
			hosts("a")}, "a", "/",
			func(r *route.Request) { r.Fields = &field{"x-version", []byte("1")} }},
		{"query", []route.Rule{
			{Hosts: []string{"a"}, Query: []route.Matcher{{Name: "v", Value: "2"}}}, hosts("a")},
			"a", "/", func(r *route.Request) { r.Query = []byte("page=7&v=1") }},
	}
}

// field is one header field that costs nothing to read.
type field struct {
	name  string
	value []byte
}

func (f *field) Field(name string, n int) ([]byte, bool) {
	return f.value, n == 0 && name == f.name
}

func (w *workload) prepare(t testing.TB) (*route.Table, *route.Request) {
	r := &route.Request{Host: []byte(w.host), Path: []byte(w.path), Method: []byte("GET"),
		Scratch: make([]byte, 0, 4096)}
	if w.request != nil {
		w.request(r)
	}
	return compile(t, w.rules...), r
}

func TestMatchDoesNotAllocate(t *testing.T) {
	for _, w := range workloads() {
		table, r := w.prepare(t)
		if got := table.Match(r); got.Bad || got.Rule < 0 && w.name != "unknown host" {
			t.Errorf("%s: %+v", w.name, got)
		}
		if n := alloctest.PerRun(100, func() { table.Match(r) }); n != 0 {
			t.Errorf("%s: %v allocations", w.name, n)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, w := range workloads() {
		b.Run(w.name, func(b *testing.B) {
			table, r := w.prepare(b)
			b.ReportAllocs()
			for b.Loop() {
				table.Match(r)
			}
		})
	}
}

// BenchmarkMatchAllHosts asks for another host each time, from the Host field on,
// so that what grows with the table is the share that misses the cache. The
// field is written into one buffer, as on a connection.
func BenchmarkMatchAllHosts(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			table := compile(b, hostRules(n)...)
			raw := []byte("app00000.apps.example.com:443")
			r := &route.Request{Path: []byte("/")}
			for i := 0; b.Loop(); i++ {
				// 7919 is prime: every host is asked for, in no order.
				for digit, rest := 7, i*7919%n; digit > 2; digit, rest = digit-1, rest/10 {
					raw[digit] = '0' + byte(rest%10)
				}
				r.Host, _ = route.CanonicalHost(nil, raw)
				if got := table.Match(r); got.Rule < 0 {
					b.Fatal("no rule")
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	rules := hostRules(10_000)
	for b.Loop() {
		compile(b, rules...)
	}
}
