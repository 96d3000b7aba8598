package test_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"path"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// pathRules are the rules that the PATH cases are judged by: /admin is closed to
// the client, everything else is open.
const pathRules = `
	[[route]]
	name = "public"
	hosts = ["app.example"]
	paths = ["/public"]
	backend = "app"

	[[route]]
	name = "admin"
	hosts = ["app.example"]
	paths = ["/admin"]
	backend = "app"
	access = { networks = ["192.0.2.0/24"] }

	[[route]]
	name = "rest"
	hosts = ["app.example"]
	paths = ["/"]
	backend = "app"

	[[route]]
	name = "untouched"
	hosts = ["raw.example"]
	backend = "app"

	[[route]]
	name = "slashes"
	hosts = ["slash.example"]
	paths = ["/"]
	encoded_slashes = "pass"
	backend = "app"

	[[route]]
	name = "strip"
	hosts = ["strip.example"]
	paths = ["/api"]
	strip_prefix = "/api"
	backend = "app"

	[[route]]
	name = "replace"
	hosts = ["replace.example"]
	paths = ["/api"]
	replace_prefix = { from = "/api", to = "/v2" }
	backend = "app"

	[[route]]
	name = "expression"
	hosts = ["expression.example"]
	paths = ["~/users/[^/]+"]
	backend = "app"

	[[route]]
	name = "moved"
	hosts = ["moved.example"]
	redirect = "https://app.example{uri}"
`

// decisions makes a case of each target: "400", "403" and "404" are statuses, a
// path is what the server gets.
func decisions(name, host string, targets map[string]string) (cases []edgetest.Case) {
	for target, want := range targets {
		c := edgetest.Case{
			Name: name, Send: []string{request("GET "+target+" HTTP/1.1", "Host: "+host)},
		}
		switch want {
		case "400":
			c.Status, c.Closes = 400, true
		case "403", "404":
			_, _ = fmt.Sscan(want, &c.Status)
		default:
			c.Status, c.Reach, c.Check = 200, 1, wantPath(want)
		}
		cases = append(cases, c)
	}
	return numbered(cases)
}

// TestSecurityPATH has the cases of group PATH: what decides is what the server
// gets.
func TestSecurityPATH(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{Text: rec.Backend("app") + pathRules})
	cases := append(spellingCases(), rewriteCases()...)
	cases = append(cases, methodCases()...)
	edgetest.Run(t, edge, rec, cases)
}

// spellingCases have paths in other spellings than one.
func spellingCases() (cases []edgetest.Case) {
	for _, group := range []struct {
		name    string
		targets map[string]string
	}{
		{"PATH-01_dot_segments", map[string]string{
			"/public/../admin/x": "403", "/public/./../admin": "403", "/x/../admin": "403",
			"/../admin": "403", "/./admin": "403", "/admin/.": "403", "/admin/..": "/",
			"/public/..": "/", "/public/../public/x": "/public/x", "/public/...": "/public/...",
			"/admin/../public": "/public", "//admin": "403", "/public//..//admin": "403",
			"///admin///x": "403",
		}},
		{"PATH-02_encoded_dots", map[string]string{
			"/public/%2e%2e/admin": "403", "/public/%2E./admin": "403", "/public/.%2e/admin": "403",
			"/%2e/admin": "403", "/%2e%2e/admin": "403", "/public/%2e%2e": "/",
		}},
		{"PATH-03_double_encoded", map[string]string{
			"/public/%252e%252e/admin": "400", "/public/%252f..%252fadmin": "400",
			"/%2561dmin": "400", "/public/%25%32%65": "400", "/public/%25252e": "400",
			"/public/100%25": "/public/100%25",
		}},
		{"PATH-04_encoded_slash", map[string]string{
			"/public%2f..%2fadmin": "400", "/admin%2fx": "400", "/%2fadmin": "400",
			"/%2Fadmin": "400", "/public/%2f": "400", "/public/%2e%2e%2fadmin": "400",
		}},
		{"PATH-05_backslash", map[string]string{
			`/public\..\admin`: "400", "/public%5c..%5cadmin": "400", `/\admin`: "400",
			"/%5Cadmin": "400", `/admin\x`: "400",
		}},
		{"PATH-07_matrix_parameter_on_dots", map[string]string{
			"/public/..;/admin": "400", "/public/..;foo=bar/admin": "400", "/..;a=b;c/admin": "400",
			"/public/%2e%2e;/admin": "400", "/public/.;/admin": "400",
		}},
		{"PATH-08_matrix_parameter_on_a_segment", map[string]string{
			"/admin;x=y/panel": "400", "/admin;/x": "400", "/admin;": "400", "/;/admin": "400",
			"/public/x;/../../admin": "403", "/public;x/y": "400", "/other;x/y": "/other;x/y",
			"/public/x;v=1": "/public/x;v=1",
		}},
		{"PATH-09_encoded_delimiters", map[string]string{
			"/admin%3bx": "400", "/admin%3fx": "400", "/foo/secret%23/bar": "400",
			"/public%23/../admin": "400", "/public/%3b": "400", "/admin%3Fx": "400",
		}},
		{"PATH-10_control_characters", map[string]string{
			"/admin%00.png": "400", "/admin%0a": "400", "/admin%0d%0a": "400", "/admin%09": "400",
			"/admin%7f": "400", "/public/%1f": "400", "/admin%20": "/admin%20",
			"/public/%20x": "/public/%20x",
		}},
		{"PATH-11_case", map[string]string{
			"/ADMIN/x": "/ADMIN/x", "/Admin": "/Admin", "/%41dmin": "/Admin", "/%61dmin": "403",
			"/%61%64%6d%69%6e/x": "403", "/%70ublic": "/public",
		}},
		{"PATH-12_Unicode", map[string]string{
			"/%ef%bd%81dmin": "/%EF%BD%81dmin", "/adm%c4%b1n": "/adm%C4%B1n",
			"/%e2%84%aadmin": "/%E2%84%AAdmin", "/e%cc%81": "/e%CC%81",
			"/public%e2%88%95..%e2%88%95admin": "/public%E2%88%95..%E2%88%95admin",
			"/adm\u0131n":                      "400", "/\u212admin": "400",
		}},
		{"PATH-13_overlong_or_invalid_UTF-8", map[string]string{
			"/%c0%ae%c0%ae/admin": "400", "/%e0%80%af": "400", "/%ff": "400", "/%u002e": "400",
			"/%c0%afadmin": "400", "/%ed%a0%80": "400", "/public/\xc0\xae": "400",
		}},
		{"PATH-14_bad_escapes", map[string]string{
			"/admin%": "400", "/admin%2": "400", "/admin%zz": "400", "/public/%": "400",
			"/public/%2x": "400", "/%%61dmin": "400",
		}},
		{"PATH-15_prefix_boundary", map[string]string{
			"/adminx": "/adminx", "/admin-old": "/admin-old", "/admin.": "/admin.",
			"/admin/": "403", "/admin": "403", "/admin/x": "403", "/publicx": "/publicx",
		}},
		{"PATH-17_query_does_not_matter", map[string]string{
			"/admin?x=/public": "403", "/admin?/public/": "403", "/admin?": "403",
			"/public?/../admin":    "/public?/../admin",
			"/public?x=..%2fadmin": "/public?x=..%2fadmin",
		}},
		{"PATH-18_rules_begin_at_the_root", map[string]string{
			"/admin/public": "403", "/x/admin": "/x/admin", "/x/public": "/x/public",
		}},
		{"PATH-22_what_only_Windows_reads_otherwise", map[string]string{
			"/admin::$DATA": "/admin::$DATA", "/ADMIN~1": "/ADMIN~1", "/admin.": "/admin.",
		}},
		{"PATH-23_query_as_it_is", map[string]string{
			"/?a=1;b=2": "/?a=1;b=2", "/?a=%zz": "/?a=%zz", "/??": "/??", "/?a=%00": "/?a=%00",
			"/?" + strings.Repeat("&", 8000): "/?" + strings.Repeat("&", 8000),
			`/?a=\"<>^{}|` + "`":             `/?a=\"<>^{}|` + "`",
		}},
		{"PATH-28_very_many_segments", map[string]string{
			strings.Repeat("/a/..", 1600) + "/admin": "403", strings.Repeat("/.", 4000): "/",
			strings.Repeat("/..", 2700) + "/admin": "403",
			strings.Repeat("/", 8000) + "admin":    "403",
		}},
	} {
		cases = append(cases, decisions(group.name, "app.example", group.targets)...)
	}
	return cases
}

// rewriteCases are about routes that change the path, that match it by
// expression, or that do not look at it.
func rewriteCases() (cases []edgetest.Case) {
	cases = append(cases, decisions("PATH-13_a_route_by_host_alone", "raw.example",
		map[string]string{
			"/public/../admin": "/public/../admin", "/%2e%2e/%61": "/%2e%2e/%61", "//x": "//x",
			"/a%2fb;c\\d": "/a%2fb;c\\d", "/%": "/%", "/%00": "/%00", "/\xff": "400", "/a#b": "400",
		})...)
	cases = append(cases, decisions("PATH-04_encoded_slash_where_allowed", "slash.example",
		map[string]string{
			"/group%2fname": "/group%2Fname", "/%2Fadmin": "/%2Fadmin", "/..%2fadmin": "400",
			"/a%2f..%2fadmin": "400", "/a%2f%2e%2e/admin": "400", "/a%5cb": "400",
			"/a;b%2fc": "400",
		})...)
	cases = append(cases, decisions("PATH-19_strip_prefix", "strip.example", map[string]string{
		"/api/x": "/x", "/api": "/", "/api/": "/", "/api//admin": "/admin", "/api../admin": "404",
		"/api%2f..%2fadmin": "400", "/api/../admin": "404", "/apix": "404", "/api/%2e%2e/x": "404",
		"/api//evil.example/": "/evil.example/", "/api?x": "/?x", "/api/./api/x": "/api/x",
	})...)
	cases = append(cases, decisions("PATH-20_replace_prefix", "replace.example", map[string]string{
		"/api/x": "/v2/x", "/api": "/v2", "/api//evil": "/v2/evil", "/api/../admin": "404",
		"/api/../../x": "404", "/api/..%2fx": "400", "/api/%2e/x": "/v2/x",
	})...)
	cases = append(cases, decisions("PATH-21_one_representation", "replace.example",
		map[string]string{
			"/api/%7euser/%41": "/v2/~user/A", "/%61pi/x": "/v2/x", "/api/a%2fb": "400",
			"/api/%e4%bd%a0": "/v2/%E4%BD%A0",
		})...)
	cases = append(cases, decisions("PATH-27_variable_segment", "expression.example",
		map[string]string{
			"/users/1": "/users/1", "/users/1/../2": "/users/2", "/users/%2e%2e": "404",
			"/users/..": "404", "/users/a%2fb": "400", "/users/1/x": "404", "/users/": "404",
			"/x/users/1": "404", "/users//1": "/users/1",
		})...)
	return append(cases, edgetest.Case{
		Name: "PATH-01_redirects_take_the_canonical_path", Status: 308,
		Send: each(func(target string) string {
			return request("GET "+target+" HTTP/1.1", "Host: moved.example")
		}, "//evil.example/", "/./%65vil.example/", "/x/..//evil.example/"),
		Check: func(t testing.TB, o *edgetest.Outcome) {
			if got := o.Answers[0].Get("Location"); got != "https://app.example/evil.example/" {
				t.Errorf("Location: %q", got)
			}
		},
	})
}

// methodCases ask for what is closed by other methods than GET.
func methodCases() []edgetest.Case {
	ask := func(method string) string {
		return request(method+" /admin HTTP/1.1", "Host: app.example",
			"Origin: https://evil.example",
			"Access-Control-Request-Method: GET", "Content-Length: 0")
	}
	return []edgetest.Case{{
		Name: "PATH-25_other_methods_are_decided_alike", Status: 403,
		Send: each(ask, "HEAD", "OPTIONS", "POST", "PUT", "get", "PROPFIND", "X"),
	}, {
		Name: "PATH-26_the_first_rule_wins", Status: 403,
		Send: each(withTarget, "/admin", "/admin/", "//admin", "/./admin", "/admin/b"),
	}}
}

// TestSecurityPATH30 sends random paths through the whole edge: none may reach a
// server that any of three servers would read as below /admin.
func TestSecurityPATH30(t *testing.T) {
	t.Run("PATH-30_no_server_reads_a_closed_path", testRandomPaths)
}

func testRandomPaths(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{Text: rec.Backend("app") + pathRules})
	rng := rand.New(rand.NewPCG(30, 1))
	passed := 0
	for range 1500 {
		target := randomPath(rng)
		c := edge.Dial(t).Send(withTarget(target))
		m := c.Answer()
		c.Close()
		requests, _ := rec.Take()
		if m.Status != 200 {
			if len(requests) > 0 || m.Status != 400 && m.Status != 403 {
				t.Fatalf("%q: status %d, the server got %q", target, m.Status, requests[0].Raw)
			}
			continue
		}
		passed++
		got := requests[0].Path
		for name, read := range readings {
			if p := read(got); p == "/admin" || strings.HasPrefix(p, "/admin/") {
				t.Errorf("%q is forwarded as %q, which %s reads as %q", target, got, name, p)
			}
		}
		again := edge.Dial(t).Send(withTarget(got))
		if m := again.Answer(); m.Status != 200 || m.Body != "GET "+got {
			t.Errorf("%q became %q, and that %d %q", target, got, m.Status, m.Body)
		}
		again.Close()
		rec.Take()
	}
	if passed < 50 {
		t.Errorf("only %d paths passed", passed)
	}
}

func randomPath(rng *rand.Rand) string {
	pieces := []string{"/", ".", ";", "%", "2", "e", "f", "5", "c", "\\", "a", "/admin", "/public",
		"%2e", "%2f", "%5c", "%25", "..", "/..", ";x=y", "%61", "dmin", "%c0%ae", "%3b", "//"}
	var b strings.Builder
	b.WriteByte('/')
	for range 1 + rng.IntN(8) {
		b.WriteString(pieces[rng.IntN(len(pieces))])
	}
	return b.String()
}

// readings are how servers of three kinds read a path.
var readings = map[string]func(string) string{
	"a Go mux": func(raw string) string {
		u, err := url.ParseRequestURI(raw)
		if err != nil {
			return ""
		}
		return path.Clean(u.Path)
	},
	"a Tomcat": func(raw string) string {
		var segments []string
		for s := range strings.SplitSeq(raw, "/") {
			s, _, _ = strings.Cut(s, ";")
			segments = append(segments, s)
		}
		decoded, err := url.PathUnescape(strings.Join(segments, "/"))
		if err != nil {
			return ""
		}
		return path.Clean(strings.ReplaceAll(decoded, `\`, "/"))
	},
	"a server that decodes twice": func(raw string) string {
		for range 2 {
			if decoded, err := url.PathUnescape(raw); err == nil {
				raw = decoded
			}
		}
		return path.Clean(strings.ReplaceAll(raw, `\`, "/"))
	},
}
