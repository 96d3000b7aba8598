package tls

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// patterns are the internal host names.
type patterns struct {
	exact  map[string]bool
	parent map[string]bool // by what follows "*."
	first  string          // the first exact one; "" when there is none
}

func newPatterns(list []string) (patterns, error) {
	p := patterns{exact: map[string]bool{}, parent: map[string]bool{}}
	var errs []error
	for _, entry := range list {
		name := canonical(entry)
		parent, wild := strings.CutPrefix(name, "*.")
		switch {
		case !isHost(parent) && net.ParseIP(name) == nil:
			errs = append(errs, fmt.Errorf("internal name %q: %w", entry, ErrName))
		case wild:
			p.parent[parent] = true
		default:
			p.first = cmp.Or(p.first, name)
			p.exact[name] = true
		}
	}
	return p, errors.Join(errs...)
}

func (p *patterns) empty() bool { return len(p.exact)+len(p.parent) == 0 }

// match reports whether a canonical name is internal. Under a wildcard the name
// must look like one: it goes into a certificate as the client wrote it.
func (p *patterns) match(name string) bool {
	if p.exact[name] {
		return true
	}
	label, parent, ok := strings.Cut(name, ".")
	return ok && p.parent[parent] && isLabel(label)
}

func isHost(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return len(name) <= 253
}

// isLabel reports whether s is one label of a host name (RFC 1123, section 2.1),
// the underscore allowed.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// list returns the patterns as they would be written.
func (p *patterns) list() []string {
	var names []string
	for name := range p.exact {
		names = append(names, name)
	}
	for parent := range p.parent {
		names = append(names, "*."+parent)
	}
	slices.Sort(names)
	return names
}
