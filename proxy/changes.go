package proxy

import (
	"sort"
	"strings"

	"doorward/proxy/h1"
)

// ChangeList is a list of changes to header fields as written: what Remove
// names goes, what Set names is replaced, what Add names is added.
type ChangeList struct {
	Set, Add []HeaderValue
	// Default are fields that are added only where the message lacks them.
	Default []HeaderValue
	Remove  []string
}

// HeaderValue is a field with a value that may hold placeholders.
type HeaderValue struct {
	// Name stands on the wire as it is written here; Value is a Template.
	Name, Value string
}

// Changes are lists of changes compiled for the request path: one look at a bit
// mask per field of the message, and the fixed fields in one piece.
type Changes struct {
	mask     uint64
	names    []changedName
	defaults []line
	fixed    []byte // whole lines without placeholders
	lines    []line // the others
	// host replaces the Host of a request.
	host *Template
}

type changedName struct {
	name string
	// drop says that the message's own fields of the name go; otherwise the name
	// belongs to the default whose number is def.
	drop bool
	def  int
}

// line is one field to write: fixed text, or a name with a template.
type line struct {
	text string
	name string
	to   Template
}

// maxDefaults is how many defaults fit the bit set that tracks them.
const maxDefaults = 64

// AnswerChanges are the changes to answers on plain HTTP, at 0, and on HTTPS, at
// 1.
type AnswerChanges [2]*Changes

// CompileAnswerChanges compiles lists for both.
func CompileAnswerChanges(lists ...ChangeList) (a AnswerChanges, err error) {
	for i := range a {
		if a[i], err = CompileChanges(i == 1, lists...); err != nil {
			return a, err
		}
	}
	return a, nil
}

// CompileChanges joins lists in order: a later one wins over what an earlier one
// did to the same name. Fields called Strict-Transport-Security are left out
// unless secure (RFC 6797, section 7.2).
func CompileChanges(secure bool, lists ...ChangeList) (*Changes, error) {
	b := builder{actions: map[string]*action{}}
	for _, l := range lists {
		b.list(l)
	}
	c := &Changes{}
	for _, name := range b.order() {
		if name == "strict-transport-security" && !secure {
			continue
		}
		if err := c.compile(name, b.actions[name]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// action is what happens to one name.
type action struct {
	drop    bool
	values  []HeaderValue
	missing *HeaderValue
}

type builder struct {
	actions map[string]*action
	names   []string
}

func (b *builder) at(name string) *action {
	key := strings.ToLower(name)
	a := b.actions[key]
	if a == nil {
		a = &action{}
		b.actions[key] = a
		b.names = append(b.names, key)
	}
	return a
}

func (b *builder) list(l ChangeList) {
	for _, v := range l.Default {
		b.at(v.Name).missing = &v
	}
	for _, name := range l.Remove {
		*b.at(name) = action{drop: true}
	}
	for _, v := range l.Set {
		*b.at(v.Name) = action{drop: true, values: []HeaderValue{v}}
	}
	for _, v := range l.Add {
		a := b.at(v.Name)
		a.values = append(a.values, v)
	}
}

// order is stable and does not depend on the order of TOML tables.
func (b *builder) order() []string {
	sort.Strings(b.names)
	return b.names
}

func (c *Changes) compile(name string, a *action) error {
	if name == "host" && len(a.values) > 0 {
		t, err := ParseTemplate(a.values[len(a.values)-1].Value)
		c.host = &t
		return err
	}
	if a.drop {
		c.watch(changedName{name: name, drop: true})
	}
	for _, v := range a.values {
		l, err := newLine(v)
		if err != nil {
			return err
		}
		if l.text != "" {
			c.fixed = append(c.fixed, l.text...)
		} else {
			c.lines = append(c.lines, l)
		}
	}
	if a.missing != nil && !a.drop && len(c.defaults) < maxDefaults {
		l, err := newLine(*a.missing)
		if err != nil {
			return err
		}
		c.watch(changedName{name: name, def: len(c.defaults)})
		c.defaults = append(c.defaults, l)
	}
	return nil
}

func newLine(v HeaderValue) (line, error) {
	t, err := ParseTemplate(v.Value)
	if err != nil {
		return line{}, err
	}
	if s, ok := t.static(); ok {
		return line{text: v.Name + ": " + s + "\r\n"}, nil
	}
	return line{name: v.Name, to: t}, nil
}

func (c *Changes) watch(n changedName) {
	c.mask |= nameBit(len(n.name), n.name[0], n.name[len(n.name)-1])
	c.names = append(c.names, n)
}

// nameBit is the bit of a name in the masks: a name whose bit is not set is not
// among the names of the mask.
func nameBit(n int, first, last byte) uint64 {
	return 1 << ((uint(n)*7 + uint(first|0x20)*5 + uint(last|0x20)) & 63)
}

// drops tells whether a field of the message is to be left out, in whatever
// spelling of its name, and notes in present which defaults the message has
// itself.
func (c *Changes) drops(name []byte, present *uint64) bool {
	if c.mask&nameBit(len(name), name[0], name[len(name)-1]) == 0 {
		return false
	}
	for i := range c.names {
		switch n := &c.names[i]; {
		case n.drop && foldsTo(name, n.name):
			return true
		case !n.drop && h1.EqualFold(name, n.name):
			*present |= 1 << n.def
		}
	}
	return false
}

// append adds the fields that the changes bring.
func (c *Changes) append(b []byte, x *exchange, present uint64) []byte {
	b = append(b, c.fixed...)
	for i := range c.lines {
		b = c.lines[i].append(b, x)
	}
	for i := range c.defaults {
		if present&(1<<i) == 0 {
			b = c.defaults[i].append(b, x)
		}
	}
	return b
}

func (l *line) append(b []byte, x *exchange) []byte {
	if l.text != "" {
		return append(b, l.text...)
	}
	b = append(b, l.name...)
	b = append(b, ": "...)
	b = l.to.append(b, x)
	return append(b, "\r\n"...)
}
