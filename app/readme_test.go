package app_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"doorward/config"
)

// The README promises a real site in about twenty lines. It has to be true.
func TestTheSiteOfTheREADMEIsValid(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```toml\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("no configuration in it")
	}
	file := filepath.Join(t.TempDir(), "site.toml")
	if err := os.WriteFile(file, block[1], 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(name string) (string, bool) { return "correct horse battery", name == "STATS_PASSWORD" }
	if _, found := config.Load(file, env); len(found) > 0 {
		t.Error(found)
	}
	if n := strings.Count(string(block[1]), "\n"); n > 25 {
		t.Errorf("it has %d lines", n)
	}
}
