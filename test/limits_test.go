package test_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"doorward/internal/edgetest"
	"doorward/stats"
)

// limited is a site of an actor with limits, given as tables, and further routes:
// app.example, then others by host, with the names of their limits.
func limited(a *actor, tables, app string, others map[string]string) edgetest.Config {
	c := cast("", a)
	c.Text = tables + c.Text + "rate_limits = [" + app + "]\n"
	for host, names := range others {
		c.Text += fmt.Sprintf("[[route]]\nhosts = [%q]\nbackend = \"app\"\nrate_limits = [%s]\n",
			host, names)
	}
	return c
}

// limit is what the instance says about a rate limit.
func limit(t *testing.T, edge *edgetest.Edge, name string) stats.Limit {
	t.Helper()
	for _, l := range edge.App.View().Limits {
		if l.Name == name {
			return l
		}
	}
	t.Fatalf("there is no limit %s", name)
	return stats.Limit{}
}

// passes sends requests until one is refused, at most many, and tells how many
// were not. The refusal must be a proper one.
func passes(t *testing.T, edge *edgetest.Edge, many int, text string) int {
	t.Helper()
	for n := range many {
		c := edge.Dial(t)
		m := c.Send(text).Answer()
		c.Close()
		switch m.Status {
		case http.StatusOK:
		case http.StatusTooManyRequests:
			wantRefusal(t, m, time.Minute)
			return n
		default:
			t.Fatalf("answer %+v", m)
		}
	}
	return many
}

// wantRefusal wants to be told when to come back, and that the connection serves
// on.
func wantRefusal(t *testing.T, m *edgetest.Message, per time.Duration) {
	t.Helper()
	after, err := strconv.Atoi(m.Get("Retry-After"))
	if m.Status != http.StatusTooManyRequests || err != nil || after < 1 ||
		after > int(per.Seconds())+5 || m.Get("Connection") != "" || len(m.Body) > 1000 {
		t.Errorf("refused with %+v", m)
	}
}

const fiveAMinute = "[rate_limits.five]\nrequests = 5\nper = \"1m\"\n"

// Each client has its own, whichever routes it asks.
func TestRateLimitsByClient(t *testing.T) {
	a := newActors(t, "")[0]
	c := limited(a, fiveAMinute, `"five"`, map[string]string{
		"too.example": `"five"`, "free.example": "",
	})
	c.Listen = `proxy_protocol = ["127.0.0.0/8"]`
	edge := edgetest.Start(t, c)
	as := func(address, host string) string {
		return from(address).proxied + to(host, "GET", "/")
	}
	for address, want := range map[string]int{
		"192.0.2.1": 5, "192.0.2.2": 5, "2001:db8:0:1::1": 5, "2001:db8:0:2::1": 5,
	} {
		if n := passes(t, edge, 10, as(address, "app.example")); n != want {
			t.Errorf("%s may ask %d times, want %d", address, n, want)
		}
		if n := passes(t, edge, 1, as(address, "too.example")); n != 0 {
			t.Errorf("%s may ask on another route with the same limit", address)
		}
		if n := passes(t, edge, 10, as(address, "free.example")); n != 10 {
			t.Errorf("%s may ask %d times where there is no limit", address, n)
		}
	}
	// A subscriber with many addresses is one client.
	if n := passes(t, edge, 1, as("2001:db8:0:1:ffff::1", "app.example")); n != 0 {
		t.Error("another address of a subscriber may ask")
	}
	if n := passes(t, edge, 2, as("192.0.2.3", "too.example")); n != 2 {
		t.Errorf("a new client may ask %d times, want 2", n)
	}
	if n := passes(t, edge, 10, as("192.0.2.3", "app.example")); n != 3 {
		t.Errorf("and then %d times elsewhere, want 3", n)
	}
	if n := a.served.Load(); n != 4*15+5 {
		t.Errorf("the server got %d requests, want %d", n, 4*15+5)
	}
	if l := limit(t, edge, "five"); l.Keys != 5 || l.Passed != 25 || l.Refused != 10 {
		t.Errorf("counted %+v", l)
	}
}

// Routes count each for itself, and a limit for all holds for what is answered
// without a server too.
func TestRateLimitsByRoute(t *testing.T) {
	a := newActors(t, "")[0]
	c := limited(a, strings.Replace(fiveAMinute, "requests", "by = \"route\"\nrequests", 1)+
		"[rate_limits.seven]\nrequests = 7\nper = \"1m\"\n[limits]\nrate_limits = [\"seven\"]\n",
		`"five"`, map[string]string{"too.example": `"five"`})
	c.Text += "[[route]]\nhosts = [\"text.example\"]\nrespond = { body = \"text\" }\n"
	edge := edgetest.Start(t, c)
	if n := passes(t, edge, 10, to("app.example", "GET", "/")); n != 5 {
		t.Errorf("the first route may be asked %d times, want 5", n)
	}
	// The refused one counts against the limit for all, which came first.
	if n := passes(t, edge, 10, to("too.example", "GET", "/")); n != 1 {
		t.Errorf("the second route may be asked %d times, want 1", n)
	}
	if n := passes(t, edge, 1, to("text.example", "GET", "/")); n != 0 {
		t.Error("a fixed text may be asked for")
	}
	for path, want := range map[string]string{
		"app.example": "five", "too.example": "seven", "text.example": "seven",
	} {
		var line map[string]any
		wait(t, "the line of a refusal", func() bool {
			for _, each := range told(t, edge, "request", "") {
				if each["host"] == path && each["status"] == 429.0 {
					line = each
				}
			}
			return line != nil
		})
		if line["rate_limit"] != want || line["termination"] != "PR" || line["server"] != nil {
			t.Errorf("%s: the log has %v, want limit %s", path, line, want)
		}
	}
}

// What was counted outlives a reload; the numbers are those of the new file.
func TestRateLimitsOutliveReload(t *testing.T) {
	a := newActors(t, "")[0]
	config := func(requests int) edgetest.Config {
		return limited(a, strings.Replace(fiveAMinute, "5", fmt.Sprint(requests), 1), `"five"`, nil)
	}
	edge := edgetest.Start(t, config(5))
	passes(t, edge, 3, get("/"))
	for _, c := range []struct{ requests, more int }{{5, 2}, {7, 2}, {6, 0}, {8, 1}} {
		if err := edge.Reload(config(c.requests)); err != nil {
			t.Fatal(err)
		}
		if n := passes(t, edge, 10, get("/")); n != c.more {
			t.Errorf("with %d requests there are %d more, want %d", c.requests, n, c.more)
		}
	}
	if l := limit(t, edge, "five"); l.Passed != 8 || l.Refused != 4 || l.Keys != 1 {
		t.Errorf("counted %+v", l)
	}
}

// After the time that Retry-After says requests pass again.
func TestRateLimitsEnd(t *testing.T) {
	a := newActors(t, "")[0]
	edge := edgetest.Start(t, limited(a,
		"[rate_limits.few]\nrequests = 3\nper = \"500ms\"\n", `"few"`, nil))
	began := time.Now()
	if n := passes(t, edge, 4, get("/")); n != 3 && time.Since(began) < 400*time.Millisecond {
		t.Errorf("%d requests pass, want 3", n)
	}
	wait(t, "a request passes again", func() bool { return fetch(t, edge, "/").Status == 200 })
	if took := time.Since(began); took < 500*time.Millisecond {
		t.Errorf("a fourth request passes after %v", took)
	}
}

// log_only refuses nothing, and says what it would have.
func TestRateLimitsTriedOut(t *testing.T) {
	a := newActors(t, "")[0]
	edge := edgetest.Start(t, limited(a, fiveAMinute+"log_only = true\n", `"five"`, nil))
	if n := passes(t, edge, 8, get("/")); n != 8 {
		t.Errorf("%d requests pass, want all", n)
	}
	if l := limit(t, edge, "five"); l.Passed != 5 || l.Refused != 3 || !l.LogOnly {
		t.Errorf("counted %+v", l)
	}
	named := 0
	wait(t, "eight lines", func() bool {
		lines := told(t, edge, "request", "")
		named = 0
		for _, line := range lines {
			if line["rate_limit"] == "five" && line["status"] == 200.0 && line["termination"] == "--" {
				named++
			}
		}
		return len(lines) == 8
	})
	if named != 3 {
		t.Errorf("the log names the limit %d times, want 3", named)
	}
}

// Requests at a time: the next is refused, or waits its turn.
func TestConcurrencyLimits(t *testing.T) {
	const two = "[rate_limits.two]\nconcurrent = 2\n"
	t.Run("reject", func(t *testing.T) {
		a := newActors(t, "")[0]
		edge := edgetest.Start(t, limited(a, two, `"two"`, nil))
		release := a.hold()
		held := []*edgetest.Client{edge.Dial(t).Send(get("/")), edge.DialTLS(t, "app.example").Send(get("/"))}
		wait(t, "two requests", func() bool { return a.now.Load() == 2 })
		for range 3 {
			wantRefusal(t, fetch(t, edge, "/"), time.Second)
		}
		release()
		for _, c := range held {
			if m := c.Answer(); m.Status != 200 {
				t.Errorf("answer %+v", m)
			}
		}
		wantRoom(t, edge, a, 2)
	})
	t.Run("queue", func(t *testing.T) {
		a := newActors(t, "")[0]
		edge := edgetest.Start(t, limited(a, two+"over = \"queue\"\nqueue = \"30s\"\n", `"two"`, nil))
		release := a.hold()
		var all []*edgetest.Client
		for i := range 6 {
			all = append(all, edge.Dial(t).Send(get(fmt.Sprintf("/%d", i))))
			wait(t, "its place or its turn", func() bool {
				return a.now.Load()+limit(t, edge, "two").Queued == int64(i+1)
			})
		}
		if a.now.Load() != 2 {
			t.Errorf("%d requests at the server, want 2", a.now.Load())
		}
		release()
		for i, c := range all {
			if m := c.Answer(); m.Status != 200 || m.Body != fmt.Sprintf("s1 /%d", i) {
				t.Errorf("answer %+v", m)
			}
		}
		if l := limit(t, edge, "two"); a.most.Load() != 2 || l.Queued != 0 || l.Delayed != 4 ||
			l.Passed != 6 {
			t.Errorf("%d requests at a time, counted %+v", a.most.Load(), l)
		}
	})
	t.Run("queue that takes too long", func(t *testing.T) {
		a := newActors(t, "")[0]
		edge := edgetest.Start(t, limited(a, two+"over = \"queue\"\nqueue = \"200ms\"\n", `"two"`, nil))
		release := a.hold()
		held := []*edgetest.Client{edge.Dial(t).Send(get("/")), edge.Dial(t).Send(get("/"))}
		wait(t, "two requests", func() bool { return a.now.Load() == 2 })
		began := time.Now()
		wantRefusal(t, fetch(t, edge, "/"), time.Second)
		if took := time.Since(began); took < 190*time.Millisecond {
			t.Errorf("refused after %v", took)
		}
		release()
		for _, c := range held {
			c.Answer()
		}
		if l := limit(t, edge, "two"); l.Delayed != 1 || l.Refused != 1 || l.Queued != 0 {
			t.Errorf("counted %+v", l)
		}
	})
}

// wantRoom wants exactly so many places in a limit on requests at a time: none
// lost, none too many.
func wantRoom(t *testing.T, edge *edgetest.Edge, a *actor, places int) {
	t.Helper()
	release := a.hold()
	var held []*edgetest.Client
	wait(t, fmt.Sprintf("%d free places", places), func() bool {
		c := edge.Dial(t).Send(get("/room"))
		before := len(held)
		arrived := func() bool { return a.now.Load() > int64(before) }
		answered := make(chan int, 1)
		go func() {
			m, err := c.TryAnswer("GET")
			if err == nil {
				answered <- m.Status
			}
		}()
		if !edgetest.Until(func() bool { return arrived() || len(answered) > 0 }) {
			t.Fatal("a request neither arrives nor is refused")
		}
		if arrived() {
			held = append(held, c)
		}
		return len(held) == places
	})
	if m := fetch(t, edge, "/more"); m.Status != http.StatusTooManyRequests {
		t.Errorf("beside %d requests another gets %+v", places, m)
	}
	release()
	wait(t, "the end of all", func() bool { return a.now.Load() == 0 })
}
