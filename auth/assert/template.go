// Package assert is what servers are told about the user of a request: header fields,
// in the forms that other sign-in products made known, and a signed token (JWT) by
// which a server can tell that they come from us.
//
// A [Template] makes the fields of one route, [Keys] signs and publishes the public
// keys. Who may pass at all, and the removal of what clients send under the same
// names, are left to others.
package assert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"doorward/auth/user"
)

// MaxHead is the most that a server is told, in bytes, so that no server refuses a
// request for the size of its head.
const MaxHead = 8 << 10

// ErrTooLarge is a user about whom there is more to tell than MaxHead.
var ErrTooLarge = errors.New("the user's groups do not fit into the header fields")

// Options describes what the servers of a route are told.
type Options struct {
	// Preset is "authentik", "remote-user", "forwarded" or "none"; empty is Fields.
	Preset string
	// Fields are header names and what is in them, where {user} {name} {email}
	// {groups} {roles} {id} {provider} and {jwt} stand for the user's, and "{{" and
	// "}}" for braces.
	Fields map[string]string
	// Separator stands between groups, and between roles; empty is "," ("|" for
	// authentik). A name that has it inside is left out.
	Separator string
	// Percent writes what is not ASCII, and "%", as percent-encoded UTF-8. Without
	// it the UTF-8 is sent as it is.
	Percent bool
	// OnlyVerifiedEmail leaves out addresses that nobody has proved.
	OnlyVerifiedEmail bool
	// Relevant are the groups that matter on the route: they alone are told where
	// all would be too many.
	Relevant []string

	// App is the route's name. Issuer, Audience and JWKS are what the token says of
	// where it is from and whom it is for, and where the keys are. Version is ours.
	App, Issuer, Audience, JWKS, Version string
	// Keys sign; they are needed where there is a {jwt}.
	Keys *Keys

	// Now tells the time; nil is time.Now. Log is told of groups left out; nil is
	// nobody.
	Now func() time.Time
	Log *zap.Logger
}

// Template makes the header fields of a route. It may be used by many goroutines.
// A nil *Template tells nothing.
type Template struct {
	o      Options
	alg    Algorithm
	fields []field
	signs  bool
	// Names that were left out, and how many.
	warned   sync.Map
	warnings atomic.Int32
}

// field is one header field.
type field struct {
	name  string
	parts []part
}

// CompileTemplate makes a template. Errors name the field and what is wrong.
func CompileTemplate(o Options) (*Template, error) {
	t := &Template{o: o, alg: ES256}
	if t.o.Now == nil {
		t.o.Now = time.Now
	}
	table := o.Fields
	switch {
	case o.Preset != "" && len(table) > 0:
		return nil, fmt.Errorf("identity headers: both the preset %q and a table; take one",
			o.Preset)
	case o.Preset != "":
		p, ok := presets[o.Preset]
		if !ok {
			return nil, fmt.Errorf("identity headers: no preset %q; there are %s",
				o.Preset, presetNames())
		}
		table, t.alg = p.fields, p.alg
		if t.o.Separator == "" {
			t.o.Separator = p.separator
		}
	}
	if t.o.Separator == "" {
		t.o.Separator = ","
	}
	if err := t.compile(table); err != nil {
		return nil, err
	}
	if t.signs && o.Keys == nil {
		return nil, errors.New("identity headers: {jwt} without keys to sign with")
	}
	return t, nil
}

func (t *Template) compile(table map[string]string) error {
	seen := make(map[string]string, len(table))
	for _, name := range slices.Sorted(keysOf(table)) {
		if err := checkName(name); err != nil {
			return err
		}
		if other, ok := seen[strings.ToLower(name)]; ok {
			return fmt.Errorf("identity headers: %s and %s are one field", other, name)
		}
		seen[strings.ToLower(name)] = name
		parts, err := parse(table[name])
		if err != nil {
			return fmt.Errorf("identity headers: %s: %w", name, err)
		}
		for _, p := range parts {
			t.signs = t.signs || p.what == aToken
		}
		t.fields = append(t.fields, field{name, parts})
	}
	return nil
}

// Names are the names of the fields, as they are written. Nobody but us may send
// them, on any route.
func (t *Template) Names() []string {
	if t == nil {
		return nil
	}
	names := make([]string, len(t.fields))
	for i, f := range t.fields {
		names[i] = f.name
	}
	return names
}

// Writes tells whether the field of that name, in any case, is one of ours.
func (t *Template) Writes(name string) bool {
	return slices.ContainsFunc(t.Names(), func(n string) bool {
		return strings.EqualFold(n, name)
	})
}

// head is what was made for a view, until when it may be used, and why there is none.
type head struct {
	lines []byte
	until time.Time // zero is for ever
	err   error
}

// Head returns the fields about the user: whole lines, each with CR and LF, not to be
// changed. It allocates nothing for a view that it knows; a token in it is made anew
// a minute before it ends. ErrTooLarge for more than MaxHead, though only the
// relevant groups are in it: who is not described in full is not let in.
func (t *Template) Head(v *user.View) ([]byte, error) {
	if t == nil || len(t.fields) == 0 {
		return nil, nil
	}
	if h, ok := v.Cache.Get(t).(*head); ok &&
		(h.until.IsZero() || t.o.Now().Before(h.until)) {
		return h.lines, h.err
	}
	h, err := t.make(v)
	if err != nil {
		return nil, err
	}
	v.Cache.Put(t, h)
	return h.lines, h.err
}

func (t *Template) make(v *user.View) (*head, error) {
	h, err := t.render(v, v.Groups)
	if err != nil || len(h.lines) <= MaxHead {
		return h, err
	}
	var relevant []string
	for _, g := range v.Groups {
		if slices.Contains(t.o.Relevant, g) {
			relevant = append(relevant, g)
		}
	}
	if h, err = t.render(v, relevant); err == nil && len(h.lines) > MaxHead {
		h.lines, h.err = nil, ErrTooLarge
	}
	return h, err
}

func (t *Template) render(v *user.View, groups []string) (*head, error) {
	h := new(head)
	facts := t.factsOf(v, groups)
	if t.signs {
		now := t.o.Now()
		token, err := t.o.Keys.sign(t.alg, t.claims(v, groups, now), now)
		if err != nil {
			return nil, err
		}
		facts[aToken], h.until = token, now.Add(tokenLife-renewBefore)
	}
	for i := range t.fields {
		h.lines = t.fields[i].append(h.lines, &facts)
	}
	return h, nil
}

// append writes the line, or nothing where all that it would tell is empty: an empty
// value can mean something to a server.
func (f *field) append(b []byte, known *facts) []byte {
	says, empty := false, true
	start := len(b)
	b = append(append(b, f.name...), ": "...)
	for _, p := range f.parts {
		if p.what == literal {
			b = append(b, p.text...)
			continue
		}
		says = true
		empty = empty && known[p.what] == ""
		b = append(b, known[p.what]...)
	}
	if says && empty {
		return b[:start]
	}
	return append(b, "\r\n"...)
}
