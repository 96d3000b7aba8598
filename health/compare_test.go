package health_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"doorward/health"
	"doorward/internal/porttest"
	"doorward/proxy/backend"
)

// every is the interval of checks here: short, and long enough that a connection
// is never late because the machine is busy.
const every = 200 * time.Millisecond

// comparison is one way to check, in HAProxy's words and in ours, and what the
// server does to the checks in turn.
type comparison struct {
	name    string
	haproxy string // lines of the backend
	server  string // words of the server line
	options health.CheckOptions
	script  string
}

func comparisons() []comparison {
	get := "option httpchk\n http-check send meth GET uri / ver HTTP/1.1 hdr Host app.example\n"
	both := func(rise, fall int) (string, health.CheckOptions) {
		return fmt.Sprintf("rise %d fall %d", rise, fall), health.CheckOptions{Rise: rise, Fall: fall}
	}
	var all []comparison
	for _, c := range []struct {
		rise, fall int
		script     string
	}{
		{2, 3, "200 200 500 200 500 500 200 500 500 500 500 200 500 200 200 500 200"},
		{1, 1, "500 200 500 500 200 200 500 200"},
		{3, 2, "200 500 500 200 200 500 200 200 200 500 200 500 500"},
		{1, 4, "500 200 500 500 500 200 500 500 500 500 200"},
		{2, 3, "500 200 200 500 500"},
		{4, 1, "200 500 200 200 200 500 200 200 200 200 500"},
		{2, 3, "close 200 close garbage half reset 200 200 hang reset 302 404 204"},
		{2, 2, "200 refused 200 200 500 refused 200 500 200 200"},
	} {
		server, options := both(c.rise, c.fall)
		all = append(all, comparison{
			name:    strings.ReplaceAll(fmt.Sprintf("%s %.11s", server, c.script), " ", "_"),
			haproxy: get, server: server, options: options, script: c.script,
		})
	}
	expect := func(name, haproxy, script string, e health.Expect) {
		server, options := both(2, 3)
		options.Expect = e
		all = append(all, comparison{
			name: "expect_" + name, server: server, options: options, script: script,
			haproxy: get + " http-check expect " + haproxy + "\n",
		})
	}
	list := []health.StatusRange{{From: 204, To: 204}, {From: 300, To: 310}, {From: 503, To: 503}}
	expect("status_list", "status 204,300-310,503", "200 204 503 302 311 300 310 299 200 204 204",
		health.Expect{Status: list})
	expect("no_status", "! status 500-599", "200 500 404 503 200 599 500 200 200",
		health.Expect{Status: []health.StatusRange{{From: 500, To: 599}}, Not: true})
	expect("status_regex", "rstatus ^20[04]$", "200 201 204 500 200",
		health.Expect{StatusRegex: "^20[04]$"})
	expect("text", "string hello", "200 other 500 other hang 200 200",
		health.Expect{Body: "hello"})
	expect("no_text", "! string hello", "other 200 other 200 500 200 other other",
		health.Expect{Body: "hello", Not: true})
	expect("text_regex", "rstring ^hel+o$", "200 other 200 other",
		health.Expect{BodyRegex: "^hel+o$"})
	expect("field", "hdr name x-ready value yes", "200 other 200 other",
		health.Expect{Header: map[string]string{"X-Ready": "yes"}})
	return all
}

// TestHAProxyAgrees lets HAProxy and a monitor check servers that do the same to
// the same checks, and compares what the two know after each one.
func TestHAProxyAgrees(t *testing.T) {
	t.Parallel()
	all := comparisons()
	theirs, ours := make([]*theatre, len(all)), make([]*theatre, len(all))
	var sections strings.Builder
	for i, c := range all {
		theirs[i], ours[i] = newTheatre(t, c.script), newTheatre(t, c.script)
		fmt.Fprintf(&sections, "backend app%d\n%s timeout check 2s\n server s1 %s check inter %v %s\n",
			i, c.haproxy, theirs[i].address, every, c.server)
	}
	h := startHAProxy(t, sections.String())
	m := monitor(t, health.Options{})
	var targets []health.Target
	for i, c := range all {
		name := fmt.Sprint("app", i)
		theirs[i].open(func() view { return h.view(t, name) })
		ours[i].open(func() view { return known(m, name) })
		c.options.Timing = health.Timing{Interval: every, Timeout: 2 * time.Second}
		targets = append(targets, target(t, "s1", &socket{address: ours[i].address}, c.options))
		targets[i].Backend = name
	}
	m.Set(targets)
	for i, c := range all {
		t.Run(c.name, func(t *testing.T) { compare(t, theirs[i], ours[i]) })
	}
}

// compare waits for two theatres with the same script.
func compare(t *testing.T, theirs, ours *theatre) {
	t.Helper()
	a, b := theirs.notes(t), ours.notes(t)
	for i, word := range theirs.script {
		if a[i] != b[i] {
			t.Errorf("after check %d, %s:\nHAProxy  %+v\nDoorward %+v", i+1, word, a[i], b[i])
		}
	}
	if t.Failed() {
		t.Logf("the script: %s", theirs.script)
	}
}

// known is what a monitor knows of the one server of a backend.
func known(m *health.Monitor, backend string) view {
	s, _ := m.Status(backend, "s1")
	return view{
		Status: s.Counter.String(), Health: fmt.Sprint(s.Value), Outcome: s.Last.Outcome.String(),
		Fails: fmt.Sprint(s.Fails), Downs: fmt.Sprint(s.Downs),
	}
}

// TestHAProxyAgreesOnHandshakes is the same for checks that only shake hands.
func TestHAProxyAgreesOnHandshakes(t *testing.T) {
	t.Parallel()
	const script = "handshake close garbage handshake hang close hang handshake handshake"
	theirs, ours := newTheatre(t, script), newTheatre(t, script)
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS()
	certified.Close()
	theirs.tls, ours.tls = certified.TLS, certified.TLS
	// The interval bounds the handshake as well, so it is a long one.
	h := startHAProxy(t, fmt.Sprintf(
		"backend app\n server s1 %s check inter 600ms ssl verify none\n", theirs.address))
	m := monitor(t, health.Options{})
	theirs.open(func() view { return h.view(t, "app") })
	ours.open(func() view { return known(m, "app") })
	m.Set([]health.Target{target(t, "s1", &socket{
		address: ours.address, tls: &tls.Config{InsecureSkipVerify: true},
	}, health.CheckOptions{
		Kind: health.TLS, Timing: health.Timing{Interval: 600 * time.Millisecond},
	})})
	compare(t, theirs, ours)
}

// TestHAProxyAgreesOnConnections is about checks that the server does not see end:
// it waits for where they lead in the long run.
func TestHAProxyAgreesOnConnections(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", porttest.Address(t))
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	h := startHAProxy(t, "backend app\n server s1 "+address+" check inter 200ms\n")
	m := monitor(t, health.Options{})
	o := tcp()
	o.Timing.Interval = every
	m.Set([]health.Target{target(t, "s1", &socket{address: address}, o)})
	for round := range 2 {
		for _, want := range []view{
			{"UP", "4", "L4OK", fmt.Sprint(3 * round), fmt.Sprint(round)},
			{"DOWN", "0", "L4CON", fmt.Sprint(3 * (round + 1)), fmt.Sprint(round + 1)},
		} {
			for who, known := range map[string]func() view{
				"HAProxy":  func() view { return h.view(t, "app") },
				"Doorward": func() view { return known(m, "app") },
			} {
				if !within(20*time.Second, func() bool { return known() == want }) {
					t.Fatalf("%s says %+v, want %+v", who, known(), want)
				}
			}
			if want.Status == "UP" {
				_ = l.Close()
			} else if l, err = net.Listen("tcp", address); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = l.Close()
}

// TestHAProxyAgreesOnRequests compares what requests do to a server that checks
// alone leave as it is.
func TestHAProxyAgreesOnRequests(t *testing.T) {
	events := map[string]backend.Event{
		"200": backend.OK, "404": backend.OK, "501": backend.OK,
		"500": backend.BadStatus, "503": backend.BadStatus,
		"close": backend.NoAnswer, "garbage": backend.NoAnswer, "reset": backend.NoAnswer,
	}
	for _, c := range []struct {
		level  health.Level
		limit  int
		how    health.OnError
		script string
	}{
		{
			health.Layer7, 3, health.FailCheck,
			"500 500 200 500 500 503 404 close garbage 501 500 500 500 500 500 500",
		},
		{health.Layer7, 2, health.SuddenDeath, "500 reset 200 500 500"},
		{health.Layer7, 3, health.MarkDown, "500 500 200 500 close 500"},
		{health.Layer7, 1, health.FastChecks, "500 500 200"},
		{health.Layer7, 1, health.FailCheck, "404 501 200 close 500 garbage"},
		{health.Layer4, 1, health.MarkDown, "500 close reset garbage 200"},
	} {
		t.Run(fmt.Sprint(c.level, c.limit, c.how), func(t *testing.T) {
			t.Parallel()
			theirs := requested(t, c.script, fmt.Sprintf("observe %s error-limit %d on-error %s",
				c.level, c.limit, c.how))
			synctest.Test(t, func(t *testing.T) {
				m, p, _ := observed(t, health.Passive{Level: c.level, Limit: c.limit, OnError: c.how}, 0)
				for i, word := range strings.Fields(c.script) {
					// A server that is down gets no requests.
					if known(m, "app").Status != "DOWN" {
						p.saw(events[word])
					}
					synctest.Wait()
					ours := known(m, "app")
					if ours.Outcome == "L4OK" {
						ours.Outcome = "L7OK" // of the check before all requests
					}
					if theirs[i] != ours {
						t.Errorf("after request %d, %s:\nHAProxy  %+v\nDoorward %+v",
							i+1, word, theirs[i], ours)
					}
				}
			})
		})
	}
}
