package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// place is where a value stands, or would stand: its full key, and its node.
// When the key was not given, node is the nearest one above it.
type place struct {
	path  string
	node  *node
	given bool
}

// key returns the place of one key of the table at p.
func (p place) key(name string) place {
	path := quoteKey(name)
	if p.path != "" {
		path = p.path + "." + path
	}
	if p.given {
		if child := p.node.fields[name]; child != nil {
			return place{path, child, true}
		}
	}
	return place{path, p.node, false}
}

// item returns the place of one element of the list at p.
func (p place) item(i int) place {
	path := p.path + "[" + strconv.Itoa(i) + "]"
	if p.given && i < len(p.node.items) {
		return place{path, p.node.items[i], true}
	}
	return place{path, p.node, false}
}

// shown returns the value as the file has it: never what ${NAME} in it stands
// for.
func (p place) shown() string {
	text := p.node.raw
	if p.node.kind != stringKind {
		return text
	}
	if len(text) > 80 {
		text = strings.ToValidUTF8(text[:80], "") + "..."
	}
	return strconv.Quote(text)
}

// quoteKey returns a key as TOML writes it.
func quoteKey(name string) string {
	bare := func(r rune) bool {
		return r == '_' || r == '-' || r >= '0' && r <= '9' ||
			r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	if name != "" && strings.TrimLeftFunc(name, bare) == "" {
		return name
	}
	return strconv.Quote(name)
}

// position is that of the value when there is one, of its key otherwise.
func (p place) position() position {
	if p.node == nil {
		return position{}
	}
	if p.given && p.node.value.file != nil {
		return p.node.value
	}
	return p.node.key
}

// as returns where other stands, for a message about p: the line is enough when
// both are in one file.
func (p place) as(other position) string {
	if line, _ := other.lineColumn(); other.file == p.position().file {
		return "line " + strconv.Itoa(line)
	}
	return other.String()
}

// sortedKeys returns the keys of a map in order, so that messages do not
// depend on chance.
func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// hintf returns a hint made from the value at p, or none when the value came from
// the environment or a file and must not be shown.
func (p place) hintf(format string, args ...any) string {
	if p.node.expanded {
		return ""
	}
	return fmt.Sprintf(format, args...)
}
