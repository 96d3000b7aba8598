package local

import "testing"

func TestListOfCommonPasswordsIsInOrder(t *testing.T) {
	previous := ""
	for i := 0; i < len(common); {
		word := lineAt(i)
		if word <= previous || len(word) < minWord {
			t.Errorf("%q after %q", word, previous)
		}
		if !isCommon(word) || isCommon(word+"\x00") || isCommon(word[1:]+"\xff") {
			t.Errorf("%q is not found as it should be", word)
		}
		previous = word
		i += len(word) + 1
	}
	for _, word := range []string{"", "\x00", "\xff", "\n"} {
		if isCommon(word) {
			t.Errorf("%q is common", word)
		}
	}
}
