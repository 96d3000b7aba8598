package test_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"doorward/internal/edgetest"
)

// Requests tell what checks do not see: a server that passes them is marked down
// for what it answers, or for not being reachable where it serves.
func TestRequestsMarkAServerDown(t *testing.T) {
	const mark = "error_limit = 3\non_error = \"mark-down\"\n"
	for name, c := range map[string]struct {
		keys   string
		fail   func(*actor)
		answer string // of a client that meets the server
		reason string
	}{
		"layer7 and 5xx": {
			hardly + mark + `observe = "layer7"`,
			func(bad *actor) { bad.play(status(502)) },
			"502", "the last: bad status",
		},
		"layer4 and refused connections": {
			hardly + mark + `observe = "layer4"`,
			(*actor).die,
			"s2", "the last: connect failed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := newActors(t, "", "")
			// Its check goes elsewhere, and is well.
			all[0].keys = "check_address = \"" + all[1].address + "\""
			edge := edgetest.Start(t, cast(c.keys, all...))
			wait(t, "the first check", func() bool {
				return row(t, edge, "s1").Health.Status == "L7OK"
			})
			c.fail(all[0])
			got := tour(t, edge, 2) // one or two that find s1 bad
			if got[c.answer] == 0 || !row(t, edge, "s1").Health.Up {
				t.Errorf("answers %v before the limit, server %+v", got, row(t, edge, "s1").Health)
			}
			tour(t, edge, 4)
			goes(t, edge, "s1", false)
			wantTour(t, edge, map[string]int{"s2": 10})
			lines := told(t, edge, "server is down", "")
			if len(lines) != 1 || lines[0]["check"] != "HANA" ||
				!strings.Contains(lines[0]["reason"].(string), "HANA: 3 bad requests in a row, "+c.reason) {
				t.Errorf("the log tells %v", lines)
			}
		})
	}
}

// A server that comes back gets its share in steps.
func TestSlowStart(t *testing.T) {
	all := newActors(t, "weight = 100\nmax_connections = 100", "weight = 100")
	edge := edgetest.Start(t, cast("slow_start = \"2s\"\n"+watched, all...))
	if share := row(t, edge, "s1").Share; share != 100 {
		t.Errorf("share %d at the start of the instance, want all of it", share)
	}
	all[0].ails(status(500))
	goes(t, edge, "s1", false)
	all[0].heals()
	goes(t, edge, "s1", true)
	const many = 50
	got := tour(t, edge, many)["s1"]
	if share := row(t, edge, "s1").Share; share < 90 && got > many*share/(100+share)+2 {
		t.Errorf("s1 got %d requests of %d with a share of at most %d%%", got, many, share)
	}
	var steps []int
	wait(t, "all of its share", func() bool {
		share := row(t, edge, "s1").Share
		if len(steps) == 0 || steps[len(steps)-1] != share {
			steps = append(steps, share)
		}
		return share == 100
	})
	if !slices.IsSorted(steps) || len(steps) < 4 {
		t.Errorf("its share went %v, want many steps up", steps)
	}
	wantTour(t, edge, map[string]int{"s1": 10, "s2": 10})
}

// on_down says what becomes of tunnels to a server that goes down.
func TestTunnelsOfAServerThatGoesDown(t *testing.T) {
	for _, closes := range []bool{false, true} {
		t.Run(map[bool]string{false: "keep", true: "close"}[closes], func(t *testing.T) {
			all := newActors(t, "", "")
			keys := "on_down = \"" + map[bool]string{false: "keep", true: "close"}[closes] + "\"\n"
			edge := edgetest.Start(t, cast(keys+watched, all...))
			// One tunnel to each server, in the order of the file.
			first := openTunnel(t, edge.Dial(t), handshake("/ws"))
			second := openTunnel(t, edge.DialTLS(t, "app.example"), handshake("/ws"))
			if all[0].now.Load() != 1 || all[1].now.Load() != 1 {
				t.Fatalf("%d tunnels to s1 and %d to s2", all[0].now.Load(), all[1].now.Load())
			}
			all[0].ails(status(500))
			goes(t, edge, "s1", false)
			down := time.Now()
			if closes {
				wantEnd(t, first, edgetest.Closed)
				if took := time.Since(down); took > time.Second {
					t.Errorf("the tunnel ended %v after its server went down", took)
				}
			} else {
				wait(t, "the log", func() bool { return len(told(t, edge, "server is down", "s1")) == 1 })
				first.Send("still here")
				expect(t, first, "still here")
			}
			second.Send("here too")
			expect(t, second, "here too")
		})
	}
}

// What checks know outlives a reload, unless the server or its check is another.
func TestHealthOutlivesReload(t *testing.T) {
	all := newActors(t, "", "", "")
	edge := edgetest.Start(t, cast(watched, all[0], all[1]))
	all[0].ails(status(500))
	goes(t, edge, "s1", false)
	wait(t, "a check of s2", func() bool { return row(t, edge, "s2").Health.Status == "L7OK" })
	before := [2]time.Time{row(t, edge, "s1").Health.LastChange, row(t, edge, "s2").Health.LastChange}
	reload := func(c edgetest.Config) {
		t.Helper()
		if err := edge.Reload(c); err != nil {
			t.Fatal(err)
		}
	}
	same := cast("description = \"another\"\nslow_start = \"1s\"\nretries = 1\n"+watched, all[0], all[1])
	for range 3 {
		reload(same)
		for i, name := range []string{"s1", "s2"} {
			h := row(t, edge, name).Health
			if h.Up != (i == 1) || h.Status == "INI" || !h.LastChange.Equal(before[i]) {
				t.Errorf("after a reload %s has %+v", name, h)
			}
		}
		wantTour(t, edge, map[string]int{"s2": 6})
	}
	if n := len(told(t, edge, "server is", "")); n != 1 {
		t.Errorf("%d lines about servers that go up or down, want the one before the reloads", n)
	}
	// Another address: a new server of the old name, while the other one goes on.
	moved := all[2]
	moved.name = "s1"
	reload(cast(watched, moved, all[1]))
	if h := row(t, edge, "s1").Health; !h.Up || h.LastChange.Equal(before[0]) {
		t.Errorf("with another address it has %+v", h)
	}
	if h := row(t, edge, "s2").Health; h.Status == "INI" || !h.LastChange.Equal(before[1]) {
		t.Errorf("its neighbour has %+v", h)
	}
	// Another check: nothing is known any more.
	reload(cast(watched+"initial = \"fully-down\"\n", moved, all[1]))
	if h := row(t, edge, "s2").Health; h.LastChange.Equal(before[1]) {
		t.Errorf("with another check it has %+v", h)
	}
	goes(t, edge, "s1", true)
	goes(t, edge, "s2", true)
	// No check: nobody says that it is down.
	all[1].ails(status(500))
	goes(t, edge, "s2", false)
	reload(cast("", moved, all[1]))
	wantTour(t, edge, map[string]int{"s1": 5, "s2": 5})
}

// A server begins as the configuration says, until checks know better.
func TestInitialStates(t *testing.T) {
	for initial, want := range map[string]struct {
		up             bool
		counter        int
		passed, failed bool // up after one good check, after one that failed
	}{
		"none":       {up: true, counter: 2, passed: true},
		"up":         {up: true, counter: 2, passed: true},
		"fully-up":   {up: true, counter: 4, passed: true, failed: true},
		"down":       {counter: 1, passed: true},
		"fully-down": {counter: 0},
	} {
		for _, good := range []bool{true, false} {
			t.Run(initial+map[bool]string{true: " then good", false: " then bad"}[good], func(t *testing.T) {
				a := newActors(t, "")[0]
				open := make(chan bool)
				a.ails(func(w http.ResponseWriter, r *http.Request) {
					select {
					case <-open:
					case <-r.Context().Done():
					}
					w.WriteHeader(map[bool]int{true: 200, false: 500}[good])
				})
				edge := edgetest.Start(t, cast(hardly+"initial = \""+initial+"\"\n", a))
				wait(t, "the first check", func() bool { return row(t, edge, "s1").Health.Running })
				if h := row(t, edge, "s1").Health; h.Up != want.up || h.Counter != want.counter ||
					h.Status != "INI" || h.Rise != 2 || h.Fall != 3 {
					t.Errorf("at first %+v", h)
				}
				if m := fetch(t, edge, "/"); (m.Status == 200) != want.up {
					t.Errorf("the first request gets %+v", m)
				}
				close(open)
				wait(t, "its result", func() bool { return row(t, edge, "s1").Health.Status != "INI" })
				up := map[bool]bool{true: want.passed, false: want.failed}[good]
				wait(t, "the change", func() bool { return (fetch(t, edge, "/").Status == 200) == up })
				if h := row(t, edge, "s1").Health; h.Up != up {
					t.Errorf("after the check %+v", h)
				}
			})
		}
	}
}
