package config_test

import (
	"os"
	"strings"
	"testing"
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
