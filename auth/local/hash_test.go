package local_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"doorward/auth/local"
)

func TestHashIsItsPasswords(t *testing.T) {
	h := cheap()
	for _, password := range []string{right, "x", "пароль", "a\x00b", strings.Repeat("é", 512), "\xff"} {
		phc, err := h.Hash(t.Context(), password)
		if err != nil {
			t.Fatalf("Hash(%q) = %v", password, err)
		}
		if ok, rehash, err := h.Verify(t.Context(), phc, password); !ok || rehash || err != nil {
			t.Errorf("Verify(%q) = %v, %v, %v", password, ok, rehash, err)
		}
		if ok, _, err := h.Verify(t.Context(), phc, password+" "); ok || err != nil {
			t.Errorf("Verify(%q and a space) = %v, %v", password, ok, err)
		}
		if again, _ := h.Hash(t.Context(), password); again == phc {
			t.Error("two hashes have the same salt")
		}
		if !strings.HasPrefix(phc, "$argon2id$v=19$m=1024,t=1,p=1$") {
			t.Errorf("hash %s", phc)
		}
	}
}

func TestDefaultCost(t *testing.T) {
	phc, err := local.NewHasher(local.HashOptions{}).Hash(t.Context(), right)
	if err != nil || !strings.HasPrefix(phc, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("Hash = %s, %v", phc, err)
	}
	mad := local.NewHasher(local.HashOptions{Memory: 1, Time: 1 << 31, Threads: 255, Concurrent: -1})
	if phc, _ = mad.Hash(t.Context(), right); local.CheckHash(phc) != nil {
		t.Errorf("a hash that could not be verified: %s", phc)
	}
}

func TestCompatibleCharactersAreOne(t *testing.T) {
	h := cheap()
	phc, err := h.Hash(t.Context(), "zo\u00e9 ﬁne Ａ")
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{
		"zo\u0065\u0301 fine A": true, "zo\u00e9 fine A": true, "zoe fine A": false,
		"zo\u00e9 fine a": false,
	} {
		if ok, _, err := h.Verify(t.Context(), phc, password); ok != want || err != nil {
			t.Errorf("Verify(%q) = %v, %v", password, ok, err)
		}
	}
}

func TestHashesFromElsewhereAreVerifiedAndReplaced(t *testing.T) {
	fish, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	h := cheap()
	for name, c := range map[string]struct {
		phc, password string
		rehash        bool
	}{
		"argon2id of its authors": {
			"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
			"password", true, // for its short salt
		},
		"bcrypt": {string(fish), "correct horse", true},
		"django": {
			"pbkdf2_sha256$10000$seasalt$yUSQkCSBBGjOglsg2f0YsigZVwZC6oXxFCoUK6nZWMQ=",
			"correct horse", true,
		},
	} {
		ok, rehash, err := h.Verify(t.Context(), c.phc, c.password)
		if !ok || rehash != c.rehash || err != nil || local.CheckHash(c.phc) != nil {
			t.Errorf("%s: %v, %v, %v", name, ok, rehash, err)
		}
		if ok, rehash, err = h.Verify(t.Context(), c.phc, c.password+"x"); ok || rehash || err != nil {
			t.Errorf("%s, wrong: %v, %v, %v", name, ok, rehash, err)
		}
	}
	dear := local.NewHasher(local.HashOptions{Memory: 2048, Time: 2})
	phc, _ := h.Hash(t.Context(), right)
	if ok, rehash, _ := dear.Verify(t.Context(), phc, right); !ok || !rehash {
		t.Errorf("a cheaper hash: %v, %v", ok, rehash)
	}
	phc, _ = dear.Hash(t.Context(), right)
	if ok, rehash, _ := h.Verify(t.Context(), phc, right); !ok || rehash {
		t.Errorf("a dearer hash: %v, %v", ok, rehash)
	}
}

// badHashes is what somebody could have written into the store.
func badHashes() map[string]string {
	salt, tag := "c29tZXNhbHQ", strings.Repeat("A", 43)
	argon := func(parameters string) string {
		return "$argon2id$v=19$" + parameters + "$" + salt + "$" + tag
	}
	bad := map[string]string{
		"empty": "", "x": "x", "plain": right, "star": "*", "dollars": "$$$$$", "unknown": "$md5$x",
		"argon2i":      strings.Replace(argon("m=1024,t=1,p=1"), "argon2id", "argon2i", 1),
		"version":      strings.Replace(argon("m=1024,t=1,p=1"), "v=19", "v=16", 1),
		"no salt":      "$argon2id$v=19$m=1024,t=1,p=1$$" + tag,
		"short tag":    "$argon2id$v=19$m=1024,t=1,p=1$" + salt + "$AAAA",
		"padding":      "$argon2id$v=19$m=1024,t=1,p=1$" + salt + "=$" + tag,
		"endless":      argon("m=1024,t=1,p=1") + strings.Repeat("A", 1<<16),
		"more":         argon("m=1024,t=1,p=1") + "$x",
		"bcrypt cost":  "$2a$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"bcrypt short": "$2a$04$N9qo8uLOickgx2ZMRZoMye",
		"django much":  "pbkdf2_sha256$2000000000$salt$" + base64.StdEncoding.EncodeToString(make([]byte, 32)),
		"django few":   "pbkdf2_sha256$1$salt$" + base64.StdEncoding.EncodeToString(make([]byte, 32)),
		"django salt":  "pbkdf2_sha256$10000$$" + base64.StdEncoding.EncodeToString(make([]byte, 32)),
		"django tag":   "pbkdf2_sha256$10000$salt$AAAA",
	}
	for _, parameters := range []string{
		"m=4294967295,t=1,p=1", "m=262144,t=1,p=1", "m=1024,t=0,p=1", "m=1024,t=1,p=0", "m=8,t=1,p=1",
		"m=1024,t=4294967295,p=1", "m=1024,t=1,p=255", "m=-1,t=1,p=1", "t=1,m=1024,p=1", "m=1024,t=1",
		"m=1024,t=1,p=1,x=1", "m=+1024,t=1,p=1", "m=99999999999999999999,t=1,p=1", "m=,t=,p=",
	} {
		bad[parameters] = argon(parameters)
	}
	return bad
}

func FuzzVerifyTakesAnyHash(f *testing.F) {
	for _, phc := range badHashes() {
		if len(phc) < 1000 {
			f.Add(phc)
		}
	}
	h := cheap()
	f.Fuzz(func(t *testing.T, phc string) {
		if strings.Contains(phc, "m=1") || strings.Contains(phc, "pbkdf2") {
			return // could be a hash, and a dear one
		}
		ok, _, err := h.Verify(context.Background(), phc, right)
		if ok || err != nil && !errors.Is(err, local.ErrUnknownHash) {
			t.Errorf("Verify(%q) = %v, %v", phc, ok, err)
		}
	})
}
