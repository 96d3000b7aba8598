package house

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// maxChain is how many imports may follow each other among our packages.
const maxChain = 5

// ban is one row of the import table. Each field holds patterns with spaces
// between them: "./" begins a package of ours, anything else is an import path,
// and "/..." at the end means everything at and below.
type ban struct {
	from   string // who may not import
	except string // but these may
	to     string // what may not be imported
	but    string // but these may
	tests  bool   // holds for test files too
	why    string
}

func bans() []ban {
	return append(layers(), []ban{
		{
			from: "./proxy/h1/... ./proxy/h2/... ./proxy/h3/...", to: "net/http",
			why: "the data plane is our own: a net/http type on it brings its costs along",
		},
		{
			from: "./...", to: "net/http/httputil",
			why: "its proxy costs four times what ours may cost",
		},
		{
			from: "./...", except: "./bench/...", to: "log log/slog",
			why: "there is one way to log, zap, so that level, format and output hold for all",
		},
		{
			from: "./...", to: "github.com/stretchr/testify/... github.com/onsi/gomega/...",
			tests: true,
			why:   "a failure says what was called, what came and what was wanted, in plain Go",
		},
	}...)
}

// layers says which packages of ours do not know which others.
func layers() []ban {
	return []ban{
		{
			from: "./...", except: "./app ./cmd/... ./config/... ./test/... ./bench",
			to: "./config/...", tests: true,
			why: "leaves take small option structs of their own, and app/build_*.go translates," +
				" so that a key can move without them",
		},
		{
			from: "./config/...", to: "./...", but: "./config/... ./internal/...",
			why: "config is plain structs and pure checks at the bottom of the house",
		},
		{
			from: "./...", except: "./app ./tls/...", to: "./tls/...", tests: true,
			why: "a package named like one of the standard library stays readable while its" +
				" only user needs just one of the two",
		},
		{
			from: "./...", except: "./app ./cmd/... ./test/...", to: "./app/...", tests: true,
			why: "app joins everything, so nothing that it joins may know it",
		},
		{
			from: "./proxy/...", to: "./auth/... ./health/... ./stats/... ./logs/... ./state/...",
			why: "proxy declares small interfaces (Gate), others satisfy them and app joins them",
		},
		{
			from: "./auth/...", to: "./proxy/...", tests: true,
			why: "proxy declares Gate, auth satisfies it, app joins them",
		},
		{
			from: "./logs/...", to: "./proxy/...", tests: true,
			why: "what both need is the record in internal/access",
		},
		{
			from: "./health/... ./stats/...", to: "./proxy/...",
			but: "./proxy/backend ./proxy/stick",
			why: "they watch servers and tables, not requests",
		},
		{
			from: "./proxy/h1/... ./proxy/h2/... ./proxy/h3/...", to: "./...", tests: true,
			but: "./proxy/h1/... ./proxy/h2/... ./proxy/h3/... ./proxy/netio ./internal/...",
			why: "the wire packages know bytes and frames, not routes or sessions",
		},
	}
}

func importRules() []Rule {
	return []Rule{
		{
			Name: "imports",
			Why:  "the layering is what keeps packages replaceable",
			Find: func(t *Tree) []Finding { return forbiddenImports(t, bans()) },
		},
		{
			Name: "import-chain",
			Why:  "a change at the bottom must not be felt six floors up",
			Find: longChains,
		},
		{
			Name: "dependencies",
			Why:  "each module from outside is code we answer for: docs/dependencies.md says why",
			Find: dependencies,
		},
	}
}

func forbiddenImports(t *Tree, table []ban) []Finding {
	var found []Finding
	for _, file := range t.Files {
		for _, spec := range file.Syntax.Imports {
			imported := importPath(spec)
			if folder, ours := t.folder(imported); ours {
				imported = "./" + folder
			}
			for _, b := range table {
				if b.forbids(file, imported) {
					found = append(found, t.at(file, spec, "%s imports %s: %s",
						file.Dir, strings.TrimPrefix(imported, "./"), b.why))
				}
			}
		}
	}
	return found
}

func (b ban) forbids(file *File, imported string) bool {
	importer := "./" + file.Dir
	switch {
	case file.Test && !b.tests:
		return false
	case importer == imported: // an external test imports what it tests
		return false
	}
	return among(b.from, importer) && !among(b.except, importer) &&
		among(b.to, imported) && !among(b.but, imported)
}

func among(patterns, name string) bool {
	return slices.ContainsFunc(strings.Fields(patterns), func(p string) bool {
		return matches(p, name)
	})
}

// matches says whether a name is meant by a pattern: itself, or everything at
// and below what stands before "/...".
func matches(pattern, name string) bool {
	above, below := strings.CutSuffix(pattern, "/...")
	return name == above || below && strings.HasPrefix(name, above+"/")
}

func longChains(t *Tree) []Finding {
	next := map[string][]string{}
	for _, file := range t.code() {
		next[file.Dir] = append(next[file.Dir], t.imports(file)...)
	}
	chains := map[string][]string{}
	var found []Finding
	for _, folder := range slices.Sorted(maps.Keys(next)) {
		if chain := longest(folder, next, chains); len(chain)-1 > maxChain {
			found = append(found, Finding{What: fmt.Sprintf("%s: %d imports in a row, at most %d",
				strings.Join(chain, " -> "), len(chain)-1, maxChain)})
		}
	}
	return found
}

// longest is the longest chain that begins at the folder; done holds the answers
// so far, and a first one for the folders on the way, which ends a circle. To
// forbid those is the compiler's part.
func longest(folder string, next, done map[string][]string) []string {
	if chain, ok := done[folder]; ok {
		return chain
	}
	done[folder] = []string{folder}
	var tail []string
	for _, imported := range next[folder] {
		if chain := longest(imported, next, done); len(chain) > len(tail) {
			tail = chain
		}
	}
	done[folder] = append([]string{folder}, tail...)
	return done[folder]
}

var dependencyRow = regexp.MustCompile("^\\| `([^`]+)` \\| (.*) \\|$")

func dependencies(t *Tree) []Finding {
	const table = "docs/dependencies.md"
	rows := map[string]int{}
	for i, line := range strings.Split(t.Dependencies, "\n") {
		if row := dependencyRow.FindStringSubmatch(line); row != nil && row[2] != "" {
			rows[row[1]] = i + 1
		}
	}
	var found []Finding
	used := map[string]bool{}
	for _, file := range t.Files {
		for _, spec := range file.Syntax.Imports {
			module := t.module(importPath(spec))
			if module == "" || used[module] {
				continue
			}
			used[module] = true
			if rows[module] == 0 {
				found = append(found, t.at(file, spec, "%s has no row in %s", module, table))
			}
		}
	}
	for module, line := range rows {
		if !used[module] {
			found = append(found, Finding{Path: table, Line: line,
				What: fmt.Sprintf("nothing imports %s", module)})
		}
	}
	return found
}

// module is the required module that a package belongs to, empty for the
// standard library and our own.
func (t *Tree) module(imported string) string {
	best := ""
	for _, module := range t.Requires {
		if matches(module+"/...", imported) && len(module) > len(best) {
			best = module
		}
	}
	return best
}
