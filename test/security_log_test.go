package test_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// accessLines are the lines about requests, which must all be JSON objects of
// known keys; lines about anything else are left out.
func accessLines(t *testing.T, edge *edgetest.Edge) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(edge.Log()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		if fields["msg"] == "request" {
			lines = append(lines, fields)
		}
	}
	return lines
}

// TestSecurityLOG has the cases of group LOG, looked at in the log of a whole
// instance.
func TestSecurityLOG(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"LOG-01_one_line_is_one_event":             testOneLineOneEvent,
		"LOG-01_one_line_is_one_event_for_HAProxy": testOneHAProxyLine,
		"LOG-02_field_names_are_no_keys":           testFieldNamesAreNoKeys,
		"LOG-03_LOG-04_secrets_stay_out":           testSecretsStayOut,
		"LOG-04_queries_where_they_are_wanted":     testQueriesWhereWanted,
		"LOG-05_what_a_server_says_is_not_echoed":  testServerIsNotEchoed,
		"LOG-06_errors_tell_no_secret":             testErrorsTellNoSecret,
		"LOG-07_long_fields_are_cut":               testLongFieldsAreCut,
		"LOG-08_log_that_takes_nothing":            testFullLog,
		"LOG-09_a_reload_is_one_event":             testReloadIsLogged,
	} {
		t.Run(name, test)
	}
}

// hostile are requests that would like to write lines of their own.
func hostile() []string {
	inject := "\u2028\u202e\u009b2J\xff\x85{\"msg\":\"request\"}"
	return []string{
		get("/%0a%0dGET%20/?a=%0a", "User-Agent: "+inject, "Referer: http://x/"+inject),
		get(`/"},{"msg":"request"`, `User-Agent: \n\r"\`),
		get("/\u2028"), get("/\x1b[2J"), withLine("User-Agent: \x1b[2J"), withHost("a\nb"),
		"\x1b[2J\x00 / HTTP/1.1⏎⏎", "\u202e⏎⏎", withHost(inject), get("/", "Bad\x1bName: x"),
		request("G{} / HTTP/1.1", "Host: app.example"),
		request(`G|"x / HTTP/1.1`, "Host: app.example"),
		request("GET /x HTTP/1.1", "Host: app.example", "X-Request-ID: \u2028"),
	}
}

// ask sends each input on a connection of its own, waits for its answer and
// stops the edge, so that the log is whole.
func ask(t *testing.T, edge *edgetest.Edge, inputs []string) {
	t.Helper()
	for _, input := range inputs {
		c := edge.Dial(t).Send(input)
		c.Answer()
		c.Close()
	}
	edge.Stop()
}

func testOneLineOneEvent(t *testing.T) {
	edge, _ := startSite(t, edgetest.Echo, "")
	ask(t, edge, hostile())
	if lines := accessLines(t, edge); len(lines) != len(hostile()) {
		t.Errorf("%d lines for %d requests:\n%s", len(lines), len(hostile()), edge.Log())
	}
	for i, r := range edge.Log() {
		if r != '\n' && notPlain(r) {
			t.Fatalf("%q in the log at %.80q", r, edge.Log()[i:])
		}
	}
}

func notPlain(r rune) bool { return r < ' ' || r > '~' }

func testOneHAProxyLine(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{
		Log: "access = \"haproxy\"\nlevel = \"error\"", Text: rec.Backend("app") + site,
	})
	ask(t, edge, hostile())
	if n := strings.Count(edge.Log(), "\n"); n != len(hostile()) {
		t.Errorf("%d lines for %d requests:\n%s", n, len(hostile()), edge.Log())
	}
	for line := range strings.Lines(edge.Log()) {
		if strings.Count(line, `"`) != 2 || strings.Trim(line, "\n\t") == "" ||
			strings.ContainsFunc(strings.TrimSuffix(line, "\n"), notPlain) {
			t.Errorf("line %q", line)
		}
	}
}

func testFieldNamesAreNoKeys(t *testing.T) {
	edge, _ := startSite(t, edgetest.Echo, "")
	ask(t, edge, []string{get("/", "level: spoofed", "ts: spoofed", "user: spoofed", "msg: spoofed",
		"client: spoofed", "status: spoofed", "time: spoofed")})
	if strings.Contains(edge.Log(), "spoofed") {
		t.Errorf("log: %s", edge.Log())
	}
}

// testSecretsStayOut sends secrets wherever clients send them, in requests that
// fare well and in requests that do not, with the log at its most talkative.
func testSecretsStayOut(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{
		Log: `level = "debug"`,
		Text: rec.Backend("app") + site + `
			[[route]]
			hosts = ["down.example"]
			backend = "down"
			[backends.down]
			servers = ["http://127.0.0.1:1"]
			retries = 0
		`,
	})
	var inputs []string
	for _, host := range []string{"app", "closed", "moved", "text", "down", "nobody"} {
		for _, extra := range []string{"X: y", "Bad Name: s3cret", "Content-Length: s3cret"} {
			inputs = append(inputs, request("POST /x?token=s3cret&code=s3cret HTTP/1.1",
				"Host: "+host+".example", "Authorization: Bearer s3cret", "Cookie: session=s3cret",
				"Referer: https://login.example/cb?code=s3cret&state=s3cret", "X-Api-Key: s3cret",
				"Proxy-Authorization: Basic s3cret", "Transfer-Encoding: chunked", extra)+
				"6⏎s3cret⏎0⏎Trailer-Secret: s3cret⏎⏎")
		}
	}
	inputs = append(inputs, "s3cret⏎⏎",
		request("s3cret:s3cret / HTTP/1.1", "Host: app.example"),
		withTarget("http://user:s3cret@app.example/"), chunked("s3cret⏎"))
	ask(t, edge, inputs)
	if strings.Contains(edge.Log(), "s3cret") {
		t.Errorf("the log tells a secret:\n%s", edge.Log())
	}
	if n := len(accessLines(t, edge)); n != len(inputs) {
		t.Errorf("%d lines for %d requests", n, len(inputs))
	}
}

func testQueriesWhereWanted(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{
		Log: "query = true", Text: rec.Backend("app") + site,
	})
	ask(t, edge, []string{get("/x?a=b")})
	if lines := accessLines(t, edge); len(lines) != 1 || lines[0]["query"] != "a=b" {
		t.Errorf("lines %v", lines)
	}
}

func testServerIsNotEchoed(t *testing.T) {
	junk := []string{
		"s3cret⏎⏎", "HTTP/1.1 s3cret⏎⏎", "HTTP/1.1 200 OK⏎s3cret⏎⏎",
		"HTTP/1.1 200 OK⏎X: s3cret\x00⏎⏎", "HTTP/1.1 200 OK⏎Content-Length: s3cret⏎⏎",
		"HTTP/1.1 200 OK⏎Transfer-Encoding: s3cret⏎⏎", "HTTP/1.1 101 s3cret⏎Upgrade: s3cret⏎⏎",
	}
	rec := edgetest.Record(t, edgetest.Answers(junk...))
	edge := edgetest.Start(t, edgetest.Config{
		Log: `level = "debug"`, Text: rec.Backend("app") + site,
	})
	for range junk {
		c := edge.Dial(t).Send(get("/"))
		m := c.Answer()
		c.Close()
		if m.Status != 502 || strings.Contains(m.Raw, "s3cret") {
			t.Errorf("answer %q", m.Raw)
		}
	}
	edge.Stop()
	if strings.Contains(edge.Log(), "s3cret") {
		t.Errorf("log: %s", edge.Log())
	}
}

// testErrorsTellNoSecret has secrets where they are wrong, so that an error is
// about them.
func testErrorsTellNoSecret(t *testing.T) {
	t.Setenv("SECRET", "s3cret\x01")
	rec := edgetest.Record(t, edgetest.Echo)
	sound := rec.Backend("app") + site
	edge := edgetest.Start(t, edgetest.Config{Log: `level = "debug"`, Text: sound})
	for _, text := range []string{
		"[headers.request]\nset = { Authorization = \"Bearer ${SECRET}\" }\n",
		"[headers.request]\nset = { \"${SECRET}\" = \"x\" }\n",
		"[backends.x]\nservers = [\"http://user:${SECRET}@127.0.0.1:1\"]\n",
		"[timeouts]\nclient = \"${SECRET}\"\n", "[limits]\nhead_bytes = \"${SECRET}\"\n",
		"[[route]]\nhosts = [\"${SECRET}\"]\nredirect = \"${SECRET}\"\n",
	} {
		err := edge.Reload(edgetest.Config{Log: `level = "debug"`, Text: text + sound})
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", text, err)
		}
	}
	edge.Stop()
	if strings.Contains(edge.Log(), "s3cret") {
		t.Errorf("log: %s", edge.Log())
	}
}

func testLongFieldsAreCut(t *testing.T) {
	edge, _ := startSite(t, edgetest.Echo, "")
	ask(t, edge, []string{
		get("/"+strings.Repeat("u", 8000), "User-Agent: "+strings.Repeat("a", 16<<10),
			"Referer: http://"+strings.Repeat("r", 4<<10)),
	})
	for _, line := range accessLines(t, edge) {
		for key, value := range line {
			if text, ok := value.(string); ok && len(text) > 2<<10+16 {
				t.Errorf("%s has %d bytes", key, len(text))
			}
		}
	}
	if n := strings.Count(edge.Log(), "uuu"); n == 0 {
		t.Error("the target is not logged at all")
	}
}

func testFullLog(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no device that is always full here")
	}
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{
		Log: `output = "/dev/full"`, Text: rec.Backend("app") + site,
	})
	c := edge.Dial(t)
	for range 200 {
		if m := c.Send(get("/")).Answer(); m.Status != 200 {
			t.Fatalf("answer %+v", m)
		}
	}
}

func testReloadIsLogged(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	cfg := edgetest.Config{Text: rec.Backend("app") + site}
	edge := edgetest.Start(t, cfg)
	if err := edge.Reload(cfg); err != nil {
		t.Fatal(err)
	}
	if err := edge.Reload(edgetest.Config{Text: "s3cret = "}); err == nil {
		t.Error("a broken file is taken")
	}
	edge.Stop()
	for _, event := range []string{`"msg":"reloaded"`, `"msg":"reload refused`} {
		if n := strings.Count(edge.Log(), event); n != 1 {
			t.Errorf("%d events %s in\n%s", n, event, edge.Log())
		}
	}
}
