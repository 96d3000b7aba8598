package app_test

import (
	"strings"
	"testing"
	"time"

	"doorward/stats"
)

// Counters of routes go by name, so that of the statistics' page is nobody else's.
func TestRoutesHaveCountersOfTheirOwn(t *testing.T) {
	config := strings.Replace(site(server(t, "app"), "[stats]\nhost = \"stats.test\"\n"),
		`name = "app"`, `name = "stats"`, 1)
	e := start(t, config)
	for i := range 3 {
		dial(t, e.plain()).get("app")
		eventually(t, "each route has its requests", func() bool {
			counted := map[string]int64{}
			for _, r := range e.View().Routes {
				counted[r.Name] += r.Traffic.Requests
			}
			return len(counted) == 2 && counted["stats"] == int64(i+1) && counted["stats#2"] == 0
		})
		e.mustReload(config)
	}
}

// A backend that was taken out of the configuration while it was down, and comes
// back, was not down meanwhile.
func TestABackendThatComesBackBeginsAnew(t *testing.T) {
	url := server(t, "app")
	other := "[[route]]\nhosts = [\"other.test\"]\nbackend = \"other\"\n" +
		"[backends.other]\nservers = [\"" + url + "\"]\n"
	e := start(t, site(url, other))
	name := strings.TrimPrefix(url, "http://")
	if err := e.SetAdmin("other", name, "maint", "test"); err != nil {
		t.Fatal(err)
	}
	seen := func() *stats.Backend {
		for _, b := range e.View().Backends {
			if b.Name == "other" {
				return &b
			}
		}
		return nil
	}
	if b := seen(); b == nil || b.Up {
		t.Fatalf("with its only server in maintenance: %+v", b)
	}
	e.mustReload(site(url, ""))
	if b := seen(); b != nil {
		t.Fatalf("without it: %+v", b)
	}
	back := time.Now()
	e.mustReload(site(url, other))
	if b := seen(); b == nil || b.Up || b.LastChange.Before(back) || b.Downs != 0 {
		t.Errorf("back since %v: %+v", back, b)
	}
}

// A backend is up while a server takes requests that belong to none, as HAProxy has
// it.
func TestABackendIsUpWhileAServerTakesNewRequests(t *testing.T) {
	url := server(t, "app")
	e := start(t, site(url, ""))
	name := strings.TrimPrefix(url, "http://")
	for _, step := range []struct {
		state  string
		weight int
		up     bool
	}{
		{"ready", 1, true}, {"drain", 1, false}, {"maint", 1, false}, {"ready", 0, false},
		{"ready", 1, true},
	} {
		err := e.SetAdmin("app", name, step.state, "test")
		if err == nil {
			err = e.SetWeight("app", name, step.weight, "test")
		}
		if b := e.View().Backends[0]; err != nil || b.Up != step.up {
			t.Errorf("%s with weight %d: up %v, %v", step.state, step.weight, b.Up, err)
		}
	}
}

func TestBackendsStandInTheOrderOfTheFile(t *testing.T) {
	e := start(t, site(server(t, "a"), `
[[route]]
hosts = ["z.example"]
backend = "z"
[[route]]
hosts = ["b.example"]
backend = "b"
[backends.z]
servers = ["http://127.0.0.1:9"]
[backends.b]
servers = ["http://127.0.0.1:9"]
`))
	var names []string
	for _, b := range e.View().Backends {
		names = append(names, b.Name)
	}
	if got := strings.Join(names, " "); !strings.HasSuffix(got, "z b") {
		t.Errorf("backends %s, want z before b", got)
	}
}

// What a backend has counted does not fall when one of its servers goes: to
// Prometheus that would be a restart, and all the rest would have come at once.
func TestABackendKeepsWhatItsFormerServersCounted(t *testing.T) {
	a, b := server(t, "app"), server(t, "app")
	both := strings.Replace(site(a, ""), `"`+a+`"`, `"`+a+`", "`+b+`"`, 1)
	e := start(t, both)
	counted := func() int64 { return e.View().Backends[0].Traffic.Requests }
	for range 4 {
		dial(t, e.plain()).get("app")
	}
	eventually(t, "all requests are counted", func() bool { return counted() == 4 })
	for _, config := range []string{site(b, ""), site(b, ""), both} {
		e.mustReload(config)
		if got := counted(); got != 4 {
			t.Errorf("after the reload %d requests, want 4", got)
		}
	}
}
