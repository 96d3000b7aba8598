package test_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// attackCases are the numbers of the attack cases by group.
var attackCases = map[string]string{
	"H1": "01 02 03 04 06 08 10 11 12 13 14 15 16 17 18 19 20 21 23 25 26 28 29 30 31 32 33 34 35" +
		" 36 37 38 40 41 42 44 45 46 47 48 49 50 51 53 54 55 56 57 58 59 61 63 64 65 66",
	"WS": "01 02 04 05 07 09 10 11 12 13 14 15",
	"RS": "01 04 05 07 08 09 10 11 12 13 14 16 17",
	"H2": "02 03 04 05 08 09 10 11 12 13 14 15 16 17 19 20 21 22 23 24 25 26 27 28 30 31 32 33" +
		" 34 36 37 38 39 40 41 42 43 44",
	"HOP":   "01 02 03 04 05 06 07 08 09 10",
	"ID":    "01 02 03 04 05 06 08 10 11 14 15 16 17 18 19 20 21 22",
	"PATH":  "01 02 03 04 05 07 08 09 10 11 12 13 14 15 17 18 19 20 21 22 23 25 26 27 28 29 30",
	"HOST":  "01 02 03 04 05 07 08 09 10 11 13 14 16 17 18 19 20",
	"PP":    "01 02 03 04 05 06 07 08 09",
	"SLOW":  "02 03 04 06 07 08 10 11 12",
	"DOS":   "02 03 04 05 06 07 09 10 11 12 14 16 17 18 20 21 24 25 26 27",
	"BE":    "01 02 03 04 05 06 07 08 09 10 11 13 14 15 16 17",
	"ADM":   "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15",
	"UI":    "01 02 03 04 05 06 07 08 09",
	"CSRF":  "01 02 04 06 07",
	"SSRF":  "01 02 03 06 07 08",
	"LOG":   "01 02 03 04 05 06 07 08 09 10",
	"FS":    "01 02 03 04 05 06 07 08",
	"CRASH": "01 02 03 04 05 07 08 09 10 11",
	"ACME":  "01 03 05 06 07 08 09 10 11 12 13 14",
	"RLD":   "01 02 03 04 05 06 07 09 10",
	"OIDC": "01 02 03 04 05 07 08 09 10 13 14 15 16 17 18 19 21 22 24 26 27 28 29 30 31 32 33 34" +
		" 35 36 38 39 40 41",
	"COOK": "01 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 20 21 22 23",
	"RED":  "01 02 04 05 06 08 09 10 12 13 14 15 16 17 18 19",
	"LOC": "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 18 19 20 21 22 23 24 25 27 28 29 30 31" +
		" 32 33 34 35 36 38 40",
	"TIME": "02 03 04 05 06",
}

// caseRow is a row of the table in docs/security-cases.md.
var caseRow = regexp.MustCompile(`(?m)^\| ([A-Z0-9]+-[0-9]+) \| ([^|]+) \| ([^|]+) \|$`)

// caseID is an id as it stands in the name of a test.
var caseID = regexp.MustCompile(`(?:\b|_)([A-Z][A-Z0-9]*-[0-9]{2})`)

// TestEveryAttackCaseIsAccountedFor holds the list of cases against the document
// and the document against the tests: a row names the folders in which a test
// carries the id, or says why there is none.
func TestEveryAttackCaseIsAccountedFor(t *testing.T) {
	tested := testedCases(t)
	text, err := os.ReadFile("../docs/security-cases.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, row := range caseRow.FindAllStringSubmatch(string(text), -1) {
		if _, twice := rows[row[1]]; twice {
			t.Errorf("%s has two rows", row[1])
		}
		rows[row[1]] = row[3]
	}
	for group, numbers := range attackCases {
		for number := range strings.FieldsSeq(numbers) {
			id := group + "-" + number
			row, found := rows[id]
			delete(rows, id)
			if !found {
				t.Errorf("%s has no row; tests carry it in %q", id, tested[id])
				continue
			}
			checkCaseRow(t, id, row, tested[id])
		}
	}
	for id := range rows {
		t.Errorf("%s is no case", id)
	}
}

func checkCaseRow(t *testing.T, id, row string, tested []string) {
	t.Helper()
	if strings.HasPrefix(row, "later: ") || strings.HasPrefix(row, "does not apply: ") {
		if slices.Contains(tested, "test") {
			t.Errorf("%s: %q, but folder test has a test of that name", id, row)
		}
		return
	}
	folders, _, _ := strings.Cut(row, ";")
	for folder := range strings.SplitSeq(folders, ", ") {
		folder = strings.Trim(folder, "` ")
		if !slices.Contains(tested, folder) {
			t.Errorf("%s: no test in folder %q carries it, only in %q", id, folder, tested)
		}
	}
}

// testedCases are the folders in which a string of a test file holds the id.
func testedCases(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		folder, _ := filepath.Rel("..", filepath.Dir(name))
		for line := range strings.Lines(string(text)) {
			if !strings.Contains(line, `"`) || strings.HasPrefix(strings.TrimSpace(line), "//") {
				continue
			}
			for _, match := range caseID.FindAllStringSubmatch(line, -1) {
				if id := match[1]; !slices.Contains(found[id], folder) {
					found[id] = append(found[id], folder)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
