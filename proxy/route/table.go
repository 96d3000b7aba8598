// Package route decides which rule takes a request: the first in the order of
// the file whose host, path, method, header, query and network matchers agree.
//
// It owns the canonical spelling of hosts and paths, the table compiled from
// rules, and the prefixes that are cut off or put in front of canonical paths.
// It knows nothing of connections, gates or backends: a rule is a number, and
// what happens to its requests is the caller's matter.
//
// The flow of a request:
//
//	CanonicalHost -> Match: host -> candidate rules, in the order of the file
//	    before the first candidate that looks at the path:
//	        the rule is decided by host alone, the target stays untouched
//	    from there on:
//	        CanonicalPath -> one path, on which the rule is decided and which
//	        the server gets; no canonical path, or one that servers read in
//	        several ways with several outcomes: 400
//
// The cost of a lookup depends neither on the number of hosts nor on the number
// of prefixes; only rules of the same host and path, those with other matchers
// and regular expressions are tried one after the other.
package route

// none is greater than the index of every rule.
const none = 1<<31 - 1

// Table is a compiled list of rules. It is immutable and safe for concurrent
// use. Make one with Compile.
type Table struct {
	rules []rule
	exact hosts
	// wild holds the groups of wildcards under what follows "*.".
	wild hosts
	// other is the group of hosts that neither of them has.
	other group
	// named holds the patterns by source, any the rules without hosts. Both are
	// kept for Unreachable.
	named map[string]*pattern
	any   *list
}

// Result says what Match found.
type Result struct {
	// Rule is the index of the rule in what Compile was given; -1 for none.
	Rule int
	// Path is what the server must get: the canonical path if Canonical, else
	// Request.Path untouched. It aliases Request.Path or Request.Scratch.
	Path []byte
	// Canonical says that a rule that looks at the path was among those tried.
	Canonical bool
	// Known says that some rule takes the host, whatever its other matchers:
	// without a rule, an unknown host gets 421 and a known one 404. A rule
	// without hosts knows every host; see Names.
	Known bool
	// Bad says that the path has no safe reading and gets 400. Rule is -1.
	Bad bool
}

// group is what the table knows about one host, or about all hosts of one kind.
type group struct {
	// lists hold the candidate rules of the host.
	lists []*list
	// patterns are those that may add more lists, which depends on the host.
	patterns []*pattern
	// pathFrom is the first rule in lists that decides on the canonical path.
	pathFrom int32
	// sole is the rule that takes every request before any other candidate is
	// tried; none if there is no such rule.
	sole int32
	// named says that a rule names the host.
	named bool
}

// Match returns the first rule that takes r.
func (t *Table) Match(r *Request) Result {
	g, sole := t.find(r.Host)
	if sole != none {
		return Result{Rule: int(sole), Path: r.Path, Known: true}
	}
	s := search{rules: t.rules, r: r, lists: g.lists, pathFrom: g.pathFrom}
	if len(g.patterns) == 0 {
		return s.result(len(g.lists) > 0)
	}
	var room [8]*list
	s.lists = append(room[:0], g.lists...)
	for _, p := range g.patterns {
		if p.re.Match(r.Host) {
			s.lists = append(s.lists, p.list)
			s.pathFrom = min(s.pathFrom, p.list.pathFrom)
		}
	}
	return s.result(len(s.lists) > 0)
}

// Names reports whether a rule names host, which is canonical: exactly, by
// wildcard or by regular expression. A rule without hosts takes all of them but
// names none. Ask this before sending anybody to a host that a request brought.
func (t *Table) Names(host []byte) bool {
	g, _ := t.find(host)
	if g.named {
		return true
	}
	for _, p := range g.patterns {
		if p.re.Match(host) {
			return true
		}
	}
	return false
}

// find returns the group of host and the group's sole.
func (t *Table) find(host []byte) (*group, int32) {
	if g, sole := t.exact.find(host); g != nil {
		return g, sole
	}
	if g, sole := t.wild.find(afterLabel(host)); g != nil {
		return g, sole
	}
	return &t.other, t.other.sole
}

// afterLabel returns what follows the first label of host and its dot.
func afterLabel[T []byte | string](host T) T {
	for i := range len(host) {
		if host[i] == '.' {
			return host[i+1:]
		}
	}
	return host[:0]
}
