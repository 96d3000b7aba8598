package house_test

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"doorward/internal/house"
)

// Every rule has files in testdata, RULE.txtar or RULE-more-words.txtar, each a
// small tree. Lines that must be found end with "// want" and the beginning of
// what is wrong (the rules do not see that mark); what concerns the tree as a whole is wanted in the text above
// the first file. A line "@N text" stands for N lines of text.
func TestRules(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, ruleOf(name), archive)
		})
	}
}

// TestEveryRuleCanFail: a rule without a tree that breaks it proves nothing.
func TestEveryRuleCanFail(t *testing.T) {
	broken := map[string]bool{}
	archives, _ := filepath.Glob("testdata/*.txtar")
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, wants := unpack(t, archive)
		broken[ruleOf(name)] = broken[ruleOf(name)] || len(wants) > 0
	}
	for _, rule := range house.Rules() {
		if !broken[rule.Name] {
			t.Errorf("nothing in testdata breaks the rule %s", rule.Name)
		}
	}
}

func TestLoadNamesTheFileThatDoesNotParse(t *testing.T) {
	_, err := house.Load(fstest.MapFS{
		"go.mod": {Data: []byte("module m\n")},
		"a/a.go": {Data: []byte("package\n")},
	})
	if err == nil || !strings.Contains(err.Error(), "a/a.go:1") {
		t.Errorf("Load = %v, want an error at a/a.go:1", err)
	}
	if _, err := house.Load(fstest.MapFS{}); err == nil {
		t.Error("Load of a tree without go.mod gives no error")
	}
}

// ruleOf is the longest rule that the file's name begins with.
func ruleOf(name string) string {
	stem := strings.TrimSuffix(filepath.Base(name), ".txtar")
	best := "allow"
	for _, rule := range house.Rules() {
		if (stem == rule.Name || strings.HasPrefix(stem, rule.Name+"-")) && len(rule.Name) > len(best) ||
			stem == rule.Name {
			best = rule.Name
		}
	}
	return best
}

// want is one finding that an archive asks for.
type want struct {
	place string // "path:line", or empty
	what  string // how the text begins
}

func compare(t *testing.T, rule string, archive *txtar.Archive) {
	t.Helper()
	files, wants := unpack(t, archive)
	tree, err := house.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range house.Check(tree, house.Rules()) {
		if finding.Rule != rule {
			continue
		}
		place := ""
		if finding.Path != "" {
			place = fmt.Sprintf("%s:%d", finding.Path, finding.Line)
		}
		i := slices.IndexFunc(wants, func(w want) bool {
			return w.place == place && strings.HasPrefix(finding.What, w.what)
		})
		if i < 0 {
			t.Errorf("not wanted: %v", finding)
			continue
		}
		wants = slices.Delete(wants, i, i+1)
	}
	for _, w := range wants {
		t.Errorf("not found: %s: %s", w.place, w.what)
	}
}

var (
	wanted   = regexp.MustCompile(`(?m) ?// want (.*)$`)
	repeated = regexp.MustCompile(`^@(\d+) (.*)$`)
)

func unpack(t *testing.T, archive *txtar.Archive) (fs.FS, []want) {
	t.Helper()
	files := fstest.MapFS{"go.mod": {Data: []byte("module m\n")}}
	var wants []want
	for _, found := range wanted.FindAllStringSubmatch(string(archive.Comment), -1) {
		wants = append(wants, want{what: found[1]})
	}
	for _, file := range archive.Files {
		var lines []string
		for line := range strings.Lines(string(file.Data)) {
			line = strings.TrimSuffix(line, "\n")
			if found := repeated.FindStringSubmatch(line); found != nil {
				n, _ := strconv.Atoi(found[1])
				lines = append(lines, slices.Repeat([]string{found[2]}, n)...)
				continue
			}
			if found := wanted.FindStringSubmatch(line); found != nil {
				place := fmt.Sprintf("%s:%d", file.Name, len(lines)+1)
				wants = append(wants, want{place: place, what: found[1]})
			}
			lines = append(lines, wanted.ReplaceAllString(line, ""))
		}
		files[file.Name] = &fstest.MapFile{Data: []byte(strings.Join(lines, "\n") + "\n")}
	}
	return files, wants
}
