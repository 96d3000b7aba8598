package local_test

import (
	"slices"
	"strings"
	"testing"

	"doorward/auth/local"
	"doorward/auth/user"
)

func TestPolicy(t *testing.T) {
	words := local.ContextOf(&user.User{
		Name: "jdoe", Title: "Jane Doe-Miller", Email: "jane.doe@example.com",
	})
	cases := map[local.Code][]string{
		"": {
			"correct horse battery staple", "kx9#mQ2p", "4k92j7#1", "vbkgpmzr", "Tr0ub4dor&3 is too short",
			"jane knows a good song about rain", "password is what swordfish is not",
			"дверь закрыта наглухо", "門は夜に閉じられる八時に", "a1!b2?c3%d4", "qwerty is a row of seven",
			strings.Repeat("every time another sentence, ", 4) + "and an end",
		},
		local.Common: {
			"password", "Password1", "P@$$w0rd!", "pa55word2026", "letmein123", "sunshine", "Iloveyou!",
			"welcome20262026", "Summer2026Winter", "adminadminpassword", "changeme", "ChangeMe123!",
			"dragon monkey", "ＰＡＳＳＷＯＲＤ", "1q2w3e4r5t", "password password", "p4ssw0rd!!!!!!!",
			"trustno1trustno1", "!!football!!", "Schatz2026", "motdepasse1",
		},
		local.Personal: {
			"janedoe1234", "jdoe2026!", "JANE.DOE@example.com", "acme-jane-2026", "Acme20262026",
			"j@n3d03!!", "doorwardacme", "example.com1",
		},
		local.Repeated: {
			"aaaaaaaaaaaaaaa", "abababababababab", "xyz1xyz1xyz1xyz1", "        ", "aabbccaabbccaabbcc",
			"1111111122222222",
		},
		local.Sequence: {
			"12345678", "abcdefghijklmnop", "qwertyuiopasdfgh", "zyxwvutsrq", "987654321098",
			"asdfghjklqwertz", "Qwertz1234", "azertyuiop123",
		},
	}
	policy := local.Policy{MinLength: 8, RejectCommon: true, Words: []string{"Acme", "Doorward"}}
	for want, passwords := range cases {
		for _, password := range passwords {
			got := policy.Check(password, words...)
			// Some rows of keys are well-known passwords too.
			if want == local.Sequence && slices.Equal(codes(got), []local.Code{local.Common}) {
				continue
			}
			if want == "" && len(got) > 0 || want != "" && !slices.Contains(codes(got), want) {
				t.Errorf("%q: %v, want %q", password, codes(got), want)
			}
			if left := (local.Policy{MinLength: 8}).Check(password); len(left) != 0 {
				t.Errorf("%q without RejectCommon: %v", password, codes(left))
			}
		}
	}
}

func TestPolicyCountsCharacters(t *testing.T) {
	for _, c := range []struct {
		least    int
		password string
		want     []local.Code
		number   int
	}{
		{0, "vbkgpmzrqhwtsn", []local.Code{local.TooShort}, 15},
		{0, "vbkgpmzrqhwtsnx", nil, 0},
		{3, "vbkgpmz", []local.Code{local.TooShort}, 8},
		{20, "vbkgpmzrqhwtsnx", []local.Code{local.TooShort}, 20},
		{8, "зжмквфыц", nil, 0},
		{8, "e\u0301u\u0301o\u0301a\u0301", []local.Code{local.TooShort}, 8}, // 4 characters by NFKC
		{8, "", []local.Code{local.TooShort}, 8},
		{8, "vbkgpmzr\xff", []local.Code{local.NotText}, 0},
		{8, "vbkgp\x00zr", nil, 0},
		{8, strings.Repeat("vbkgpmzrqhwtsnxd", 64), nil, 0},
		{8, strings.Repeat("vbkgpmzrqhwtsnxd", 64) + "y", []local.Code{local.TooLong}, 1024},
		{15, "password", []local.Code{local.TooShort, local.Common}, 15},
	} {
		got := local.Policy{MinLength: c.least, RejectCommon: true}.Check(c.password)
		if !slices.Equal(codes(got), c.want) {
			t.Errorf("%.20q with at least %d: %v, want %v", c.password, c.least, codes(got), c.want)
		}
		if len(got) > 0 && (got[0].Number != c.number || got[0].Text == "") {
			t.Errorf("%.20q: number %d, text %q", c.password, got[0].Number, got[0].Text)
		}
	}
}

func codes(problems []local.Problem) []local.Code {
	var list []local.Code
	for _, p := range problems {
		list = append(list, p.Code)
	}
	return list
}

func FuzzPolicyTakesAnything(f *testing.F) {
	for _, seed := range []string{"", "password", "\xff", "aaaa", "ǅ€|+", "İİİİ", "\u1e9e"} {
		f.Add(seed, "jane@example.com")
	}
	policy := local.Policy{MinLength: 8, RejectCommon: true}
	f.Fuzz(func(t *testing.T, password, word string) {
		for _, p := range policy.Check(password, word) {
			if p.Text == "" {
				t.Errorf("%q: a problem %q without a text", password, p.Code)
			}
		}
	})
}

func BenchmarkPolicy(b *testing.B) {
	policy := local.Policy{RejectCommon: true}
	for b.Loop() {
		policy.Check("correct horse battery staple", "jdoe", "jane.doe@example.com")
	}
}
