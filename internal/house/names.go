package house

import (
	"go/ast"
	"path"
	"slices"
	"strings"
)

// emptyNames say nothing about what is inside, so everything ends up inside.
var emptyNames = []string{
	"util", "utils", "common", "helper", "helpers", "type", "types", "const", "consts",
	"constants", "misc", "shared", "lib", "base",
}

// foreignWords are other products' words for what has a name here. Package auth
// is free of the rule, since OAuth has endpoints.
var foreignWords = map[string]string{
	"upstream": "backend or server",
	"endpoint": "server or listener",
}

func nameRules() []Rule {
	return []Rule{
		{
			Name: "package-name",
			Why:  "a name that fits everything collects everything",
			Find: emptyPackages,
		},
		{
			Name: "words",
			Why:  "one word per thing, in code, configuration, logs and documents",
			Find: words,
		},
	}
}

func emptyPackages(t *Tree) []Finding {
	var found []Finding
	for _, file := range t.Files {
		stem := strings.TrimSuffix(strings.TrimSuffix(path.Base(file.Path), ".go"), "_test")
		pack := strings.TrimSuffix(file.Syntax.Name.Name, "_test")
		for _, name := range []string{stem, pack} {
			if slices.Contains(emptyNames, name) {
				found = append(found, t.at(file, file.Syntax.Name, "the name %q", name))
				break
			}
		}
	}
	return found
}

// words looks at names that are declared, since a library's own are not ours to
// choose.
func words(t *Tree) []Finding {
	var found []Finding
	for _, file := range t.code() {
		if !t.shipped[file.Dir] || matches("auth/...", file.Dir) {
			continue
		}
		for _, name := range declared(file.Syntax) {
			for word, ours := range foreignWords {
				if strings.Contains(strings.ToLower(name.Name), word) {
					found = append(found, t.at(file, name, "%s: the word here is %s", name.Name, ours))
				}
			}
		}
	}
	return found
}

func declared(file *ast.File) []*ast.Ident {
	var names []*ast.Ident
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.FuncDecl:
			names = append(names, node.Name)
		case *ast.TypeSpec:
			names = append(names, node.Name)
		case *ast.ValueSpec:
			names = append(names, node.Names...)
		case *ast.Field:
			names = append(names, node.Names...)
		}
		return true
	})
	return names
}
