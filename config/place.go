package config

import (
	"cmp"
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

// report collects what is found.
type report struct {
	found []finding
	// failed are the keys that have an error already; a second one about the same
	// value would only repeat the first.
	failed map[string]bool
	// literals are the first credentials written out in each file.
	literals map[*source]place
}

type finding struct {
	at   position
	diag Diagnostic
}

// errorf records an error about the value at p. The hint may be empty.
func (r *report) errorf(p place, hint, format string, args ...any) {
	if r.failed[p.path] {
		return
	}
	if r.failed == nil {
		r.failed = make(map[string]bool)
	}
	r.failed[p.path] = true
	r.add(p.position(), Diagnostic{Key: p.path, Hint: hint, Message: fmt.Sprintf(format, args...)})
}

// missingf records that the table at p lacks something. It keeps silent when
// the table has a misspelt key, which is likely to be what is missing.
func (r *report) missingf(p place, hint, format string, args ...any) {
	if !p.node.flawed {
		r.errorf(p, hint, format, args...)
	}
}

// warnf records a warning about the value at p.
func (r *report) warnf(p place, format string, args ...any) {
	r.add(p.position(), Diagnostic{
		Key: p.path, Message: fmt.Sprintf(format, args...), Severity: Warning,
	})
}

func (r *report) add(at position, d Diagnostic) {
	if at.file != nil {
		d.File = at.file.name
	}
	d.Line, d.Column = at.lineColumn()
	r.found = append(r.found, finding{at, d})
}

// hintf returns a hint made from the value at p, or none when the value came from
// the environment or a file and must not be shown.
func (p place) hintf(format string, args ...any) string {
	if p.node.expanded {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

// literal notes a credential that stands in the file itself.
func (r *report) literal(p place) {
	if !p.given || p.node.expanded || p.node.text == "" {
		return
	}
	if r.literals == nil {
		r.literals = make(map[*source]place)
	}
	src := p.node.key.file
	if _, ok := r.literals[src]; !ok {
		r.literals[src] = p
	}
}

// position is that of the value when there is one, of its key otherwise.
func (p place) position() position {
	if p.given && p.node.value.file != nil {
		return p.node.value
	}
	return p.node.key
}

// diagnostics returns what was found, by file and position.
func (r *report) diagnostics() Diagnostics {
	slices.SortStableFunc(r.found, func(a, b finding) int {
		return cmp.Or(
			cmp.Compare(a.at.order(), b.at.order()),
			cmp.Compare(a.at.offset, b.at.offset),
		)
	})
	var out Diagnostics
	for _, f := range r.found {
		out = append(out, f.diag)
	}
	return out
}

// as returns where other stands, for a message about p: the line is enough when
// both are in one file.
func (p place) as(other position) string {
	if line, _ := other.lineColumn(); other.file == p.position().file {
		return "line " + strconv.Itoa(line)
	}
	return other.String()
}

// didYouMean returns a hint with the nearest of the known words, or nothing.
func didYouMean(word string, known []string) string {
	if near := nearest(word, known); near != "" {
		return "did you mean " + strconv.Quote(near) + "?"
	}
	return ""
}

// nearest returns the known word that takes the fewest edits to reach, or ""
// when all are too far away.
func nearest(word string, known []string) string {
	const longest = 64
	if len(word) > longest {
		return ""
	}
	best, least := "", min(3, len(word)/3+1)+1
	for _, k := range known {
		if len(k) > longest {
			continue
		}
		d := distance(strings.ToLower(word), strings.ToLower(k))
		if d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is the number of insertions, deletions, replacements and swaps of
// neighbours between two short words.
func distance(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 0
			if a[i-1] != b[j-1] {
				change = 1
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// sortedKeys returns the keys of a map in order, so that messages do not
// depend on chance.
func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
