package stats_test

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"doorward/stats"
)

// lines are the lines of a CSV without the header, read as HAProxy exporters do:
// the header is a comment, and all lines are of one length.
func lines(t *testing.T, text []byte) [][]string {
	t.Helper()
	r := csv.NewReader(bytes.NewReader(text))
	r.Comment = '#'
	all, err := r.ReadAll()
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return all
}

// columns are the names in the header.
func columns(text []byte) []string {
	header, _, _ := strings.Cut(string(text), "\n")
	return strings.Split(strings.TrimPrefix(header, "# "), ",")
}

func TestCSVHasALineForEverything(t *testing.T) {
	p := examplePicture()
	text := stats.CSV(&p)
	if !bytes.HasPrefix(text, []byte("# pxname,svname,qcur,")) ||
		!strings.HasSuffix(strings.SplitN(string(text), "\n", 2)[0], ",") {
		t.Errorf("header %.40q", text)
	}
	var got []string
	for _, line := range lines(t, text) {
		// pxname, svname, pid, iid, sid, type
		ids := []string{line[0], line[1], line[26], line[27], line[28], line[32]}
		got = append(got, strings.Join(ids, " "))
		if len(line) != len(columns(text)) || line[len(line)-1] != "" || line[119] != "-" {
			t.Errorf("%d values for %d columns", len(line), len(columns(text)))
		}
	}
	want := []string{
		":443 FRONTEND 1 1 0 0", "app a 1 2 1 2", "app b 1 2 2 2", "app c 1 2 3 2", "app BACKEND 1 2 0 1",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("lines %q, want %q", got, want)
	}
}

// TestCSVIsWhatAnExporterExpects has the columns that prometheus/haproxy_exporter
// reads, by number for each type of line, and what they mean there.
func TestCSVIsWhatAnExporterExpects(t *testing.T) {
	edge := newStage("a")
	sampler := stats.NewSampler(edge, stats.SamplerOptions{})
	sampler.Sample()
	edge.pass(sampler, 1, 30, 8_000_000)
	edge.clients += 4
	edge.pass(sampler, 1, 10, 8_000_000)
	rates := sampler.Picture()

	p := examplePicture()
	p.Frontends[0].Seen = rates.Frontends[0].Seen
	p.Frontends[0].SessionsMax = 15
	p.Backends[0].Seen = rates.Backends[0].Seen
	p.Backends[0].SessionsMax = 8
	p.Backends[0].Servers[0].Seen = rates.Backends[0].Servers[0].Seen
	p.Backends[0].Servers[0].SessionsMax = 6
	rows := lines(t, stats.CSV(&p))
	for _, test := range []struct {
		name string
		row  []string
		want map[int]string
	}{
		{"frontend", rows[0], map[int]string{
			4: "11", 5: "15", 6: "10000", 7: "80", 8: "101", 9: "102", 10: "120", 12: "121",
			33: "4", 35: "4", 39: "111", 40: "112", 41: "113", 42: "114", 43: "115", 44: "110",
			46: "10", 47: "30", 48: "100", 77: "4", 78: "4", 79: "80", 80: "128",
		}},
		{"server", rows[1], map[int]string{
			2: "1", 3: "3", 4: "4", 5: "6", 6: "32", 7: "410", 8: "401", 9: "402", 13: "422", 14: "423",
			15: "424", 16: "425", 17: "UP 2/3", 18: "5", 19: "1", 20: "0", 21: "11", 22: "2", 23: "40",
			24: "33", 25: "64", 29: "45", 33: "10", 35: "30", 36: "* L7STS", 37: "500", 38: "12",
			39: "411", 40: "412", 41: "413", 42: "414", 43: "415", 44: "410", 49: "426", 50: "427",
			58: "0", 59: "0", 60: "4", 61: "8", 65: "Layer7 wrong status", 67: "2", 68: "3", 69: "3",
		}},
		{"backup", rows[2], map[int]string{
			6: "", 17: "no check", 18: "1", 19: "0", 20: "1", 21: "", 22: "", 23: "3600", 24: "", 25: "",
			29: "", 36: "", 37: "", 38: "", 55: "-1", 69: "",
		}},
		{"maintenance", rows[3], map[int]string{17: "MAINT", 23: "30", 36: "", 120: "maint",
			121: "ops", 122: "2030-01-02T11:59:30Z"}},
		{"backend", rows[4], map[int]string{
			2: "2", 3: "9", 4: "7", 5: "8", 6: "", 7: "300", 8: "301", 9: "302", 13: "322", 14: "323",
			15: "324", 16: "325", 17: "UP", 18: "5", 19: "1", 20: "1", 22: "1", 23: "50", 24: "20",
			33: "10", 35: "30", 39: "311", 40: "312", 41: "313", 42: "314", 43: "315", 44: "310",
			49: "326", 50: "327", 58: "0", 59: "0", 60: "4", 61: "8",
			74: "SRV", 75: "http", 76: "roundrobin", 83: "", 84: "21", 85: "389", 99: "10",
		}},
	} {
		for field, want := range test.want {
			if got := test.row[field]; got != want {
				t.Errorf("%s: field %d is %q, want %q", test.name, field, got, want)
			}
		}
		exported(t, test.name, test.row)
	}
}

func TestCSVOfABackendAddsUpServersInUse(t *testing.T) {
	server := func(weight, share int, backup bool, admin string) stats.ServerRow {
		return stats.ServerRow{Server: stats.Server{
			Admin: admin, Weight: weight, Share: share, Backup: backup, Connections: 3, Reused: 5,
		}}
	}
	tests := []struct {
		name    string
		servers []stats.ServerRow
		want    map[int]string
	}{
		{"none", nil, map[int]string{18: "0", 19: "0", 20: "0", 84: "0", 99: "0"}},
		{"active ones", []stats.ServerRow{
			server(10, 100, false, "ready"), server(7, 50, false, "ready"),
			server(100, 100, true, "ready"), server(100, 100, false, "drain"),
		}, map[int]string{18: "14", 19: "2", 20: "1", 84: "12", 85: "20", 99: "17"}},
		{"backup ones", []stats.ServerRow{
			server(10, 100, false, "maint"), server(4, 100, true, "ready"),
		}, map[int]string{18: "4", 19: "0", 20: "1", 99: "4"}},
		{"slow start leaves something", []stats.ServerRow{server(1, 1, false, "ready")},
			map[int]string{18: "1", 99: "1"}},
	}
	for _, test := range tests {
		rows := lines(t, stats.CSV(&stats.Picture{
			Backends: []stats.BackendRow{{Servers: test.servers}},
		}))
		for field, want := range test.want {
			if got := rows[len(rows)-1][field]; got != want {
				t.Errorf("%s: field %d is %q, want %q", test.name, field, got, want)
			}
		}
	}
}

// exported parses what the exporter does: all that it takes for a number is a
// whole one or not there.
func exported(t *testing.T, name string, row []string) {
	t.Helper()
	for _, field := range []int{
		2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 18, 21, 24,
		33, 34, 35, 38, 39, 40, 41, 42, 43, 44, 48, 49, 50, 51, 52, 53, 54, 58, 59, 60, 61, 79,
	} {
		if row[field] == "" {
			continue
		}
		if _, err := strconv.ParseInt(row[field], 10, 64); err != nil {
			t.Errorf("%s: field %d: %v", name, field, err)
		}
	}
}

func TestCSVNamesOnlyItsColumns(t *testing.T) {
	p := examplePicture()
	text := stats.CSV(&p)
	fields := columns(text)
	seen := map[string]bool{}
	for _, name := range fields {
		if seen[name] {
			t.Errorf("column %q twice", name)
		}
		seen[name] = true
	}
	// HAProxy's are 0 to 118, then its mark, then ours and the end of the line.
	for i, want := range map[int]string{
		0: "pxname", 32: "type", 73: "addr", 94: "eint", 102: "agg_check_status",
		118: "cache_hint_hits", 119: "-", 120: "admin", len(fields) - 1: "",
	} {
		if fields[i] != want {
			t.Errorf("column %d is %q, want %q", i, fields[i], want)
		}
	}
}

func TestSecurity(t *testing.T) {
	t.Run("UI-02_formulas", func(t *testing.T) {
		for text, want := range map[string]string{
			"":                            "",
			"ok":                          "ok",
			"-1":                          "-1",
			"-app":                        "-app", // the name of a backend
			"=cmd|'/C calc'!A0":           "'=cmd|'/C calc'!A0",
			"+1+1":                        "'+1+1",
			"-2+3+cmd":                    "'-2+3+cmd",
			"@SUM(A1)":                    "'@SUM(A1)",
			"＝SUM(A1)":                    "'＝SUM(A1)",
			"\t=1+1":                      "' =1+1",
			"\r\n=1+1":                    "'  =1+1",
			"a;=1+1":                      "a;'=1+1",
			"a,=1+1":                      "a,'=1+1",
			`say "=1+1"`:                  `say "'=1+1"`,
			"two\nlines\x00":              "two lines ",
			"not \xff UTF-8":              "not \uFFFD UTF-8",
			"* L7OK":                      "* L7OK",
			"5 of 7 = fine, more or less": "5 of 7 = fine, more or less",
		} {
			p := examplePicture()
			p.Backends[0].Servers[0].Health.Description = text
			if got := lines(t, stats.CSV(&p))[1][56]; got != want {
				t.Errorf("%q is shown as %q, want %q", text, got, want)
			}
		}
	})
	t.Run("UI-02_nosniff", func(t *testing.T) {
		sampler := stats.NewSampler(example{}, stats.SamplerOptions{})
		for kind, serve := range map[string]http.HandlerFunc{
			"text/plain; charset=utf-8":       sampler.ServeCSV,
			"application/json; charset=utf-8": sampler.ServeJSON,
			"text/plain; version=0.0.4":       stats.Metrics(sampler).ServeHTTP,
		} {
			w := httptest.NewRecorder()
			serve(w, httptest.NewRequest("GET", "/", nil))
			h := w.Result().Header
			if h.Get("X-Content-Type-Options") != "nosniff" ||
				!strings.HasPrefix(h.Get("Content-Type"), kind) {
				t.Errorf("%s: %v", kind, h)
			}
			if w.Code != http.StatusOK || w.Body.Len() == 0 {
				t.Errorf("%s: %d, %d bytes", kind, w.Code, w.Body.Len())
			}
		}
	})
}

// A HAProxy says the same of a server that no check has reached yet, and of one
// that requests took down.
func TestCSVOfServersWithoutACheck(t *testing.T) {
	for status, want := range map[string]map[int]string{
		"INI":  {36: "INI", 37: "", 38: "", 65: "Initializing"},
		"HANA": {36: "HANA", 37: "", 38: "", 65: "Health analyze"},
	} {
		rows := lines(t, stats.CSV(&stats.Picture{Backends: []stats.BackendRow{{
			Servers: []stats.ServerRow{{Server: stats.Server{
				Health: stats.Health{Checked: true, Status: status},
			}}},
		}}}))
		for field, want := range want {
			if got := rows[0][field]; got != want {
				t.Errorf("%s: field %d is %q, want %q", status, field, got, want)
			}
		}
	}
}
