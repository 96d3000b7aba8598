package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

func commentRules() []Rule {
	return []Rule{
		{
			Name: "package-comment",
			Why:  "the comment is the package's design: what it owns, what it leaves to whom",
			Find: packageComments,
		},
		{
			Name: "exported-comment",
			Why:  "a caller must not have to read the code to know the contract",
			Find: exportedComments,
		},
		{
			Name: "comment-text",
			Why:  "the source is finished at every commit: what is missing is an issue, not a note",
			Find: unfinishedComments,
		},
		{
			Name: "dead-code",
			Why:  "code that does not run goes stale, and the history keeps it anyway",
			Find: deadCode,
		},
	}
}

func packageComments(t *Tree) []Finding {
	var found []Finding
	for _, files := range t.packages() {
		if code := codeOf(files); len(code) > 0 {
			files = code
		}
		first := files[0]
		name := first.Syntax.Name.Name
		var with []*File
		for _, file := range files {
			if file.Syntax.Doc.Text() != "" {
				with = append(with, file)
			}
		}
		if len(with) == 0 {
			found = append(found, t.at(first, first.Syntax.Name, "package %s has no comment", name))
			continue
		}
		for _, extra := range with[1:] {
			found = append(found, t.at(extra, extra.Syntax.Name,
				"package %s has its comment in %s already", name, with[0].Path))
		}
		text := with[0].Syntax.Doc.Text()
		if name != "main" && !strings.HasPrefix(text, "Package "+name+" ") {
			found = append(found, t.at(with[0], with[0].Syntax.Name,
				"the comment does not begin with %q", "Package "+name))
		}
	}
	return found
}

func codeOf(files []*File) []*File {
	return slices.DeleteFunc(slices.Clone(files), func(f *File) bool { return f.Test })
}

func exportedComments(t *Tree) []Finding {
	var found []Finding
	for _, file := range t.code() {
		for _, decl := range file.Syntax.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Doc.Text() == "" && promised(decl) {
					found = append(found, t.at(file, decl.Name, "%s has no comment", decl.Name.Name))
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					found = append(found, t.specComments(file, decl, spec)...)
				}
			}
		}
	}
	return found
}

// promised is true for functions that others can call, and for methods but those
// whose contract the standard library gives.
func promised(f *ast.FuncDecl) bool {
	switch {
	case !f.Name.IsExported():
		return false
	case f.Recv.NumFields() == 0:
		return true
	case slices.Contains([]string{"Error", "Unwrap", "String"}, f.Name.Name):
		return false
	}
	exported := false
	ast.Inspect(f.Recv.List[0].Type, func(node ast.Node) bool {
		name, ok := node.(*ast.Ident)
		if ok {
			exported = name.IsExported()
		}
		return !ok
	})
	return exported
}

func (t *Tree) specComments(file *File, decl *ast.GenDecl, spec ast.Spec) []Finding {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		// A comment above a group of constants or variables speaks for its members.
		if decl.Doc.Text()+spec.Doc.Text()+spec.Comment.Text() != "" {
			return nil
		}
		for _, name := range spec.Names {
			if name.IsExported() {
				return []Finding{t.at(file, name, "%s has no comment", name.Name)}
			}
		}
	case *ast.TypeSpec:
		if !spec.Name.IsExported() {
			return nil
		}
		text := spec.Doc.Text()
		if len(decl.Specs) == 1 {
			text += decl.Doc.Text()
		}
		if text == "" {
			return []Finding{t.at(file, spec, "%s has no comment", spec.Name.Name)}
		}
		switch body := spec.Type.(type) {
		case *ast.StructType:
			return t.fieldComments(file, text, body.Fields)
		case *ast.InterfaceType:
			if len(body.Methods.List) > 1 { // the comment above is about the only one
				return t.fieldComments(file, text, body.Methods)
			}
		}
	}
	return nil
}

// fieldComments finds fields and methods that nothing speaks for: no comment of
// their own, none above a block that they stand in, and not the type's text,
// which speaks for those that it names.
func (t *Tree) fieldComments(file *File, text string, fields *ast.FieldList) []Finding {
	named := strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_'
	})
	var found []Finding
	spoken := 0 // the last line that a comment speaks for
	for _, field := range fields.List {
		if field.Doc.Text()+field.Comment.Text() != "" || t.line(field) == spoken+1 {
			spoken = t.positions.Position(field.End()).Line
			continue
		}
		for _, name := range field.Names {
			if name.IsExported() && !slices.ContainsFunc(named, same(name.Name)) {
				found = append(found, t.at(file, name, "field %s has no comment", name.Name))
			}
		}
	}
	return found
}

func same(name string) func(string) bool {
	return func(word string) bool { return strings.EqualFold(name, word) }
}

var (
	unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK|[Ff]or now)\b`)
	divider    = regexp.MustCompile(`^(//|/\*)\s*[-=*#~_]{3,}`)
)

func unfinishedComments(t *Tree) []Finding {
	var found []Finding
	for _, file := range t.Files {
		for _, group := range file.Syntax.Comments {
			for _, comment := range group.List {
				if word := unfinished.FindString(comment.Text); word != "" {
					found = append(found, t.at(file, comment, "%q in a comment", word))
				}
				if divider.MatchString(comment.Text) {
					found = append(found, t.at(file, comment,
						"a drawn line: a part that needs one needs a file"))
				}
			}
		}
	}
	return found
}

// deadCode finds comments of two lines and more that are Go statements. Prose is
// hardly ever one by accident.
func deadCode(t *Tree) []Finding {
	var found []Finding
	for _, file := range t.Files {
		for _, group := range file.Syntax.Comments {
			if len(group.List) > 1 && isCode(group.Text()) {
				found = append(found, t.at(file, group, "code in a comment"))
			}
		}
	}
	return found
}

func isCode(text string) bool {
	source := "package p; func f() {\n" + text + "\n}"
	syntax, err := parser.ParseFile(token.NewFileSet(), "", source, parser.SkipObjectResolution)
	if err != nil {
		return false
	}
	acts := false
	ast.Inspect(syntax, func(node ast.Node) bool {
		switch node.(type) {
		case *ast.AssignStmt, *ast.CallExpr, *ast.IfStmt, *ast.ReturnStmt:
			acts = true
		}
		return !acts
	})
	return acts
}
