package assert

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"

	"doorward/auth/user"
)

// factsOf are the texts about a user that is told to be in those groups.
func (t *Template) factsOf(v *user.View, groups []string) facts {
	u := v.User
	f := facts{
		aUser: plain(u.Name), aName: cleaned(u.Display()), anEmail: plain(t.email(u)),
		theGroups: t.list(groups), theRoles: t.list(v.Roles),
		anID: plain(u.ID), aUID: uid(u), aProvider: plain(providerOf(u)),
		theApp: cleaned(t.o.App), theJWKS: t.o.JWKS, theIssuer: t.o.Issuer,
		theVersion: cleaned(t.o.Version),
	}
	if t.o.Percent {
		for i := range f {
			f[i] = percent(f[i])
		}
	}
	return f
}

func (t *Template) email(u *user.User) string {
	if t.o.OnlyVerifiedEmail && !u.EmailVerified {
		return ""
	}
	return u.Email
}

// list joins names. One that a server would read as two, or as another one, is left
// out: it could be a group that the user is not in.
func (t *Template) list(names []string) string {
	var b strings.Builder
	for _, n := range names {
		if n == "" || plain(n) != n || strings.Contains(n, t.o.Separator) {
			t.warn(n)
			continue
		}
		if b.Len() > 0 {
			b.WriteString(t.o.Separator)
		}
		b.WriteString(n)
	}
	return b.String()
}

// maxWarned bounds what is remembered of names left out.
const maxWarned = 100

// warn tells the log of a name, once.
func (t *Template) warn(name string) {
	if t.o.Log == nil || t.warnings.Load() >= maxWarned {
		return
	}
	if _, known := t.warned.LoadOrStore(name, true); !known {
		t.warnings.Add(1)
		t.o.Log.Warn("a group or role is not told to servers: its name has the separator "+
			"or a control character in it", zap.String("route", t.o.App),
			zap.String("name", name))
	}
}

// uid is a name for the user that never changes and says nothing.
func uid(u *user.User) string {
	sum := sha256.Sum256([]byte("doorward uid\n" + u.ID))
	return hex.EncodeToString(sum[:])
}

// providerOf is where the user signed in last, "local" without a provider.
func providerOf(u *user.User) string {
	var last *user.Identity
	for i := range u.Identities {
		if id := &u.Identities[i]; last == nil || id.SignedIn.After(last.SignedIn) {
			last = id
		}
	}
	if last == nil {
		return "local"
	}
	return last.Provider
}

// plain returns s, or nothing if a line cannot carry it as it is: what identifies
// somebody must not become another name on the way.
func plain(s string) string {
	if cleaned(s) != s {
		return ""
	}
	return s
}

// cleaned is s without control characters and what is not UTF-8, and without spaces
// around it: what a line can carry (RFC 9110, section 5.5).
func cleaned(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s))
}

const hexDigits = "0123456789ABCDEF"

// percent writes what is not ASCII, and the sign itself, as RFC 3986 section 2.1 does.
func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c == '%' || c >= utf8.RuneSelf {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
