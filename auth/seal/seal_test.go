package seal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"

	"doorward/auth/seal"
)

func secret(b byte) []byte { return bytes.Repeat([]byte{b}, seal.RootSize) }

func box(t testing.TB, current byte, previous ...[]byte) *seal.Box {
	t.Helper()
	b, err := seal.New(secret(current), previous...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSealedComesBack(t *testing.T) {
	b := box(t, 1)
	for _, plain := range []string{"", "x", strings.Repeat("long ", 10_000)} {
		sealed := b.Seal("state", []byte(plain), []byte("aad"))
		got, err := b.Open("state", sealed, []byte("aad"))
		if err != nil || string(got) != plain {
			t.Errorf("Open(Seal(%d bytes)) = %d bytes, %v", len(plain), len(got), err)
		}
		if again := b.Seal("state", []byte(plain), []byte("aad")); again == sealed {
			t.Error("the same text twice: the nonce is not random")
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	b := box(t, 1)
	sealed := b.Seal("state", []byte("plain"), []byte("aad"))
	for _, c := range []struct {
		name, purpose, sealed, aad string
		box                        *seal.Box
	}{
		{"another purpose", "ticket", sealed, "aad", b},
		{"other data", "state", sealed, "other", b},
		{"no data", "state", sealed, "", b},
		{"another secret", "state", sealed, "aad", box(t, 2)},
		{"nothing", "state", "", "aad", b},
		{"a part", "state", sealed[:len(sealed)-4], "aad", b},
		{"only a nonce", "state", sealed[:32], "aad", b},
		{"more", "state", sealed + "AAAA", "aad", b},
		{"padding", "state", sealed + "=", "aad", b},
		{"a line break", "state", sealed[:8] + "\n" + sealed[8:], "aad", b},
		{"no base64", "state", strings.Repeat("?", len(sealed)), "aad", b},
	} {
		if plain, err := c.box.Open(c.purpose, c.sealed, []byte(c.aad)); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("%s: Open = %q, %v", c.name, plain, err)
		}
	}
}

// Every bit of the text counts, also the spare ones of its last letter.
func TestOpenRefusesEveryChangedLetter(t *testing.T) {
	b := box(t, 1)
	sealed := b.Seal("state", []byte("plain"), nil)
	for i := range sealed {
		for bit := range 8 {
			bad := []byte(sealed)
			bad[i] ^= 1 << bit
			if _, err := b.Open("state", string(bad), nil); !errors.Is(err, seal.ErrOpen) {
				t.Fatalf("letter %d, bit %d: %v", i, bit, err)
			}
		}
	}
}

func TestMAC(t *testing.T) {
	b := box(t, 1)
	mac := b.MAC("start", "https://a/", "bind")
	if !b.Check("start", mac, "https://a/", "bind") {
		t.Fatal("its own MAC is wrong")
	}
	for name, ok := range map[string]bool{
		"another purpose": b.Check("state", mac, "https://a/", "bind"),
		"other data":      b.Check("start", mac, "https://b/", "bind"),
		"moved border":    b.Check("start", mac, "https://a/b", "ind"),
		"joined":          b.Check("start", mac, "https://a/bind"),
		"one more":        b.Check("start", mac, "https://a/", "bind", ""),
		"another secret":  box(t, 2).Check("start", mac, "https://a/", "bind"),
		"empty":           b.Check("start", "", "https://a/", "bind"),
		"cut":             b.Check("start", mac[:20], "https://a/", "bind"),
		"padded":          b.Check("start", mac+"=", "https://a/", "bind"),
	} {
		if ok {
			t.Errorf("%s is accepted", name)
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(mac)
	if err != nil || !bytes.Equal(raw, b.Derive("start", "https://a/", "bind")) {
		t.Errorf("Derive and MAC differ, %v", err)
	}
}

func TestSecretsChangeAndNothingEnds(t *testing.T) {
	old, between := box(t, 1), box(t, 2, secret(1))
	sealed, mac := old.Seal("state", []byte("plain"), nil), old.MAC("start", "x")
	if plain, err := between.Open("state", sealed, nil); err != nil || string(plain) != "plain" {
		t.Errorf("Open with the previous secret = %q, %v", plain, err)
	}
	if !between.Check("start", mac, "x") {
		t.Error("the previous secret's MAC is refused")
	}
	if _, err := old.Open("state", between.Seal("state", nil, nil), nil); err == nil {
		t.Error("the previous secret is still sealed with")
	}
	if old.Check("start", between.MAC("start", "x"), "x") {
		t.Error("the previous secret still makes MACs")
	}
}

func TestNewRefusesWhatIsNoSecret(t *testing.T) {
	for name, roots := range map[string][][]byte{
		"none":                 {nil},
		"short":                {make([]byte, 31)},
		"long":                 {make([]byte, 33)},
		"short previous":       {secret(1), make([]byte, 16)},
		"two previous":         {secret(1), secret(2), secret(3)},
		"empty previous":       {secret(1), {}},
		"none and a previous":  {nil, secret(1)},
		"one too many, though": {secret(1), nil, nil},
	} {
		if _, err := seal.New(roots[0], roots[1:]...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := seal.New(secret(1), nil); err != nil {
		t.Errorf("nil for no previous secret: %v", err)
	}
}

func TestRootIsCopied(t *testing.T) {
	root := secret(1)
	b, err := seal.New(root)
	if err != nil {
		t.Fatal(err)
	}
	clear(root)
	if !box(t, 1).Check("a", b.MAC("a", "x"), "x") {
		t.Error("the box changed with the caller's slice")
	}
}

func TestManyAtOnce(t *testing.T) {
	b := box(t, 1)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, purpose := range []string{"a", "b", "c"} {
				plain, err := b.Open(purpose, b.Seal(purpose, []byte(purpose), nil), nil)
				if err != nil || string(plain) != purpose {
					t.Errorf("Open = %q, %v", plain, err)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkSeal(b *testing.B) {
	box, plain := box(b, 1), make([]byte, 400)
	for b.Loop() {
		if _, err := box.Open("state", box.Seal("state", plain, nil), nil); err != nil {
			b.Fatal(err)
		}
	}
}
