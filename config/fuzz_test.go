package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"doorward/config"
)

// FuzzLoad: whatever the text, Load returns a configuration or says where the
// mistake is, and never the value of a variable.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.toml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, exampleFile) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	file := filepath.Join(f.TempDir(), "a.toml")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "file:") || strings.Contains(text, "include") {
			t.Skip("reads other files")
		}
		writeFile(t, file, text)
		cfg, found := config.Load(file, testEnv)
		if (cfg == nil) != (len(found.Errors()) > 0) {
			t.Errorf("Config given: %v, with errors %v", cfg != nil, found.Errors())
		}
		lines := strings.Count(text, "\n") + 1
		for _, d := range found {
			if d.File != file || d.Line < 0 || d.Line > lines || d.Message == "" {
				t.Errorf("%#v is not in %d lines", d, lines)
			}
			if d.Line > 0 && d.Column < 1 {
				t.Errorf("%#v has a line and no column", d)
			}
			if !strings.Contains(text, secret) && strings.Contains(d.String(), secret) {
				t.Errorf("%v shows a secret", d)
			}
		}
	})
}
