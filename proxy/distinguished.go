package proxy

import (
	"encoding/asn1"
	"encoding/hex"
	"strings"
)

// attributeSET is one relative name, usually of one attribute. The three last letters
// tell encoding/asn1 that it is a set.
type attributeSET []attribute

type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// distinguishedName writes a name of a certificate (RFC 4514), the last part first.
// The result is printable ASCII: every other byte of a value is escaped, and so is
// whatever would let a value pass for two.
func distinguishedName(der []byte) string {
	var parts []attributeSET
	if rest, err := asn1.Unmarshal(der, &parts); err != nil || len(rest) > 0 {
		return "#" + hex.EncodeToString(der)
	}
	var b strings.Builder
	for i := len(parts) - 1; i >= 0; i-- {
		for j, a := range parts[i] {
			if j > 0 {
				b.WriteByte('+')
			}
			a.write(&b)
		}
		if i > 0 {
			b.WriteByte(',')
		}
	}
	return b.String()
}

// write writes type and value; a value that is no text, or has a type without a name
// of its own, in hex.
func (a *attribute) write(b *strings.Builder) {
	oid := a.Type.String()
	name := attributeName(oid)
	var text string
	if _, err := asn1.Unmarshal(a.Value.FullBytes, &text); err != nil || name == "" {
		if name == "" {
			name = oid
		}
		b.WriteString(name + "=#" + hex.EncodeToString(a.Value.FullBytes))
		return
	}
	b.WriteString(name)
	b.WriteByte('=')
	for i := range len(text) {
		escape(b, text, i)
	}
}

// attributeName is the short name of a type: those of RFC 4514, section 3, and two
// that OpenSSL writes as well.
func attributeName(oid string) string {
	switch oid {
	case "2.5.4.3":
		return "CN"
	case "2.5.4.5":
		return "serialNumber"
	case "2.5.4.6":
		return "C"
	case "2.5.4.7":
		return "L"
	case "2.5.4.8":
		return "ST"
	case "2.5.4.9":
		return "STREET"
	case "2.5.4.10":
		return "O"
	case "2.5.4.11":
		return "OU"
	case "0.9.2342.19200300.100.1.1":
		return "UID"
	case "0.9.2342.19200300.100.1.25":
		return "DC"
	case "1.2.840.113549.1.9.1":
		return "emailAddress"
	}
	return ""
}

// escape writes byte i of a value (RFC 4514, section 2.4).
func escape(b *strings.Builder, text string, i int) {
	const digits = "0123456789ABCDEF"
	c := text[i]
	edge := i == 0 && (c == ' ' || c == '#') || i == len(text)-1 && c == ' '
	switch {
	case c < ' ' || c > '~':
		b.WriteByte('\\')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
		return
	case edge, strings.IndexByte(`,+"\<>;`, c) >= 0:
		b.WriteByte('\\')
	}
	b.WriteByte(c)
}
