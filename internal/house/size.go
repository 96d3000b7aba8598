package house

import (
	"fmt"
	"go/ast"
	"math"
	"slices"
	"unicode/utf8"
)

// The budgets. A tab counts as four columns.
const (
	maxFileLines   = 450
	ninthFileLines = 300 // nine files of ten
	maxFuncLines   = 80
	mostFuncLines  = 60 // 99 functions of 100
	maxParameters  = 5
	maxMethods     = 3
	maxColumns     = 100
	tabColumns     = 4
	wideShare      = 0.02
)

func sizeRules() []Rule {
	const whole = "a file or function is read as a whole, so it has to fit in a head"
	return []Rule{
		{Name: "file-length", Why: whole, Find: longFiles},
		{Name: "file-lengths", Why: whole, Find: manyLongFiles},
		{Name: "func-length", Why: whole, Find: longFuncs},
		{Name: "func-lengths", Why: whole, Find: manyLongFuncs},
		{
			Name: "parameters",
			Why:  "nobody remembers the order of six arguments: a struct names them",
			Find: manyParameters,
		},
		{
			Name: "interface-size",
			Why:  "small interfaces declared by their user are what can be replaced in a test",
			Find: largeInterfaces,
		},
		{
			Name: "columns",
			Why:  "two files fit side by side, and a diff fits in a review",
			Find: wideLines,
		},
	}
}

func longFiles(t *Tree) []Finding {
	var found []Finding
	for _, file := range t.Files {
		if n := len(file.Lines); n > maxFileLines {
			what := fmt.Sprintf("%d lines, at most %d", n, maxFileLines)
			found = append(found, Finding{Path: file.Path, Line: 1, What: what})
		}
	}
	return found
}

func manyLongFiles(t *Tree) []Finding {
	var lengths []int
	for _, file := range t.code() {
		lengths = append(lengths, len(file.Lines))
	}
	return overPercentile(lengths, 0.90, ninthFileLines, "files")
}

func longFuncs(t *Tree) []Finding {
	var found []Finding
	eachFunc(t, func(file *File, f *ast.FuncDecl) {
		if n := t.length(f); n > maxFuncLines {
			found = append(found, t.at(file, f.Name, "%s has %d lines, at most %d",
				f.Name.Name, n, maxFuncLines))
		}
	})
	return found
}

func manyLongFuncs(t *Tree) []Finding {
	var lengths []int
	eachFunc(t, func(_ *File, f *ast.FuncDecl) { lengths = append(lengths, t.length(f)) })
	return overPercentile(lengths, 0.99, mostFuncLines, "functions")
}

// eachFunc leaves tests out: a table of cases is data, however long.
func eachFunc(t *Tree, visit func(*File, *ast.FuncDecl)) {
	for _, file := range t.code() {
		for _, decl := range file.Syntax.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				visit(file, f)
			}
		}
	}
}

func overPercentile(lengths []int, share float64, limit int, noun string) []Finding {
	if len(lengths) == 0 {
		return nil
	}
	slices.Sort(lengths)
	rank := int(math.Ceil(share*float64(len(lengths)))) - 1
	if lengths[rank] <= limit {
		return nil
	}
	over := len(lengths) - rank
	return []Finding{{What: fmt.Sprintf("%d of %d %s are longer than %d lines, at most %.0f%% may be",
		over, len(lengths), noun, limit, 100*(1-share))}}
}

func manyParameters(t *Tree) []Finding {
	var found []Finding
	for _, file := range t.code() {
		ast.Inspect(file.Syntax, func(node ast.Node) bool {
			f, ok := node.(*ast.FuncType)
			if !ok {
				return true
			}
			if n := f.Params.NumFields(); n > maxParameters {
				found = append(found, t.at(file, f.Params, "%d parameters, at most %d",
					n, maxParameters))
			}
			return true
		})
	}
	return found
}

func largeInterfaces(t *Tree) []Finding {
	var found []Finding
	for _, file := range t.code() {
		ast.Inspect(file.Syntax, func(node ast.Node) bool {
			spec, ok := node.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if face, ok := spec.Type.(*ast.InterfaceType); ok {
				if n := face.Methods.NumFields(); n > maxMethods {
					found = append(found, t.at(file, spec, "%s has %d methods, at most %d",
						spec.Name.Name, n, maxMethods))
				}
			}
			return true
		})
	}
	return found
}

func wideLines(t *Tree) []Finding {
	total := 0
	var found []Finding
	for _, file := range t.Files {
		total += len(file.Lines)
		for i, line := range file.Lines {
			if n := columns(line); n > maxColumns {
				found = append(found, Finding{Path: file.Path, Line: i + 1,
					What: fmt.Sprintf("%d columns, and more than %.0f%% of all lines pass %d",
						n, 100*wideShare, maxColumns)})
			}
		}
	}
	if float64(len(found)) <= wideShare*float64(total) {
		return nil
	}
	return found
}

func columns(line string) int {
	n := utf8.RuneCountInString(line)
	for _, r := range line {
		if r == '\t' {
			n += tabColumns - 1
		}
	}
	return n
}
