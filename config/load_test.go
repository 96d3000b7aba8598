package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"doorward/config"
)

// testEnv is the environment of the files in testdata.
func testEnv(name string) (string, bool) {
	value, ok := map[string]string{
		"EMPTY": "", "SECRET": secret, "CONTROL": secret + "\n", "WEAK": "kJ8vQm2xTz5wRn7y",
		"LONG": "kJ8vQm2xTz5wRn7yLb4cHf9dGs6aPe3u", "SAME": strings.Repeat("ab", 20),
		"EXAMPLE": "Change-Me-0123456789-0123456789-abc",
	}[name]
	return value, ok
}

// TestFiles loads every file in testdata/invalid, unwise and valid. Each begins
// with one comment for each line that Load must report, and no other:
//
//	# want: line:column: key: what is wrong (hint)
func TestFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		kind := filepath.Base(filepath.Dir(file))
		t.Run(kind+"/"+strings.TrimSuffix(filepath.Base(file), ".toml"), func(t *testing.T) {
			cfg, found := config.Load(file, testEnv)
			var got []string
			for _, d := range found {
				got = append(got, strings.TrimPrefix(d.String(), file+":"))
			}
			compareLines(t, got, wants(t, file))
			errs, warnings := len(found.Errors()), len(found.Warnings())
			if (kind == "invalid") != (errs > 0) || kind == "unwise" && warnings == 0 {
				t.Errorf("%d errors and %d warnings do not belong in %s", errs, warnings, kind)
			}
			if (cfg != nil) != (errs == 0) || (found.Err() == nil) != (errs == 0) {
				t.Errorf("Config given: %v, Err() = %v, with %d errors", cfg != nil, found.Err(), errs)
			}
		})
	}
}

// wants returns what the comments at the head of a file ask for.
func wants(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		want, ok := strings.CutPrefix(line, "# want: ")
		if !ok {
			return out
		}
		out = append(out, strings.TrimSpace(want))
	}
	return out
}

func compareLines(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("line %d:\n got %s\nwant %s", i+1, g, w)
		}
	}
}

// folder writes files into a new folder and returns its path. Names may hold
// folders.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// head is what a file needs to be complete.
const head = "[tls]\ninternal = [\"*.localhost\"]\n"

// load loads one file with this text.
func load(t *testing.T, text string) (*config.Config, config.Diagnostics) {
	t.Helper()
	return config.Load(filepath.Join(folder(t, map[string]string{"a.toml": text}), "a.toml"), testEnv)
}

// mustLoad loads one file that has no errors, in a folder which is returned.
func mustLoad(t *testing.T, text string) (*config.Config, string) {
	t.Helper()
	dir := folder(t, map[string]string{"a.toml": text})
	cfg, found := config.Load(filepath.Join(dir, "a.toml"), testEnv)
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return cfg, dir
}

// messages returns what was found, with the folder cut off the names.
func messages(found config.Diagnostics, dir string) []string {
	var out []string
	for _, d := range found {
		out = append(out, strings.ReplaceAll(d.String(), dir+string(filepath.Separator), ""))
	}
	return out
}

func TestIncludedFilesAreReadInNameOrder(t *testing.T) {
	backend := func(name string) string {
		return "[[route]]\nname = \"" + name + "\"\nbackend = \"" + name + "\"\n" +
			"[backends." + name + "]\nservers = [\"http://10.0.0.1\"]\n"
	}
	dir := folder(t, map[string]string{
		"a.toml": "include = [\"conf.d/*.toml\", \"conf.d/b.toml\", \"*.toml\"]\n" + head +
			backend("main"),
		"conf.d/c.toml": backend("c"),
		"conf.d/b.toml": backend("b") + "[networks.lab]\naddresses = [\"10.0.0.0/8\"]\n",
		"conf.d/d.txt":  "not TOML at all",
	})
	cfg, found := config.Load(filepath.Join(dir, "a.toml"), noEnv)
	compareLines(t, messages(found, dir), nil)
	if cfg == nil {
		return
	}
	var names []string
	for _, r := range cfg.Routes {
		names = append(names, r.Name)
	}
	if got := strings.Join(names, " "); got != "main b c" {
		t.Errorf("routes are %s, want main b c", got)
	}
	if len(cfg.Backends) != 3 || len(cfg.Networks) != 1 {
		t.Errorf("%d backends and %d sets, want 3 and 1", len(cfg.Backends), len(cfg.Networks))
	}
	if len(cfg.Files) != 3 || cfg.Files[0] != filepath.Join(dir, "a.toml") {
		t.Errorf("Files = %v, want a.toml and two more", cfg.Files)
	}
}

func TestMistakesOfAllFilesAreReportedAtOnce(t *testing.T) {
	dir := folder(t, map[string]string{
		"a.toml": "include = [\"conf.d/*.toml\"]\n" + head + "[log]\nlevl = \"info\"\n" +
			"[backends.web]\nservers = [\"http://10.0.0.1\"]\n",
		"conf.d/b.toml": "include = [\"more.toml\"]\n[listen]\nhttp = []\n[[route]]\nbackend = 1\n",
		"conf.d/c.toml": "[[route]\n",
		"conf.d/d.toml": "[backends.web]\nservers = []\n[[route]]\nhots = []\n",
	})
	_, found := config.Load(filepath.Join(dir, "a.toml"), noEnv)
	const main = "belongs in the main file; an included one may hold only [[route]], " +
		"[backends.NAME], [networks.NAME] and [rate_limits.NAME]"
	compareLines(t, messages(found, dir), []string{
		`a.toml:5:1: log.levl: is not a known key (did you mean "level"?)`,
		`conf.d/b.toml:1:1: include: ` + main,
		`conf.d/b.toml:2:2: listen: ` + main,
		`conf.d/b.toml:5:11: route[0].backend: must be a string, not a whole number (in quotes)`,
		`conf.d/c.toml:1:8: this is not TOML: expected ']]' to close array table name`,
		`conf.d/d.toml:1:11: backends.web: is defined twice, first in a.toml:6:11`,
		`conf.d/d.toml:4:1: route[1].hots: is not a known key (did you mean "hosts"?)`,
	})
}

func TestIncludedSectionsOfAnotherKindAreRefused(t *testing.T) {
	dir := folder(t, map[string]string{
		"a.toml": "include = [\"b.toml\"]\n" + head + "[[route]]\nredirect = \"/x\"\n",
		"b.toml": "[route]\nredirect = \"/x\"\n",
	})
	_, found := config.Load(filepath.Join(dir, "a.toml"), noEnv)
	compareLines(t, messages(found, dir), []string{
		"b.toml:1:2: route: must be a list, as in a.toml:4:3",
	})
}

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := folder(t, map[string]string{
		"big.toml": strings.Repeat("# 1234567\n", 1<<17),
		"nul.toml": "a = \x00",
		"ok.toml":  "include = [\"big.toml\", \"missing.toml\", \"dir\"]\n" + head,
		"dir/x":    "",
	})
	for name, want := range map[string][]string{
		"none.toml": {"none.toml: cannot be read: no such file or directory"},
		"dir":       {"dir: is not a regular file"},
		"big.toml":  {"big.toml: is larger than 1MiB"},
		"nul.toml":  {"nul.toml: holds a NUL byte; this is not a text file"},
		"ok.toml": {
			`ok.toml:1:24: include[1]: the file "missing.toml" does not exist`,
			"big.toml: is larger than 1MiB",
			"dir: is not a regular file",
		},
	} {
		cfg, found := config.Load(filepath.Join(dir, name), noEnv)
		if cfg != nil {
			t.Errorf("%s gives a Config", name)
		}
		compareLines(t, messages(found, dir), want)
	}
}
