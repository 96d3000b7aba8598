package test_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"doorward/internal/edgetest"
	"doorward/internal/porttest"
)

// TestSecurityADM has the cases of group ADM: what is ours beside the traffic,
// and who may see or do what there. Those of the control socket are with package
// app.
func TestSecurityADM(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"ADM-01_nothing_of_ours_unasked":              nothingOfOurs,
		"ADM-02_no_spelling_gets_past_the_password":   noWayPastPassword,
		"ADM-02_no_spelling_gets_past_the_networks":   noWayPastNetworks,
		"ADM-03_a_name_means_one_server":              oneServerByName,
		"ADM-04_pages_that_point_their_name_here":     reboundNames,
		"ADM-08_secrets_are_nowhere":                  secretsAreNowhere,
		"ADM-09_requests_make_no_metrics":             requestsMakeNoMetrics,
		"ADM-11_health_tells_only_whether":            healthTellsOnlyWhether,
		"ADM-12_strangers_learn_no_version":           noVersions,
		"ADM-13_streams_end_with_the_right_to_see":    streamsEnd,
		"ADM-14_side_listeners_leave_files_to_others": sidesAreBounded,
		"ADM-15_guessing_is_slow":                     guessingIsSlow,
		"LOG-09_a_button_is_one_event":                buttonIsLogged,
	} {
		t.Run(name, test)
	}
}

// inside is a text that only those who may see the page can know.
const inside = "c4nary-of-the-page"

const passwordOfOps = "correct horse battery"

// boardSite is an edge with a page for statistics at stats.example, of one server
// under site.
func boardSite(rec *edgetest.Recorder, keys string, more ...string) edgetest.Config {
	text := "[stats]\nhost = \"stats.example\"\n" + keys + "\n" + strings.Join(more, "\n") +
		"\n[[backends.app.server]]\nname = \"web\"\nurl = \"" + rec.URL + "\"\n" +
		"[backends.app]\ndescription = \"" + inside + "\"\n" + site
	return edgetest.Config{Text: text}
}

// usersOnly asks everybody for a password.
const usersOnly = "users = { ops = \"" + passwordOfOps + "\" }"

// asOps is the field of somebody who knows the password.
func asOps() string { return basicOf("ops", passwordOfOps) }

func basicOf(name, password string) string {
	return "Authorization: Basic " +
		base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

// board is a GET of the page.
func board(path string, lines ...string) string {
	return to("stats.example", "GET", path, lines...)
}

// once asks at an address on a connection of its own.
func once(t *testing.T, address, text string) *edgetest.Message {
	t.Helper()
	c := edgetest.Dial(t, address).Send(text)
	defer c.Close()
	method, _, _ := strings.Cut(text, " ")
	return c.AnswerTo(method)
}

func nothingOfOurs(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	hosts := []string{
		edge.HTTP, edge.HTTPS, "127.0.0.1", "localhost", "stats.example", "example", "nobody.example",
	}
	over(t, edge, func(t *testing.T, c *edgetest.Client) {
		for _, path := range []string{
			"/stats", "/metrics", "/debug/pprof/", "/debug/vars", "/healthz", "/readyz", "/api", "/;csv",
			"/;json", "/haproxy?stats;csv", "/events", "/servers", "/reload", "/version", "/server-status",
		} {
			if m := c.Send(get(path)).Answer(); m.Status != 200 || m.Body != "GET "+path {
				t.Errorf("%s of the application: %+v", path, m)
			}
			for _, host := range hosts {
				m := c.Send(to(host, "GET", path)).Answer()
				if m.Status != http.StatusMisdirectedRequest {
					t.Errorf("%s at %s: %+v", path, host, m)
				}
			}
		}
	})
	if v := edge.App.View(); len(v.Frontends) != 2 {
		t.Errorf("it listens on %+v", v.Frontends)
	}
	take(rec)
}

// spellings are requests that mean the page, or might to somebody.
func spellings() (inputs []string) {
	for _, path := range []string{
		"/", "//", "/;csv", "/;json", "/%3bcsv", "/%3Bjson", "/;x", "/x/../", "/%2e%2e/", "/./", "/..;/",
		"/%73ervers", "/servers", "/events", "/assets/", "/assets/../;json", "/assets/%2e%2e/;json",
		"/haproxy?stats;csv", "/haproxy;csv", "/?stats;json", `/\;json`, "/;JSON", "/.;json", "/?;csv",
		"//stats.example/;json", "/%2f;json", "/;csv%00", "/;csv#", "http://stats.example/;json",
	} {
		inputs = append(inputs, board(path))
	}
	for _, host := range []string{
		"STATS.example", "stats.example.", "stats.example:80", "Stats.Example:1", "stats.EXAMPLE.:443",
	} {
		inputs = append(inputs, to(host, "GET", "/;json"), to(host, "HEAD", "/"))
	}
	for _, line := range []string{
		"X-Rewrite-Url: /;json", "X-Original-Url: /assets/page.css", "X-Forwarded-For: 127.0.0.1",
		"X-Real-Ip: 127.0.0.1", "Forwarded: for=127.0.0.1;host=localhost", "X-Forwarded-User: ops",
		"Authorization: Basic", "Authorization: Basic b3Bz", "Authorization: Basic b3BzOg==",
		"Authorization: Bearer x", "Authorization: basic !", "X-Forwarded-Proto: https",
		"X-Http-Method-Override: GET", "Cookie: user=ops",
	} {
		inputs = append(inputs, board("/;json", line))
	}
	return append(inputs, to("stats.example", "OPTIONS", "/"), to("stats.example", "PUT", "/;json"),
		to("stats.example", "POST", "/servers", "Content-Length: 0"))
}

// shut sends every spelling, none of which may get anything but a refusal.
func shut(t *testing.T, edge *edgetest.Edge, inputs []string, want ...int) {
	t.Helper()
	over(t, edge, func(t *testing.T, _ *edgetest.Client) {
		for _, input := range inputs {
			c := edge.Dial(t)
			if strings.HasSuffix(t.Name(), "TLS") {
				c = edge.DialTLS(t, "stats.example")
			}
			method, _, _ := strings.Cut(input, " ")
			m := c.Send(input).AnswerTo(method)
			c.Close()
			known := strings.Contains(m.Raw, inside) || strings.Contains(m.Raw, "pxname")
			if known || m.Status != http.StatusBadRequest && !among(m.Status, want) {
				t.Errorf("%.80q: %d %.300q, want %d", input, m.Status, m.Body, want)
			}
		}
	})
}

func among(status int, want []int) bool {
	for _, w := range want {
		if status == w {
			return true
		}
	}
	return false
}

func noWayPastPassword(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, boardSite(rec, usersOnly))
	shut(t, edge, spellings(), http.StatusUnauthorized, http.StatusTooManyRequests)
	if n := rec.Accepted(); n > 0 {
		t.Errorf("%d connections were made to a server", n)
	}
	// The same at another host is another thing.
	for _, line := range []string{
		"X-Forwarded-Host: stats.example", "X-Rewrite-Url: http://stats.example/;json",
		"Forwarded: host=stats.example", "X-Host: stats.example", "X-Original-Host: stats.example",
	} {
		if m := once(t, edge.HTTP, get("/;json", line, asOps())); m.Body != "GET /;json" {
			t.Errorf("%q: %+v", line, m)
		}
	}
}

func noWayPastNetworks(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, boardSite(rec, `access = { networks = ["192.0.2.0/24"] }`))
	inputs := spellings()
	for _, line := range []string{
		"X-Forwarded-For: 192.0.2.7", "X-Real-Ip: 192.0.2.7", "Forwarded: for=192.0.2.7",
		"Client-Ip: 192.0.2.7", "True-Client-Ip: 192.0.2.7", "X-Client-Ip: 192.0.2.7",
	} {
		inputs = append(inputs, board("/;json", line))
	}
	shut(t, edge, inputs, http.StatusForbidden)
}

// pressed is the answer to a button of the page, pressed by somebody who may.
func pressed(t *testing.T, edge *edgetest.Edge, form string, lines ...string) *edgetest.Message {
	t.Helper()
	body := form + "&token=" + tokenOf(t, edge)
	lines = append(lines, asOps(), "Content-Type: application/x-www-form-urlencoded",
		fmt.Sprintf("Content-Length: %d", len(body)))
	return once(t, edge.HTTP, to("stats.example", "POST", "/servers", lines...)+body)
}

var tokenField = regexp.MustCompile(`name="token" value="([^"]+)"`)

func tokenOf(t *testing.T, edge *edgetest.Edge) string {
	t.Helper()
	m := once(t, edge.HTTP, board("/", asOps()))
	found := tokenField.FindStringSubmatch(m.Body)
	if m.Status != 200 || found == nil {
		t.Fatalf("the page has no token: %d %.500s", m.Status, m.Body)
	}
	return found[1]
}

// states are the admin states, by backend and server.
func states(edge *edgetest.Edge) string {
	text := ""
	for _, b := range edge.App.View().Backends {
		for _, s := range b.Servers {
			text += fmt.Sprintf("%s/%s %s; ", b.Name, s.Name, s.Admin)
		}
	}
	return text
}

func oneServerByName(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	c := boardSite(rec, usersOnly)
	c.Text += fmt.Sprintf("[backends.app2]\n[[backends.app2.server]]\nname = \"web\"\nurl = %[1]q\n"+
		"[[backends.app2.server]]\nname = \"app/web\"\nurl = %[1]q\n"+
		"[[backends.app2.server]]\nname = \"web2\"\nurl = %[1]q\n", rec.URL)
	edge := edgetest.Start(t, c)
	before, token := states(edge), "&token="+tokenOf(t, edge)
	for _, form := range []string{
		"backend=app&server=web2", "backend=app2&server=we", "backend=APP&server=web",
		"backend=app/web&server=", "backend=&server=app/web", "backend=app&server=app/web",
		"backend=app2/&server=web", "backend=app2%00&server=web", "backend=app2&server=web+",
		"backend=app*&server=*", "server=web", "backend=app2&server=../app/web",
	} {
		if m := posted(t, edge, form+"&state=maint"+token, asOps()); m.Status != http.StatusConflict {
			t.Errorf("%s: %d", form, m.Status)
		}
	}
	for _, state := range []string{"", "MAINT", "maint2", "down", "ready%00"} {
		m := posted(t, edge, "backend=app&server=web&state="+state+token, asOps())
		if m.Status != http.StatusBadRequest {
			t.Errorf("state %q: %d", state, m.Status)
		}
	}
	if now := states(edge); now != before {
		t.Errorf("%s, before %s", now, before)
	}
	pressed(t, edge, "backend=app2&server=app/web&state=drain")
	want := strings.Replace(before, "app2/app/web ready", "app2/app/web drain", 1)
	if now := states(edge); now != want {
		t.Errorf("%s, want %s", now, want)
	}
}

// reboundNames: a page of a stranger may let its own name point at this machine,
// but the browser still says that name.
func reboundNames(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	metrics, health := porttest.Address(t), porttest.Address(t)
	edge := edgetest.Start(t, boardSite(rec,
		fmt.Sprintf("metrics = %q\nhealth = %q", metrics, health)))
	for _, host := range []string{
		"evil.example", "evil.example:9100", "localhost.evil.example", "127.0.0.1.evil.example",
		"127.0.0.1.nip.io", "stats.example", "127.0.0.1@evil.example", "localhost.", "[evil]", "0x7f000001",
	} {
		for _, path := range []string{"/metrics", "/healthz", "/readyz", "/"} {
			for _, address := range []string{metrics, health} {
				m := once(t, address, to(host, "GET", path))
				if m.Status != http.StatusForbidden && m.Status != http.StatusBadRequest {
					t.Errorf("%s at %s: %d %.100s", path, host, m.Status, m.Body)
				}
			}
		}
		if m := once(t, edge.HTTP, to(host, "GET", "/;json")); host != "stats.example" &&
			(m.Status == 200 || strings.Contains(m.Raw, inside)) {
			t.Errorf("the page at %s: %+v", host, m)
		}
	}
	for _, host := range []string{metrics, "127.0.0.1", "localhost", "LOCALHOST:1", "[::1]", "[::1]:9100"} {
		if m := once(t, metrics, to(host, "GET", "/metrics")); m.Status != 200 {
			t.Errorf("metrics at %s: %d", host, m.Status)
		}
	}
	// A balancer's own check may be too old for a host; browsers are not.
	c := edgetest.Dial(t, health).Send("GET /readyz HTTP/1.0⏎⏎")
	b := make([]byte, 12)
	if _, err := c.Rest().Read(b); err != nil || string(b) != "HTTP/1.0 200" {
		t.Errorf("without a host: %q, %v", b, err)
	}
}

func requestsMakeNoMetrics(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	address := porttest.Address(t)
	site := boardSite(rec, fmt.Sprintf("metrics = %q", address), `
		[rate_limits.all]
		requests = 1000000
		per = "1h"
		[limits]
		rate_limits = ["all"]
		[backends.app.stick]
		on = "header:X-Flood"
	`)
	site.Listen = `trusted_proxies = ["127.0.0.1"]`
	edge := edgetest.Start(t, site)
	c := edge.Dial(t)
	flood := func(from int) {
		for i := range 60 {
			n := from + i
			text := request(fmt.Sprintf("GET /fl00d%d?fl00d=%d HTTP/1.1", n, n), "Host: app.example",
				fmt.Sprintf("X-Flood: fl00d%d", n), fmt.Sprintf("User-Agent: fl00d%d", n),
				fmt.Sprintf("X-Forwarded-For: 10.0.%d.%d", n>>8, n&255)) +
				to(fmt.Sprintf("fl00d%d.example", n), "GET", "/") +
				request(fmt.Sprintf("FL00D%d / HTTP/1.1", n), "Host: app.example") +
				request(fmt.Sprintf("FL00D%d / HTTP/1.1", n), "Host: methods.example")
			c.Send(text)
			for range 4 {
				c.Answer()
			}
		}
	}
	flood(0)
	before := seriesOf(t, address)
	flood(60)
	after := seriesOf(t, address)
	if len(after) != len(before) {
		t.Errorf("%d series, before the flood %d", len(after), len(before))
	}
	for name := range after {
		if !before[name] || strings.Contains(strings.ToLower(name), "fl00d") {
			t.Errorf("a request made %s", name)
		}
	}
	take(rec)
}

// seriesOf are the metrics with their labels, without values.
func seriesOf(t *testing.T, address string) map[string]bool {
	t.Helper()
	series := map[string]bool{}
	m := once(t, address, to(address, "GET", "/metrics"))
	for line := range strings.Lines(m.Body) {
		if i := strings.LastIndexByte(line, ' '); line[0] != '#' && i > 0 {
			series[line[:i]] = true
		}
	}
	if len(series) < 50 {
		t.Fatalf("%d series: %.500s", len(series), m.Body)
	}
	return series
}

func healthTellsOnlyWhether(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	metrics, health := porttest.Address(t), porttest.Address(t)
	edgetest.Start(t, boardSite(rec, fmt.Sprintf("metrics = %q\nhealth = %q", metrics, health)))
	for _, address := range []string{metrics, health} {
		for _, path := range []string{"/healthz", "/readyz", "/readyz?verbose=1", "/healthz?full"} {
			m := once(t, address, to(address, "GET", path, "Accept: application/json"))
			if m.Status != 200 || m.Body != "ok\n" {
				t.Errorf("%s: %+v", path, m)
			}
			for _, f := range m.Fields {
				switch f.Name {
				case "Date", "Content-Length", "Content-Type", "Cache-Control", "X-Content-Type-Options":
				default:
					t.Errorf("%s: %s: %s", path, f.Name, f.Value)
				}
			}
		}
		for _, path := range []string{
			"/", "/healthz/", "/healthz/app", "/readyz/app", "/debug/pprof/", "/debug/vars", "/;json",
			"/servers", "/reload", "/version",
		} {
			if m := once(t, address, to(address, "GET", path)); m.Status != 404 {
				t.Errorf("%s at %s: %+v", path, address, m)
			}
		}
		m := once(t, address, to(address, "POST", "/readyz", "Content-Length: 0"))
		if m.Status != http.StatusMethodNotAllowed {
			t.Errorf("POST: %+v", m)
		}
	}
	if m := once(t, health, to(health, "GET", "/metrics")); m.Status != 404 {
		t.Errorf("/metrics beside /healthz: %+v", m)
	}
}

// version is what would tell which release answers.
var version = regexp.MustCompile(`(?i)go1\.|doorward[/ ]v?[0-9(]|\r\n(server|x-powered-by|via):`)

func noVersions(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Answers(
		"HTTP/1.1 200 OK⏎Server: Apache/2.4⏎X-Powered-By: PHP/5⏎Content-Length: 0⏎⏎", "", "junk⏎⏎"))
	c := boardSite(rec, usersOnly, "[backends.none]\nservers = [\"http://127.0.0.1:1\"]\nretries = 0\n"+
		"[[route]]\nhosts = [\"none.example\"]\nbackend = \"none\"")
	edge := edgetest.Start(t, c)
	statuses := map[int]bool{}
	for _, text := range []string{
		get("/"), get("/"), get("/"), board("/"), to("closed.example", "GET", "/"), "x⏎⏎",
		to("nobody.example", "GET", "/"), to("none.example", "GET", "/"), to("moved.example", "GET", "/"),
		to("methods.example", "PUT", "/"), to("app.example", "OPTIONS", "*"),
		to("small.example", "POST", "/", "Content-Length: 99999"),
	} {
		m := once(t, edge.HTTP, text)
		statuses[m.Status] = true
		if version.MatchString(m.Raw) || strings.Contains(m.Raw, inside) {
			t.Errorf("%.60q: %q", text, m.Raw)
		}
	}
	for _, want := range []int{200, 204, 308, 400, 401, 403, 404, 413, 421, 502, 503} {
		if !statuses[want] {
			t.Errorf("no answer had status %d: %v", want, statuses)
		}
	}
}

// buttonIsLogged: who did what to which server is one line, and one in the figures.
func buttonIsLogged(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, boardSite(rec, usersOnly))
	if m := pressed(t, edge, "backend=app&server=web&state=drain"); m.Status != 303 {
		t.Fatalf("%+v", m)
	}
	pressed(t, edge, "backend=app&server=nobody&state=drain")
	edge.Stop()
	events := 0
	for line := range strings.Lines(edge.Log()) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if e["msg"] == "server administered" {
			events++
			if e["backend"] != "app" || e["server"] != "web" || e["state"] != "drain" || e["by"] != "ops" {
				t.Errorf("%s", line)
			}
		}
	}
	if events != 1 {
		t.Errorf("%d events:\n%s", events, edge.Log())
	}
}
