package test_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"doorward/app"
	"doorward/internal/edgetest"
	"doorward/stats"
)

// administer sets the state of a server of the backend app.
func administer(t *testing.T, edge *edgetest.Edge, server, state, by string) {
	t.Helper()
	if err := edge.App.SetAdmin("app", server, state, by); err != nil {
		t.Fatal(err)
	}
}

// cookies are keys of a backend with a persistence cookie.
const cookies = `
	[backends.app.cookie]
	name = "SRV"
	`

// bound finds a client for each server: the Cookie line that leads there.
func bound(t *testing.T, edge *edgetest.Edge) map[string]string {
	t.Helper()
	lines := map[string]string{}
	for range 10 {
		m := fetch(t, edge, "/")
		value, _, _ := strings.Cut(m.Get("Set-Cookie"), ";")
		lines[m.Get("X-Server")] = "Cookie: " + value
	}
	return lines
}

// A server that drains gets no new client and keeps those it has; one in
// maintenance gets nobody.
func TestDrainAndMaintenance(t *testing.T) {
	all := newActors(t, "", "")
	edge := edgetest.Start(t, cast(cookies+watched, all...))
	client := bound(t, edge)
	if len(client) != 2 {
		t.Fatalf("clients %v, want one for each server", client)
	}
	administer(t, edge, "s1", "drain", "ops")
	wantTour(t, edge, map[string]int{"s2": 10})
	if got := tour(t, edge, 10, client["s1"]); got["s1"] != 10 {
		t.Errorf("the client of a server that drains meets %v", got)
	}
	administer(t, edge, "s1", "maint", "ops")
	if got := tour(t, edge, 10, client["s1"]); got["s2"] != 10 {
		t.Errorf("the client of a server in maintenance meets %v", got)
	}
	wantTour(t, edge, map[string]int{"s2": 10})
	// Maintenance is not checked, whatever happens to the server meanwhile.
	all[0].ails(status(500))
	all[1].ails(status(500))
	goes(t, edge, "s2", false)
	if s := row(t, edge, "s1"); !s.Health.Up || s.Admin != "maint" || s.AdminBy != "ops" ||
		time.Since(s.AdminAt) > time.Minute {
		t.Errorf("server %+v", s)
	}
	// Back from it the server begins afresh, and is checked at once.
	administer(t, edge, "s1", "ready", "ops")
	goes(t, edge, "s1", false)
	wantTour(t, edge, map[string]int{"503": 3})
	all[0].heals()
	goes(t, edge, "s1", true)
	wantTour(t, edge, map[string]int{"s1": 10})
}

// What is under way at a server is finished, whatever people decide about it.
func TestRequestsUnderWayAtServersInMaintenance(t *testing.T) {
	all := newActors(t, "", "max_connections = 1")
	all[0].keys = "max_connections = 1"
	edge := edgetest.Start(t, cast(cookies, all...))
	client := bound(t, edge)
	release := all[0].hold()
	held := edge.Dial(t).Send(get("/held", client["s1"]))
	wait(t, "the request is there", func() bool { return all[0].now.Load() == 1 })
	// Who waits for it in vain goes to another.
	waits := edge.Dial(t).Send(get("/waits", client["s1"]))
	wait(t, "one waits", func() bool { return row(t, edge, "s1").Queued == 1 })
	administer(t, edge, "s1", "maint", "ops")
	if m := waits.Answer(); m.Body != "s2 /waits" {
		t.Errorf("who waited got %+v", m)
	}
	release()
	if m := held.Answer(); m.Body != "s1 /held" {
		t.Errorf("who was there got %+v", m)
	}
	wantTour(t, edge, map[string]int{"s2": 3})
}

// A backend whose servers are all in maintenance says so, in its own words.
func TestMaintenancePage(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "page.html")
	if err := os.WriteFile(page, []byte("<p>We are painting.</p>"), 0o600); err != nil {
		t.Fatal(err)
	}
	all := newActors(t, "", "backup = true")
	edge := edgetest.Start(t, cast("", all...))
	for keys, text := range map[string]string{
		"": "Back soon", fmt.Sprintf("maintenance_page = %q", page): "We are painting.",
	} {
		if err := edge.Reload(cast(keys, all...)); err != nil {
			t.Fatal(err)
		}
		administer(t, edge, "s1", "maint", "ops")
		wantTour(t, edge, map[string]int{"s2": 3})
		administer(t, edge, "s2", "maint", "ops")
		over(t, edge, func(t *testing.T, c *edgetest.Client) {
			for range 2 {
				m := c.Send(get("/any")).Answer()
				if m.Status != http.StatusServiceUnavailable || m.Get("Retry-After") == "" ||
					!strings.Contains(m.Body, text) || m.Get("Connection") != "" ||
					!strings.HasPrefix(m.Get("Content-Type"), "text/html") ||
					!strings.Contains(m.Get("Cache-Control"), "no-store") {
					t.Errorf("answer %+v, want %q", m, text)
				}
			}
		})
		// In part drained is not in maintenance: the page is not for that.
		administer(t, edge, "s2", "drain", "ops")
		if m := fetch(t, edge, "/"); m.Status != 503 || strings.Contains(m.Body, text) {
			t.Errorf("with a server that drains: %+v", m)
		}
		administer(t, edge, "s1", "ready", "ops")
		wantTour(t, edge, map[string]int{"s1": 3})
		administer(t, edge, "s2", "ready", "ops")
	}
}

// What people decided outlives reloads, another address of the server, and the
// process.
func TestDecisionsLast(t *testing.T) {
	all := newActors(t, "", "", "weight = 3", "")
	folder := filepath.Join(t.TempDir(), "state")
	c := cast("", all[:3]...)
	kept := fmt.Sprintf("[state]\nurl = \"file:%s\"\n", folder)
	c.Text = kept + c.Text
	edge := edgetest.Start(t, c)
	administer(t, edge, "s1", "drain", "ops")
	administer(t, edge, "s2", "maint", "the night shift")
	if err := edge.App.SetWeight("app", "s3", 200, "ops"); err != nil {
		t.Fatal(err)
	}
	var want []stats.Server
	for _, a := range all[:3] {
		want = append(want, row(t, edge, a.name))
	}
	same := func(t *testing.T, edge *edgetest.Edge) {
		t.Helper()
		for _, w := range want {
			s := row(t, edge, w.Name)
			if s.Admin != w.Admin || s.AdminBy != w.AdminBy || !s.AdminAt.Equal(w.AdminAt) ||
				s.Weight != w.Weight || s.ConfiguredWeight != w.ConfiguredWeight {
				t.Errorf("%s is %s by %q at %v with weight %d, was %s by %q at %v with weight %d", w.Name,
					s.Admin, s.AdminBy, s.AdminAt, s.Weight, w.Admin, w.AdminBy, w.AdminAt, w.Weight)
			}
		}
		wantTour(t, edge, map[string]int{"s3": 10})
	}
	same(t, edge)
	if err := edge.Reload(c); err != nil {
		t.Fatal(err)
	}
	same(t, edge)
	all[3].name = "s2" // the same name elsewhere
	moved := cast("", all[0], all[3], all[2])
	moved.Text = kept + moved.Text
	if err := edge.Reload(moved); err != nil {
		t.Fatal(err)
	}
	same(t, edge)
	edge.Stop()
	edge = edgetest.Start(t, moved)
	same(t, edge)
	for i := range want {
		want[i].Admin, want[i].AdminBy = "ready", "the day shift"
		administer(t, edge, want[i].Name, "ready", "the day shift")
	}
	wantTour(t, edge, map[string]int{"s1": 1, "s2": 1, "s3": 200})
	edge.Stop()
	edge = edgetest.Start(t, moved)
	for _, w := range want {
		if s := row(t, edge, w.Name); s.Admin != "ready" || s.AdminBy != "the day shift" || s.Weight != w.Weight {
			t.Errorf("after another start: %+v", s)
		}
	}
}

// Without a place for it nothing is kept, and nobody is told that it were.
func TestDecisionsInMemory(t *testing.T) {
	all := newActors(t, "", "")
	edge := edgetest.Start(t, cast("", all...))
	administer(t, edge, "s1", "maint", "ops")
	if err := edge.Reload(cast("retries = 1", all...)); err != nil {
		t.Fatal(err)
	}
	wantTour(t, edge, map[string]int{"s2": 3})
	for _, c := range []struct {
		backend, server, state string
		want                   error
	}{
		{"app", "s9", "drain", app.ErrNoServer}, {"no", "s1", "drain", app.ErrNoBackend},
		{"app", "s1", "off", nil}, {"app", "s1", "", nil}, {"app", "s1", "READY", nil},
	} {
		err := edge.App.SetAdmin(c.backend, c.server, c.state, "ops")
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s/%s %s: error %v, want %v", c.backend, c.server, c.state, err, c.want)
		}
	}
	edge.Stop()
	edge = edgetest.Start(t, cast("", all...))
	wantTour(t, edge, map[string]int{"s1": 3, "s2": 3})
}
