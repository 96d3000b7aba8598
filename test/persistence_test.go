package test_test

import (
	"fmt"
	"strings"
	"testing"

	"doorward/internal/edgetest"
	"doorward/stats"
)

// patron is a client of a stick table: how it shows who it is.
type patron struct {
	proxied string // a PROXY header
	lines   []string
}

// visits asks once on a connection of its own and tells who answered.
func (p patron) visits(t *testing.T, edge *edgetest.Edge) string {
	t.Helper()
	c := edge.Dial(t)
	defer c.Close()
	m := c.Send(p.proxied + get("/", p.lines...)).Answer()
	if m.Status != 200 {
		t.Fatalf("%+v gets %+v", p, m)
	}
	return m.Get("X-Server")
}

func from(address string) patron {
	family := 4
	if strings.Contains(address, ":") {
		family = 6
	}
	return patron{proxied: fmt.Sprintf("PROXY TCP%d %s %[2]s 1 2⏎", family, address)}
}

func saying(line string) patron { return patron{lines: []string{line}} }

// table is what the instance says of the stick table of its one backend.
func table(edge *edgetest.Edge) stats.Stick { return *edge.App.View().Backends[0].Stick }

// sticky starts an edge whose clients come by PROXY protocol when they are told
// apart by address.
func sticky(t *testing.T, stick, more string, actors ...*actor) (*edgetest.Edge, edgetest.Config) {
	t.Helper()
	c := cast("[backends.app.stick]\n"+stick+"\n"+more, actors...)
	if strings.Contains(stick, "src") {
		c.Listen = `proxy_protocol = ["127.0.0.0/8"]`
	}
	return edgetest.Start(t, c), c
}

// Clients stay with their server, by whatever they are known, until it is gone;
// then they stay with the next.
func TestStickTables(t *testing.T) {
	for name, c := range map[string]struct {
		stick   string
		clients [4]patron
		stays   patron // is the first client too
	}{
		"IPv4": {`on = "src"`, [4]patron{
			from("192.0.2.1"), from("192.0.2.2"), from("192.0.2.3"), from("2001:db8::1"),
		}, from("192.0.2.1")},
		"IPv6 by subscriber": {"on = \"src\"\nipv6_prefix = 64", [4]patron{
			from("2001:db8:0:1::1"), from("2001:db8:0:2::1"), from("2001:db8:1:1::1"), from("192.0.2.1"),
		}, from("2001:db8:0:1:ffff::2")},
		"IPv6 by address": {`on = "src"`, [4]patron{
			from("2001:db8::1"), from("2001:db8::2"), from("2001:db8:0:1::"), from("32.1.13.184"),
		}, from("2001:0db8:0::0001")},
		"cookie": {`on = "cookie:sid"`, [4]patron{
			saying("Cookie: sid=a"), saying("Cookie: SID=x; sid=b"), saying("Cookie: sid=c"),
			saying("Cookie: sid=d"),
		}, patron{lines: []string{"Cookie: other=b", "cookie: x=y; sid=a; sid=c"}}},
		"field": {`on = "header:X-Session"`, [4]patron{
			saying("X-Session: a"), saying("X-Session: A"), saying("X-Session: ä"), saying("X-Session: b b"),
		}, patron{lines: []string{"x-session: a", "X-Session: b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			all := newActors(t, "", "")
			edge, config := sticky(t, c.stick, watched, all...)
			home := map[int]string{}
			for i, p := range c.clients {
				home[i] = p.visits(t, edge)
			}
			// In turn, so that each has a server of its own choice.
			if home[0] == home[1] || home[2] == home[3] || home[0] != home[2] {
				t.Fatalf("clients began at %v", home)
			}
			everybody := func(when string) {
				t.Helper()
				for range 2 {
					for i, p := range append(c.clients[:], c.stays) {
						if got := p.visits(t, edge); got != home[i%4] {
							t.Errorf("%s client %d of %s meets %s", when, i, home[i%4], got)
						}
					}
				}
			}
			everybody("later")
			if n := table(edge); n.Used != 4 || n.Stored != 4 {
				t.Errorf("the table has %+v, want 4 entries", n)
			}
			if err := edge.Reload(config); err != nil {
				t.Fatal(err)
			}
			everybody("after a reload")
			administer(t, edge, "s1", "drain", "ops")
			everybody("while s1 drains")
			all[0].ails(status(500))
			goes(t, edge, "s1", false)
			for i, p := range c.clients {
				if got := p.visits(t, edge); got != "s2" {
					t.Errorf("with s1 down client %d meets %s", i, got)
				}
				home[i] = "s2"
			}
			all[0].heals()
			goes(t, edge, "s1", true)
			administer(t, edge, "s1", "ready", "ops")
			everybody("once s1 is back")
		})
	}
}

// Who does not show the key is balanced, and nothing is remembered.
func TestClientsWithoutAKey(t *testing.T) {
	edge, _ := sticky(t, `on = "cookie:sid"`, "", newActors(t, "", "")...)
	wantTour(t, edge, map[string]int{"s1": 5, "s2": 5})
	if got := tour(t, edge, 10, "Cookie: sid="); got["s1"] != 5 {
		t.Errorf("an empty cookie meets %v", got)
	}
	if n := table(edge); n.Used+n.Stored != 0 {
		t.Errorf("the table has %+v", n)
	}
}

// Entries go when they are not used, and a full table does as it is told.
func TestStickTablesForget(t *testing.T) {
	client := func(i int) patron { return saying(fmt.Sprintf("X-Session: %d", i)) }
	t.Run("expire", func(t *testing.T) {
		edge, _ := sticky(t, "on = \"header:x-session\"\nexpire = \"300ms\"", "", newActors(t, "", "")...)
		for i := range 3 {
			client(i).visits(t, edge)
		}
		wait(t, "the table is empty", func() bool { return table(edge).Used == 0 })
		if n := table(edge); n.Stored != 3 || n.Matched != 0 || n.Evicted != 0 {
			t.Errorf("the table has %+v", n)
		}
		for range 3 { // an entry that is used lives on
			client(0).visits(t, edge)
		}
		if n := table(edge); n.Stored+n.Matched != 6 {
			t.Errorf("the table has %+v", n)
		}
	})
	t.Run("oldest", func(t *testing.T) {
		edge, _ := sticky(t, "on = \"header:x-session\"\nsize = 4", "", newActors(t, "", "")...)
		home := map[int]string{}
		for i := range 5 {
			home[i] = client(i).visits(t, edge)
		}
		if n := table(edge); n.Used != 4 || n.Size != 4 || n.Evicted != 1 || n.Refused != 0 {
			t.Errorf("the table has %+v", n)
		}
		for i := 1; i < 5; i++ {
			if got := client(i).visits(t, edge); got != home[i] {
				t.Errorf("client %d of %s meets %s", i, home[i], got)
			}
		}
		if n := table(edge); n.Matched != 4 {
			t.Errorf("the table has %+v", n)
		}
		client(0).visits(t, edge)
		if n := table(edge); n.Matched != 4 || n.Evicted != 2 || n.Used != 4 {
			t.Errorf("the table has %+v", n)
		}
	})
	t.Run("refuse", func(t *testing.T) {
		edge, _ := sticky(t, "on = \"header:x-session\"\nsize = 4\nfull = \"refuse\"", "",
			newActors(t, "", "")...)
		home := map[int]string{}
		for i := range 40 {
			home[i] = client(i).visits(t, edge)
		}
		if n := table(edge); n.Used != 4 || n.Evicted != 0 || n.Refused != 36 {
			t.Errorf("the table has %+v", n)
		}
		for i := range 4 {
			if got := client(i).visits(t, edge); got != home[i] {
				t.Errorf("client %d of %s meets %s", i, home[i], got)
			}
		}
	})
}

// Who belongs to a server waits for it, as many as may; the others go elsewhere,
// and belong there from then on.
func TestQueuesOfOneServer(t *testing.T) {
	all := newActors(t, "max_connections = 1\nqueue_limit = 2", "weight = 0")
	all[1].keys = "backup = true"
	edge, _ := sticky(t, `on = "header:x-session"`, "[backends.app.timeouts]\nqueue = \"30s\"\n", all...)
	first, second, third := saying("X-Session: 1"), saying("X-Session: 2"), saying("X-Session: 3")
	for _, p := range []patron{first, second, third} {
		if got := p.visits(t, edge); got != "s1" {
			t.Fatalf("a client began at %s", got)
		}
	}
	administer(t, edge, "s1", "drain", "ops") // new clients go to the backup server
	release := all[0].hold()
	held := edge.Dial(t).Send(get("/held", first.lines...))
	wait(t, "the place is taken", func() bool { return all[0].now.Load() == 1 })
	waits := edge.Dial(t).Send(get("/waits", second.lines...))
	wait(t, "one waits", func() bool { return row(t, edge, "s1").Queued == 1 })
	waitsToo := edge.Dial(t).Send(get("/waits-too", second.lines...))
	wait(t, "two wait", func() bool { return row(t, edge, "s1").Queued == 2 })
	if got := third.visits(t, edge); got != "s2" {
		t.Errorf("where two may wait the next meets %s", got)
	}
	release()
	for c, body := range map[*edgetest.Client]string{
		held: "s1 /held", waits: "s1 /waits", waitsToo: "s1 /waits-too",
	} {
		if m := c.Answer(); m.Body != body {
			t.Errorf("answer %+v, want %s", m, body)
		}
	}
	for p, server := range map[*patron]string{&first: "s1", &second: "s1", &third: "s2"} {
		if got := p.visits(t, edge); got != server {
			t.Errorf("later %v meets %s, want %s", p.lines, got, server)
		}
	}
	if s := row(t, edge, "s1"); s.Queued != 0 || s.QueuedMax != 2 {
		t.Errorf("%d wait for s1 and %d did", s.Queued, s.QueuedMax)
	}
	for path, before := range map[string]float64{"/held": 0, "/waits": 0, "/waits-too": 1} {
		if line := recordOf(t, edge, path); line["queue_server"] != before {
			t.Errorf("the log has %v, want %v who waited before", line, before)
		}
	}
}
