package stats_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"doorward/internal/tally"
	"doorward/stats"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/zap"
)

// awakening is a source that had done nothing at the first look, a second before
// the others.
type awakening struct {
	stats.Source
	looked bool
}

func (a *awakening) View() stats.View {
	v := a.Source.View()
	if !a.looked {
		v.Node.Now = v.Node.Now.Add(-time.Second)
		for i := range v.Backends {
			v.Backends[i].Traffic = tally.Totals{}
			for j := range v.Backends[i].Servers {
				v.Backends[i].Servers[j].Claims = 0
			}
		}
	}
	a.looked = true
	return v
}

// scrape is what Prometheus reads.
func scrape(t *testing.T, source stats.Source) []byte {
	t.Helper()
	sampler := stats.NewSampler(&awakening{Source: source}, stats.SamplerOptions{Log: zap.NewNop()})
	sampler.Sample()
	sampler.Sample()
	w := httptest.NewRecorder()
	stats.Metrics(sampler).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.Bytes()
}

func TestMetricsFollowTheConventions(t *testing.T) {
	problems, err := promlint.New(bytes.NewReader(scrape(t, example{}))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "doorward_") { // the others are not ours to mend
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// TestMetricsStay holds names, labels and values to a file, since dashboards and
// alerts of others rely on them. Run with
// "-args update-golden" to write it.
func TestMetricsStay(t *testing.T) {
	const golden = "testdata/metrics.txt"
	var ours []byte
	for line := range bytes.Lines(scrape(t, example{})) {
		if bytes.Contains(line, []byte("doorward_")) {
			ours = append(ours, line...)
		}
	}
	if slices.Contains(flag.Args(), "update-golden") {
		if err := os.WriteFile(golden, ours, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(ours, want) {
		return
	}
	got, wanted := strings.Split(string(ours), "\n"), strings.Split(string(want), "\n")
	for _, line := range got {
		if !slices.Contains(wanted, line) {
			t.Errorf("new: %s", line)
		}
	}
	for _, line := range wanted {
		if !slices.Contains(got, line) {
			t.Errorf("gone: %s", line)
		}
	}
}

func TestEveryMetricOfTheListIsServed(t *testing.T) {
	text := scrape(t, example{})
	served := map[string]string{}
	for _, found := range regexp.MustCompile(`(?m)^# TYPE (doorward_\S+) (\S+)$`).
		FindAllSubmatch(text, -1) {
		served[string(found[1])] = string(found[2])
	}
	for _, m := range stats.MetricList() {
		if served[m.Name] != m.Type {
			t.Errorf("%s is a %s, served as %q", m.Name, m.Type, served[m.Name])
		}
		delete(served, m.Name)
	}
	for name := range served {
		t.Errorf("%s is not in the list", name)
	}
	for _, name := range []string{"go_goroutines", "process_start_time_seconds"} {
		if !bytes.Contains(text, []byte("\n"+name+" ")) {
			t.Errorf("no %s", name)
		}
	}
}

// TestMetricsAreDocumented: the table is made from the code. What it must be is
// part of the failure.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, m := range stats.MetricList() {
		labels := "`" + strings.Join(m.Labels, "`, `") + "`"
		if len(m.Labels) == 0 {
			labels = ""
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, labels, m.Help)
	}
	if !strings.Contains(string(text), table.String()) {
		t.Errorf("docs/metrics.md does not have the table\n%s", table.String())
	}
}

// broken is a source that panics.
type broken struct{}

func (broken) View() stats.View { panic("a mistake in the source") }

func TestAPanicCostsNoScrape(t *testing.T) {
	text := scrape(t, broken{})
	if !bytes.Contains(text, []byte("go_goroutines")) || bytes.Contains(text, []byte("doorward_")) {
		t.Errorf("%s", text)
	}
}

func TestMetricsOfNothing(t *testing.T) {
	text := scrape(t, newStage())
	if bytes.Contains(text, []byte("NaN")) || bytes.Contains(text, []byte("doorward_server_")) {
		t.Errorf("%s", text)
	}
}
