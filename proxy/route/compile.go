package route

import (
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
)

// RuleError is one fault in what Compile was given.
type RuleError struct {
	// Rule is the index of the rule, Name its name.
	Rule int
	Name string
	// Key is the field of the rule as the config file writes it: "hosts",
	// "paths", "methods", "headers" or "query".
	Key string
	// Value is the entry at fault.
	Value string
	// Err says what is wrong with it, and where possible what to write instead.
	Err error
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("route %q: %s: %q: %v", e.Name, e.Key, e.Value, e.Err)
}

// Unwrap returns Err.
func (e *RuleError) Unwrap() error { return e.Err }

// Compile makes a table of rules, which it does not keep. The error joins one
// *RuleError for each fault. Every exact host is tried on every expression for
// hosts here, so that no request to it has to.
func Compile(rules []Rule) (*Table, error) {
	b := builder{
		rules: make([]rule, len(rules)),
		exact: make(map[string]*list),
		wild:  make(map[string]*list),
		named: make(map[string]*pattern),
		any:   newList(),
		seed:  maphash.MakeSeed(),
	}
	for i := range rules {
		b.add(int32(i), &rules[i])
	}
	if len(b.errs) > 0 {
		return nil, errors.Join(b.errs...)
	}
	return b.table(), nil
}

// builder gathers the lists of a table.
type builder struct {
	rules       []rule
	exact, wild map[string]*list
	// patterns are in the order of the file, named holds them by source.
	patterns []*pattern
	named    map[string]*pattern
	any      *list
	errs     []error
	// seed is for the marks of the rules.
	seed maphash.Seed
}

func (b *builder) add(i int32, from *Rule) {
	before := len(b.errs)
	report := func(key string, entry any, err error) {
		fault := &RuleError{int(i), from.Name, key, fmt.Sprint(entry), err}
		b.errs = append(b.errs, fault)
	}
	u := &b.rules[i]
	u.hosts = compileAll(from.Hosts, compileHost, "hosts", report)
	u.paths = compileAll(from.Paths, compilePath, "paths", report)
	u.methods = compileAll(from.Methods, compileMethod, "methods", report)
	u.headers = compileAll(from.Headers, compileHeader, "headers", report)
	u.query = compileAll(from.Query, compileMatcher, "query", report)
	u.networks = from.Networks
	u.onPath = from.Canonical || len(from.Paths) > 0
	u.encodedSlashes = from.EncodedSlashes
	u.marks = marks(b.seed, u.headers) | marks(b.seed, u.query)
	u.open = len(from.Methods)+len(from.Headers)+len(from.Query) == 0 && from.Networks == nil
	if len(b.errs) > before {
		return
	}
	for _, h := range u.hosts {
		b.list(h).add(i, u)
	}
	if len(u.hosts) == 0 {
		b.any.add(i, u)
	}
}

// list returns the list of the rules that name h, made if need be.
func (b *builder) list(h hostKey) *list {
	lists := b.exact
	switch h.kind {
	case wildHost:
		lists = b.wild
	case regexpHost:
		p := b.named[h.text]
		if p == nil {
			p = &pattern{re: h.re, list: newList()}
			b.named[h.text] = p
			b.patterns = append(b.patterns, p)
		}
		return p.list
	}
	if lists[h.text] == nil {
		lists[h.text] = newList()
	}
	return lists[h.text]
}

func (b *builder) table() *Table {
	t := &Table{
		rules: b.rules,
		exact: newHosts(len(b.exact)),
		wild:  newHosts(len(b.wild)),
		named: b.named,
		any:   b.any,
	}
	t.other = b.group(nil, b.patterns)
	for suffix, own := range b.wild {
		g := b.group([]*list{own}, b.patterns)
		g.named = true
		t.wild.add(suffix, g)
	}
	for host, own := range b.exact {
		lists := []*list{own}
		if wild := b.wild[afterLabel(host)]; wild != nil {
			lists = append(lists, wild)
		}
		// An exact host is known now, so its patterns need not be asked later.
		for _, p := range b.patterns {
			if p.re.MatchString(host) {
				lists = append(lists, p.list)
			}
		}
		g := b.group(lists, nil)
		g.named = true
		t.exact.add(host, g)
	}
	return t
}

// group joins lists and the rules without hosts.
func (b *builder) group(lists []*list, patterns []*pattern) group {
	if len(b.any.rules) > 0 {
		lists = append(lists, b.any)
	}
	g := group{lists: slices.Clip(lists), patterns: patterns, pathFrom: none, sole: none}
	first := int32(none)
	for _, l := range lists {
		g.pathFrom = min(g.pathFrom, l.pathFrom)
		first = min(first, l.rules[0])
	}
	if first != none && b.rules[first].takesAll() && !slices.ContainsFunc(patterns,
		func(p *pattern) bool { return p.list.rules[0] < first }) {
		g.sole = first
	}
	return g
}

// compileAll compiles each entry and reports the faulty ones.
func compileAll[E, T any](
	entries []E, compile func(E) (T, error), key string,
	report func(key string, entry any, err error),
) []T {
	var out []T
	for _, entry := range entries {
		v, err := compile(entry)
		if err != nil {
			report(key, entry, err)
			continue
		}
		out = append(out, v)
	}
	return out
}
