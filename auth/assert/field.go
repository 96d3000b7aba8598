package assert

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// part is a piece of literal text, or what is known of the user.
type part struct {
	text string
	what fact
}

// fact is one thing that servers are told.
type fact uint8

const (
	literal fact = iota
	aUser
	aName
	anEmail
	theGroups
	theRoles
	anID
	aUID
	aProvider
	aToken
	theApp
	theJWKS
	theIssuer
	theVersion
	allFacts
)

// facts are the texts of all that may be told about one user.
type facts [allFacts]string

// placeholders are those of configured tables; presets know the others by their
// number.
var placeholders = map[string]fact{
	"user": aUser, "name": aName, "email": anEmail, "groups": theGroups,
	"roles": theRoles, "id": anID, "provider": aProvider, "jwt": aToken,
	"uid": aUID, "app": theApp, "jwks": theJWKS, "issuer": theIssuer,
	"version": theVersion,
}

// parse reads the value of a field.
func parse(s string) (parts []part, err error) {
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			parts = append(parts, part{text: text.String()})
			text.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "{{"), strings.HasPrefix(s[i:], "}}"):
			text.WriteByte(s[i])
			i++
		case s[i] == '{':
			name, _, closed := strings.Cut(s[i+1:], "}")
			what, known := placeholders[name]
			if !closed || !known {
				return nil, fmt.Errorf("%q: no placeholder {%s}; there are {user} {name} "+
					"{email} {groups} {roles} {id} {provider} {jwt}", s, name)
			}
			flush()
			parts = append(parts, part{what: what})
			i += len(name) + 1
		case s[i] == '}':
			return nil, fmt.Errorf("%q: a brace that closes nothing; }} is a literal brace", s)
		case s[i] < ' ' || s[i] == 0x7f:
			return nil, fmt.Errorf("%q: control characters cannot be in a field", s)
		default:
			text.WriteByte(s[i])
		}
	}
	flush()
	return parts, nil
}

// checkName tells whether a field may be called so: a token (RFC 9110, section 5.6.2)
// that does not decide where the request goes or ends.
func checkName(name string) error {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return fmt.Errorf("identity headers: %q is no name of a header field", name)
		}
	}
	switch strings.ToLower(name) {
	case "":
		return fmt.Errorf("identity headers: a field without a name")
	case "host", "connection", "content-length", "content-type", "transfer-encoding",
		"upgrade", "te", "trailer", "expect", "keep-alive", "proxy-connection", "cookie",
		"http2-settings", "forwarded", "x-forwarded-for", "x-forwarded-host",
		"x-forwarded-proto":
		return fmt.Errorf("identity headers: %s says other things than who the user is; "+
			"take another name", name)
	}
	return nil
}

// preset is a table that other products made known.
type preset struct {
	fields    map[string]string
	separator string
	alg       Algorithm
}

// presets are the tables by name. They are read only.
var presets = map[string]preset{
	"none": {separator: ",", alg: ES256},
	"remote-user": {separator: ",", alg: ES256, fields: map[string]string{
		"Remote-User": "{user}", "Remote-Groups": "{groups}",
		"Remote-Name": "{name}", "Remote-Email": "{email}",
	}},
	"forwarded": {separator: ",", alg: ES256, fields: map[string]string{
		"X-Forwarded-User": "{user}", "X-Forwarded-Preferred-Username": "{user}",
		"X-Forwarded-Groups": "{groups}", "X-Forwarded-Email": "{email}",
	}},
	"authentik": {separator: "|", alg: RS256, fields: map[string]string{
		"X-Authentik-Username": "{user}", "X-Authentik-Groups": "{groups}",
		"X-Authentik-Entitlements": "{roles}", "X-Authentik-Email": "{email}",
		"X-Authentik-Name": "{name}", "X-Authentik-Uid": "{uid}",
		"X-Authentik-Jwt": "{jwt}", "X-Authentik-Meta-Jwks": "{jwks}",
		"X-Authentik-Meta-Outpost": "{issuer}", "X-Authentik-Meta-Provider": "{app}",
		"X-Authentik-Meta-App": "{app}", "X-Authentik-Meta-Version": "doorward/{version}",
	}},
}

func presetNames() string {
	return strings.Join(slices.Sorted(maps.Keys(presets)), ", ")
}

func keysOf(m map[string]string) iter.Seq[string] { return maps.Keys(m) }
