package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"doorward/config"
)

// TestGuidesShowWhatWorks loads every example of the pages beside the manual that are
// about servers.
func TestGuidesShowWhatWorks(t *testing.T) {
	for _, file := range []string{"../docs/grpc.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		blocks := strings.Split(string(text), "```toml\n")[1:]
		if len(blocks) == 0 {
			t.Errorf("%s has no examples", file)
		}
		for i, block := range blocks {
			block, _, _ = strings.Cut(block, "```")
			if _, found := load(t, head+block); len(found) > 0 {
				t.Errorf("%s, example %d: %v", file, i+1, found)
			}
		}
	}
}

// TestGuideToSignInShowsWhatWorks loads every example of the page about sign-in, with
// the backends that they leave out.
func TestGuideToSignInShowsWhatWorks(t *testing.T) {
	text, err := os.ReadFile("../docs/sign-in.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```toml\n")[1:]
	if len(blocks) < 5 {
		t.Errorf("found %d examples, want the page's", len(blocks))
	}
	for i, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		file := filepath.Join(folder(t, map[string]string{"a.toml": completed(block)}), "a.toml")
		_, found := config.Load(file, func(string) (string, bool) { return secret, true })
		if len(found) > 0 {
			t.Errorf("example %d: %v\n%s", i+1, found, block)
		}
	}
}
