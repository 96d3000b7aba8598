package test_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"doorward/internal/edgetest"
)

// TestSecurityLimits has the cases about rate limits: clients that would be somebody
// else, or flood the memory of them.
func TestSecurityLimits(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"DOS-07_a_flood_frees_no_blocked_client":    floodFreesNobody,
		"DOS-07_one_client_in_many_spellings":       spelledClients,
		"DOS-07_addresses_that_nobody_vouches_for":  madeUpAddresses,
		"DOS-07_waiting_requests_are_bounded":       waitingIsBounded,
		"DOS-27_places_at_a_time_come_back":         placesComeBack,
		"DOS-27_no_spelling_of_a_request_is_spared": noneIsSpared,
	} {
		t.Run(name, test)
	}
}

// fewSite has a route at few.example under a limit, at an edge that believes what
// 127.0.0.1 and 10.0.0.0/8 say of clients.
func fewSite(limit string) edgetest.Config {
	return edgetest.Config{
		Listen: `trusted_proxies = ["127.0.0.1", "10.0.0.0/8"]`,
		Text: "[rate_limits.few]\n" + limit + `
			[[route]]
			hosts = ["few.example"]
			rate_limits = ["few"]
			respond = { status = 200, body = "few" }
			`,
	}
}

// fewFrom is a request whose chain of forwarders is this.
func fewFrom(chain string) string {
	return to("few.example", "GET", "/", "X-Forwarded-For: "+chain)
}

func floodFreesNobody(t *testing.T) {
	edge := edgetest.Start(t, fewSite("requests = 3\nper = \"1h\"\nsize = 300"))
	blocked := []string{"198.51.100.7", "2001:db8:bad::7"}
	for _, client := range blocked {
		for range 4 {
			once(t, edge.HTTP, fewFrom(client))
		}
	}
	flood := func(many int) {
		got := pipeline(t, edge, many, func(i int) string {
			if i%2 == 0 {
				return fewFrom(fmt.Sprintf("198.18.%d.%d", rand.N(256), rand.N(256)))
			}
			return fewFrom(fmt.Sprintf("2001:db8:%x:%x::%x", rand.N(1<<16), rand.N(1<<16), rand.N(1<<16)))
		})
		if got[200]+got[429] != many || got[429] > many/10 {
			t.Errorf("a flood of %d got %v", many, got)
		}
	}
	flood(300)
	before := heap()
	flood(1500)
	if grown := heap() - before; grown > 2<<20 {
		t.Errorf("the flood holds %d bytes", grown)
	}
	if l := edge.App.View().Limits[0]; l.Keys > 600 {
		t.Errorf("%d clients are remembered", l.Keys)
	}
	for _, client := range append(blocked, "2001:db8:bad::ffff:1", "2001:db8:bad:0:1::") {
		m := once(t, edge.HTTP, fewFrom(client))
		if m.Status != http.StatusTooManyRequests || m.Get("Retry-After") == "" {
			t.Errorf("%s, who was blocked, gets %d after the flood", client, m.Status)
		}
	}
}

// spelledClients: however a client's address is written, it is one client.
func spelledClients(t *testing.T) {
	for client, spelled := range map[string][]string{
		"198.51.100.7": {
			"198.51.100.7:443", "::ffff:198.51.100.7", "[::ffff:198.51.100.7]:80", "::ffff:c633:6407",
			" 198.51.100.7 ", "203.0.113.9, 198.51.100.7", "203.0.113.%d, 198.51.100.7, 10.1.2.3",
			"x%d, 198.51.100.7", "198.51.100.7, 10.0.0.%d", ",198.51.100.7", "198.51.100.7,127.0.0.1",
			"198.51.100.7⏎X-Forwarded-For: 10.0.0.1", "203.0.113.%d⏎X-Forwarded-For: 198.51.100.7",
		},
		"2001:db8::7": {
			"2001:DB8::7", "2001:0db8:0:0:0:0:0:7", "[2001:db8::7]", "[2001:db8::7]:1", "2001:db8::%x",
			"2001:db8:0:0:ffff:%x::", "2001:db8::7%%eth%d", "2001:db8::ffff:198.51.100.7",
		},
	} {
		edge := edgetest.Start(t, fewSite("requests = 1\nper = \"1h\""))
		if m := once(t, edge.HTTP, fewFrom(client)); m.Status != 200 {
			t.Fatalf("%s: %d", client, m.Status)
		}
		for i, s := range spelled {
			if strings.Contains(s, "%") {
				s = fmt.Sprintf(s, i+1)
			}
			if m := once(t, edge.HTTP, fewFrom(s)); m.Status != http.StatusTooManyRequests {
				t.Errorf("%s written as %q gets %d", client, s, m.Status)
			}
		}
	}
}

// madeUpAddresses: what a client says of itself gives it no second life, neither
// where nobody vouches for it nor where what the proxy says is no address.
func madeUpAddresses(t *testing.T) {
	c := fewSite("requests = 1\nper = \"1h\"")
	c.Listen = ""
	edge := edgetest.Start(t, c)
	once(t, edge.HTTP, to("few.example", "GET", "/"))
	for i := range 20 {
		for _, name := range []string{
			"X-Forwarded-For", "X-Real-Ip", "Forwarded", "True-Client-Ip", "Cf-Connecting-Ip", "Client-Ip",
		} {
			line := fmt.Sprintf("%s: 203.0.113.%d", name, i)
			if name == "Forwarded" {
				line = fmt.Sprintf("Forwarded: for=203.0.113.%d", i)
			}
			if m := once(t, edge.HTTP, to("few.example", "GET", "/", line)); m.Status != 429 {
				t.Errorf("%s: %d", line, m.Status)
			}
		}
	}
	edge.Stop()
	edge = edgetest.Start(t, fewSite("requests = 1\nper = \"1h\""))
	once(t, edge.HTTP, to("few.example", "GET", "/"))
	for i, chain := range []string{
		"unknown", "_x%d", "1.2.3.%d.5", "999.1.1.%d", "0x7f.1", "1.2.3", "203.0.113.%d:x", "[2001:db8::%d",
		"203.0.113.%d, x", "203.0.113.%d; x", "203.0.113.%d/32", "\"203.0.113.%d\"", "203.0.113.%d,", "",
		"2001:db8::%d:::", "203.0.113.0%d", "::ffff:999.0.0.%d", "203.0.113.%d\xa0",
	} {
		if strings.Contains(chain, "%") {
			chain = fmt.Sprintf(chain, i)
		}
		if m := once(t, edge.HTTP, fewFrom(chain)); m.Status != 429 {
			t.Errorf("%q: %d", chain, m.Status)
		}
	}
}

// waitingIsBounded: a limit that lets requests wait holds only so many of one
// client, and other clients do not notice.
func waitingIsBounded(t *testing.T) {
	rec, release := holding(t, "one")
	defer release()
	c := fewSite("concurrent = 1\nover = \"queue\"\nqueue = \"1h\"")
	c.Text = strings.Replace(c.Text, `respond = { status = 200, body = "few" }`, `backend = "app"`, 1) +
		rec.Backend("app")
	edge := edgetest.Start(t, c)
	const client, many, most = "198.51.100.7", 300, 256
	edge.Dial(t).Send(to("few.example", "GET", "/held", "X-Forwarded-For: "+client))
	if !edgetest.Until(func() bool { return rec.Count() == 1 }) {
		t.Fatal("the server got no request")
	}
	var all sync.WaitGroup
	statuses := make(chan int, many)
	for range many {
		c := edge.Dial(t).Send(fewFrom(client))
		all.Go(func() {
			m, err := c.TryAnswer("GET")
			if err != nil {
				t.Error(err)
				return
			}
			statuses <- m.Status
			c.Close()
		})
	}
	for range many - most {
		if status := <-statuses; status != http.StatusTooManyRequests {
			t.Errorf("one of too many got %d", status)
		}
	}
	waiting := func() int64 { return edge.App.View().Limits[0].Queued }
	if !edgetest.Until(func() bool { return waiting() == most }) {
		t.Errorf("%d wait, want %d", waiting(), most)
	}
	for i := range 20 {
		if m := once(t, edge.HTTP, fewFrom(fmt.Sprintf("198.51.100.%d", 100+i))); m.Status != 200 {
			t.Errorf("somebody else gets %d", m.Status)
		}
	}
	release()
	all.Wait()
	for range most {
		if status := <-statuses; status != 200 {
			t.Errorf("one who waited got %d", status)
		}
	}
}

// placesComeBack: however a request ends, its place is free again.
func placesComeBack(t *testing.T) {
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Head(); m != nil; m = p.Head() {
			switch {
			case m.Path == "/die", !p.Body(m):
				return
			case m.Path == "/junk":
				p.Send("junk⏎⏎")
				return
			case m.Path == "/half":
				p.Send("HTTP/1.1 200 OK⏎Content-Length: 10⏎⏎half")
				return
			}
			p.Send(edgetest.EchoOf(m))
		}
	})
	edge := edgetest.Start(t, edgetest.Config{Text: `
		[rate_limits.one]
		concurrent = 1
		[limits]
		rate_limits = ["one"]
		[timeouts]
		client = "100ms"
		server = "100ms"
		` + rec.Backend("app", "retries = 0") + site})
	free := func(what string) {
		t.Helper()
		if !edgetest.Until(func() bool { return once(t, edge.HTTP, get("/")).Status == 200 }) {
			t.Fatalf("no place is free after %.60q", what)
		}
	}
	for _, text := range []string{
		get("/die"), get("/junk"), get("/half"), sized("hello")[:len(sized("hello"))-3], chunked("5⏎hello⏎zz⏎"), chunked("5⏎hel"),
		request("POST / HTTP/1.1", "Host: small.example", "Content-Length: 99999"),
		request("PUT / HTTP/1.1", "Host: methods.example"), request("GET / HTTP/1.1", "Host: closed.example"),
		request("GET / HTTP/1.1", "Host: moved.example"), request("GET / HTTP/1.1", "Host: text.example"),
		get("/", "Expect: x"), get("/", "Upgrade: websocket", "Connection: Upgrade"), get("/") + get("/"),
		request("HEAD / HTTP/1.1", "Host: app.example"), request("GET / HTTP/1.0", "Host: app.example"),
		post("", "Content-Length: 5", "Expect: 100-continue"),
	} {
		for _, end := range []func(*edgetest.Client){
			func(c *edgetest.Client) { _, _ = c.TryAnswer("HEAD") },
			(*edgetest.Client).CloseWrite, (*edgetest.Client).Close, (*edgetest.Client).Reset,
		} {
			c := edge.Dial(t).Send(text)
			end(c)
			c.Close()
			free(text)
		}
	}
}

// noneIsSpared: whatever a request looks like, it counts.
func noneIsSpared(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{Text: `
		[rate_limits.one]
		requests = 1
		per = "1h"
		[limits]
		rate_limits = ["one"]
		` + rec.Backend("app") + site})
	once(t, edge.HTTP, get("/"))
	for _, text := range []string{
		get("/"), sized("hello"), chunked("5⏎hello⏎0⏎⏎"), request("HEAD / HTTP/1.1", "Host: app.example"),
		request("OPTIONS / HTTP/1.1", "Host: app.example"), request("BREW / HTTP/1.1", "Host: app.example"),
		request("GET / HTTP/1.1", "Host: APP.example."), request("GET / HTTP/1.1", "Host: app.example:8080"),
		withTarget("//"), withTarget("/%2e"), withTarget("/?x"),
		get("/", "User-Agent: Doorward check"), get("/", "Upgrade: websocket", "Connection: Upgrade"),
		get("/", "X-Forwarded-For: 127.0.0.1"), get("/", "Retry-After: 0"),
		request("GET / HTTP/1.1", "Host: moved.example"), request("GET / HTTP/1.1", "Host: text.example"),
	} {
		over(t, edge, func(t *testing.T, c *edgetest.Client) {
			method, _, _ := strings.Cut(text, " ")
			if m := c.Send(text).AnswerTo(method); m.Status != http.StatusTooManyRequests {
				t.Errorf("%.80q: %d", text, m.Status)
			}
			c.Close()
		})
	}
	// One after the other on a connection each counts as well.
	if got := pipeline(t, edge, 100, func(int) string { return get("/") }); got[429] != 100 {
		t.Errorf("%v", got)
	}
	if n := rec.Count(); n != 1 {
		t.Errorf("%d requests reached the server", n)
	}
}
