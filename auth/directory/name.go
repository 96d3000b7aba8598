package directory

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The bounds of what a directory takes, in bytes.
const (
	maxName  = 256
	maxTitle = 256
	maxEmail = 254 // RFC 5321 section 4.5.3.1.3
	maxGroup = 128
)

// Canonical is the form in which names are stored and compared: compatibility
// forms made one (NFKC, so that full-width letters are no others), without spaces
// around, in lower case. It is empty for what can be no name, such as invalid UTF-8.
func Canonical(login string) string {
	if len(login) > maxName || !utf8.ValidString(login) {
		return ""
	}
	// Twice, since lower case may bring forth what NFKC changes again.
	for range 2 {
		login = norm.NFKC.String(strings.ToLower(strings.TrimSpace(norm.NFKC.String(login))))
	}
	return login
}

// forbidden in names, since they mean something where names are written: Basic
// credentials, lists in header fields, paths, command lines.
const forbidden = `:/\|,;"<>`

func checkName(name string) error {
	switch {
	case name == "":
		return invalid("a user needs a name of at most %d bytes of UTF-8", maxName)
	case len(name) > maxName:
		return invalid("the name has %d bytes, at most %d", len(name), maxName)
	case name[0] == '.' || name[len(name)-1] == '.':
		return invalid("the name %q begins or ends with a dot", name)
	}
	for _, r := range name {
		if !unicode.IsGraphic(r) || unicode.IsSpace(r) || strings.ContainsRune(forbidden, r) {
			return invalid("the name %q has the character %q", name, r)
		}
	}
	return nil
}

func checkGroup(name string) error {
	switch {
	case name == "" || len(name) > maxGroup || !utf8.ValidString(name):
		return invalid("a group needs a name of at most %d bytes of UTF-8", maxGroup)
	case strings.TrimSpace(name) != name:
		return invalid("the group's name %q begins or ends with a space", name)
	}
	for _, r := range name {
		if !unicode.IsGraphic(r) || r == '|' || r == ',' {
			return invalid("the group's name %q has the character %q", name, r)
		}
	}
	return nil
}

func checkEmail(email string) error {
	if email == "" {
		return nil
	}
	local, domain, _ := strings.Cut(email, "@")
	if local == "" || domain == "" || len(email) > maxEmail || !utf8.ValidString(email) {
		return invalid("%q is no e-mail address", email)
	}
	for _, r := range email {
		if !unicode.IsGraphic(r) || unicode.IsSpace(r) {
			return invalid("the e-mail address %q has the character %q", email, r)
		}
	}
	return nil
}

// cleanTitle makes text that providers or people chose fit to be shown.
func cleanTitle(title string) string {
	title = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(title, " "))
	if len(title) > maxTitle {
		title = strings.ToValidUTF8(title[:maxTitle], "")
	}
	return strings.Join(strings.Fields(title), " ")
}
