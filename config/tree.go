package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// kind is what a TOML value is.
type kind uint8

const (
	tableKind kind = iota
	listKind
	stringKind
	integerKind
	boolKind
	otherKind // floats and dates, which no key takes
)

// String returns the kind as messages say it.
func (k kind) String() string {
	return [...]string{
		"a table", "a list", "a string", "a whole number", "true or false",
		"a fraction or a date",
	}[k]
}

// node is one TOML value with its position. A tree of them stands between the
// parser and the structs so that every mistake can be found in one pass, and so
// that each value can be traced to its place.
type node struct {
	kind       kind
	key, value position
	// text is the value of a scalar, after expansion; raw the same as the file has
	// it, which is safe to show.
	text, raw string
	expanded  bool
	// names are the keys of a table in file order.
	names  []string
	fields map[string]*node
	items  []*node
	// sealed says that the table or list is written out in one piece.
	sealed bool
	// flawed says that the table has a key that could not be used.
	flawed bool
}

func newTable(at position) *node {
	return &node{kind: tableKind, key: at, fields: make(map[string]*node)}
}

// put adds a field to a table.
func (n *node) put(name string, child *node) {
	if n.fields[name] == nil {
		n.names = append(n.names, name)
	}
	n.fields[name] = child
}

// maxDepth bounds how deep tables and lists may nest; no key needs half of it.
const maxDepth = 16

// parse returns the tree of a file. When the file is not TOML the tree holds
// what comes before the mistake, and ok is false.
func parse(src *source, r *report) (root *node, ok bool) {
	b := builder{src: src, report: r, root: newTable(position{src, 0})}
	b.table = place{node: b.root, given: true}
	var p unstable.Parser
	p.Reset(src.data)
	for p.NextExpression() {
		b.expression(p.Expression())
	}
	if b.broken {
		return b.root, false
	}
	// The tree accepts a little more than TOML does, so the library has the last
	// word.
	var all map[string]any
	if err := toml.Unmarshal(src.data, &all); err != nil {
		at := src.errorPosition(err)
		r.add(at, Diagnostic{Message: syntaxMessage(err)})
		r.syntax = append(r.syntax, at)
		return b.root, false
	}
	return b.root, true
}

func (s *source) errorPosition(err error) position {
	var decodeErr *toml.DecodeError
	if errors.As(err, &decodeErr) {
		row, column := decodeErr.Position()
		return position{s, s.lineStarts()[row-1] + column - 1}
	}
	return position{s, wholeFile}
}

func syntaxMessage(err error) string {
	return "this is not TOML: " + strings.TrimPrefix(err.Error(), "toml: ")
}

// builder makes a tree of the expressions of one file.
type builder struct {
	*report
	src  *source
	root *node
	// table is where keys go: the table of the last header.
	table place
	// broken says that the structure of the file has a mistake.
	broken bool
}

func (b *builder) expression(e *unstable.Node) {
	switch e.Kind {
	case unstable.Table, unstable.ArrayTable:
		b.header(e)
	case unstable.KeyValue:
		b.keyValue(b.table, e, 0)
	}
}

// fail records a mistake in the structure of the file.
func (b *builder) fail(at position, p place, format string, args ...any) {
	b.broken = true
	b.add(at, Diagnostic{Key: p.path, Message: fmt.Sprintf(format, args...)})
}

// line says where the value at p is first given.
func (b *builder) line(p place) string {
	line, _ := p.node.key.lineColumn()
	return "line " + strconv.Itoa(line)
}

// header opens the table that [a.b] or [[a.b]] names.
func (b *builder) header(e *unstable.Node) {
	at := place{node: b.root, given: true}
	// Keys after a header that could not be opened go nowhere.
	b.table = place{node: newTable(position{}), given: true}
	parts := b.parts(e.Key())
	for i, part := range parts {
		last := i == len(parts)-1
		var ok bool
		switch {
		case !last:
			at, ok = b.enter(at, part)
		case e.Kind == unstable.Table:
			at, ok = b.open(at, part)
		default:
			at, ok = b.appendTable(at, part)
		}
		if !ok {
			return
		}
	}
	b.table = at
}

// part is one segment of a dotted key.
type part struct {
	name string
	at   position
}

func (b *builder) parts(keys unstable.Iterator) []part {
	var out []part
	for keys.Next() {
		k := keys.Node()
		out = append(out, part{string(k.Data), position{b.src, int(k.Raw.Offset)}})
	}
	if len(out) > maxDepth {
		b.fail(out[maxDepth].at, place{}, "keys nest deeper than %d levels", maxDepth)
		return out[:1]
	}
	return out
}

// enter goes down into a table that a longer key passes through.
func (b *builder) enter(at place, p part) (place, bool) {
	next := at.key(p.name)
	if !next.given {
		at.node.put(p.name, newTable(p.at))
		return at.key(p.name), true
	}
	switch {
	case next.node.sealed || next.node.kind != tableKind && next.node.kind != listKind:
		b.fail(p.at, next, "cannot be added to, it is given in %s", b.line(next))
		return next, false
	case next.node.kind == listKind:
		return next.item(len(next.node.items) - 1), true
	}
	return next, true
}

// open goes to the table that [key] names.
func (b *builder) open(at place, p part) (place, bool) {
	next := at.key(p.name)
	twice := next.node.kind != tableKind || next.node.sealed || next.node.value.file != nil
	if next.given && twice {
		b.fail(p.at, next, "is given twice, first in %s", b.line(next))
		return next, false
	}
	if !next.given {
		at.node.put(p.name, newTable(p.at))
		next = at.key(p.name)
	}
	// A table with a header of its own is where that header is.
	next.node.key, next.node.value = p.at, p.at
	return next, true
}

// appendTable adds the element that [[key]] begins.
func (b *builder) appendTable(at place, p part) (place, bool) {
	next := at.key(p.name)
	if !next.given {
		at.node.put(p.name, &node{kind: listKind, key: p.at, value: p.at})
		next = at.key(p.name)
	}
	if next.node.kind != listKind || next.node.sealed {
		b.fail(p.at, next, "is given twice, first in %s", b.line(next))
		return next, false
	}
	item := newTable(p.at)
	item.value = p.at
	next.node.items = append(next.node.items, item)
	return next.item(len(next.node.items) - 1), true
}

// keyValue adds "key = value" to the table at a place.
func (b *builder) keyValue(at place, e *unstable.Node, depth int) {
	parts := b.parts(e.Key())
	ok := true
	for _, p := range parts[:len(parts)-1] {
		if at, ok = b.enter(at, p); !ok {
			return
		}
	}
	p := parts[len(parts)-1]
	next := at.key(p.name)
	if next.given {
		b.fail(p.at, next, "is given twice, first in %s", b.line(next))
		return
	}
	at.node.put(p.name, b.value(e.Value(), p.at, next, depth+1))
}

// value makes the node of a value. Lists and inline tables have no position of
// their own in the parser's output; that of their key serves.
func (b *builder) value(v *unstable.Node, key position, at place, depth int) *node {
	n := &node{key: key, value: key, sealed: true}
	if v.Raw.Length > 0 {
		n.value = position{b.src, int(v.Raw.Offset)}
	}
	if depth > maxDepth {
		b.fail(key, place{}, "values nest deeper than %d levels", maxDepth)
		return n
	}
	switch v.Kind {
	case unstable.InlineTable:
		n.kind, n.fields = tableKind, make(map[string]*node)
		inner := place{at.path, n, true}
		for it := v.Children(); it.Next(); {
			b.keyValue(inner, it.Node(), depth)
		}
	case unstable.Array:
		n.kind = listKind
		for it := v.Children(); it.Next(); {
			n.items = append(n.items, b.value(it.Node(), key, at, depth+1))
		}
	default:
		n.kind, n.raw = scalarKind(v.Kind), string(v.Data)
		n.text = n.raw
	}
	return n
}

func scalarKind(k unstable.Kind) kind {
	switch k {
	case unstable.String:
		return stringKind
	case unstable.Integer:
		return integerKind
	case unstable.Bool:
		return boolKind
	default:
		return otherKind
	}
}
