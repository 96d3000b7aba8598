package app_test

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"doorward/app"
)

func TestCheckFindsWhatABuildWouldMeet(t *testing.T) {
	url := server(t, "app")
	for name, test := range map[string]struct {
		config           string
		errors, warnings []string
	}{
		"nothing": {config: site(url, "")},
		"text": {
			config: site(url, "colour = 1\nshape = 2\n"),
			errors: []string{`*doorward.toml:18:1: *colour*`, `*doorward.toml:19:1: *shape*`},
		},
		"files": {
			config: strings.Replace(site("https://127.0.0.1", `tls = { ca_file = "ca.pem" }
[error_pages]
503 = "none.html"
[[route]]
hosts = ["b.test"]
respond = { file = "none.txt" }
`), `internal = ["*.test"]`, `certificates = ["no.pem"]`, 1),
			errors: []string{
				"*/no.pem: *no such file*", "*backends.app: tls.ca_file: *no such file*",
				"*error_pages.503: *none.html: no such file*",
				"*doorward.toml:21:3: route[1]: respond.file: *none.txt: no such file*",
			},
		},
		"a log that cannot be": {
			config: strings.Replace(site(url, ""), `"log"`, `"no/log"`, 1),
			errors: []string{"*doorward.toml:*: log.output: *no*"},
		},
		"warnings": {
			config: site("https://127.0.0.1", `tls = { verify = false }
[[route]]
name = "never"
hosts = ["app.test"]
backend = "app"
`),
			warnings: []string{
				"*warning: *verify*", `*doorward.toml:19:3: warning: route[1]: route "never" can never match*`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "doorward.toml")
			if err := os.WriteFile(file, []byte(test.config), 0o600); err != nil {
				t.Fatal(err)
			}
			found := app.Check(app.Options{Path: file, Env: os.LookupEnv, StateDir: t.TempDir()})
			compare(t, "errors", found.Errors().String(), test.errors)
			compare(t, "warnings", found.Warnings().String(), test.warnings)
		})
	}
}

func compare(t *testing.T, what, got string, want []string) {
	t.Helper()
	lines := strings.FieldsFunc(got, func(r rune) bool { return r == '\n' })
	ok := len(lines) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = matches(want[i], lines[i])
	}
	if !ok {
		t.Errorf("%s:\n%s\nwant:\n%s", what, got, strings.Join(want, "\n"))
	}
}

// taken is an address that nobody else can listen on.
func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestCheckLeavesNothingBehind(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	file := filepath.Join(dir, "doorward.toml")
	config := strings.Replace(site(server(t, "app"), ""), `control = ""`, `control = "run/sock"`, 1) +
		"[state]\nurl = \"file:" + filepath.Join(dir, "state") + "\"\n" +
		"[stats]\nhost = \"stats.test\"\nmetrics = \"" + taken(t) + "\"\n" +
		"[alerts]\nwebhook = \"http://127.0.0.1:1/\"\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	if found := app.Check(app.Options{Path: file, Env: os.LookupEnv, StateDir: state}); len(found) > 0 {
		t.Fatal(found)
	}
	eventually(t, "its goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
	for _, folder := range []string{dir, state} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != "doorward.toml" {
				t.Errorf("%s was made", e.Name())
			}
		}
	}
}
