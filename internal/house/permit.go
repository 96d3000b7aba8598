package house

import (
	"fmt"
	"strings"
)

const permitMark = "//house:allow "

// permit is one //house:allow comment.
type permit struct {
	file   *File
	line   int // of the comment
	covers int // the line below the comment's group
	rule   string
	reason string
	used   bool
}

type permits []*permit

func permitsOf(tree *Tree) permits {
	var all permits
	for _, file := range tree.Files {
		for _, group := range file.Syntax.Comments {
			end := tree.positions.Position(group.End()).Line
			for _, comment := range group.List {
				text, marked := strings.CutPrefix(comment.Text, permitMark)
				if !marked {
					continue
				}
				rule, reason, _ := strings.Cut(strings.TrimSpace(text), " ")
				all = append(all, &permit{
					file: file, line: tree.line(comment), covers: end + 1,
					rule: rule, reason: reason,
				})
			}
		}
	}
	return all
}

// cover says whether a comment allows the finding, and remembers that it did.
// Findings on the first line are about the file.
func (all permits) cover(f Finding) bool {
	covered := false
	for _, p := range all {
		beside := f.Line == p.line || f.Line == p.covers || f.Line == 1
		if p.rule == f.Rule && p.file.Path == f.Path && beside {
			p.used, covered = true, true
		}
	}
	return covered
}

// faults returns the comments that give no reason or allow nothing.
func (all permits) faults(rules []Rule) []Finding {
	known := map[string]bool{}
	for _, rule := range rules {
		known[rule.Name] = true
	}
	var found []Finding
	for _, p := range all {
		what := ""
		switch {
		case !known[p.rule]:
			what = fmt.Sprintf("there is no rule %q", p.rule)
		case len(strings.Fields(p.reason)) < 3:
			what = fmt.Sprintf("%s is allowed without a reason", p.rule)
		case !p.used:
			what = fmt.Sprintf("nothing here breaks %s", p.rule)
		default:
			continue
		}
		found = append(found, Finding{
			Path: p.file.Path, Line: p.line, What: what,
			Rule: "allow", Why: "an exception is read as true: it names a rule, a reason and a place",
		})
	}
	return found
}
