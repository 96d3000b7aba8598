// Package house holds the rules that Doorward's own source keeps, as code, so
// that a rule is never a matter of memory or taste: `go test ./internal/house`
// names the line that breaks one and the reason why the rule exists. Nothing of
// it is part of the binary.
//
// [Load] parses the repository once, every [Rule] looks at the same [Tree], and
// [Check] collects what they find. A rule may be broken beside a comment that
// says why, on the line itself or right above it (rules about a whole file take
// it anywhere in that file):
//
//	//house:allow RULE the reason in words
//
// A comment that allows nothing is a finding too.
//
// The rules read syntax and know no types. They catch the honest mistake, not
// one that hides: a table that is changed through an alias, for instance, passes.
// What gofmt, go vet and staticcheck see is left to them.
package house

import (
	"cmp"
	"fmt"
	"slices"
)

// Rule is one thing that holds for the whole source.
type Rule struct {
	// Name is what a comment allows it by, in lower-case words joined by "-".
	Name string
	// Why is the reason, as it stands at the end of each failure.
	Why string
	// Find returns the places that break the rule. Rule names and reasons are
	// filled in by [Check].
	Find func(*Tree) []Finding
}

// Finding is one place that breaks a rule.
type Finding struct {
	// Path is relative to the repository, with slashes; Line counts from 1. Both
	// are empty for what concerns the tree as a whole and has no place.
	Path string
	Line int
	// What is wrong there.
	What string
	// Rule and Why are those of the rule.
	Rule, Why string
}

// String is "file:line: what is wrong (rule: why)".
func (f Finding) String() string {
	place := "the tree"
	if f.Path != "" {
		place = fmt.Sprintf("%s:%d", f.Path, f.Line)
	}
	return fmt.Sprintf("%s: %s (%s: %s)", place, f.What, f.Rule, f.Why)
}

// Rules returns all of them.
func Rules() []Rule {
	return slices.Concat(
		sizeRules(),
		commentRules(),
		stateRules(),
		conductRules(),
		nameRules(),
		importRules(),
	)
}

// Check applies the rules to the tree and returns what no comment allows, by
// rule and place, together with comments that allow nothing.
func Check(tree *Tree, rules []Rule) []Finding {
	permits := permitsOf(tree)
	var found []Finding
	for _, rule := range rules {
		for _, finding := range rule.Find(tree) {
			finding.Rule, finding.Why = rule.Name, rule.Why
			if !permits.cover(finding) {
				found = append(found, finding)
			}
		}
	}
	found = append(found, permits.faults(rules)...)
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Path, b.Path),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.What, b.What))
	})
	return found
}
