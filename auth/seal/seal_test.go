package seal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"

	"doorward/auth/seal"
)

func box(t *testing.T, roots ...byte) *seal.Box {
	t.Helper()
	var all [][]byte
	for _, r := range roots {
		all = append(all, bytes.Repeat([]byte{r}, seal.RootSize))
	}
	b, err := seal.New(all[0], all[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSealedIsOpenedAsItWasSealed(t *testing.T) {
	b := box(t, 1)
	sealed := b.Seal("state", []byte("where to go"), []byte("id"))
	if plain, err := b.Open("state", sealed, []byte("id")); err != nil || string(plain) != "where to go" {
		t.Errorf("opened as %q, %v", plain, err)
	}
	if again := b.Seal("state", []byte("where to go"), []byte("id")); again == sealed {
		t.Error("the same text twice is the same sealed: its nonce is no nonce")
	}
	for what, open := range map[string]func() ([]byte, error){
		"another purpose": func() ([]byte, error) { return b.Open("code", sealed, []byte("id")) },
		"another id":      func() ([]byte, error) { return b.Open("state", sealed, []byte("other")) },
		"another root":    func() ([]byte, error) { return box(t, 2).Open("state", sealed, []byte("id")) },
		"nothing":         func() ([]byte, error) { return b.Open("state", "", []byte("id")) },
		"no base64":       func() ([]byte, error) { return b.Open("state", "%"+sealed, []byte("id")) },
	} {
		if plain, err := open(); !errors.Is(err, seal.ErrSealed) {
			t.Errorf("%s: opened as %q, %v", what, plain, err)
		}
	}
}

// Whatever is changed in a sealed text, there is one error (OIDC-07), and there is one
// spelling of it.
func TestSecurity(t *testing.T) {
	t.Run("OIDC-07_any_tampering_is_one_error", func(t *testing.T) {
		b := box(t, 1)
		sealed := b.Seal("state", []byte("x"), nil)
		raw, _ := base64.RawURLEncoding.DecodeString(sealed)
		for i := range raw {
			for bit := range 8 {
				bad := bytes.Clone(raw)
				bad[i] ^= 1 << bit
				if _, err := b.Open("state", base64.RawURLEncoding.EncodeToString(bad), nil); err != seal.ErrSealed {
					t.Fatalf("bit %d of byte %d: %v", bit, i, err)
				}
			}
			if _, err := b.Open("state", base64.RawURLEncoding.EncodeToString(raw[:i]), nil); err != seal.ErrSealed {
				t.Fatalf("cut to %d bytes: %v", i, err)
			}
		}
		for _, other := range []string{sealed + "=", sealed + "\n", sealed + "A", " " + sealed} {
			if _, err := b.Open("state", other, nil); err != seal.ErrSealed {
				t.Errorf("%q is opened as well", other)
			}
		}
	})
}

func TestANewRootEndsNothing(t *testing.T) {
	old, rotated := box(t, 1), box(t, 2, 1)
	sealed, proof := old.Seal("p", []byte("x"), nil), old.MAC("p", "x")
	if _, err := rotated.Open("p", sealed, nil); err != nil {
		t.Errorf("what the previous root sealed: %v", err)
	}
	if !rotated.Check("p", proof, "x") {
		t.Error("what the previous root proved is not believed")
	}
	if _, err := old.Open("p", rotated.Seal("p", []byte("x"), nil), nil); err == nil {
		t.Error("the new root is not used")
	}
}

func TestProofs(t *testing.T) {
	b := box(t, 1)
	proof := b.MAC("start", "ab", "c")
	if !b.Check("start", proof, "ab", "c") {
		t.Error("our own proof is not believed")
	}
	for what, good := range map[string]bool{
		"other pieces":    b.Check("start", proof, "a", "bc"),
		"one piece":       b.Check("start", proof, "abc"),
		"another purpose": b.Check("end", proof, "ab", "c"),
		"nothing":         b.Check("start", "", "ab", "c"),
		"cut":             b.Check("start", proof[:len(proof)-2], "ab", "c"),
		"derived":         b.Check("start", base64.RawURLEncoding.EncodeToString(b.Derive("start", "ab", "c")), "ab", "c"),
	} {
		if good {
			t.Errorf("%s is believed", what)
		}
	}
	if !bytes.Equal(b.Derive("n", "x"), b.Derive("n", "x")) || bytes.Equal(b.Derive("n", "x"), b.Derive("m", "x")) {
		t.Error("derived bytes are not those of purpose and data")
	}
}

func TestAShortRootIsRefused(t *testing.T) {
	if _, err := seal.New(make([]byte, seal.RootSize-1)); err == nil {
		t.Error("a root of 31 bytes is taken")
	}
	if _, err := seal.New(make([]byte, seal.RootSize), nil); err == nil {
		t.Error("an empty previous root is taken")
	}
}
