package route_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"doorward/proxy/route"
)

func prefix(t testing.TB, text string) route.Prefix {
	t.Helper()
	p, err := route.ParsePrefix(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPrefix(t *testing.T) {
	tests := []struct {
		prefix, to, path   string
		stripped, replaced string
	}{
		{"/a", "/b", "/a", "/", "/b"},
		{"/a/", "/b/", "/a", "/", "/b"},
		{"/a", "/b", "/a/", "/", "/b/"},
		{"/a", "/b/c", "/a/x", "/x", "/b/c/x"},
		{"/a", "/", "/a/x", "/x", "/x"},
		{"/a", "/", "/a", "/", "/"},
		{"/", "/b", "/x", "/x", "/b/x"},
		{"/", "/b", "/", "/", "/b/"},
		{"/a", "/b", "/ab", "/ab", "/ab"},
		{"/a", "/b", "/x/a", "/x/a", "/x/a"},
		{"/%61%20", "/b", "/a%20/x", "/x", "/b/x"},
		{"/a", "/b", "*", "*", "*"},
	}
	for _, tt := range tests {
		p, to, path := prefix(t, tt.prefix), prefix(t, tt.to), []byte(tt.path)
		if got := p.Strip(path); string(got) != tt.stripped {
			t.Errorf("%s: strip %s = %s, want %s", tt.path, p, got, tt.stripped)
		}
		if got := p.Replace(nil, path, to); string(got) != tt.replaced {
			t.Errorf("%s: replace %s by %s = %s, want %s", tt.path, p, to, got, tt.replaced)
		}
		if string(path) != tt.path {
			t.Errorf("%s became %s", tt.path, path)
		}
	}
}

func TestZeroPrefixIsTheRoot(t *testing.T) {
	var zero route.Prefix
	if zero.String() != "/" || !zero.In([]byte("/x")) || string(zero.Strip([]byte("/x"))) != "/x" {
		t.Errorf("zero prefix: %s", zero)
	}
}

func TestParsePrefixRefuses(t *testing.T) {
	for _, text := range []string{"", "a", "/a?", "/a;b", "/a%2Fb", "/a/*", "/%zz", "~/a", "=/a"} {
		if p, err := route.ParsePrefix(text); err == nil {
			t.Errorf("%q: %v", text, p)
		}
	}
}

func TestRewrittenPathsAreCanonical(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 20))
	from, to := prefix(t, "/a"), prefix(t, "/b/c")
	seen := 0
	for range 100_000 {
		path, _, ok := route.CanonicalPath(nil, randomPath(rng, nil))
		if !ok || !from.In(path) {
			continue
		}
		seen++
		for _, out := range [][]byte{from.Strip(path), from.Replace(nil, path, to)} {
			if again, _, ok := route.CanonicalPath(nil, out); !ok || !bytes.Equal(again, out) {
				t.Fatalf("%q: %q is not canonical", path, out)
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d paths had the prefix", seen)
	}
}
