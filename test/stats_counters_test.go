package test_test

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"doorward/internal/edgetest"
	"doorward/internal/porttest"
)

// figures are the lines of the CSV, by proxy and server, each by the names of its
// columns.
type figures map[string]map[string]string

// figuresOf asks for them over the plain listener, so that the rows of the other
// one are about requests of the test alone.
func figuresOf(t *testing.T, edge *edgetest.Edge) figures {
	t.Helper()
	m := once(t, edge.HTTP, board("/;csv"))
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(m.Body, "# "))).ReadAll()
	if m.Status != 200 || err != nil || len(rows) < 2 {
		t.Fatalf("%+v, %v", m, err)
	}
	f := figures{}
	for _, row := range rows[1:] {
		fields := map[string]string{}
		for i, name := range rows[0] {
			fields[name] = row[i]
		}
		f[fields["pxname"]+"/"+fields["svname"]] = fields
	}
	return f
}

// number is a column as a number; an empty one is 0.
func (f figures) number(t *testing.T, row, column string) int64 {
	t.Helper()
	text, ok := f[row][column]
	n, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil && text != "" {
		t.Fatalf("%s of %s is %q", column, row, text)
	}
	return n
}

// The rows of the TLS listener and of the backend.
const (
	front   = "[::ffff:127.0.0.1]:0/FRONTEND"
	back    = "app/BACKEND"
	server1 = "app/s1"
	server2 = "app/s2"
)

// moving are the columns that only move when something of their kind happens.
func moving() []string {
	return []string{
		"req_tot", "hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other", "dreq",
		"ereq", "dresp", "econ", "eresp", "wretr", "wredis", "cli_abrt", "srv_abrt", "intercepted",
	}
}

// moves are the columns that differ, as "row column+1", sorted.
func moves(t *testing.T, before, after figures) string {
	t.Helper()
	var list []string
	for _, row := range []string{front, back, server1, server2} {
		for _, column := range moving() {
			if d := after.number(t, row, column) - before.number(t, row, column); d != 0 {
				list = append(list, fmt.Sprintf("%s %s%+d", row, column, d))
			}
		}
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// on says that a column of several rows moves by one.
func on(column string, rows ...string) (list []string) {
	for _, row := range rows {
		list = append(list, row+" "+column+"+1")
	}
	return list
}

// happening is one request, and every counter that it must move.
type happening struct {
	name  string
	play  http.HandlerFunc // of s1, which everybody meets first
	text  string
	act   func(*edgetest.Client) // nil reads one answer
	moves [][]string
}

func happenings() []happening {
	everywhere := []string{front, back, server1}
	class := func(column string) [][]string {
		return [][]string{on("req_tot", everywhere...), on(column, everywhere...)}
	}
	atFront := func(columns ...string) (list [][]string) {
		for _, column := range append(columns, "req_tot") {
			list = append(list, on(column, front))
		}
		return list
	}
	return []happening{
		{name: "200", text: get("/"), moves: class("hrsp_2xx")},
		{name: "301", text: get("/"), play: status(301), moves: class("hrsp_3xx")},
		{name: "404", text: get("/"), play: status(404), moves: class("hrsp_4xx")},
		{name: "503", text: get("/"), play: status(503), moves: class("hrsp_5xx")},
		{name: "101", text: handshake("/ws"), act: func(c *edgetest.Client) {
			c.Answer()
			c.CloseWrite()
			_, _ = io.Copy(io.Discard, c.Rest())
		}, moves: class("hrsp_1xx")},
		{name: "no HTTP", text: get("/"), play: nonsense, moves: append(class("hrsp_5xx"),
			on("eresp", back, server1))},
		{name: "no answer", text: get("/"), play: hangUp, moves: append(class("hrsp_5xx"),
			on("eresp", back, server1))},
		{name: "silence", text: get("/"), play: silent, moves: append(class("hrsp_5xx"),
			on("eresp", back, server1))},
		{name: "answer cut short", text: get("/"), play: cutShort, act: func(c *edgetest.Client) {
			_, _ = c.TryAnswer("GET")
		}, moves: append(class("hrsp_2xx"), on("srv_abrt", back, server1))},
		{name: "client that leaves", text: get("/"), play: torrent, act: func(c *edgetest.Client) {
			_, _ = io.CopyN(io.Discard, c.Rest(), 1000)
			c.Reset()
		}, moves: append(class("hrsp_2xx"), on("cli_abrt", back, server1))},
		{name: "denied", text: to("closed.example", "GET", "/"), moves: atFront("dreq", "hrsp_4xx")},
		{name: "limited", text: to("limited.example", "GET", "/"), moves: atFront("dreq", "hrsp_4xx")},
		{name: "invalid", text: "GET / HTTP/1.1⏎Host: a⏎Host: b⏎⏎", moves: atFront("ereq", "hrsp_4xx")},
		{name: "redirect", text: to("moved.example", "GET", "/"), moves: atFront("intercepted", "hrsp_3xx")},
		{name: "no route", text: to("app.example", "GET", "/none"), moves: atFront("ereq", "hrsp_4xx")},
	}
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func nonsense(w http.ResponseWriter, _ *http.Request) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_, _ = io.WriteString(conn, "what did you say?\r\n\r\n")
		_ = conn.Close()
	}
}

// counted is a site for happenings.
func counted(keys, metrics string, actors ...*actor) edgetest.Config {
	c := cast("balance = \"first\"\n"+keys, actors...)
	c.Text = "[stats]\nhost = \"stats.example\"\nmetrics = \"" + metrics + "\"\n" +
		"[rate_limits.two]\nrequests = 1\nper = \"1h\"\n" + c.Text + `
		name = "app"
		paths = ["=/", "/ws"]
		[[route]]
		hosts = ["closed.example"]
		backend = "app"
		access = { networks = ["192.0.2.0/24"] }
		[[route]]
		hosts = ["limited.example"]
		backend = "app"
		rate_limits = ["two"]
		[[route]]
		hosts = ["moved.example"]
		redirect = "https://app.example{uri}"
		`
	return c
}

// Each kind of request moves its own counters by one and no other, in each row
// that it concerns.
func TestCountersMove(t *testing.T) {
	all, metrics := newActors(t, "", ""), porttest.Address(t)
	edge := edgetest.Start(t, counted("timeouts = { server = \"300ms\" }\n", metrics, all...))
	edge.DialTLS(t, "limited.example").Send(to("limited.example", "GET", "/")).Answer()
	var start figures
	wait(t, "the first request is counted", func() bool {
		start = figuresOf(t, edge)
		return start.number(t, server1, "req_tot") == 1
	})
	for _, h := range happenings() {
		if h.play != nil {
			all[0].play(h.play)
		}
		wantMoves(t, edge, &h)
		all[0].part.Store(nil)
	}
	all[0].die()
	wantMoves(t, edge, &happening{name: "redispatch", text: get("/"), moves: [][]string{
		on("req_tot", front, back, server2), on("hrsp_2xx", front, back, server2),
		on("econ", back, server1), on("wredis", back, server1),
	}})
	all[1].die()
	wantMoves(t, edge, &happening{name: "nobody", text: get("/"), moves: [][]string{
		on("req_tot", front, back, server2), on("hrsp_5xx", front, back, server2),
		{"app/BACKEND econ+4", "app/s1 econ+2", "app/s2 econ+2"},
		{"app/BACKEND wredis+3", "app/s1 wredis+2", "app/s2 wredis+1"},
	}})
	stays := counted("redispatch = false\nretries = 1\ntimeouts = { connect = \"50ms\" }\n", metrics, all...)
	if err := edge.Reload(stays); err != nil {
		t.Fatal(err)
	}
	wantMoves(t, edge, &happening{name: "retry", text: get("/"), moves: [][]string{
		on("req_tot", front, back, server1), on("hrsp_5xx", front, back, server1),
		on("wretr", back, server1), {"app/BACKEND econ+2", "app/s1 econ+2"},
	}})
	wantSums(t, edge, start)
	wantMetrics(t, edge, metrics)
}

func wantMoves(t *testing.T, edge *edgetest.Edge, h *happening) {
	t.Helper()
	before := figuresOf(t, edge)
	c := edge.DialTLS(t, "app.example").Send(h.text)
	if h.act == nil {
		h.act = func(c *edgetest.Client) { c.Answer() }
	}
	h.act(c)
	c.Close()
	var list []string
	for _, each := range h.moves {
		list = append(list, each...)
	}
	slices.Sort(list)
	want, got := strings.Join(list, "\n"), ""
	if !edgetest.Until(func() bool {
		got = moves(t, before, figuresOf(t, edge))
		return got == want
	}) {
		t.Errorf("%s moves\n%s\nwant\n%s", h.name, got, want)
	}
}

// wantSums wants what the rows must have in common.
func wantSums(t *testing.T, edge *edgetest.Edge, start figures) {
	t.Helper()
	f := figuresOf(t, edge)
	for _, column := range []string{"econ", "eresp", "wretr", "wredis", "cli_abrt", "srv_abrt", "hrsp_2xx"} {
		if n := f.number(t, back, column); n != f.number(t, server1, column)+f.number(t, server2, column) {
			t.Errorf("%s of the backend is %d, not that of its servers", column, n)
		}
	}
	for _, row := range []string{front, back, server1, server2} {
		classes := int64(0)
		for _, class := range []string{"1xx", "2xx", "3xx", "4xx", "5xx", "other"} {
			classes += f.number(t, row, "hrsp_"+class)
		}
		if n := f.number(t, row, "req_tot"); n != classes {
			t.Errorf("%s has %d requests and %d answers", row, n, classes)
		}
		for _, column := range []string{"bin", "bout"} {
			if f.number(t, row, column) <= start.number(t, row, column) {
				t.Errorf("%s of %s did not move", column, row)
			}
		}
		if f.number(t, row, "scur") != 0 && row != front {
			t.Errorf("%s has %s requests", row, f[row]["scur"])
		}
	}
}

// wantMetrics wants the same figures from Prometheus' side.
func wantMetrics(t *testing.T, edge *edgetest.Edge, address string) {
	t.Helper()
	f, m := figuresOf(t, edge), metricsOf(t, address)
	for column, name := range map[string]string{
		"econ": "connect_failures_total", "eresp": "answer_failures_total", "wretr": "retries_total",
		"wredis": "redispatches_total", "cli_abrt": "client_aborts_total", "bin": "received_bytes_total",
		"srv_abrt": "server_aborts_total", "bout": "sent_bytes_total",
		"hrsp_2xx": `requests_total,code="2xx"`, "hrsp_5xx": `requests_total,code="5xx"`,
	} {
		name, code, _ := strings.Cut(name, ",")
		if code != "" {
			code = "," + code
		}
		for series, row := range map[string]string{
			`doorward_server_` + name + `{backend="app",server="s1"` + code + `}`: server1,
			`doorward_backend_` + name + `{backend="app"` + code + `}`:            back,
		} {
			if code != "" && row == server1 {
				series = `doorward_server_` + name + `{backend="app"` + code + `,server="s1"}`
			}
			if got, ok := m[series]; !ok || got != f[row][column] {
				t.Errorf("%s is %q, want %s", series, got, f[row][column])
			}
		}
	}
	for series, want := range map[string]string{
		`doorward_backend_up{backend="app"}`:                                                "1",
		`doorward_route_requests_denied_total{route="closed.example"}`:                      "1",
		`doorward_rate_limit_requests_refused_total{limit="two"}`:                           "1",
		`doorward_listener_requests_invalid_total{listener="[::ffff:127.0.0.1]:0"}`:         f[front]["ereq"],
		`doorward_listener_local_answers_total{listener="[::ffff:127.0.0.1]:0"}`:            "1",
		`doorward_listener_requests_total{code="1xx",listener="[::ffff:127.0.0.1]:0"}`:      "1",
		`doorward_config_last_reload_successful`:                                            "1",
		`doorward_server_admin_state{backend="app",server="s1",state="ready"}`:              "1",
		`doorward_server_connections_idle{backend="app",server="s2"}`:                       "0",
		`doorward_backend_request_duration_seconds_count{backend="app"}`:                    f[back]["req_tot"],
		`doorward_backend_request_duration_seconds_bucket{backend="app",le="+Inf"}`:         f[back]["req_tot"],
		`doorward_server_requests_active{backend="app",server="s1"}`:                        "0",
		`doorward_route_request_duration_seconds_bucket{route="limited.example",le="+Inf"}`: "2",
	} {
		if got, ok := m[series]; !ok || got != want {
			t.Errorf("%s is %q, want %s", series, got, want)
		}
	}
}

// metricsOf are the values of all series, without an exponent.
func metricsOf(t *testing.T, address string) map[string]string {
	t.Helper()
	m := once(t, address, to(address, "GET", "/metrics"))
	values := map[string]string{}
	for lines := bufio.NewScanner(strings.NewReader(m.Body)); lines.Scan(); {
		if i := strings.LastIndexByte(lines.Text(), ' '); i > 0 && lines.Text()[0] != '#' {
			n, err := strconv.ParseFloat(lines.Text()[i+1:], 64)
			if err != nil {
				t.Errorf("%s: %v", lines.Text(), err)
			}
			values[lines.Text()[:i]] = strconv.FormatFloat(n, 'f', -1, 64)
		}
	}
	return values
}
