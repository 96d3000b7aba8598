package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"doorward/app"
)

// steered is an edge with a control socket, and a client of it.
type steered struct {
	*edge
	app.Client
	ctx context.Context
}

// steer starts an edge with three servers in the backend app, of which web1 and
// web2 answer and gone does not, and further lines.
func steer(t *testing.T, more string) steered {
	t.Helper()
	socket := filepath.Join(shortDir(t), "sock")
	return steered{start(t, steeredSite(t, socket, more)), app.Client{Socket: socket}, t.Context()}
}

func steeredSite(t *testing.T, socket, more string) string {
	t.Helper()
	return strings.Replace(steeredServers(server(t, "web1"), server(t, "web2"), more),
		`control = ""`, fmt.Sprintf("control = %q", socket), 1)
}

func steeredServers(web1, web2, more string) string {
	config, _, _ := strings.Cut(site("", ""), "servers = ")
	for _, s := range [][2]string{{"web1", web1}, {"web2", web2}, {"gone", "http://127.0.0.1:1"}} {
		config += fmt.Sprintf("[[backends.app.server]]\nname = %q\nurl = %q\n", s[0], s[1])
	}
	return config + more
}

// ask sends a request by hand, as curl would.
func (s steered) ask(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", s.Socket)
		},
	}
	r, err := http.NewRequest(method, "http://control"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// server is the status of a server of the backend app.
func (s steered) server(t *testing.T, name string) app.ServerStatus {
	t.Helper()
	list, err := s.Servers(s.ctx, "app")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range list.Backends[0].Servers {
		if one.Name == name {
			return one
		}
	}
	t.Fatalf("no server %s in %+v", name, list)
	return app.ServerStatus{}
}

// asker is who this test is to the control socket.
func asker(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username + " via control socket"
}

func web(name string) app.ServerName { return app.ServerName{Backend: "app", Server: name} }

func TestServersTellWhatIsKnownOfThem(t *testing.T) {
	s := steer(t, "[backends.app.check]\ninterval = \"100ms\"\n")
	dial(t, s.plain()).get("web1")
	eventually(t, "the server that does not answer is down", func() bool {
		return s.server(t, "gone").Status == "DOWN"
	})
	up, down := s.server(t, "web1"), s.server(t, "gone")
	if up.Status != "UP" || !up.Usable || up.Check.Status != "L7OK" || up.Check.Code != 200 ||
		up.Check.Took <= 0 || up.Requests != 1 || up.Errors != 0 || up.Since.IsZero() {
		t.Errorf("the one that is up: %+v, check %+v", up, up.Check)
	}
	if down.Usable || down.Check.Status != "L4CON" || down.Check.Downs != 1 ||
		!strings.Contains(down.Check.Description, "refused") {
		t.Errorf("the one that is down: %+v, check %+v", down, down.Check)
	}
}

// TestServersInJSON holds the keys: programs rely on them.
func TestServersInJSON(t *testing.T) {
	s := steer(t, `[backends.app.check]
initial = "fully-up"
[backends.idle]
description = "Nobody comes here"
server = [{ name = "a", url = "http://127.0.0.1:1", weight = 0, backup = true, check = false }]
`)
	if err := s.SetAdmin("app", "web2", "maint", "ops"); err != nil {
		t.Fatal(err)
	}
	_, text := s.ask(t, "GET", "/servers", "")
	var got any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	backends := shape(got).(map[string]any)["backends"].([]any)
	check := `{"at":"","code":0,"description":"","downs_total":0,"duration_seconds":0,` +
		`"failures_total":0,"status":""}`
	server := `{"active":0,"active_limit":0,"address":"","admin":"","admin_at":"","admin_by":"",` +
		`"backup":false,"check":` + check + `,"errors_total":0,"name":"","queue_limit":0,` +
		`"queued":0,"requests_total":0,"since":"","slow_start_percent":0,"status":"","up":true,` +
		`"usable":false,"weight":0,"weight_configured":0}`
	backend := `{"algorithm":"","name":"","queue_limit":0,"queued":0,"servers":0,"status":""}`
	servers := backends[0].(map[string]any)["servers"].([]any)
	web2 := servers[1].(map[string]any)
	if web2["check"].(map[string]any)["code"] == nil {
		web2["check"].(map[string]any)["code"] = 0.0 // maintenance came before the first check
		web2["check"].(map[string]any)["at"] = ""
	}
	wantJSON(t, "a server", servers[1], server)
	for _, b := range backends {
		b.(map[string]any)["servers"] = 0
	}
	wantJSON(t, "a backend", backends[0], backend)
	idle := strings.Replace(backend, `"name"`, `"description":"","name"`, 1)
	wantJSON(t, "a backend with a description", backends[1], idle)
}

// shape empties texts and numbers.
func shape(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key := range v {
			v[key] = shape(v[key])
		}
	case []any:
		for i := range v {
			v[i] = shape(v[i])
		}
	case string:
		return ""
	case float64:
		return 0.0
	}
	return value
}

func wantJSON(t *testing.T, what string, got any, want string) {
	t.Helper()
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != want {
		t.Errorf("%s is\n%s, want\n%s", what, text, want)
	}
}

func TestServerStateIsInForceAndSaysWhoAsked(t *testing.T) {
	s := steer(t, "")
	began := time.Now().Truncate(time.Second)
	now, err := s.SetState(s.ctx, web("web1"), "drain")
	if err != nil || now.Status != "DRAIN" || now.Usable || now.AdminBy != asker(t) ||
		now.AdminAt.Before(began) || !now.Since.Equal(now.AdminAt) {
		t.Errorf("drained: %+v, %v", now, err)
	}
	if _, err := s.SetState(s.ctx, web("gone"), "maint"); err != nil {
		t.Error(err)
	}
	for range 4 {
		dial(t, s.plain()).get("web2")
	}
	old, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.mustReload(string(old) + "[timeouts]\nclient = \"7s\"\n")
	if got := s.server(t, "gone").Status; got != "MAINT" {
		t.Errorf("after a reload the server is %s", got)
	}
	if now, err = s.SetState(s.ctx, web("web1"), "ready"); err != nil || !now.Usable {
		t.Errorf("ready: %+v, %v", now, err)
	}
	lines := s.lines("server administered")
	if len(lines) != 3 || lines[0]["by"] != asker(t) || lines[0]["state"] != "drain" {
		t.Errorf("the log has %v", lines)
	}
}

func TestServerStateOutlivesTheProcess(t *testing.T) {
	socket := filepath.Join(shortDir(t), "sock")
	e := newEdge(t, steeredSite(t, socket, fmt.Sprintf("[state]\nurl = \"file:%s\"\n", t.TempDir())))
	s := steered{e, app.Client{Socket: socket}, t.Context()}
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetState(s.ctx, web("web1"), "drain"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetWeight(s.ctx, web("web2"), 7); err != nil {
		t.Fatal(err)
	}
	if err := <-e.stop(patience); err != nil {
		t.Fatal(err)
	}
	again, err := app.New(e.options)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Stop(s.ctx) }()
	if got := s.server(t, "web1"); got.Status != "DRAIN" || got.AdminBy != asker(t) {
		t.Errorf("after a restart: %+v", got)
	}
	if got := s.server(t, "web2"); got.Weight != 7 || got.ConfiguredWeight != 1 {
		t.Errorf("after a restart: %+v", got)
	}
}

func TestServerWeight(t *testing.T) {
	s := steer(t, "")
	for _, test := range []struct{ set, want int }{
		{256, 256}, {0, 0}, {50, 50}, {app.DefaultWeight, 1},
	} {
		now, err := s.SetWeight(s.ctx, web("web1"), test.set)
		if err != nil || now.Weight != test.want || now.ConfiguredWeight != 1 {
			t.Errorf("weight %d: %+v, %v", test.set, now, err)
		}
	}
	if _, err := s.SetWeight(s.ctx, web("web1"), 257); err == nil {
		t.Error("weight 257 is accepted")
	}
}

// Names may hold whatever can be printed.
func TestNamesAreEscapedInPaths(t *testing.T) {
	names := []string{
		"a/b", "..", ".", "%2F", "a?b#c", "state", "//", "a+b&c=d", "<b>", ";", "a\\b",
	}
	config := "[backends.\"odd.one:1\"]\n"
	for i, name := range names {
		config += fmt.Sprintf("[[backends.\"odd.one:1\".server]]\nname = '%s'\n"+
			"url = \"http://127.0.0.%d:1\"\n", name, i+1)
	}
	s := steer(t, config)
	for i, name := range names {
		server := app.ServerName{Backend: "odd.one:1", Server: name}
		if now, err := s.SetState(s.ctx, server, "drain"); err != nil || now.Name != name {
			t.Errorf("%q: %+v, %v", name, now, err)
		}
		list, err := s.Servers(s.ctx, "odd.one:1")
		if err != nil {
			t.Fatal(err)
		}
		for j, one := range list.Backends[0].Servers {
			if drained := one.Admin == "drain"; drained != (j <= i) {
				t.Errorf("after %q, %q is %s", name, one.Name, one.Admin)
			}
		}
	}
	if _, err := s.Probe(s.ctx, "odd.one:1"); err != nil {
		t.Errorf("Probe: %v", err)
	}
}

func TestWhatIsAskedWronglyIsRefused(t *testing.T) {
	s := steer(t, "[backends.app.stick]\n[backends.plain]\nservers = [\"http://127.0.0.1:1\"]\n")
	for name, test := range map[string]struct {
		ask    string // method, path and body
		status int
		want   string
	}{
		"a backend":         {"GET /servers?backend=ap", 404, `(did you mean "app"?)`},
		"a query":           {"GET /servers?bakend=app", 400, `the query has "bakend"`},
		"a query twice":     {"GET /servers?backend=app&backend=app", 400, "twice"},
		"a broken query":    {"GET /servers?backend=%zz", 400, "the query"},
		"a server":          {`POST /servers/app/web3/state {"state":"drain"}`, 404, `did you mean "web`},
		"its backend":       {`POST /servers/foo/web1/state {"state":"drain"}`, 404, "no such backend"},
		"a state":           {`POST /servers/app/web1/state {"state":"off"}`, 400, "none of ready"},
		"no state":          {`POST /servers/app/web1/state {}`, 400, "none of ready"},
		"no body":           {`POST /servers/app/web1/state`, 400, "the body"},
		"no JSON":           {`POST /servers/app/web1/state state=drain`, 400, "the body"},
		"a key":             {`POST /servers/app/web1/state {"state":"drain","by":"me"}`, 400, "by"},
		"two values":        {`POST /servers/app/web1/state {"state":"drain"}{}`, 400, "the body"},
		"a method":          {`PUT /servers/app/web1/state {"state":"drain"}`, 405, ""},
		"a weight":          {`POST /servers/app/web1/weight {"weight":257}`, 400, "0 to 256"},
		"a negative weight": {`POST /servers/app/web1/weight {"weight":-1}`, 400, "0 to 256"},
		"a weight in words": {`POST /servers/app/web1/weight {"weight":"much"}`, 400, "0 to 256"},
		"half a weight":     {`POST /servers/app/web1/weight {"weight":0.5}`, 400, "0 to 256"},
		"no weight":         {`POST /servers/app/web1/weight {"weight":null}`, 400, "no weight"},
		"sticks of nobody":  {"GET /sticks/foo", 404, "no such backend"},
		"sticks without":    {"GET /sticks/plain", 404, "no stick table"},
		"a limit":           {"GET /sticks/app?limit=0", 400, "a number from 1"},
		"a high limit":      {"GET /connections?limit=100001", 400, "a number from 1"},
		"clear what":        {"DELETE /sticks/app", 400, "say what to clear"},
		"clear two":         {"DELETE /sticks/app?all=true&key=a", 400, "say what to clear"},
		"clear perhaps":     {"DELETE /sticks/app?all=false", 400, "say what to clear"},
		"clear mistyped":    {"DELETE /sticks/app?all=true&sever=web1", 400, `"sever"`},
		"probe":             {"POST /backends/foo/probe", 404, "no such backend"},
		"another path":      {"GET /etc/passwd", 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			method, rest, _ := strings.Cut(test.ask, " ")
			path, body, _ := strings.Cut(rest, " ")
			status, text := s.ask(t, method, path, body)
			var refused struct{ Error string }
			_ = json.Unmarshal([]byte(text), &refused)
			if status != test.status || !strings.Contains(refused.Error, test.want) {
				t.Errorf("%s: %d %s; want %d, %q", test.ask, status, text, test.status, test.want)
			}
		})
	}
	for _, name := range []string{"web1", "web2"} {
		if got := s.server(t, name); got.Admin != "ready" || got.Weight != 1 {
			t.Errorf("something was changed: %+v", got)
		}
	}
}

func TestServersAreChosenAllOrNone(t *testing.T) {
	list := app.Servers{Backends: []app.BackendStatus{
		{Name: "app", Servers: []app.ServerStatus{{Name: "web1"}, {Name: "web2"}, {Name: "a/b"}}},
		{Name: "api", Servers: []app.ServerStatus{{Name: "10.0.0.1:80"}}},
	}}
	for words, want := range map[string]string{
		"app/web1":              "app/web1",
		"app/web2 app/web1":     "app/web2 app/web1",
		"app/web2 app/*":        "app/web2 app/web1 app/a/b",
		"app/a/b":               "app/a/b",
		"api/* app/web1":        "api/10.0.0.1:80 app/web1",
		"app/web1 app/web9":     `no such server: "web9" in backend "app" (did you mean "web1"?)`,
		"app/web1 ap/web1":      `no such backend: "ap" (did you mean "app"?)`,
		"web1":                  `"web1" has no backend before it (did you mean "app/web1"?)`,
		"app":                   `"app" is a backend: name one of its servers, or "app/*" for all`,
		"nobody":                `"nobody" names no server: write BACKEND/SERVER`,
		"app/":                  `no such server: "" in backend "app"`,
		"api/10.0.0.2:80":       `(did you mean "10.0.0.1:80"?)`,
		"app/completelyunknown": `no such server: "completelyunknown" in backend "app"`,
	} {
		chosen, err := list.Choose(strings.Fields(words))
		if err != nil {
			if !strings.Contains(err.Error(), want) || chosen != nil {
				t.Errorf("%s: %v, %v; want %q", words, chosen, err, want)
			}
			continue
		}
		if got := strings.Trim(fmt.Sprint(chosen), "[]"); got != want {
			t.Errorf("%s: %s, want %s", words, got, want)
		}
	}
}

func TestServersOfOneBackend(t *testing.T) {
	s := steer(t, "[backends.other]\nservers = [\"http://127.0.0.1:1\"]\n")
	names := func(backendName string) (names []string) {
		list, err := s.Servers(s.ctx, backendName)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range list.Backends {
			names = append(names, b.Name)
		}
		return names
	}
	if got, want := names(""), []string{"app", "other"}; !slices.Equal(got, want) {
		t.Errorf("all: %q, want %q", got, want)
	}
	if got, want := names("other"), []string{"other"}; !reflect.DeepEqual(got, want) {
		t.Errorf("one: %q, want %q", got, want)
	}
}
