package route_test

import (
	"bytes"
	"math/rand/v2"
	"net/url"
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"doorward/proxy/route"
)

func TestCanonicalPath(t *testing.T) {
	tests := []struct {
		name, raw, want string
		flags           route.Flags
	}{
		{"root", "/", "/", 0},
		{"plain", "/a/b-c_d~e.f/", "/a/b-c_d~e.f/", 0},
		{"delimiters", "/!$&'()*+,=:@", "/!$&'()*+,=:@", 0},
		{"unreserved decoded", "/%41%7a%30%2D%5f%7E", "/Az0-_~", 0},
		{"upper hex", "/%c3%bc%20", "/%C3%BC%20", 0},
		{"raw UTF-8 escaped", "/größe", "/gr%C3%B6%C3%9Fe", 0},
		{"half-escaped UTF-8", "/\xc3%b6", "/%C3%B6", 0},
		{"replacement character", "/%ef%bf%bd", "/%EF%BF%BD", 0},
		{"four bytes", "/%f0%9f%9a%aa", "/%F0%9F%9A%AA", 0},
		{"characters without a place", "/\"<>[]^`{|}", "/%22%3C%3E%5B%5D%5E%60%7B%7C%7D", 0},
		{"slashes merged", "//a///b//", "/a/b/", 0},
		{"only slashes", "////", "/", 0},
		{"single dots", "/./a/././b/.", "/a/b/", 0},
		{"double dots", "/a/b/../c/..", "/a/", 0},
		{"above the root", "/../../a", "/a", 0},
		{"back to the root", "/a/..", "/", 0},
		{"escaped dots", "/a/%2e%2E/b/%2e/c", "/b/c", 0},
		{"dots over merged slashes", "/a//../b", "/b", 0},
		{"names with dots", "/.a/..b/c../.../d.", "/.a/..b/c../.../d.", 0},
		{"a slash escaped", "/a%2fb", "/a%2Fb", route.EncodedSlash},
		{"a parameter", "/a;v=1/b", "/a;v=1/b", route.Params},
		{"a delimiter escaped", "/a%40b%2c", "/a%40b%2C", route.EncodedDelim},
		{"parameter and delimiter", "/a;b=%3d", "/a;b=%3D", route.Params | route.EncodedDelim},
		{"a flag whose segment is gone", "/a;b/../c", "/c", route.Params},
		{"a percent sign", "/100%25", "/100%25", 0},
		{"a percent sign before one digit", "/%25a/b", "/%25a/b", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, flags, ok := route.CanonicalPath(nil, []byte(tt.raw))
			if !ok || string(got) != tt.want || flags != tt.flags {
				t.Errorf("CanonicalPath(%q) = %q, %b, %v, want %q, %b",
					tt.raw, got, flags, ok, tt.want, tt.flags)
			}
		})
	}
}

func TestCanonicalPathRefuses(t *testing.T) {
	for _, raw := range []string{
		"", "*", "a", "?", "%2Fa", "/%", "/%4", "/%zz", "/%4g", "/a%", "/%%41",
		"/a b", "/a\tb", "/a\x00", "/\x7f", "/a\\b", "/a#b", "/a?b",
		"/%00", "/%1f", "/%7F", "/%5c", "/%5C", "/%23", "/%3f", "/%3B",
		"/%2541", "/%25x%2541", "/%25%34%31", "/%25%41%61", "/%%32%35", "/%252525",
		"/\xff", "/%ff", "/%c0%ae", "/%e0%80%af", "/%ed%a0%80", "/%c3", "/%c3/%a4", "/%f4%90%80%80",
		"/..;/", "/.;a", "/a/..;b=c/d", "/%2e%2e;/", "/..%2f", "/a%2f..", "/a%2F.%2Fb", "/.%2fa",
		"/a;b%2Fc", "/a;b/c%2Fd",
	} {
		if got, _, ok := route.CanonicalPath(nil, []byte(raw)); ok || got != nil {
			t.Errorf("CanonicalPath(%q) = %q, %v, want it refused", raw, got, ok)
		}
	}
}

func TestCanonicalPathReturnsRawWhenItCan(t *testing.T) {
	raw, dst := []byte("/static/app.v1/.well-known/x..y/"), make([]byte, 0, 64)
	if got, _, _ := route.CanonicalPath(dst, raw); &got[0] != &raw[0] {
		t.Error("a canonical path was copied")
	}
	raw = []byte("/a/../b")
	got, _, _ := route.CanonicalPath(dst, raw)
	if &got[0] != &dst[:1][0] {
		t.Error("dst was not used")
	}
	if string(raw) != "/a/../b" {
		t.Errorf("raw became %q", raw)
	}
}

// checkCanonical tests what holds for every path. The standard library's path
// and net/url are the second opinion on dot segments and escapes.
func checkCanonical(t *testing.T, raw []byte) {
	t.Helper()
	got, flags, ok := route.CanonicalPath(nil, raw)
	if !ok {
		return
	}
	again, more, ok := route.CanonicalPath(nil, got)
	if !ok || !bytes.Equal(again, got) || more&^flags != 0 {
		t.Fatalf("%q: canonical %q is not canonical: %q, %b, %v", raw, got, again, more, ok)
	}
	once, err := url.PathUnescape(string(got))
	if err != nil || !utf8.ValidString(once) || strings.ContainsAny(once, "\x00\r\n\\#?\x7f") {
		t.Fatalf("%q: %q decodes to %q, %v", raw, got, once, err)
	}
	if twice, err := url.PathUnescape(once); err == nil && twice != once {
		t.Fatalf("%q: %q decodes twice, to %q", raw, got, twice)
	}
	clean := path.Clean(string(got))
	if strings.TrimSuffix(string(got), "/") != strings.TrimSuffix(clean, "/") {
		t.Fatalf("%q: %q has dot segments or double slashes", raw, got)
	}
	for segment := range strings.SplitSeq(strings.ReplaceAll(string(got), "%2F", "/"), "/") {
		if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
			t.Fatalf("%q: %q has a dot segment", raw, got)
		}
	}
	if want, err := url.PathUnescape(string(raw)); err == nil && flags == 0 &&
		path.Clean(want) != path.Clean(once) {
		t.Fatalf("%q: %q means %q, not %q", raw, got, path.Clean(once), path.Clean(want))
	}
}

func randomPath(rng *rand.Rand, dst []byte) []byte {
	const alphabet = "/.;%2ef5c\\#?a"
	dst = append(dst[:0], '/')
	for range rng.IntN(24) {
		// Mostly whole escapes, as single characters rarely make a valid one.
		switch rng.IntN(3) {
		case 0:
			dst = append(dst, []string{"%2e", "%2F", "%25", "../", "/..", ";a"}[rng.IntN(6)]...)
		default:
			dst = append(dst, alphabet[rng.IntN(len(alphabet))])
		}
	}
	return dst
}

func FuzzCanonicalPath(f *testing.F) {
	for _, seed := range []string{
		"/public/../admin/x", "/%2e%2e;/%c3%a4", "/a%2fb;c", "//a/./b%25zz", "/%252e", "/%40%",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(checkCanonical)
}

func BenchmarkCanonicalPath(b *testing.B) {
	for _, bench := range []struct{ name, raw string }{
		{"plain", "/api/v4/projects/1234/issues"},
		{"escapes", "/api/v4/%70rojects/a%20b/issues"},
		{"dots", "/api/./v4//projects/x/../issues"},
		{"8KiB of dots", strings.Repeat("/a/..", 8192/5)},
	} {
		raw, dst := []byte(bench.raw), make([]byte, 0, 3*len(bench.raw))
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				route.CanonicalPath(dst, raw)
			}
		})
	}
}
