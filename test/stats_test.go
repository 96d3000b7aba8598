package test_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"doorward/internal/edgetest"
	"doorward/internal/porttest"
)

// seen is a backend with the page of the statistics and further keys of it.
func seen(keys, backend string, actors ...*actor) edgetest.Config {
	c := cast(backend, actors...)
	c.Text = "[stats]\nhost = \"stats.example\"\n" + keys + "\n" + c.Text
	return c
}

// A button of the page, pressed through the edge, moves requests, and everybody
// who looks sees it.
func TestButtonsSteerRequests(t *testing.T) {
	all, metrics := newActors(t, "", ""), porttest.Address(t)
	edge := edgetest.Start(t, seen(usersOnly+"\nmetrics = \""+metrics+"\"", "", all...))
	page := func(path string) string { return once(t, edge.HTTP, board(path, asOps())).Body }
	for _, c := range []struct {
		state, status, usable string
		tour                  map[string]int
	}{
		{"ready", "no check", "2", map[string]int{"s1": 5, "s2": 5}},
		{"drain", "DRAIN", "1", map[string]int{"s2": 10}},
		{"maint", "MAINT", "1", map[string]int{"s2": 10}},
		{"ready", "no check", "2", map[string]int{"s1": 5, "s2": 5}},
	} {
		before := all[0].served.Load()
		m := pressed(t, edge, "backend=app&server=s1&state="+c.state, "Origin: http://stats.example")
		if m.Status != http.StatusSeeOther || m.Get("Location") != "/" {
			t.Fatalf("%s: %+v", c.state, m)
		}
		wantTour(t, edge, c.tour)
		if got := all[0].served.Load() - before; got != int64(c.tour["s1"]) {
			t.Errorf("%s: s1 got %d new requests, want %d", c.state, got, c.tour["s1"])
		}
		if s := row(t, edge, "s1"); s.Admin != c.state || s.AdminBy != "ops" || s.AdminAt.IsZero() {
			t.Errorf("%s: the server is %+v", c.state, s)
		}
		if text := page("/"); !strings.Contains(text, ">"+c.status+"<") {
			t.Errorf("%s: the page does not say %s", c.state, c.status)
		}
		if text := page("/;csv"); !strings.Contains(text, ","+c.status+",") ||
			!strings.Contains(text, c.state+",ops,") {
			t.Errorf("%s: the CSV has\n%s", c.state, text)
		}
		var picture struct {
			Backends []struct {
				Servers []struct {
					Status, Admin string
					AdminBy       string `json:"admin_by"`
				}
			}
		}
		if err := json.Unmarshal([]byte(page("/;json")), &picture); err != nil {
			t.Fatal(err)
		}
		if s := picture.Backends[0].Servers[0]; s.Status != c.status || s.Admin != c.state || s.AdminBy != "ops" {
			t.Errorf("%s: the JSON has %+v", c.state, s)
		}
		series := `doorward_server_admin_state{backend="app",server="s1",state="` + c.state + `"}`
		if m := metricsOf(t, metrics); m[series] != "1" ||
			m[`doorward_backend_servers_usable{backend="app"}`] != c.usable {
			t.Errorf("%s: %s is %q, usable %q", c.state, series, m[series],
				m[`doorward_backend_servers_usable{backend="app"}`])
		}
	}
}

// Without users the page is for this machine, with users for whoever knows a
// password; networks narrow it down.
func TestWhoSeesTheStatistics(t *testing.T) {
	config := func(keys string) edgetest.Config {
		c := seen(keys, "servers = [\"http://127.0.0.1:1\"]")
		c.Listen = `proxy_protocol = ["127.0.0.0/8"]`
		return c
	}
	edge := edgetest.Start(t, config(""))
	for _, c := range []struct {
		keys, client string
		status       int // without a password
		ops          int // with one
	}{
		{"", "127.0.0.1", 200, 200}, {"", "::1", 200, 200}, {"", "192.0.2.1", 403, 403},
		{"", "2001:db8::1", 403, 403}, {"", "10.0.0.1", 403, 403},
		{usersOnly, "127.0.0.1", 401, 200}, {usersOnly, "192.0.2.1", 401, 200},
		{usersOnly + "\naccess = { networks = [\"192.0.2.0/24\"] }", "192.0.2.1", 401, 200},
		{usersOnly + "\naccess = { networks = [\"192.0.2.0/24\"] }", "127.0.0.1", 403, 403},
		{"access = { networks = [\"192.0.2.0/24\"] }", "192.0.2.1", 200, 200},
		{"access = { networks = [\"192.0.2.0/24\"] }", "127.0.0.1", 403, 403},
	} {
		if err := edge.Reload(config(c.keys)); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/", "/;csv", "/;json", "/haproxy?stats;csv"} {
			proxied := from(c.client).proxied
			for field, want := range map[string]int{"X-Any: thing": c.status, asOps(): c.ops} {
				m := once(t, edge.HTTP, proxied+board(path, field))
				if m.Status != want || (want == 401) != (m.Get("WWW-Authenticate") != "") ||
					(want == 200) != strings.Contains(m.Body, "app") {
					t.Errorf("%q: %s of %s with %q: %d, want %d", c.keys, path, c.client, field, m.Status, want)
				}
			}
		}
	}
}

// The page stays live while the configuration changes under it.
func TestEventsGoOnOverReloads(t *testing.T) {
	all := newActors(t, "", "")
	edge := edgetest.Start(t, seen("", watched, all...))
	events := stream(t, edge)
	tells := func(text string) {
		t.Helper()
		for {
			line, err := events.ReadString('\n')
			if err != nil {
				t.Fatalf("the stream ends without %q: %v", text, err)
			}
			if strings.HasPrefix(line, "data: ") && strings.Contains(line, text) {
				return
			}
		}
	}
	tells("s1")
	administer(t, edge, "s1", "drain", "ops")
	tells("DRAIN")
	if err := edge.Reload(seen("", "retries = 1\n"+watched, all...)); err != nil {
		t.Fatal(err)
	}
	administer(t, edge, "s2", "maint", "ops")
	tells("MAINT")
	if err := edge.Reload(seen("", "retries = 1\n"+watched, all[0])); err != nil {
		t.Fatal(err)
	}
	tells("") // of fewer servers than it began with
}

// A balancer in front hears that the instance leaves while it still serves, and
// nothing listens once it has stopped.
func TestReadyFailsFirst(t *testing.T) {
	a := newActors(t, "")[0]
	metrics, health := porttest.Address(t), porttest.Address(t)
	c := seen(fmt.Sprintf("metrics = %q\nhealth = %q", metrics, health), "", a)
	c.Text += "[timeouts]\ndrain_delay = \"1m\"\n"
	edge := edgetest.Start(t, c)
	says := func(address, path string) int {
		return once(t, address, to(address, "GET", path, "Connection: close")).Status
	}
	for _, address := range []string{metrics, health} {
		if says(address, "/healthz") != 200 || says(address, "/readyz") != 200 {
			t.Errorf("%s is not well at first", address)
		}
	}
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	stopped := make(chan error, 1)
	go func() { stopped <- edge.App.Stop(ctx) }()
	wait(t, "readyz fails", func() bool { return says(health, "/readyz") == 503 })
	if says(metrics, "/readyz") != 503 || says(metrics, "/healthz") != 200 || says(metrics, "/metrics") != 200 {
		t.Error("the other address says something else")
	}
	over(t, edge, func(t *testing.T, c *edgetest.Client) { // new connections
		for range 2 {
			if m := c.Send(get("/")).Answer(); m.Status != 200 || m.Body != "s1 /" || m.Get("Connection") != "" {
				t.Errorf("while it is about to leave: %+v", m)
			}
		}
		c.Close()
	})
	if m := once(t, edge.HTTP, board("/;json")); !strings.Contains(m.Body, `"draining":true`) {
		t.Error("the statistics do not say that it leaves")
	}
	if got := metricsOf(t, metrics)["doorward_draining"]; got != "1" {
		t.Errorf("doorward_draining is %q", got)
	}
	leave() // the delay is over
	<-stopped
	for _, address := range []string{metrics, health, edge.HTTP, edge.HTTPS} {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			t.Errorf("%s still listens", address)
		}
	}
}

// Addresses beside the traffic come and go with the configuration, as long as they
// can be had.
func TestSideAddressesOverReloads(t *testing.T) {
	a := newActors(t, "")[0]
	first, second := porttest.Address(t), porttest.Address(t)
	edge := edgetest.Start(t, seen("metrics = \""+first+"\"", "", a))
	asks := func(address, path string) bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		defer conn.Close()
		_, _ = conn.Write([]byte(edgetest.Bytes(to(address, "GET", path, "Connection: close"))))
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		return err == nil && r.StatusCode == 200
	}
	if !asks(first, "/metrics") || !asks(first, "/readyz") {
		t.Error("no metrics at first")
	}
	if err := edge.Reload(seen("metrics = \""+second+"\"\nhealth = \""+first+"\"", "", a)); err != nil {
		t.Fatal(err)
	}
	if !asks(second, "/metrics") || !asks(first, "/readyz") || asks(first, "/metrics") {
		t.Error("the addresses do not say what the new configuration says")
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if err := edge.Reload(seen("metrics = \""+taken.Addr().String()+"\"", "", a)); err == nil {
		t.Error("an address that is taken is accepted")
	}
	if !asks(second, "/metrics") || !asks(first, "/readyz") {
		t.Error("a refused reload took an address away")
	}
	if err := edge.Reload(cast("", a)); err != nil {
		t.Fatal(err)
	}
	wait(t, "both are gone", func() bool { return !asks(first, "/readyz") && !asks(second, "/metrics") })
	if m := once(t, edge.HTTP, board("/")); m.Status != http.StatusMisdirectedRequest {
		t.Errorf("without a page its host gives %+v", m)
	}
}
