package house_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"doorward/internal/house"
)

// TestHouse holds the repository to the rules. Each failure begins with the
// place and ends with the reason.
func TestHouse(t *testing.T) {
	tree := repository(t)
	rules := house.Rules()
	found := house.Check(tree, rules)
	for _, rule := range append(rules, house.Rule{Name: "allow"}) {
		t.Run(rule.Name, func(t *testing.T) {
			for _, finding := range found {
				if finding.Rule == rule.Name {
					t.Error(finding)
				}
			}
		})
	}

	code, tests := 0, 0
	for _, file := range tree.Files {
		if file.Test {
			tests += len(file.Lines)
		} else {
			code += len(file.Lines)
		}
	}
	t.Logf("%d lines of code, %d of tests: %.2f (1.0 to 1.6 is the aim)",
		code, tests, float64(tests)/float64(code))
}

// TestTheBinaryHoldsNoTestCode asks the go command, since what libraries import
// counts too.
func TestTheBinaryHoldsNoTestCode(t *testing.T) {
	const command = "../../cmd/doorward"
	if _, err := os.Stat(command); err != nil {
		t.Skip("no command yet: ", err)
	}
	forbidden := map[string]string{
		"testing":                 "it adds flags and code that only tests use",
		"net/http/httptest":       "it is a server for tests",
		"net/http/pprof":          "it opens profiles to everyone on the default mux",
		"plugin":                  "the binary is static",
		"doorward/internal/house": "it reads source, not requests",
	}
	list := exec.Command("go", "list", "-deps", command)
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%v: %v", list, err)
	}
	linked := strings.Fields(string(out))
	for path, why := range forbidden {
		if slices.Contains(linked, path) {
			t.Errorf("cmd/doorward depends on %s: %s (go list -deps; go mod why says by whom)", path, why)
		}
	}
}

func repository(t *testing.T) *house.Tree {
	t.Helper()
	tree, err := house.Load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
