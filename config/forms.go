package config

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strings"
)

// Fields maps the names of header fields to their values. Printed, it shows the
// names alone, because values may hold credentials.
type Fields map[string]string

// Format prints the names of the fields, whatever the verb.
func (f Fields) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "%v", sortedKeys(f))
}

// MarshalJSON returns the names of the fields as a list.
func (f Fields) MarshalJSON() ([]byte, error) { return json.Marshal(sortedKeys(f)) }

// Secret is a text that must not be shown. Printed or marshalled, it is "***".
// The zero value is empty.
type Secret struct {
	// A pointer, because fmt shows the strings inside of unexported fields.
	text *string
}

const hidden = "***"

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// UnmarshalText takes any text.
func (s *Secret) UnmarshalText(text []byte) error {
	kept := string(text)
	s.text = &kept
	return nil
}

// Format prints "***", whatever the verb.
func (s Secret) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, hidden) }

// String returns "***".
func (s Secret) String() string { return hidden }

// MarshalText returns "***".
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON returns "***" as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(hidden) }

// Pins are SHA-256 digests of public keys (SubjectPublicKeyInfo, RFC 7469).
type Pins [][sha256.Size]byte

// decode takes one pin or a list of them.
func (pins *Pins) decode(d *decoder, p place) bool {
	if p.node.kind == listKind {
		ok := true
		for i := range p.node.items {
			ok = pins.add(d, p.item(i)) && ok
		}
		return ok
	}
	return pins.add(d, p)
}

func (pins *Pins) add(d *decoder, p place) bool {
	if !d.want(p, stringKind) {
		return false
	}
	text := strings.TrimPrefix(p.node.text, "sha256//")
	text = strings.TrimPrefix(text, "sha256/")
	digest, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil {
		digest, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	}
	if err != nil || len(digest) != sha256.Size {
		d.errorf(p, "", "must be a SHA-256 digest, 44 characters of base64 or 64 of hex")
		return false
	}
	*pins = append(*pins, [sha256.Size]byte(digest))
	return true
}

// decode takes the place to redirect to, or a table.
func (r *Redirect) decode(d *decoder, p place) bool {
	if p.node.kind == stringKind {
		r.To = p.node.text
		return true
	}
	return d.table(reflect.ValueOf(r).Elem(), p)
}

// decode takes "public" or a table.
func (a *Access) decode(d *decoder, p place) bool {
	if p.node.kind != stringKind {
		return d.table(reflect.ValueOf(a).Elem(), p)
	}
	switch p.node.text {
	case "public":
		return true
	case "any-user":
		d.errorf(p, "", "signing in is not available in this version of Doorward")
	default:
		d.errorf(p, didYouMean(p.node.text, []string{"public"}),
			`%s is not "public" or a table`, p.shown())
	}
	return false
}

// LogOutput is where log lines go.
type LogOutput struct {
	// Kind is "stderr", "stdout", "file" or "syslog".
	Kind string
	// Network is "unixgram", "udp" or "tcp" for syslog, else empty.
	Network string
	// Address is the absolute file name, the socket, or "host:port".
	Address string
}

// UnmarshalText reads "stderr", "stdout", a file name, or a syslog address.
func (o *LogOutput) UnmarshalText(text []byte) error {
	s := string(text)
	scheme, _, isURL := strings.Cut(s, "://")
	switch {
	case s == "stderr" || s == "stdout":
		*o = LogOutput{Kind: s}
	case isURL:
		return o.syslog(scheme, s)
	case strings.HasPrefix(s, "syslog"):
		return &valueError{"is not a syslog address", `write "syslog+unix:///dev/log"`}
	case s == "" || strings.HasSuffix(s, "/"):
		return &valueError{"is not the name of a file", `or write "stderr"`}
	default:
		*o = LogOutput{Kind: "file", Address: s}
	}
	return nil
}

func (o *LogOutput) syslog(scheme, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return &valueError{what: "is not a syslog address"}
	}
	network := map[string]string{
		"syslog+unix": "unixgram", "syslog+udp": "udp", "syslog+tcp": "tcp",
	}[scheme]
	switch {
	case network == "":
		return &valueError{
			what: "has an unknown scheme",
			hint: "syslog+unix, syslog+udp or syslog+tcp",
		}
	case network == "unixgram":
		if u.Host != "" || !strings.HasPrefix(u.Path, "/") {
			return &valueError{"needs an absolute path", `write "syslog+unix:///dev/log"`}
		}
		*o = LogOutput{"syslog", network, u.Path}
	case u.Path != "" || hostPort(u.Host) != nil:
		return &valueError{"needs a host and a port", `write "` + scheme + `://127.0.0.1:514"`}
	default:
		*o = LogOutput{"syslog", network, u.Host}
	}
	return nil
}

func (o *LogOutput) decode(d *decoder, p place) bool {
	if !d.want(p, stringKind) || !d.text(o, p) {
		return false
	}
	if o.Kind == "file" {
		o.Address = absolute(d.dir, o.Address)
	}
	return true
}

// String returns the output as a file would have it.
func (o LogOutput) String() string {
	if o.Kind != "syslog" {
		if o.Kind == "file" {
			return o.Address
		}
		return o.Kind
	}
	return "syslog+" + strings.TrimSuffix(o.Network, "gram") + "://" + o.Address
}
