package local

import (
	_ "embed"
	"sort"
	"strings"
	"unicode"
)

// common is well-known passwords and the words they are made of, in lower case,
// one a line, sorted by bytes.
//
//go:embed common.txt
var common string

const (
	minWord = 4 // shorter words of the list are parts of too many others
	maxWord = 24
	minRow  = 4
	// maxLooked is how many characters are looked at for words: what is longer and
	// does not repeat itself is long enough.
	maxLooked = 128
)

// What a part of a password is worth, against enough. A word that is guessed early
// is worth one letter and a half, so five of them or so are a good password again.
const (
	worthPiece  = 3
	worthLetter = 2
	worthOther  = 1
	enough      = 13
)

// minDistinct is how many different characters a password has at least, minUnit how
// long what it repeats.
const (
	minDistinct = 5
	minUnit     = 8
)

// guess takes a password apart as somebody who guesses would put it together.
type guess struct {
	text     []rune              // in lower case
	variants [][]rune            // text, and what may be meant by it
	personal map[string]struct{} // words about the user
}

// newGuess looks at text, which may come in disguise: with digits and signs for
// letters, of which "1" is written for two.
func newGuess(text string, words []string) guess {
	g := guess{text: []rune(strings.ToLower(text)), personal: parts(words)}
	if unit := period(g.text); unit >= minUnit {
		g.text = g.text[:unit]
	}
	g.variants = [][]rune{g.text, disguised(g.text, 'i'), disguised(g.text, 'l')}
	return g
}

func disguised(text []rune, one rune) []rune {
	plain := make([]rune, len(text))
	for i, r := range text {
		switch r {
		case '@', '4':
			r = 'a'
		case '3', '€':
			r = 'e'
		case '1', '!', '|':
			r = one
		case '0':
			r = 'o'
		case '5', '$':
			r = 's'
		case '7', '+':
			r = 't'
		}
		plain[i] = r
	}
	return plain
}

// judge returns why the password would be guessed early, empty when it would not.
func (g guess) judge() Code {
	n := len(g.text)
	if distinct(g.text) < min(minDistinct, n) || period(g.text) < min(minUnit, n) {
		return Repeated
	}
	if n > maxLooked {
		return ""
	}
	worth, worst := 0, Code("")
	for i := 0; i < len(g.text); {
		n, code := g.piece(i)
		switch {
		case n > 0:
			worth += worthPiece
			worst = worse(worst, code)
			i += n
			continue
		case unicode.IsLetter(g.text[i]):
			worth += worthLetter
		default:
			worth += worthOther
		}
		i++
	}
	if worth >= enough {
		return ""
	}
	return worst
}

// worse is the code that says more about a password of which both are true.
func worse(a, b Code) Code {
	for _, code := range []Code{Personal, Common, Sequence} {
		if a == code || b == code {
			return code
		}
	}
	return ""
}

// piece returns the length of the longest part at i that is guessed early, and what
// it is.
func (g guess) piece(i int) (length int, code Code) {
	if length = row(g.text[i:]); length > 0 {
		code = Sequence
	}
	for _, text := range g.variants {
		most := min(maxWord, len(text)-i)
		for n := most; n > length && n >= 3; n-- {
			word := string(text[i : i+n])
			if _, ok := g.personal[word]; ok {
				length, code = n, Personal
			} else if n >= minWord && isCommon(word) {
				length, code = n, Common
			}
		}
	}
	return length, code
}

// isCommon searches the list as it is, line by line.
func isCommon(word string) bool {
	start := sort.Search(len(common), func(i int) bool { return lineAt(i) >= word })
	return start < len(common) && lineAt(start) == word
}

// lineAt is the line that the byte is in.
func lineAt(i int) string {
	line := common[strings.LastIndexByte(common[:i], '\n')+1:]
	end := strings.IndexByte(line, '\n')
	return line[:end]
}

// rows are neighbours on keyboards of several countries, and in the order of
// letters and digits.
const rows = "1234567890 qwertyuiop qwertzuiop azertyuiop asdfghjkl qsdfghjklm" +
	" zxcvbnm yxcvbnm wxcvbn 0123456789 abcdefghijklmnopqrstuvwxyz !@#$%^&*() 147 258 369" +
	" qaz wsx edc rfv tgb yhn ujm"

// row returns how many characters at the start are neighbours, one way or the
// other, or the same; 0 when too few for that to mean anything.
func row(text []rune) int {
	n := 0
	for _, direction := range []int{1, -1, 0} {
		i := 1
		for i < len(text) && follows(text[i-1], text[i], direction) {
			i++
		}
		n = max(n, i)
	}
	if n < minRow {
		return 0
	}
	return n
}

func follows(a, b rune, direction int) bool {
	switch {
	case a == ' ' || b == ' ':
		return false
	case direction == 0:
		return a == b
	case direction < 0:
		a, b = b, a
	}
	return strings.Contains(rows, string(a)+string(b))
}

func distinct(text []rune) int {
	seen := map[rune]struct{}{}
	for _, r := range text {
		seen[r] = struct{}{}
	}
	return len(seen)
}

// period is the length of the shortest beginning that the text repeats, also with
// a last time that is cut off; the whole length when there is none. It is what the
// failure function of Knuth, Morris and Pratt leaves.
func period(text []rune) int {
	border := make([]int, len(text)+1)
	for i, k := 1, 0; i < len(text); i++ {
		for k > 0 && text[i] != text[k] {
			k = border[k]
		}
		if text[i] == text[k] {
			k++
		}
		border[i+1] = k
	}
	unit := len(text) - border[len(text)]
	if 2*unit > len(text) {
		return len(text)
	}
	return unit
}
