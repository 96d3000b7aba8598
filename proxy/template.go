package proxy

import (
	"fmt"
	"strings"
)

// Template is a value with placeholders, compiled. The zero value is empty.
type Template struct {
	parts []part
}

// part is a piece of literal text, or one placeholder when what is set.
type part struct {
	text string
	what placeholder
}

type placeholder uint8

const (
	literal placeholder = iota
	hostValue
	clientIPValue
	requestIDValue
	schemeValue
	userValue
	methodValue
	pathValue
	queryValue
	uriValue
)

var placeholders = map[string]placeholder{
	"host": hostValue, "client_ip": clientIPValue, "request_id": requestIDValue,
	"scheme": schemeValue, "user": userValue, "method": methodValue,
	"path": pathValue, "query": queryValue, "uri": uriValue,
}

// ParseTemplate compiles a value: {host} {client_ip} {request_id} {scheme}
// {user} {method} {path} {query} {uri}; "{{" and "}}" are literal braces.
func ParseTemplate(s string) (Template, error) {
	var t Template
	var text strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "{{"), strings.HasPrefix(s[i:], "}}"):
			text.WriteByte(s[i])
			i++
		case s[i] == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return t, fmt.Errorf("%q: a placeholder is not closed; {{ is a literal brace", s)
			}
			what, ok := placeholders[s[i+1:i+end]]
			if !ok {
				return t, fmt.Errorf("%q: no placeholder %s", s, s[i:i+end+1])
			}
			t.literal(&text)
			t.parts = append(t.parts, part{what: what})
			i += end
		default:
			text.WriteByte(s[i])
		}
	}
	t.literal(&text)
	return t, nil
}

func (t *Template) literal(b *strings.Builder) {
	if b.Len() > 0 {
		t.parts = append(t.parts, part{text: b.String()})
		b.Reset()
	}
}

// static returns the text of a template without placeholders.
func (t *Template) static() (string, bool) {
	switch {
	case len(t.parts) == 0:
		return "", true
	case len(t.parts) == 1 && t.parts[0].what == literal:
		return t.parts[0].text, true
	}
	return "", false
}

// append adds the template's value for the exchange. Everything it may insert
// has been checked to hold no control character.
func (t *Template) append(b []byte, x *exchange) []byte {
	for i := range t.parts {
		p := &t.parts[i]
		switch p.what {
		case literal:
			b = append(b, p.text...)
		case hostValue:
			b = append(b, x.host...)
		case clientIPValue:
			b = x.client.Addr().AppendTo(b)
		case requestIDValue:
			b = append(b, x.requestID()...)
		case schemeValue:
			b = append(b, x.scheme...)
		case userValue:
			b = append(b, x.rec.User...)
		case methodValue:
			b = append(b, x.req.Method...)
		case pathValue:
			b = append(b, x.path...)
		case queryValue:
			b = append(b, x.req.Query...)
		case uriValue:
			b = append(b, x.path...)
			if x.req.HasQuery {
				b = append(append(b, '?'), x.req.Query...)
			}
		}
	}
	return b
}
