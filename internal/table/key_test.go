package table_test

import (
	"net/netip"
	"strings"
	"testing"
	"testing/quick"

	"doorward/internal/table"
)

func TestKeyText(t *testing.T) {
	long := strings.Repeat("k", 40)
	for _, c := range []struct{ key, want string }{
		{"", ""},
		{"abc", "abc"},
		{"häuser", "häuser"},
		{"two words", "two words"},
		{`"`, `"\""`},
		{`back\slash`, `"back\\slash"`},
		{"line\nfeed\x1b[2J", `"line\nfeed\x1b[2J"`},
		{"\xff", `"\xff"`},
		{long[:31], long[:31]},
		{long, "kkkkkkkkkkkkkkk…dc4c5d17d972b66638dd360cf701ca3d"},
	} {
		if got := table.KeyOf([]byte(c.key)).String(); got != c.want {
			t.Errorf("text of %q is %s, want %s", c.key, got, c.want)
		}
	}
}

func TestLongKeysStayDistinct(t *testing.T) {
	seen := map[table.Key]int{}
	base := strings.Repeat("same beginning ", 3)
	for i := range 3000 {
		k := table.KeyOf([]byte(base + strings.Repeat("x", i)))
		if other, ok := seen[k]; ok {
			t.Fatalf("the keys of %d and %d are the same", other, i)
		}
		seen[k] = i
	}
	// The bytes that a long key is kept as are another key when they are given.
	k := table.KeyOf([]byte(base))
	if table.KeyOf(k.Append(nil)) == k {
		t.Error("the beginning of a long key is that key")
	}
}

func TestParseKeyReadsWhatStringWrote(t *testing.T) {
	if err := quick.Check(func(b []byte, long bool) bool {
		if long {
			b = append(b, make([]byte, 32)...)
		}
		k := table.KeyOf(b)
		return table.ParseKey(k.String()) == k
	}, &quick.Config{MaxCount: 3000}); err != nil {
		t.Error(err)
	}
}

func FuzzKeyText(f *testing.F) {
	f.Add([]byte("abc"))
	f.Add([]byte(`"quoted`))
	f.Add([]byte("123456789012345…0123456789abcdef0123456789abcdef"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k := table.KeyOf(b)
		text := k.String()
		if table.ParseKey(text) != k {
			t.Errorf("%q is shown as %s, which is another key", b, text)
		}
		if strings.ContainsAny(text, "\n\r\x00\x1b") {
			t.Errorf("%q is shown with control characters", b)
		}
		table.ParseKey(string(b))
	})
}

func TestNetwork(t *testing.T) {
	for _, c := range []struct {
		addr string
		bits int
		want string
	}{
		{"192.0.2.7", 64, "192.0.2.7/32"},
		{"::ffff:192.0.2.7", 64, "192.0.2.7/32"},
		{"2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::/64"},
		{"2001:db8:1:2:3:4:5:6", 48, "2001:db8:1::/48"},
		{"2001:db8::6", 128, "2001:db8::6/128"},
		{"fe80::1%eth0", 128, "fe80::1/128"},
	} {
		got := table.Network(netip.MustParseAddr(c.addr), c.bits)
		if got.String() != c.want {
			t.Errorf("Network(%s, %d) = %s, want %s", c.addr, c.bits, got, c.want)
		}
	}
	if got := table.Network(netip.Addr{}, 64); got.IsValid() {
		t.Errorf("the network of no address is %s", got)
	}
}
