package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Tree is the parsed repository.
type Tree struct {
	// Module is the path in go.mod, Requires the modules listed there.
	Module   string
	Requires []string
	// Dependencies is the text of docs/dependencies.md, empty without one.
	Dependencies string
	// Files are all Go files outside testdata and hidden folders, by path.
	Files []*File

	positions *token.FileSet
	shipped   map[string]bool
}

// File is one Go file.
type File struct {
	// Path is relative to the repository, with slashes.
	Path string
	// Dir is the folder of Path, "." at the top.
	Dir string
	// Test says that the file is compiled for tests only.
	Test bool
	// Lines are the file's lines without their ends.
	Lines []string
	// Syntax is the file parsed with its comments.
	Syntax *ast.File
}

// Load parses every Go file in the file system, whose root holds go.mod.
func Load(root fs.FS) (*Tree, error) {
	tree := &Tree{positions: token.NewFileSet()}
	mod, err := fs.ReadFile(root, "go.mod")
	if err != nil {
		return nil, fmt.Errorf("the root of a module: %w", err)
	}
	tree.readModule(string(mod))
	if text, err := fs.ReadFile(root, "docs/dependencies.md"); err == nil {
		tree.Dependencies = string(text)
	}
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipped(entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		return tree.parse(root, name)
	})
	if err != nil {
		return nil, err
	}
	tree.shipped = tree.reach()
	return tree, nil
}

func skipped(folder string) bool {
	hidden := strings.HasPrefix(folder, ".") && folder != "."
	return hidden || folder == "testdata" || folder == "bin"
}

var (
	moduleLine  = regexp.MustCompile(`(?m)^module (\S+)`)
	requireLine = regexp.MustCompile(`(?m)^(?:require )?\s*(\S+\.\S+) v\d\S*`)
)

func (t *Tree) readModule(mod string) {
	if found := moduleLine.FindStringSubmatch(mod); found != nil {
		t.Module = found[1]
	}
	for _, found := range requireLine.FindAllStringSubmatch(mod, -1) {
		t.Requires = append(t.Requires, found[1])
	}
}

func (t *Tree) parse(root fs.FS, name string) error {
	source, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(t.positions, name, source,
		parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	t.Files = append(t.Files, &File{
		Path:   name,
		Dir:    path.Dir(name),
		Test:   strings.HasSuffix(name, "_test.go"),
		Lines:  strings.Split(strings.TrimSuffix(string(source), "\n"), "\n"),
		Syntax: syntax,
	})
	return nil
}

// line is the line a node begins on.
func (t *Tree) line(node ast.Node) int { return t.positions.Position(node.Pos()).Line }

// length is how many lines a node covers, its first and last included.
func (t *Tree) length(node ast.Node) int {
	return t.positions.Position(node.End()).Line - t.line(node) + 1
}

// at is a finding at a node of the file.
func (t *Tree) at(file *File, node ast.Node, format string, args ...any) Finding {
	return Finding{Path: file.Path, Line: t.line(node), What: fmt.Sprintf(format, args...)}
}

// code returns the files that are not tests.
func (t *Tree) code() []*File {
	var files []*File
	for _, file := range t.Files {
		if !file.Test {
			files = append(files, file)
		}
	}
	return files
}

// packages returns the files of each folder.
func (t *Tree) packages() map[string][]*File {
	folders := map[string][]*File{}
	for _, file := range t.Files {
		folders[file.Dir] = append(folders[file.Dir], file)
	}
	return folders
}

// imports returns the folders of our own packages that the file imports.
func (t *Tree) imports(file *File) []string {
	var folders []string
	for _, spec := range file.Syntax.Imports {
		if folder, ours := t.folder(importPath(spec)); ours {
			folders = append(folders, folder)
		}
	}
	return folders
}

// folder is where a package of ours lies, false for one that is not ours.
func (t *Tree) folder(imported string) (string, bool) {
	if imported == t.Module {
		return ".", true
	}
	return strings.CutPrefix(imported, t.Module+"/")
}

// importPath is the path without its quotes, which the parser has checked.
func importPath(spec *ast.ImportSpec) string {
	text, _ := strconv.Unquote(spec.Path.Value)
	return text
}

// reach returns the folders whose code is part of a command under cmd.
func (t *Tree) reach() map[string]bool {
	next := map[string][]string{}
	var queue []string
	for _, file := range t.code() {
		next[file.Dir] = append(next[file.Dir], t.imports(file)...)
		if strings.HasPrefix(file.Dir, "cmd/") {
			queue = append(queue, file.Dir)
		}
	}
	seen := map[string]bool{}
	for len(queue) > 0 {
		folder := queue[0]
		queue = queue[1:]
		if !seen[folder] {
			seen[folder] = true
			queue = append(queue, next[folder]...)
		}
	}
	return seen
}
