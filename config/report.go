package config

import (
	"cmp"
	"fmt"
	"slices"
)

// report collects what is found.
type report struct {
	found []finding
	// failed are the keys that have an error already; a second one about the same
	// value would only repeat the first.
	failed map[string]bool
	// syntax are the places of what is not TOML; another error there only repeats
	// that.
	syntax []position
	// literals are the first credentials written out in each file.
	literals map[*source]place
}

type finding struct {
	at   position
	diag Diagnostic
}

// errorf records an error about the value at p. The hint may be empty.
func (r *report) errorf(p place, hint, format string, args ...any) {
	if r.failed[p.path] || slices.Contains(r.syntax, p.position()) {
		return
	}
	if r.failed == nil {
		r.failed = make(map[string]bool)
	}
	r.failed[p.path] = true
	r.add(p.position(), Diagnostic{Key: p.path, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// missingf records that the table at p lacks something. It keeps silent when
// the table has a misspelt key, which is likely to be what is missing.
func (r *report) missingf(p place, hint, format string, args ...any) {
	if !p.node.flawed {
		r.errorf(p, hint, format, args...)
	}
}

// warnf records a warning about the value at p, unless it has an error anyway.
func (r *report) warnf(p place, format string, args ...any) {
	if r.failed[p.path] {
		return
	}
	r.add(p.position(), Diagnostic{
		Key: p.path, Message: fmt.Sprintf(format, args...), Severity: Warning,
	})
}

// add records a diagnostic at a position.
func (r *report) add(at position, d Diagnostic) {
	r.found = append(r.found, finding{at, d.at(at)})
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
