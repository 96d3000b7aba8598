package route_test

import (
	"bytes"
	"strings"
	"testing"

	"doorward/proxy/route"
)

func canonicalHost(raw string) (string, bool) {
	host, ok := route.CanonicalHost(nil, []byte(raw))
	return string(host), ok
}

func TestCanonicalHost(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	long := strings.Repeat(label63+".", 3) + strings.Repeat("b", 61)
	tests := []struct{ name, raw, want string }{
		{"name", "app.example.com", "app.example.com"},
		{"one label", "localhost", "localhost"},
		{"underscore", "_dmarc.my_app.example", "_dmarc.my_app.example"},
		{"inner hyphens", "r3---sn.example", "r3---sn.example"},
		{"punycode", "xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"IPv4", "192.0.2.1:8443", "192.0.2.1"},
		{"IPv6", "[::1]", "[::1]"},
		{"IPv6 with port", "[::1]:443", "[::1]"},
		{"IPv6 in full", "[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]"},
		{"IPv6 with IPv4", "[::FFFF:192.0.2.1]:80", "[::ffff:192.0.2.1]"},
		{"longest label", label63 + ".example", label63 + ".example"},
		{"longest name", long, long},
		{"longest name, dot and port", long + ".:65535", long},
		{"port 1", "app.example:1", "app.example"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := canonicalHost(tt.raw); !ok || got != tt.want {
				t.Errorf("CanonicalHost(%q) = %q, %v, want %q", tt.raw, got, ok, tt.want)
			}
		})
	}
}

func TestCanonicalHostRefuses(t *testing.T) {
	label64 := strings.Repeat("a", 64)
	for _, raw := range []string{
		"", ".", "..", "-", "a..b", "-a.example", "a-.example", "a.-b", "a.b-", "a.b-.",
		"a.example..", label64, label64 + ".example", "a." + label64 + ".b",
		strings.Repeat("a.", 126) + "aa", "a:0", "a:00000", "a:65536", "a:000080",
		"a:-1", "a:+1", "a: 80", "a:80:80", "a,b", "a, b", "a%2eb", "a;b", "a#b", "u:p@a",
		"b\u00fccher.example", "a\x7f", "a\tb", "\xff", "[", "[]", "[::1", "[::1]x", "[::1]:",
		"[::1]:x", "[::1]:0", "[1.2.3.4]", "[v1.x]", "[::1%eth0]", "[" + label64 + "]", "::1",
	} {
		if got, ok := canonicalHost(raw); ok {
			t.Errorf("CanonicalHost(%q) = %q, want it refused", raw, got)
		}
	}
}

func TestCanonicalHostCopiesOnlyWhatChanges(t *testing.T) {
	raw, dst := []byte("app.example.:443"), make([]byte, 0, 64)
	if host, _ := route.CanonicalHost(dst, raw); &host[0] != &raw[0] {
		t.Error("a host in lower case was copied")
	}
	raw = []byte("App.example")
	host, _ := route.CanonicalHost(dst, raw)
	if &host[0] != &dst[:1][0] {
		t.Error("dst was not used")
	}
	if string(raw) != "App.example" {
		t.Errorf("raw became %q", raw)
	}
}

func FuzzCanonicalHost(f *testing.F) {
	for _, seed := range []string{
		"App.Example.:443", "[::1]:80", "a..b", "192.0.2.1", "[::ffff:1.2.3.4]", "-a", "a:0",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		host, ok := route.CanonicalHost(nil, raw)
		if !ok {
			if host != nil {
				t.Fatalf("%q: refused, but %q returned", raw, host)
			}
			return
		}
		again, ok := route.CanonicalHost(nil, host)
		if !ok || !bytes.Equal(again, host) {
			t.Fatalf("%q: canonical %q is not canonical: %q, %v", raw, host, again, ok)
		}
		if bytes.ContainsAny(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZ,/@%?# \t\r\n\x00\\") {
			t.Fatalf("%q: %q", raw, host)
		}
		if upper, _ := route.CanonicalHost(nil, bytes.ToUpper(raw)); !bytes.Equal(upper, host) {
			t.Fatalf("%q: in upper case %q, not %q", raw, upper, host)
		}
	})
}

func BenchmarkCanonicalHost(b *testing.B) {
	for name, host := range map[string]string{
		"lower": "whoami.apps.example.com:443", "upper": "Whoami.apps.example.com:443",
	} {
		raw, dst := []byte(host), make([]byte, 0, 256)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				route.CanonicalHost(dst, raw)
			}
		})
	}
}
