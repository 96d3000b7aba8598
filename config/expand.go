package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// expander replaces ${NAME}, ${NAME:-default} and ${file:path} in strings.
// "$${" stands for "${". What is inserted is not looked at again.
type expander struct {
	*report
	dir string
	env func(string) (string, bool)
}

// tree expands every string at and below p. Keys are left alone.
func (x *expander) tree(p place) {
	switch p.node.kind {
	case tableKind:
		for _, name := range p.node.names {
			x.tree(p.key(name))
		}
	case listKind:
		for i := range p.node.items {
			x.tree(p.item(i))
		}
	case stringKind:
		x.text(p)
	}
}

func (x *expander) text(p place) {
	rest := p.node.text
	if !strings.Contains(rest, "${") {
		return
	}
	var out strings.Builder
	for {
		before, after, found := strings.Cut(rest, "${")
		if !found {
			break
		}
		if literal, ok := strings.CutSuffix(before, "$"); ok {
			out.WriteString(literal + "${")
			rest = after
			continue
		}
		out.WriteString(before)
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			x.errorf(p, "write $${ for a literal one", "${ has no closing brace")
			return
		}
		p.node.expanded = true
		value, err := x.lookup(name)
		if err != nil {
			x.errorf(p, "", "%v", err)
			return
		}
		out.WriteString(value)
		rest = tail
	}
	p.node.text = out.String() + rest
}

// lookup returns what ${name} stands for. An empty variable or file is an error,
// because a secret that is empty by accident opens doors. Errors never hold
// contents.
func (x *expander) lookup(name string) (string, error) {
	if path, ok := strings.CutPrefix(name, "file:"); ok {
		return x.file(path)
	}
	name, fallback, hasDefault := strings.Cut(name, ":-")
	if !isVariable(name) {
		return "", fmt.Errorf("%q is not the name of a variable", name)
	}
	value, set := x.env(name)
	switch {
	case value != "":
		return value, nil
	case hasDefault:
		return fallback, nil
	case set:
		return "", fmt.Errorf("the environment variable %s is empty", name)
	}
	return "", fmt.Errorf("the environment variable %s is not set", name)
}

func (x *expander) file(path string) (string, error) {
	data, _, err := readFile(absolute(x.dir, path))
	if err != nil {
		return "", fmt.Errorf("the file %q %w", path, err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if text == "" {
		return "", fmt.Errorf("the file %q is empty", path)
	}
	return text, nil
}

func isVariable(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// absolute returns path as seen from dir.
func absolute(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
