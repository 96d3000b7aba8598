package route_test

import (
	"testing"

	"doorward/internal/alloctest"
	"doorward/proxy/route"
)

func TestPathsHold(t *testing.T) {
	p, err := route.ParsePaths([]string{"/api", "=/healthz", "~/static/.*[.]css", "/a%62c/"})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"/api": true, "/api/": true, "/api/x": true, "/apis": false, "/": false, "/API": false,
		"/healthz": true, "/healthz/": false, "/healthz/x": false,
		"/static/a.css": true, "/static/a.js": false, "/x/static/a.css": false,
		"/abc": true, "/abc/d": true,
		// A server may read these as /admin.
		"/api/..%2Fadmin": false, "/api/..%5Cadmin": false, "/static/%2F.css": false,
	} {
		if got := p.Has([]byte(path)); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	if (route.Paths{}).Has([]byte("/")) {
		t.Error("the zero set holds something")
	}
}

func TestPathsThatAreNone(t *testing.T) {
	for _, entry := range []string{"", "api", "~", "~(", "=x", "/a/*", "/a%2Fb", "/%zz"} {
		if _, err := route.ParsePaths([]string{"/ok", entry}); err == nil {
			t.Errorf("%q is taken", entry)
		}
	}
}

func TestPathsAllocateNothing(t *testing.T) {
	p, err := route.ParsePaths([]string{"/api", "=/healthz"})
	if err != nil {
		t.Fatal(err)
	}
	path := []byte("/somewhere/else")
	if n := alloctest.PerRun(100, func() { p.Has(path) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
