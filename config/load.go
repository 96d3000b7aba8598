package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Load reads the configuration at path with everything it includes. Variables
// are looked up with env, usually os.LookupEnv.
//
// It returns a Config when there are no errors, with the warnings; otherwise nil
// and all errors that can be found at once. It reads files, and only those that
// the configuration includes or expands with ${file:...}: it resolves no names
// and opens no connections.
func Load(path string, env func(string) (string, bool)) (*Config, Diagnostics) {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, Diagnostics{{File: path, Message: withoutName(err).Error()}}
	}
	l := loader{report: &report{}, dir: dir, env: env, intact: true}
	root := l.read(path)
	if root.given {
		l.include(root)
	}
	cfg := &Config{root: root}
	if root.given {
		d := decoder{report: l.report, dir: dir}
		d.config(cfg, root)
		// Half a file lacks things that its other half may hold.
		if l.intact {
			v := validator{report: l.report, cfg: cfg, root: root}
			v.config()
		}
	}
	for _, src := range l.sources {
		cfg.Files = append(cfg.Files, src.name)
		l.permissions(src)
	}
	found := l.diagnostics()
	if len(found.Errors()) > 0 {
		return nil, found
	}
	return cfg, found
}

// loader reads files into one tree.
type loader struct {
	*report
	dir     string
	env     func(string) (string, bool)
	sources []*source
	// intact says that every file could be read and is TOML.
	intact bool
}

// read returns the expanded tree of one file.
func (l *loader) read(name string) place {
	src, err := readSource(name, len(l.sources))
	if err != nil {
		l.add(position{src, wholeFile}, Diagnostic{Message: err.Error()})
		l.intact = false
		return place{}
	}
	l.sources = append(l.sources, src)
	root, ok := parse(src, l.report)
	l.intact = l.intact && ok
	p := place{node: root, given: true}
	x := expander{l.report, l.dir, l.env}
	x.tree(p)
	return p
}

// include reads the files that the main one names and adds them to its tree.
func (l *loader) include(root place) {
	list := root.key("include")
	if !list.given || list.node.kind != listKind {
		return
	}
	main := l.sources[0]
	for i, item := range list.node.items {
		for _, name := range l.matches(list.item(i), item, main) {
			if p := l.read(name); p.given {
				l.merge(root, p)
			}
		}
	}
}

// matches returns the files that a pattern stands for, without those that were
// read before.
func (l *loader) matches(p place, item *node, main *source) []string {
	if item.kind != stringKind || item.text == "" {
		return nil
	}
	pattern := absolute(filepath.Dir(main.name), item.text)
	names, err := filepath.Glob(pattern)
	if err != nil {
		l.errorf(p, "", "%s is not a pattern for files", p.shown())
		return nil
	}
	if len(names) == 0 && !strings.ContainsAny(pattern, `*?[\`) {
		l.errorf(p, "", "the file %s does not exist", p.shown())
		l.intact = false
		return nil
	}
	return slices.DeleteFunc(names, func(name string) bool {
		read := func(s *source) bool { return sameFile(s.name, name) }
		return slices.ContainsFunc(l.sources, read)
	})
}

func sameFile(a, b string) bool {
	ia, errA := os.Stat(a)
	ib, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(ia, ib)
}

// merge adds the routes and named tables of an included file.
func (l *loader) merge(root, from place) {
	for _, name := range from.node.names {
		p := from.key(name)
		into := root.node.fields[name]
		switch name {
		case "route", "backends", "networks", "rate_limits":
			if into == nil {
				root.node.put(name, p.node)
			} else if into.kind == p.node.kind {
				l.join(into, p)
			} else {
				l.errorf(p, "", "must be %v, as in %s", into.kind, p.as(into.key))
			}
		default:
			l.errorf(p, "", "belongs in the main file; an included one may hold only "+
				"[[route]], [backends.NAME], [networks.NAME] and [rate_limits.NAME]")
		}
	}
}

// join adds the elements of one list, or the fields of one table, to another.
func (l *loader) join(into *node, p place) {
	into.items = append(into.items, p.node.items...)
	for _, name := range p.node.names {
		if first := into.fields[name]; first != nil {
			at := p.key(name)
			l.errorf(at, "", "is defined twice, first in %s", at.as(first.key))
			continue
		}
		into.put(name, p.node.fields[name])
	}
}

// permissions warns about a file that others may change, and about one with
// credentials that others may read.
func (l *loader) permissions(src *source) {
	mode := src.mode.Perm()
	if mode&0o002 != 0 {
		l.add(position{src, wholeFile}, Diagnostic{
			Severity: Warning, Hint: "chmod o-w",
			Message: "every user of this machine may change this file",
		})
	}
	if first, ok := l.literals[src]; ok && mode&0o004 != 0 {
		l.add(first.position(), Diagnostic{
			Severity: Warning, Key: first.path,
			Hint:    `chmod o-r, or take it from "${NAME}" or "${file:...}"`,
			Message: "holds a credential, and every user of this machine may read the file",
		})
	}
}
