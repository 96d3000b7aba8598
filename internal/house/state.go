package house

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

func stateRules() []Rule {
	return []Rule{
		{
			Name: "init",
			Why:  "what runs before main cannot be configured, ordered or tested",
			Find: initFuncs,
		},
		{
			Name: "global",
			Why: "state that belongs to nobody outlives a reload and joins tests that should" +
				" not know each other: errors, embedded files, compiled patterns and" +
				" unexported tables that nothing writes are all a package may hold",
			Find: globals,
		},
	}
}

func initFuncs(t *Tree) []Finding {
	var found []Finding
	for _, file := range t.Files {
		for _, decl := range file.Syntax.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if ok && f.Recv == nil && f.Name.Name == "init" {
				found = append(found, t.at(file, f, "func init"))
			}
		}
	}
	return found
}

func globals(t *Tree) []Finding {
	var found []Finding
	for _, files := range t.packages() {
		p := newVariables(files)
		for _, file := range codeOf(files) {
			for _, decl := range file.Syntax.Decls {
				group, ok := decl.(*ast.GenDecl)
				if !ok || group.Tok != token.VAR || embedded(group.Doc) {
					continue
				}
				for _, spec := range group.Specs {
					found = append(found, p.judge(t, file, spec.(*ast.ValueSpec))...)
				}
			}
		}
	}
	return found
}

// embedded reports a //go:embed directive.
func embedded(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "//go:embed ")
	})
}

// variables is what must be known of a package to judge one of its variables.
type variables struct {
	written map[string]bool          // names that something assigns or points to
	funcs   map[string]*ast.FuncType // the package's own functions
}

func newVariables(files []*File) variables {
	v := variables{written: map[string]bool{}, funcs: map[string]*ast.FuncType{}}
	for _, file := range codeOf(files) {
		for _, decl := range file.Syntax.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				v.funcs[f.Name.Name] = f.Type
			}
		}
		ast.Inspect(file.Syntax, func(node ast.Node) bool {
			v.note(node)
			return true
		})
	}
	return v
}

// note remembers the names that a statement writes to. It goes by name alone: a
// local variable that hides a global one counts as the global, and deserves it.
func (v variables) note(node ast.Node) {
	switch node := node.(type) {
	case *ast.AssignStmt:
		if node.Tok != token.DEFINE {
			for _, left := range node.Lhs {
				v.written[root(left)] = true
			}
		}
	case *ast.IncDecStmt:
		v.written[root(node.X)] = true
	case *ast.UnaryExpr:
		if node.Op == token.AND {
			v.written[root(node.X)] = true
		}
	case *ast.CallExpr:
		name, ok := node.Fun.(*ast.Ident)
		if ok && slices.Contains([]string{"delete", "clear", "copy"}, name.Name) {
			v.written[root(node.Args[0])] = true
		}
	}
}

// root is the variable that an expression such as x.f[i] begins with.
func root(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return root(e.X)
	case *ast.IndexExpr:
		return root(e.X)
	case *ast.SliceExpr:
		return root(e.X)
	case *ast.StarExpr:
		return root(e.X)
	case *ast.ParenExpr:
		return root(e.X)
	}
	return ""
}

func (v variables) judge(t *Tree, file *File, spec *ast.ValueSpec) []Finding {
	var found []Finding
	for i, name := range spec.Names {
		var value ast.Expr
		if i < len(spec.Values) {
			value = spec.Values[i]
		}
		switch {
		case name.Name == "_", embedded(spec.Doc):
		case v.written[name.Name]:
			found = append(found, t.at(file, name, "%s is written to", name.Name))
		case isError(value), errorName.MatchString(name.Name) && value != nil:
			// named or made as one
		case name.IsExported():
			found = append(found, t.at(file, name, "%s can be changed by others", name.Name))
		case !v.constant(value):
			found = append(found, t.at(file, name, "%s is not evidently constant", name.Name))
		}
	}
	return found
}

// errorName is how variables that hold errors are called.
var errorName = regexp.MustCompile(`^[Ee]rr([A-Z]|$)`)

func isError(value ast.Expr) bool {
	call, ok := value.(*ast.CallExpr)
	return ok && slices.Contains([]string{"errors.New", "fmt.Errorf"}, dotted(call.Fun))
}

// dotted is "name" or "package.name", and empty for anything longer.
func dotted(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			return x.Name + "." + e.Sel.Name
		}
	}
	return ""
}

// constant says that a value has no state of its own: a literal, a table, or a
// call that makes one.
func (v variables) constant(value ast.Expr) bool {
	switch value := value.(type) {
	case *ast.BasicLit, *ast.Ident, *ast.BinaryExpr, *ast.SelectorExpr:
		return true
	case *ast.CompositeLit:
		kind := dotted(value.Type)
		return !strings.HasPrefix(kind, "sync.") && !strings.HasPrefix(kind, "atomic.")
	case *ast.CallExpr:
		return v.constantCall(value)
	}
	return false
}

func (v variables) constantCall(call *ast.CallExpr) bool {
	switch f := call.Fun.(type) {
	case *ast.ArrayType, *ast.MapType: // a conversion
		return true
	case *ast.FuncLit:
		return givesTable(f.Type)
	default:
		name := dotted(call.Fun)
		if own, ok := v.funcs[name]; ok {
			return givesTable(own)
		}
		_, made, _ := strings.Cut(name, ".")
		return strings.HasPrefix(made, "Must") ||
			slices.Contains([]string{"strings.NewReplacer", "time.Now"}, name)
	}
}

func givesTable(f *ast.FuncType) bool {
	if f.Results.NumFields() != 1 {
		return false
	}
	switch f.Results.List[0].Type.(type) {
	case *ast.ArrayType, *ast.MapType:
		return true
	}
	return false
}
