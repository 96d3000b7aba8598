package house

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

func conductRules() []Rule {
	return []Rule{
		{
			Name: "go-statement",
			Why: "a panic in a goroutine ends the process and every connection with it:" +
				" safe.Go recovers and logs it (CRASH-02)",
			Find: goStatements,
		},
		{
			Name: "test-sleep",
			Why: "a test that sleeps is slow when it passes and wrong when the machine is:" +
				" use testing/synctest, or wait on the condition with a deadline",
			Find: sleeps,
		},
		{
			Name: "exit",
			Why:  "only a command ends the process: everybody else returns an error",
			Find: exits,
		},
		{
			Name: "default-mux",
			Why: "libraries put pages there without being asked, so nothing may be served from" +
				" it: make a mux of your own",
			Find: defaultMux,
		},
		{
			Name: "error-text",
			Why:  "every error failed: say what was being done, and to what",
			Find: errorTexts,
		},
	}
}

func goStatements(t *Tree) []Finding {
	var found []Finding
	for _, file := range t.code() {
		if !t.shipped[file.Dir] || file.Dir == "internal/safe" {
			continue
		}
		ast.Inspect(file.Syntax, func(node ast.Node) bool {
			if statement, ok := node.(*ast.GoStmt); ok {
				found = append(found, t.at(file, statement, "a bare go statement"))
			}
			return true
		})
	}
	return found
}

func sleeps(t *Tree) []Finding {
	return t.calls(func(file *File, name string) bool {
		return file.Test && name == "time.Sleep"
	})
}

func exits(t *Tree) []Finding {
	return t.calls(func(file *File, name string) bool {
		return file.Syntax.Name.Name != "main" && !file.Test &&
			slices.Contains([]string{"os.Exit", "syscall.Exit", "log.Fatal", "log.Fatalf"}, name)
	})
}

func defaultMux(t *Tree) []Finding {
	return t.calls(func(_ *File, name string) bool {
		return slices.Contains([]string{"http.Handle", "http.HandleFunc", "http.ListenAndServe",
			"http.ListenAndServeTLS", "http.Serve", "http.ServeTLS"}, name)
	})
}

// calls returns the calls that are not wanted in the file.
func (t *Tree) calls(unwanted func(*File, string) bool) []Finding {
	var found []Finding
	for _, file := range t.Files {
		ast.Inspect(file.Syntax, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok && unwanted(file, dotted(call.Fun)) {
				found = append(found, t.at(file, call, "%s", dotted(call.Fun)))
			}
			return true
		})
	}
	return found
}

func errorTexts(t *Tree) []Finding {
	var found []Finding
	for _, file := range t.code() {
		ast.Inspect(file.Syntax, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok || !isError(call) {
				return true
			}
			text, ok := call.Args[0].(*ast.BasicLit)
			if ok && text.Kind == token.STRING && strings.Contains(text.Value, "failed to") {
				found = append(found, t.at(file, call, "\"failed to\" in an error"))
			}
			return true
		})
	}
	return found
}
