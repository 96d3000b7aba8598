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

// decode takes a string alone: a number would lose what it was written like.
func (s *Secret) decode(d *decoder, p place) bool {
	if !d.want(p, stringKind) {
		return false
	}
	d.literal(p)
	return s.UnmarshalText([]byte(p.node.text)) == nil
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

// decode takes "public", "any-user" or a table.
func (a *Access) decode(d *decoder, p place) bool {
	a.given = true
	if p.node.kind != stringKind {
		return d.table(reflect.ValueOf(a).Elem(), p)
	}
	switch p.node.text {
	case "public":
		a.Public = true
	case "any-user":
		a.AnyUser = true
	default:
		d.errorf(p, didYouMean(p.node.text, []string{"public", "any-user"}),
			`%s is not "public", "any-user" or a table`, p.shown())
		return false
	}
	return true
}

// presets are the words that identity headers may be.
func presets() []string { return []string{"authentik", "remote-user", "forwarded", "none"} }

// decode takes the name of a preset, or a table of fields.
func (h *IdentityHeaders) decode(d *decoder, p place) bool {
	if p.node.kind == tableKind {
		return d.entries(reflect.ValueOf(&h.Fields).Elem(), "", p)
	}
	if p.node.kind != stringKind {
		d.errorf(p, "", "must be the name of a preset or a table, not %v", p.node.kind)
		return false
	}
	if !d.oneOf(reflect.StructTag(`enum:"`+strings.Join(presets(), ",")+`"`), p) {
		return false
	}
	h.Preset = p.node.text
	return true
}

// LogOutput is where log lines go: "stderr", "stdout", "syslog", an address as in
// "syslog+udp://host:port", or the absolute name of a file.
type LogOutput string

// UnmarshalText reads any of these; a file may be relative.
func (o *LogOutput) UnmarshalText(text []byte) error {
	s := string(text)
	scheme, _, isURL := strings.Cut(s, "://")
	switch {
	case s == "syslog":
	case isURL:
		if err := checkSyslog(scheme, s); err != nil {
			return err
		}
	case strings.HasPrefix(s, "syslog"):
		return &valueError{"is not a syslog address", `write "syslog+udp://127.0.0.1:514"`}
	case s == "" || strings.HasSuffix(s, "/"):
		return &valueError{"is not the name of a file", `or write "stderr"`}
	}
	*o = LogOutput(s)
	return nil
}

func (o LogOutput) isFile() bool {
	return o != "stderr" && o != "stdout" && !strings.HasPrefix(string(o), "syslog")
}

func checkSyslog(scheme, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return &valueError{what: "is not a syslog address"}
	}
	switch scheme {
	case "syslog+unix":
		if u.Host != "" || !strings.HasPrefix(u.Path, "/") {
			return &valueError{"needs an absolute path", `write "syslog+unix:///dev/log"`}
		}
	case "syslog+udp", "syslog+tcp":
		if u.Path != "" || hostPort(u.Host) != nil {
			return &valueError{"needs a host and a port", `write "` + scheme + `://127.0.0.1:514"`}
		}
	default:
		return &valueError{"has an unknown scheme", "syslog+unix, syslog+udp or syslog+tcp"}
	}
	return nil
}

func (o *LogOutput) decode(d *decoder, p place) bool {
	if !d.want(p, stringKind) || !d.text(o, p) {
		return false
	}
	if o.isFile() {
		*o = LogOutput(absolute(d.dir, string(*o)))
	}
	return true
}
