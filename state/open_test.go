package state_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"doorward/state"
)

func TestOpenByURL(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "with space%20and percent")
	path := filepath.Join(folder, "doorward.db")
	for _, url := range []string{"file:" + folder, "file://" + folder, "file:" + folder + "/./x/.."} {
		store := open(t, url, state.Options{})
		if _, err := store.Set(t.Context(), "a", nil, 0); err != nil {
			t.Errorf("Open(%q): %v", url, err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("Open(%q) made no file: %v", url, err)
		}
	}
	for _, url := range []string{"", "memory:"} {
		if _, err := open(t, url, state.Options{}).Set(t.Context(), "a", nil, 0); err != nil {
			t.Errorf("Open(%q): %v", url, err)
		}
	}
}

func TestOpenRefusesURLs(t *testing.T) {
	for url, want := range map[string]string{
		"file:":                       "has to be absolute",
		"file:state":                  "has to be absolute",
		"file:../state":               "has to be absolute",
		"file://host/state":           "has to be absolute",
		"memory:x":                    "memory has no path",
		"redis://:geheim@host:6379":   "redis is not available in this version",
		"rediss://:geheim@host":       "rediss is not available in this version",
		"redis-sentinel://a,b/geheim": "redis-sentinel is not available in this version",
		"postgres://u:geheim@host":    "has to begin with",
		"/var/lib/doorward":           "has to begin with",
		"geheim":                      "has to begin with",
	} {
		store, err := state.Open(url, state.Options{})
		if err == nil {
			_ = store.Close()
			t.Errorf("Open(%q) worked", url)
			continue
		}
		if text := err.Error(); !strings.Contains(text, want) || strings.Contains(text, "geheim") {
			t.Errorf("Open(%q) = %q, want %q and no secret", url, text, want)
		}
	}
}

// What a file cannot be made in names the mend.
func TestOpenWithoutFolder(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := state.Open("file:"+filepath.Join(blocked, "state"), state.Options{})
	if err == nil || !strings.Contains(err.Error(), blocked) {
		t.Errorf("Open below a file = %v, want an error with the place", err)
	}
}
