package deploy_test

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"doorward/stats"
)

// instance is a source for metrics that belong to the process.
type instance struct{}

func (instance) View() stats.View { return stats.View{Node: stats.Node{Now: time.Now()}} }

// served is the names of all series that Prometheus can have of us, with their
// labels.
func served() map[string][]string {
	names := map[string][]string{"up": nil} // Prometheus itself says whether it got an answer
	for _, m := range stats.MetricList() {
		names[m.Name] = m.Labels
		if m.Type == "histogram" {
			names[m.Name+"_bucket"] = append([]string{"le"}, m.Labels...)
		}
		if m.Type == "histogram" || m.Type == "summary" {
			names[m.Name+"_sum"], names[m.Name+"_count"] = m.Labels, m.Labels
			delete(names, m.Name)
		}
	}
	w := httptest.NewRecorder()
	stats.Metrics(stats.NewSampler(instance{}, stats.SamplerOptions{})).
		ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, found := range regexp.MustCompile(`(?m)^((?:go|process)_\w+)`).
		FindAllString(w.Body.String(), -1) {
		names[found] = nil
	}
	return names
}

var (
	quoted    = regexp.MustCompile(`"[^"]*"`)
	window    = regexp.MustCompile(`\[[^]]*\]`)
	grouping  = regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	selection = regexp.MustCompile(`\{([^}]*)\}`)
	word      = regexp.MustCompile(`\b[a-zA-Z_][a-zA-Z0-9_]*\b\s*\(?`)
	label     = regexp.MustCompile(`(\w+)\s*(?:=|!)`)
)

// check says what is wrong with an expression: names of metrics and labels that
// there are not.
func check(expr string, known map[string][]string) (faults []string) {
	expr = window.ReplaceAllString(quoted.ReplaceAllString(expr, ""), "")
	var labels []string
	for _, found := range grouping.FindAllStringSubmatch(expr, -1) {
		labels = append(labels, strings.FieldsFunc(found[2], func(r rune) bool {
			return r == ',' || r == ' '
		})...)
	}
	for _, found := range selection.FindAllStringSubmatch(expr, -1) {
		for _, name := range label.FindAllStringSubmatch(found[1], -1) {
			labels = append(labels, name[1])
		}
	}
	expr = selection.ReplaceAllString(grouping.ReplaceAllString(expr, ""), "")
	has := []string{"instance", "job"} // Prometheus adds these
	metrics := 0
	for _, name := range word.FindAllString(expr, -1) {
		if strings.HasSuffix(name, "(") || slices.Contains(
			[]string{"and", "or", "unless", "bool"}, strings.TrimSpace(name)) {
			continue
		}
		name = strings.TrimSpace(name)
		metrics++
		if _, ok := known[name]; !ok {
			faults = append(faults, "there is no metric "+name)
		}
		has = append(has, known[name]...)
	}
	if metrics == 0 {
		faults = append(faults, "no metric in it")
	}
	for _, name := range labels {
		if !slices.Contains(has, name) {
			faults = append(faults, "no metric in it has the label "+name)
		}
	}
	return faults
}

// panel is what the test reads of a panel of Grafana's.
type panel struct {
	ID      int
	Title   string
	Type    string
	GridPos struct{ H, W, X, Y int }
	Targets []struct{ Expr string }
}

type dashboard struct {
	UID, Title string
	Panels     []panel
	Templating struct {
		List []struct{ Name, Definition string }
	}
	Annotations struct{ List []struct{ Expr string } }
}

func TestDashboardShowsMetricsThatThereAre(t *testing.T) {
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, "grafana/doorward.json")), &d); err != nil {
		t.Fatal(err)
	}
	known := served()
	report := func(place, expr string) {
		for _, fault := range check(expr, known) {
			t.Errorf("%s: %s: %s", place, fault, expr)
		}
	}
	rows := map[string]bool{}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %q: number %d, at %+v", p.Title, p.ID, p.GridPos)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			rows[p.Title] = true
			continue
		}
		if len(p.Targets) == 0 || p.Title == "" {
			t.Errorf("panel %d %q shows nothing", p.ID, p.Title)
		}
		for _, target := range p.Targets {
			report(p.Title, target.Expr)
		}
	}
	for _, a := range d.Annotations.List {
		report("annotation", a.Expr)
	}
	for _, v := range d.Templating.List {
		if query, ok := strings.CutPrefix(v.Definition, "label_values("); ok {
			expr, wanted, _ := strings.Cut(strings.TrimSuffix(query, ")"), ", ")
			report("variable "+v.Name, "sum by ("+wanted+") ("+expr+")")
		}
	}
	want := []string{"Backends", "Certificates", "Frontends", "Overview", "Servers", "Timers"}
	if got := slices.Sorted(maps.Keys(rows)); !slices.Equal(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
}

func TestAlertsAskForMetricsThatThereAre(t *testing.T) {
	text := read(t, "prometheus/alerts.yml")
	known := served()
	alerts := strings.Split(text, "- alert: ")[1:]
	if len(alerts) < 8 {
		t.Fatalf("%d alerts", len(alerts))
	}
	expr := regexp.MustCompile(`(?m)^        expr: ([^|>\n]+.*)$`)
	for _, alert := range alerts {
		name, _, _ := strings.Cut(alert, "\n")
		found := expr.FindStringSubmatch(alert)
		if found == nil {
			t.Errorf("%s: no expr on one line", name)
			continue
		}
		for _, fault := range check(found[1], known) {
			t.Errorf("%s: %s", name, fault)
		}
		for _, key := range []string{"severity: ", "summary: \"", "description: \""} {
			if strings.Count(alert, "\n          "+key) != 1 {
				t.Errorf("%s: not one %s", name, key)
			}
		}
		if !strings.HasPrefix(name, "Doorward") {
			t.Errorf("%s does not say whose it is", name)
		}
	}
}

func TestCheckFindsWhatIsNotThere(t *testing.T) {
	known := map[string][]string{"a_total": {"x"}}
	for expr, wrong := range map[string]bool{
		`sum by (x) (rate(a_total{x="1", instance=~"b_total"}[5m])) > 3`: false,
		`sum(rate(b_total[5m]))`:          true,
		`sum by (y) (a_total)`:            true,
		`a_total{y="1"}`:                  true,
		`a_total unless on (x) a_total`:   false,
		`a_total / on (x) b_total_bucket`: true,
		`3 > 2`:                           true,
	} {
		if faults := check(expr, known); (len(faults) > 0) != wrong {
			t.Errorf("%s: %q, want any: %t", expr, faults, wrong)
		}
	}
}
