package route_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"doorward/proxy/route"
)

// The rules that the PATH cases are judged by.
const (
	public = iota
	admin
	login
)

func securityTable(t *testing.T) *route.Table {
	t.Helper()
	return compile(t,
		route.Rule{Name: "public", Paths: []string{"/public"}},
		route.Rule{Name: "admin", Paths: []string{"/admin"}},
		route.Rule{Name: "login", Canonical: true},
	)
}

// TestSecurity has the cases of groups PATH, HOST and H1 as far as this package
// decides them.
func TestSecurity(t *testing.T) {
	testPaths(t)
	testHosts(t)
	for name, test := range map[string]func(*testing.T){
		"PATH-04_encoded_slash_passes_where_allowed":           testEncodedSlashPasses,
		"PATH-17_PATH-18_expressions_see_the_whole_path_alone": testExpressionsSeeTheWholePath,
		"PATH-23_queries_are_not_parsed_away":                  testQueriesAreNotParsedAway,
		"PATH-25_HEAD_and_OPTIONS_are_decided_like_GET":        testMethodsAreDecidedAlike,
		"PATH-26_the_first_rule_wins":                          testFirstRuleWins,
		"PATH-27_a_segment_expression_stays_in_its_segment":    testSegmentExpression,
		"PATH-29_reserved_paths_cannot_be_hidden":              testReservedPaths,
		"PATH-30_canonical_paths_are_canonical":                testCanonicalPathsAreCanonical,
		"HOST-07_a_wildcard_is_one_label":                      testWildcardIsOneLabel,
		"PATH-19_strip_prefix":                                 testStripPrefix,
		"PATH-20_replace_prefix":                               testReplacePrefix,
		"PATH-21_one_representation":                           testOneRepresentation,
	} {
		t.Run(name, test)
	}
}

// testPaths runs the cases that are lists of paths: each is refused, or decided
// on the one path that the server gets.
func testPaths(t *testing.T) {
	const bad = -2
	type decision struct {
		raw  string
		rule int
		path string
	}
	cases := map[string][]decision{
		"PATH-01_dot_segments": {
			{"/public/../admin/x", admin, "/admin/x"},
			{"/public/./../admin", admin, "/admin"},
		},
		"PATH-02_encoded_dots": {
			{"/public/%2e%2e/admin", admin, "/admin"},
			{"/public/%2E./admin", admin, "/admin"},
			{"/public/.%2e/admin", admin, "/admin"},
		},
		"PATH-03_double_encoded": {
			{"/public/%252e%252e/admin", bad, ""},
			{"/public/%252f..%252fadmin", bad, ""},
			{"/public/%25%32%65%25%32%65/admin", bad, ""},
			{"/public/100%25", public, "/public/100%25"},
		},
		"PATH-04_encoded_slash": {
			{"/public%2f..%2fadmin", bad, ""},
			{"/admin%2fx", bad, ""},
			{"/%2fadmin", bad, ""},
			{"/%2F", bad, ""},
			{"%2F", bad, ""},
		},
		"PATH-05_backslash": {
			{`/public\..\admin`, bad, ""},
			{"/public%5c..%5cadmin", bad, ""},
			{`/\admin`, bad, ""},
		},
		"PATH-07_matrix_parameter_on_dots": {
			{"/public/..;/admin", bad, ""},
			{"/public/..;foo=bar/admin", bad, ""},
			{"/..;a=b;c/admin", bad, ""},
			{"/public/%2e%2e;/admin", bad, ""},
		},
		"PATH-08_matrix_parameter_on_a_segment": {
			{"/admin;x=y/panel", bad, ""},
			{"/admin;/x", bad, ""},
			{"/;/admin", bad, ""},
			{"/public/x;/../../admin", admin, "/admin"},
			{"/admin/page;id=1", admin, "/admin/page;id=1"},
			{"/other;x/page", login, "/other;x/page"},
		},
		"PATH-09_encoded_delimiters": {
			{"/admin%3bx", bad, ""},
			{"/admin%3fx", bad, ""},
			{"/foo/secret%23/bar", bad, ""},
			{"/public%23/../admin", bad, ""},
		},
		"PATH-10_control_characters": {
			{"/admin%00.png", bad, ""},
			{"/admin%0a", bad, ""},
			{"/admin%0d%0a", bad, ""},
			{"/admin%09", bad, ""},
			{"/admin%7f", bad, ""},
			{"/admin\x00", bad, ""},
			{"/admin%20", login, "/admin%20"},
			{"/admin /x", bad, ""},
		},
		"PATH-11_case": {
			{"/ADMIN/x", login, "/ADMIN/x"},
			{"/Admin", login, "/Admin"},
			{"/%41dmin", login, "/Admin"},
			{"/%61dmin", admin, "/admin"},
		},
		"PATH-12_unicode": {
			{"/ａdmin", login, "/%EF%BD%81dmin"},
			{"/admın", login, "/adm%C4%B1n"},
			{"/%c4%b1", login, "/%C4%B1"},
			{"/\u212Admin", login, "/%E2%84%AAdmin"},
			{"/e\u0301", login, "/e%CC%81"},
			{"/\u00e9", login, "/%C3%A9"},
			{"/public\u2215..\u2215admin", login, "/public%E2%88%95..%E2%88%95admin"},
		},
		"PATH-13_invalid_UTF-8": {
			{"/%c0%ae%c0%ae/admin", bad, ""},
			{"/%e0%80%af", bad, ""},
			{"/%ff", bad, ""},
			{"/\xff", bad, ""},
			{"/%u002e", bad, ""},
		},
		"PATH-14_bad_escapes": {
			{"/admin%", bad, ""}, {"/admin%2", bad, ""}, {"/admin%zz", bad, ""},
		},
		"PATH-15_prefix_boundary": {
			{"/adminx", login, "/adminx"},
			{"/admin-old", login, "/admin-old"},
			{"/admin.", login, "/admin."},
			{"/admin/", admin, "/admin/"},
			{"/admin", admin, "/admin"},
		},
		"PATH-28_very_many_segments": {
			{strings.Repeat("/a/..", 1600) + "/admin", admin, "/admin"},
			{strings.Repeat("/.", 4000), login, "/"},
			{strings.Repeat("/a", 4000), login, strings.Repeat("/a", 4000)},
		},
	}
	table := securityTable(t)
	for name, decisions := range cases {
		t.Run(name, func(t *testing.T) {
			for _, d := range decisions {
				got := table.Match(&route.Request{Path: []byte(d.raw)})
				if d.rule == bad {
					if !got.Bad || got.Rule != -1 {
						t.Errorf("%.80q: %+v, want it refused", d.raw, got)
					}
					continue
				}
				if got.Bad || got.Rule != d.rule || string(got.Path) != d.path || !got.Canonical {
					t.Errorf("%.80q: rule %d, path %.80q, bad %v, want %d and %.80q",
						d.raw, got.Rule, got.Path, got.Bad, d.rule, d.path)
				}
			}
		})
	}
}

func testEncodedSlashPasses(t *testing.T) {
	table := compile(t,
		route.Rule{Paths: []string{"/admin"}},
		route.Rule{Paths: []string{"/api"}, EncodedSlashes: true},
		route.Rule{Paths: []string{"/"}, EncodedSlashes: true},
	)
	for raw, want := range map[string]int{
		"/api/projects/group%2fname": 1, "/x%2Fy": 2, "/%2Fx": 2,
		// A server that decodes would read these as another rule's path.
		"/admin%2fx": -1, "/%2fadmin": -1, "/api%2fx": -1, "/api%2f%2fx": -1,
		// And these hide dot segments or add a third reading.
		"/api/..%2fadmin": -1, "/api%2f..%2fadmin": -1, "/api/%2e%2e%2fx": -1, "/api/a;b%2fc": -1,
	} {
		got := table.Match(&route.Request{Path: []byte(raw)})
		if got.Rule != want || got.Bad != (want < 0) {
			t.Errorf("%q: rule %d, bad %v, want %d", raw, got.Rule, got.Bad, want)
		}
		if want >= 0 && !bytes.Contains(got.Path, []byte("%2F")) {
			t.Errorf("%q: forwarded as %q", raw, got.Path)
		}
	}
}

func testExpressionsSeeTheWholePath(t *testing.T) {
	table := compile(t,
		route.Rule{Paths: []string{"~/public", "~/a|/b"}},
		route.Rule{Paths: []string{"/admin"}},
	)
	for _, tt := range []struct {
		path, query string
		want        int
	}{
		{"/public", "", 0},
		{"/a", "", 0},
		{"/admin/public", "", 1},
		{"/admin", "x=/public", 1},
		{"/admin", "/public/", 1},
		{"/public/x", "", -1},
		{"/xx/b", "", -1},
		{"/ax", "", -1},
	} {
		got := table.Match(&route.Request{Path: []byte(tt.path), Query: []byte(tt.query)})
		if got.Rule != tt.want {
			t.Errorf("%s?%s: rule %d, want %d", tt.path, tt.query, got.Rule, tt.want)
		}
	}
}

func testQueriesAreNotParsedAway(t *testing.T) {
	table := compile(t, route.Rule{Query: []route.Matcher{{Name: "admin", Value: "1"}}},
		route.Rule{})
	for query, want := range map[string]int{
		"admin=1": 0, "a=1;b=2&admin=1": 0, "a=%zz&admin=1": 0, "%61dmin=%31": 0,
		"admin=2&admin=1": 0, strings.Repeat("a=b&", 10_001) + "admin=1": 0,
		"admin=1;b": 1, "a;admin=1": 1, "admin=%zz": 1, "": 1,
	} {
		if got := table.Match(&route.Request{Query: []byte(query)}); got.Rule != want {
			t.Errorf("%.40q: rule %d, want %d", query, got.Rule, want)
		}
	}
}

func testMethodsAreDecidedAlike(t *testing.T) {
	table := securityTable(t)
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "get", ""} {
		got := table.Match(&route.Request{Path: []byte("/admin"), Method: []byte(method)})
		if got.Rule != admin {
			t.Errorf("%q: rule %d", method, got.Rule)
		}
	}
}

func testFirstRuleWins(t *testing.T) {
	deny := route.Rule{Paths: []string{"/a/b"}}
	allow := route.Rule{Paths: []string{"/a"}}
	denyFirst, allowFirst := compile(t, deny, allow), compile(t, allow, deny)
	for _, raw := range []string{"/a/b", "/a/b/", "/a//b", "/a/./b", "/a/b/c"} {
		for name, table := range map[string]*route.Table{"deny": denyFirst, "allow": allowFirst} {
			if got := table.Match(&route.Request{Path: []byte(raw)}); got.Rule != 0 {
				t.Errorf("%s first, %q: rule %d", name, raw, got.Rule)
			}
		}
	}
	if got := denyFirst.Match(&route.Request{Path: []byte("/b")}); got.Rule != -1 {
		t.Errorf("a path of no rule: rule %d", got.Rule)
	}
}

func testSegmentExpression(t *testing.T) {
	table := compile(t, route.Rule{Paths: []string{"~/users/[^/]+"}, EncodedSlashes: true},
		route.Rule{Paths: []string{"/"}})
	for raw, want := range map[string]int{
		"/users/1": 0, "/users/a%40b": 0, "/users/1/../2": 0,
		"/users/..": 1, "/users/%2e%2e": 1, "/users/1/x": 1,
		"/users/a%2fb": -1, "/users/%2f": -1,
	} {
		if got := table.Match(&route.Request{Path: []byte(raw)}); got.Rule != want {
			t.Errorf("%q: rule %d, want %d", raw, got.Rule, want)
		}
	}
}

func testReservedPaths(t *testing.T) {
	table := compile(t, route.Rule{Paths: []string{"/.edge"}},
		route.Rule{Hosts: []string{"app.example"}})
	for raw, want := range map[string]int{
		"/.edge/x": 0, "/%2eedge/": 0, "//.edge/": 0, "/x/../.edge/": 0, "/.EDGE/": 1,
		"/.edge;/x": -1, "/.%2565dge": -1,
	} {
		got := table.Match(&route.Request{Host: []byte("app.example"), Path: []byte(raw)})
		if got.Rule != want || got.Bad != (want < 0) {
			t.Errorf("%q: rule %d, want %d", raw, got.Rule, want)
		}
	}
}

func testCanonicalPathsAreCanonical(t *testing.T) {
	rng := rand.New(rand.NewPCG(30, 30))
	table := securityTable(t)
	var raw []byte
	for i := range 1_000_000 {
		raw = randomPath(rng, raw)
		// The full check costs ten times the rest of the loop.
		if i%16 == 0 {
			checkCanonical(t, raw)
		}
		first := table.Match(&route.Request{Path: raw})
		if first.Bad {
			continue
		}
		again := table.Match(&route.Request{Path: first.Path})
		if again.Rule != first.Rule || !bytes.Equal(again.Path, first.Path) {
			t.Fatalf("%q: %+v, then %+v", raw, first, again)
		}
	}
}

// testHosts runs the cases that are a matter of spelling.
func testHosts(t *testing.T) {
	const refused = "refused"
	cases := map[string]map[string]string{
		"HOST-03_trailing_dot": {
			"admin.example.": "admin.example", "admin.example.:443": "admin.example",
			"admin.example..": refused, ".": refused,
		},
		"HOST-04_case": {
			"aDmIn.ExAmPlE": "admin.example", "ADMIN.EXAMPLE": "admin.example",
			"\u212Admin.example": refused,
		},
		"HOST-05_port": {
			"admin.example:443": "admin.example", "admin.example:8443": "admin.example",
			"admin.example:0443": "admin.example", "admin.example:": refused, ":": refused,
		},
		"H1-56_comma": {"a, b": refused, "a,b": refused},
		"H1-58_host_syntax": {
			"app.example:80abc": refused, ":80": refused, "app.example:99999": refused,
			"[::1": refused, "[fe80::1%25eth0]": refused, "[fe80::1%eth0]": refused,
			"a/b": refused, "a?b": refused, "u@a": refused, "a b": refused, `a\b`: refused,
			"-": refused, strings.Repeat("a", 300): refused, "app.example\x00": refused,
		},
	}
	for name, hosts := range cases {
		t.Run(name, func(t *testing.T) {
			for raw, want := range hosts {
				got, ok := canonicalHost(raw)
				if !ok {
					got = refused
				}
				if got != want {
					t.Errorf("%.40q: %q, want %q", raw, got, want)
				}
			}
		})
	}
}

func testWildcardIsOneLabel(t *testing.T) {
	table := compile(t, route.Rule{Hosts: []string{"*.example"}})
	for host, want := range map[string]bool{
		"a.example": true, "a.b.example": false, "example": false, "xexample": false, "": false,
		".example": true, // CanonicalHost refuses it before it gets here.
	} {
		got := table.Match(&route.Request{Host: []byte(host), Path: []byte("/")})
		if got.Known != want || got.Rule == 0 != want {
			t.Errorf("%q: %+v, want %v", host, got, want)
		}
	}
	if _, ok := canonicalHost(".example"); ok {
		t.Error(".example is a host")
	}
}

func testStripPrefix(t *testing.T) {
	for raw, want := range map[string]string{
		"/api/x": "/x", "/api": "/", "/api/": "/", "/api//admin": "/admin",
		// Decided as what they are, and not stripped.
		"/api../admin": "/api../admin", "/api/../admin": "/admin", "/apix": "/apix",
	} {
		path, _, _ := route.CanonicalPath(nil, []byte(raw))
		if got := prefix(t, "/api").Strip(path); string(got) != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
	table := compile(t, route.Rule{Paths: []string{"/api"}}, route.Rule{Canonical: true})
	for raw, want := range map[string]int{
		"/api../admin": 1, "/api/../admin": 1, "/api//admin": 0, "/api%2f..%2fadmin": -1,
	} {
		if got := table.Match(&route.Request{Path: []byte(raw)}); got.Rule != want {
			t.Errorf("%q: rule %d, want %d", raw, got.Rule, want)
		}
	}
}

func testReplacePrefix(t *testing.T) {
	for raw, want := range map[string]string{
		"/api/x": "/v2/x", "/api": "/v2", "/api/": "/v2/", "/api//evil": "/v2/evil",
		"/api/../admin": "/admin", "/api.": "/api.",
	} {
		path, _, _ := route.CanonicalPath(nil, []byte(raw))
		got := prefix(t, "/api").Replace(nil, path, prefix(t, "/v2"))
		if string(got) != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func testOneRepresentation(t *testing.T) {
	table := compile(t, route.Rule{Paths: []string{"/api"}, EncodedSlashes: true})
	got := table.Match(&route.Request{Path: []byte("/api/a%2fb/%7euser")})
	if got.Rule != 0 || string(got.Path) != "/api/a%2Fb/~user" {
		t.Fatalf("got %d, %q", got.Rule, got.Path)
	}
	if rest := prefix(t, "/api").Strip(got.Path); string(rest) != "/a%2Fb/~user" {
		t.Errorf("stripped: %q", rest)
	}
}
