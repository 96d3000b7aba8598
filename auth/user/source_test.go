package user_test

import (
	"testing"

	"doorward/auth/user"
)

func TestWhenceSaysEveryWayIntoAGroup(t *testing.T) {
	v := user.NewView(&user.User{}, []string{"a", "b"}, nil, map[string][]user.Source{
		"a": {{Kind: user.SourceMember}, {Kind: user.SourceRole, Name: "Admin", Provider: "azure"}},
		"b": {
			{Kind: user.SourceNamed}, {Kind: user.SourceAddress, Name: "a@b.example"},
			{Kind: user.SourceGroup, Name: "g-1", Provider: "azure"},
			{Kind: user.SourceProvider, Provider: "azure"},
		},
	})
	for group, want := range map[string]string{
		"a": "member in the store, role Admin of azure",
		"b": "the configuration names the user, the configuration names the verified address " +
			"a@b.example, group g-1 of azure, everybody of azure",
		"c": "",
	} {
		if got := v.Whence(group); got != want {
			t.Errorf("%s: %q, want %q", group, got, want)
		}
	}
}
