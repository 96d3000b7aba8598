package config_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"doorward/config"
)

// secret must not be in any output.
const secret = "hunter2-correct-horse"

// server returns a file with one backend at a URL.
func server(url string) string {
	return head + "[[route]]\nbackend = \"web\"\n[backends.web]\nservers = [" + url + "]\n"
}

func TestSecurity(t *testing.T) {
	t.Run("SSRF-06_unknown_and_duplicate_keys_fail", refused(map[string]string{
		head + "[[route]]\nredirect = \"/\"\naccess = { network = [] }\n":   `mean "networks"`,
		head + "[[route]]\nredirect = \"/\"\nacces = \"public\"\n":          `mean "access"`,
		head + "[[route]]\nredirect = \"/\"\nredirect = \"/\"\n":            "given twice",
		head + "[[route]]\nredirect = \"/\"\naccess = { groups = [] }\n":    "needs [sign_in]",
		head + "[[route]]\nredirect = \"/\"\naccess = { networks = 1 }\n":   "must be a list",
		head + "[listen]\ntrusted_proxies = [\"\"]\n":                       "is not a network",
		head + "[listen]\ntrusted_proxies = \"10.0.0.0/8\"\n":               "must be a list",
		head + "[[route]]\nredirect = \"/\"\nAccess = \"public\"\n":         "not a known key",
		head + "[[route]]\nredirect = \"/\"\n[route.access]\npublik=true\n": `mean "public"`,
	}))
	t.Run("SSRF-06_an_empty_list_is_nobody", emptyListIsNobody)
	t.Run("SSRF-07_included_text_is_bounded", boundedFiles)
	t.Run("SSRF-07_deep_nesting_is_refused", refused(map[string]string{
		head + "[log]\nlevel = " + strings.Repeat("[", 20000): "not TOML",
		head + "[log]\nlevel = " + strings.Repeat("[", 5000) +
			strings.Repeat("]", 5000): "nest deeper",
		head + "[" + strings.Repeat("a.", 100000) + "a]\n": "nest deeper",
	}))
	t.Run("SSRF-08_missing_secrets_refuse_the_start", refused(map[string]string{
		server(`"${NONE}"`):                       "NONE is not set",
		server(`"${EMPTY}"`):                      "EMPTY is empty",
		server(`"${file:none}"`):                  "cannot be read",
		server(`"${file:/dev/null}"`):             "is not a regular file",
		server(`"http://a", "${NONE"`):            "no closing brace",
		statsPage("users = { ops = '${NONE}' }"):  "NONE is not set",
		statsPage("users = { ops = '${EMPTY}' }"): "EMPTY is empty",
		statsPage("users = { ops = '' }"):         "password is empty",
	}))
	t.Run("DOS-12_regular_expressions_are_bounded", refused(map[string]string{
		head + "[[route]]\nredirect = \"/\"\npaths = [\"~" + strings.Repeat("a", 1025) + "\"]\n": "1KiB",
		head + "[[route]]\nredirect = \"/\"\nhosts = [\"~(a{1000}){1000}\"]\n":                   "repeat",
		head + "[[route]]\nredirect = \"/\"\nhosts = [\"~a{1001}\"]\n":                           "repeat",
		head + "[[route]]\nredirect = \"/\"\nhosts = [\"~(a)\\\\1\"]\n":                          "escape",
		expecting("body_regex = '" + strings.Repeat("a", 1025) + "'"):                            "1KiB",
		expecting("status_regex = '(a{1000}){1000}'"):                                            "repeat",
		expecting("header = { X-A = '~" + strings.Repeat("a", 1025) + "' }"):                     "1KiB",
	}))
	t.Run("DOS-12_a_nested_repetition_is_linear_and_allowed", func(t *testing.T) {
		mustLoad(t, head+"[[route]]\nredirect = \"/\"\npaths = [\"~/(a+)+$\"]\n")
	})
	t.Run("FS-01_permissions_of_the_file", permissions)
	t.Run("CRASH-09_odd_server_addresses", oddServers)
	t.Run("LOG-03_values_are_never_shown", valuesAreNeverShown)
	t.Run("LOG-03_credentials_in_the_file_are_never_shown", credentialsAreNeverShown)
	t.Run("SSRF-06_access_with_sign_in", accessWithSignIn)
	t.Run("SSRF-08_short_and_missing_secrets", secretsOfSignIn)
	t.Run("LOC-18_no_secret_is_that_of_an_example", secretsOfExamples)
	t.Run("OIDC-17_no_tenant_is_everybody", tenantsAreNamed)
	t.Run("COOK-04_no_domain_that_is_everybodys", cookieDomains)
	t.Run("RED-01_default_redirect_stays_here", redirectsStayHere)
	t.Run("ID-01_identity_fields_are_nobody_elses", identityFieldsAreOurs)
	t.Run("SSRF-03_secrets_go_to_https_alone", secretsGoToHTTPS)
	t.Run("ADM-01_nothing_is_shown_by_default", nothingIsShownByDefault)
	t.Run("ADM-10_no_server_is_doorward_itself", noServerIsDoorward)
	t.Run("BE-08_cookies_cannot_inject", cookiesCannotInject)
	t.Run("BE-09_checks_cannot_inject", checksCannotInject)
}

// refused checks that each text is an error with some words in it.
func refused(cases map[string]string) func(*testing.T) {
	return func(t *testing.T) {
		for text, want := range cases {
			cfg, found := load(t, text)
			if cfg != nil || !strings.Contains(found.Errors().String(), want) {
				t.Errorf("%.200q: got %.300q, want an error with %q", text, found, want)
			}
		}
	}
}

func emptyListIsNobody(t *testing.T) {
	cfg, found := load(t, head+"[[route]]\nredirect = \"/\"\naccess = { networks = [] }\n")
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	if n := cfg.Routes[0].Access.Networks; !n.Given() || len(n.Prefixes) != 0 {
		t.Errorf("networks = %+v, want given and empty", n)
	}
	if !strings.Contains(found.Warnings().String(), "holds nobody") {
		t.Errorf("no warning, only %v", found)
	}
}

func boundedFiles(t *testing.T) {
	dir := folder(t, map[string]string{
		"big.txt": strings.Repeat(secret+"\n", 1<<16),
		"b.toml":  "include = [\"b.toml\"]\n",
	})
	if err := os.Symlink("loop.txt", filepath.Join(dir, "loop.txt")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"big.txt": "is larger than 1MiB", "loop.txt": "too many levels", ".": "not a regular file",
	} {
		file := filepath.Join(dir, "a.toml")
		writeFile(t, file, server(`"${file:`+name+`}"`))
		_, found := config.Load(file, noEnv)
		if got := found.Errors().String(); !strings.Contains(got, want) || strings.Contains(got, secret) {
			t.Errorf("%s: got %q, want %q and no content", name, got, want)
		}
	}
	file := filepath.Join(dir, "c.toml")
	writeFile(t, file, "include = [\"b.toml\"]\n"+head)
	if _, found := config.Load(file, noEnv); !strings.Contains(found.String(), "belongs in the main file") {
		t.Errorf("an included file that includes: %v", found)
	}
}

func permissions(t *testing.T) {
	const credential = "[headers.request]\nset = { Authorization = 'Bearer " + secret + "' }\n"
	const variable = "[headers.request]\nset = { Authorization = 'Bearer ${SECRET}' }\n"
	const readable = "holds a credential, and every user of this machine may read the file " +
		`(chmod o-r, or take it from "${NAME}" or "${file:...}")`
	for _, c := range []struct {
		text string
		mode os.FileMode
		want string
	}{
		{credential, 0o600, ""},
		{credential, 0o640, ""},
		{credential, 0o644, "a.toml:4:25: warning: headers.request.set.Authorization: " + readable},
		{variable, 0o644, ""},
		{"[mail]\nhost = 'localhost'\nfrom = 'a@b.c'\nusername = 'a'\npassword = '" + secret + "'\n",
			0o644, "a.toml:7:12: warning: mail.password: " + readable},
		{"[stats]\nhost = 'a'\nusers.ops = '" + secret + "'\n", 0o644,
			"a.toml:5:13: warning: stats.users.ops: " + readable},
		{"[alerts]\nwebhook = 'https://a/" + secret + "'\n", 0o644,
			"a.toml:4:11: warning: alerts.webhook: " + readable},
		{"[state]\nsecret = 'kJ8vQm2xTz5wRn7yLb4cHf9dGs6aPe3u'\n", 0o644,
			"a.toml:4:10: warning: state.secret: " + readable},
		{"", 0o644, ""},
		{"", 0o602, "a.toml: warning: every user of this machine may change this file (chmod o-w)"},
	} {
		dir := folder(t, map[string]string{"a.toml": head + c.text})
		file := filepath.Join(dir, "a.toml")
		if err := os.Chmod(file, c.mode); err != nil {
			t.Fatal(err)
		}
		_, found := config.Load(file, testEnv)
		if got := strings.Join(messages(found, dir), "\n"); got != c.want {
			t.Errorf("%v %q:\n got %q\nwant %q", c.mode, c.text, got, c.want)
		}
	}
}

func oddServers(t *testing.T) {
	for _, url := range []string{
		"", "http://", "http://:80", "http:///x", "http://a:", "http://a:0", "http://a:65536",
		"http://a:http", "http://a b", "http://a\x00b", "http://a%00b", "http://a%20b", "http://%",
		"http://[::1", "http://::1", "http://[fe80::1%25eth0]", "http://[fe80::1%eth0]:80",
		"http://" + strings.Repeat("a", 300), "http://" + strings.Repeat("a", 64) + ".example.com",
		"http://" + strings.Repeat("a.", 150) + "a", "http://-a", "http://a-", "http://a..b",
		"http://a?x", "http://a#x", "http://a/x", "http://u@a", "http://u:p@a", "http://bücher.example",
		"http://[]", "http://[10.0.0.1]x", "http://*", "//a", "http:a", "HTTP://a", "ftp://a",
		"unix://", "unix://a", "unix:///" + strings.Repeat("a", 200), "unix:///a?b", "unix:///a\nb",
		"h2c://a/x", "h2c+unix:///a", "https+insecure://a", "tcp://a:80",
	} {
		quoted, err := json.Marshal(url)
		if err != nil {
			t.Fatal(err)
		}
		cfg, found := load(t, server(string(quoted)))
		if cfg != nil || len(found.Errors()) != 1 {
			t.Errorf("%q: got %v, want one error", url, found)
		}
	}
}

// valuesAreNeverShown puts a secret from outside into every string of a file, in
// places where it is valid and where it is not.
func valuesAreNeverShown(t *testing.T) {
	dir := folder(t, map[string]string{"secret.txt": secret + "\n"})
	data, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{
		"${SECRET}", "~${SECRET}[", "/${SECRET}/../", "{${SECRET}}", "5${SECRET}",
		"http://u:${file:secret.txt}@h:x",
	} {
		file := filepath.Join(dir, "a.toml")
		text := string(data)
		for i := range strings.Count(text, `"`) / 2 {
			writeFile(t, file, replaceString(text, i, form))
			cfg, found := config.Load(file, testEnv)
			if strings.Contains(found.String(), secret) {
				t.Fatalf("%q in place of string %d: %v", form, i, found)
			}
			if cfg == nil {
				continue
			}
			for name, ops := range map[string]config.HeaderOps{
				"request": cfg.Headers.Request, "response": cfg.Headers.Response,
			} {
				data, err := json.Marshal(ops.Set)
				if err != nil {
					t.Fatal(err)
				}
				out := fmt.Sprintf("%v %+v %#v %s %s", ops.Set, ops.Add, ops.Set, ops.Set, data)
				if strings.Contains(out, secret) {
					t.Errorf("headers.%s prints %s", name, out)
				}
			}
		}
	}
}

// replaceString replaces the n-th pair of quotes in a text and what they hold.
func replaceString(text string, n int, with string) string {
	parts := strings.Split(text, `"`)
	parts[2*n+1] = with
	return strings.Join(parts, `"`)
}
