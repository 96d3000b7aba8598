package test_test

import (
	"slices"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// TestSecurityH2Forms has the cases of the groups H1, HOP, ID, PATH and HOST once more,
// with every input that HTTP/2 has a form for.
func TestSecurityH2Forms(t *testing.T) {
	plain := func(more string) func(*edgetest.Recorder) edgetest.Config {
		return func(rec *edgetest.Recorder) edgetest.Config {
			return edgetest.Config{Text: more + rec.Backend("app") + site}
		}
	}
	routes := func(text string) func(*edgetest.Recorder) edgetest.Config {
		return func(rec *edgetest.Recorder) edgetest.Config {
			return edgetest.Config{Text: rec.Backend("app") + text}
		}
	}
	for _, group := range []struct {
		name   string
		config func(*edgetest.Recorder) edgetest.Config
		// inputs is how many have a form in HTTP/2 at least.
		inputs int
		cases  [][]edgetest.Case
	}{
		{"H1", plain(""), 250, [][]edgetest.Case{framingCases(), lengthCases(), chunkCases(),
			trailerCases(), lineCases(), limitCases(), targetCases(), hostFieldCases(), bodyCases()}},
		{"H1_rewritten", routes(lineEndRoutes), 5, [][]edgetest.Case{lineEndCases()}},
		{"HOP", plain(edgeToken), 50, [][]edgetest.Case{hopByHopCases(), connectionCases()}},
		{"ID", plain(""), 100, [][]edgetest.Case{identityCases()}},
		{"ID_trusted", trustingSite, 30, [][]edgetest.Case{trustedCases()}},
		{"PATH", routes(pathRules), 150, [][]edgetest.Case{spellingCases(), rewriteCases(),
			methodCases()}},
		{"HOST", routes(hosts), 50, [][]edgetest.Case{hostCases()}},
	} {
		t.Run(group.name, func(t *testing.T) {
			rec := edgetest.Record(t, edgetest.Echo)
			edge := edgetest.Start(t, group.config(rec))
			var all []edgetest.Case
			for _, c := range slices.Concat(group.cases...) {
				if strings.HasPrefix(c.Name, "H1-41") && c.Reach > 0 {
					c.Never = nil // the body comes in a frame of its own, perhaps later
				}
				all = append(all, c)
			}
			ran := edgetest.RunFramed(t, edge, rec, all)
			t.Logf("%d inputs", ran)
			if ran < group.inputs {
				t.Errorf("only %d inputs", ran)
			}
		})
	}
}
