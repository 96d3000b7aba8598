package test_test

import (
	"fmt"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"doorward/internal/edgetest"
)

func TestRoundRobinIsExact(t *testing.T) {
	all := newActors(t, "weight = 3", "weight = 2", "weight = 1", "weight = 0")
	edge := edgetest.Start(t, cast("", all...))
	want := map[string]int{"s1": 3, "s2": 2, "s3": 1}
	for range 10 { // in each cycle, not only in all
		wantTour(t, edge, want)
	}
	weigh := func(server string, weight int) {
		t.Helper()
		if err := edge.App.SetWeight("app", server, weight, "a test"); err != nil {
			t.Fatal(err)
		}
	}
	weigh("s1", 0)
	weigh("s3", 2)
	wantTour(t, edge, map[string]int{"s2": 8, "s3": 8})
	weigh("s4", 4)
	wantTour(t, edge, map[string]int{"s2": 4, "s3": 4, "s4": 8})
	if err := edge.Reload(cast("retries = 2", all...)); err != nil {
		t.Fatal(err)
	}
	wantTour(t, edge, map[string]int{"s2": 4, "s3": 4, "s4": 8})
	// A weight that the file changes counts more than one that was set before.
	all[3].keys = "weight = 2"
	if err := edge.Reload(cast("", all...)); err != nil {
		t.Fatal(err)
	}
	wantTour(t, edge, map[string]int{"s2": 4, "s3": 4, "s4": 4})
	// And that one is forgotten: it does not come back with the old file.
	all[3].keys = "weight = 0"
	for range 2 {
		if err := edge.Reload(cast("", all...)); err != nil {
			t.Fatal(err)
		}
		wantTour(t, edge, map[string]int{"s2": 4, "s3": 4})
	}
	weigh("s3", -1)
	if s := row(t, edge, "s3"); s.Weight != 1 || s.ConfiguredWeight != 1 {
		t.Errorf("weight %d of %d, want the configured one", s.Weight, s.ConfiguredWeight)
	}
	for _, wrong := range []struct {
		backend, server string
		weight          int
	}{{"app", "s1", 257}, {"app", "s9", 1}, {"nobody", "s1", 1}} {
		if err := edge.App.SetWeight(wrong.backend, wrong.server, wrong.weight, "x"); err == nil {
			t.Errorf("%v is accepted", wrong)
		}
	}
}

// Who is slow gets less.
func TestLeastConnections(t *testing.T) {
	all := newActors(t, "", "", "weight = 0")
	edge := edgetest.Start(t, cast(`balance = "leastconn"`, all...))
	hold := []func(){all[0].hold(), all[1].hold()}
	var held []*edgetest.Client
	for i := range 6 {
		held = append(held, edge.Dial(t).Send(get("/")))
		// One after the other, since two that come at once may see the same.
		wait(t, "a request at a server", func() bool {
			return all[0].now.Load()+all[1].now.Load() == int64(i+1)
		})
	}
	if all[0].now.Load() != 3 || all[1].now.Load() != 3 {
		t.Errorf("%d and %d requests, want 3 each", all[0].now.Load(), all[1].now.Load())
	}
	hold[1]()
	wait(t, "s2 is free", func() bool { return row(t, edge, "s2").Active == 0 })
	wantTour(t, edge, map[string]int{"s2": 20})
	hold[0]()
	for _, c := range held {
		if m := c.Answer(); m.Status != 200 {
			t.Errorf("answer %+v", m)
		}
	}
	wait(t, "s1 is free", func() bool { return row(t, edge, "s1").Active == 0 })
	wantTour(t, edge, map[string]int{"s1": 10, "s2": 10})
}

// The first takes everything until it is full.
func TestFirstServer(t *testing.T) {
	all := newActors(t, "max_connections = 2", "max_connections = 2", "max_connections = 2")
	edge := edgetest.Start(t, cast(`balance = "first"`, all...))
	wantTour(t, edge, map[string]int{"s1": 10})
	var release []func()
	for _, a := range all {
		release = append(release, a.hold())
	}
	var held []*edgetest.Client
	for range 5 {
		held = append(held, edge.Dial(t).Send(get("/")))
	}
	wait(t, "five requests", func() bool {
		return all[0].now.Load()+all[1].now.Load()+all[2].now.Load() == 5
	})
	if all[0].now.Load() != 2 || all[1].now.Load() != 2 || all[2].now.Load() != 1 {
		t.Errorf("requests %d, %d and %d, want 2, 2 and 1", all[0].now.Load(), all[1].now.Load(),
			all[2].now.Load())
	}
	for i, open := range release {
		open()
		wait(t, "places", func() bool { return row(t, edge, all[i].name).Active == 0 })
	}
	for _, c := range held {
		c.Answer()
	}
	wantTour(t, edge, map[string]int{"s1": 10})
}

// Both of the two that random draws are looked at: all servers get about their
// share.
func TestRandomServers(t *testing.T) {
	all := newActors(t, "weight = 2", "weight = 2", "weight = 1")
	edge := edgetest.Start(t, cast(`balance = "random"`, all...))
	got := map[string]int{}
	for range 5 { // a connection of a test lives for Patience only
		for server, n := range tour(t, edge, 100) {
			got[server] += n
		}
	}
	if got["s1"] < 140 || got["s2"] < 140 || got["s3"] < 50 || got["s3"] > 150 {
		t.Errorf("of 500 requests the servers got %v", got)
	}
}

// hashed is a way to balance by a hash, and how a client shows one of many keys.
type hashed struct {
	balance string
	send    func(c *edgetest.Client, key int) *edgetest.Client
}

func ways() map[string]hashed {
	return map[string]hashed{
		"path": {"uri", func(c *edgetest.Client, key int) *edgetest.Client {
			return c.Send(get(fmt.Sprintf("/%d?of=%p", key, c)))
		}},
		"field": {"header:X-Tenant", func(c *edgetest.Client, key int) *edgetest.Client {
			return c.Send(get("/", fmt.Sprintf("x-tenant: tenant %d", key)))
		}},
		"address": {"source", func(c *edgetest.Client, key int) *edgetest.Client {
			family, address := 4, fmt.Sprintf("192.0.2.%d", key)
			if key%2 == 1 {
				family, address = 6, fmt.Sprintf("2001:db8::%x", key)
			}
			return c.Send(fmt.Sprintf("PROXY TCP%d %s %[2]s 1 2⏎", family, address) + get("/"))
		}},
	}
}

// Equal keys meet equal servers, and when one goes down nobody moves but those
// who were there.
func TestConsistentHashes(t *testing.T) {
	const keys = 60
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			all := newActors(t, "", "", "weight = 2")
			c := cast(fmt.Sprintf("balance = %q\n", way.balance)+watched, all...)
			if way.balance == "source" {
				c.Listen = `proxy_protocol = ["127.0.0.0/8"]`
			}
			edge := edgetest.Start(t, c)
			ask := func() map[int]string {
				by := map[int]string{}
				for key := range keys {
					c := edge.Dial(t)
					m := way.send(c, key).Answer()
					c.Close()
					if m.Status != 200 {
						t.Fatalf("answer %+v", m)
					}
					by[key] = m.Get("X-Server")
				}
				return by
			}
			first := ask()
			if got := ask(); !maps.Equal(got, first) {
				t.Errorf("keys went to %v and then to %v", first, got)
			}
			wantShares(t, first, keys)
			all[1].ails(status(500))
			goes(t, edge, "s2", false)
			without := ask()
			for key, server := range first {
				if now := without[key]; now == "s2" || server != "s2" && now != server {
					t.Errorf("key %d went from %s to %s", key, server, now)
				}
			}
			all[1].heals()
			goes(t, edge, "s2", true)
			if err := edge.Reload(c); err != nil {
				t.Fatal(err)
			}
			if got := ask(); !maps.Equal(got, first) {
				t.Errorf("once s2 is back keys go to %v, want %v", got, first)
			}
		})
	}
}

// wantShares wants the keys spread over servers of weights 1, 1 and 2.
func wantShares(t *testing.T, by map[int]string, keys int) {
	t.Helper()
	count := map[string]int{}
	for _, server := range by {
		count[server]++
	}
	if count["s1"] < keys/12 || count["s2"] < keys/12 || count["s3"] < keys/3 {
		t.Errorf("of %d keys the servers have %v", keys, count)
	}
}

// Whatever happens, no server has more requests at a time than it may, and none
// waits that need not.
func TestPlacesUnderChanges(t *testing.T) {
	t.Run("BE-15_no_change_exceeds_max_connections", func(t *testing.T) {
		all := newActors(t, "max_connections = 1", "max_connections = 2", "max_connections = 3")
		c := cast("balance = \"leastconn\"\ntimeouts = { queue = \"30s\" }\n", all...)
		edge := edgetest.Start(t, c)
		var clients, changes sync.WaitGroup
		for range 20 {
			client := edge.Dial(t)
			clients.Go(func() {
				defer client.Close()
				for range 40 {
					m, err := client.Send(get("/")).TryAnswer("GET")
					if err != nil || m.Status != 200 {
						t.Errorf("answer %+v, %v", m, err)
						return
					}
				}
			})
		}
		stop := make(chan bool)
		changes.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				server := all[i%2].name // s3 stays
				for _, err := range []error{
					edge.App.SetWeight("app", server, i%5, "a test"),
					edge.App.SetAdmin("app", server, []string{"drain", "ready", "maint"}[i%3], "a test"),
					edge.Reload(c),
					edge.App.SetAdmin("app", server, "ready", "a test"),
				} {
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
		clients.Wait()
		close(stop)
		changes.Wait()
		for i, a := range all {
			if a.most.Load() > int64(i+1) {
				t.Errorf("%s had %d requests at a time, want at most %d", a.name, a.most.Load(), i+1)
			}
			wait(t, "the end of all at "+a.name, func() bool {
				s := row(t, edge, a.name)
				return s.Active == 0 && s.Queued == 0 && waiting(edge) == 0
			})
			if s := row(t, edge, a.name); s.ActiveMax > int64(i+1) {
				t.Errorf("%s counts %d requests at a time, at most %d may be", a.name, s.ActiveMax, i+1)
			}
		}
	})
}

// full is a server with one place, which is taken until release.
func full(t *testing.T, keys string) (edge *edgetest.Edge, held *edgetest.Client, release func()) {
	t.Helper()
	a := newActors(t, "max_connections = 1")[0]
	edge = edgetest.Start(t, cast(keys, a))
	release = a.hold()
	held = edge.Dial(t).Send(get("/held"))
	wait(t, "the place is taken", func() bool { return a.now.Load() == 1 })
	return edge, held, release
}

func waiting(edge *edgetest.Edge) int64 { return edge.App.View().Backends[0].Queued }

// Who waits too long gets 503, and so does at once who finds the queue full.
func TestQueues(t *testing.T) {
	t.Run("time", func(t *testing.T) {
		edge, held, release := full(t, `timeouts = { queue = "150ms" }`)
		began := time.Now()
		m := fetch(t, edge, "/waits")
		if took := time.Since(began); m.Status != http.StatusServiceUnavailable ||
			m.Get("Retry-After") == "" || took < 140*time.Millisecond {
			t.Errorf("answer %+v after %v", m, took)
		}
		release()
		held.Answer()
		line := recordOf(t, edge, "/waits")
		if line["termination"] != "sQ" || line["time_queue_ms"].(float64) < 140 || line["server"] != nil ||
			line["time_connect_ms"] != nil {
			t.Errorf("the log has %v", line)
		}
	})
	t.Run("limit", func(t *testing.T) {
		edge, held, release := full(t, "queue_limit = 2\ntimeouts = { queue = \"30s\" }")
		second, third := edge.Dial(t).Send(get("/second")), edge.DialTLS(t, "app.example")
		wait(t, "one waits", func() bool { return waiting(edge) == 1 })
		third.Send(get("/third"))
		wait(t, "two wait", func() bool { return waiting(edge) == 2 })
		for range 3 {
			if m := fetch(t, edge, "/full"); m.Status != 503 || m.Get("Retry-After") == "" {
				t.Errorf("answer %+v", m)
			}
		}
		release()
		for c, body := range map[*edgetest.Client]string{
			held: "s1 /held", second: "s1 /second", third: "s1 /third",
		} {
			if m := c.Answer(); m.Body != body {
				t.Errorf("answer %+v, want %s", m, body)
			}
		}
		if b := edge.App.View().Backends[0]; b.Queued != 0 || b.QueuedMax != 2 {
			t.Errorf("%d wait and %d did, want 0 and 2", b.Queued, b.QueuedMax)
		}
		if line := recordOf(t, edge, "/full"); line["termination"] != "sQ" || line["queue_backend"] != 2.0 {
			t.Errorf("the log has %v", line)
		}
	})
}

// recordOf is the line about the first request for a path, once it is there.
func recordOf(t *testing.T, edge *edgetest.Edge, path string) (line map[string]any) {
	t.Helper()
	wait(t, "a line about "+path, func() bool {
		for _, each := range told(t, edge, "request", "") {
			if each["path"] == path {
				line = each
				return true
			}
		}
		return false
	})
	return line
}
