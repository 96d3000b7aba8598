package health_test

import (
	"strings"
	"testing"

	"doorward/health"
)

func TestRequestOnTheWire(t *testing.T) {
	for _, c := range []struct {
		name    string
		request health.Request
		want    string
	}{
		{
			"defaults", health.Request{Host: "app.example"},
			"GET / HTTP/1.1|Host: app.example|User-Agent: Doorward check|Connection: close||",
		},
		{
			"everything",
			health.Request{
				Method: "POST", Path: "/ready?x=1", Host: "app.example:8080", Body: "ping",
				Fields: map[string]string{"X-Probe": "1", "Accept": "text/plain", "user-agent": "me"},
			},
			"POST /ready?x=1 HTTP/1.1|Host: app.example:8080|Connection: close|" +
				"Accept: text/plain|X-Probe: 1|user-agent: me|Content-Length: 4||ping",
		},
		{
			"HTTP/1.0", health.Request{Version: "1.0", Host: "h", Method: "OPTIONS", Path: "*"},
			"OPTIONS * HTTP/1.0|Host: h|User-Agent: Doorward check|Connection: close||",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := strings.ReplaceAll(c.want, "|", "\r\n")
			if got := received(t, c.request); got != want {
				t.Errorf("sent\n%q\nwant\n%q", got, want)
			}
		})
	}
}

func TestExpectations(t *testing.T) {
	const page = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\nX-Ready: yes\r\nX-Ready: very\r\n\r\n" +
		"status: all fine"
	const broken = "HTTP/1.1 503 Gone to \x1b[31mlunch\r\n\r\nno"
	status := func(from, to int) health.Expect {
		return health.Expect{Status: []health.StatusRange{{From: from, To: to}}}
	}
	field := func(value string) health.Expect {
		return health.Expect{Header: map[string]string{"x-ready": value}}
	}
	not := func(e health.Expect) health.Expect { e.Not = true; return e }
	for _, c := range []struct {
		name   string
		answer string
		expect health.Expect
		want   string
	}{
		{"default", page, health.Expect{}, "L7OK 200"},
		{"default, redirect", "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", health.Expect{}, "L7OK 302"},
		{"default, 404", "HTTP/1.1 404 Not Found\r\n\r\n", health.Expect{}, "L7STS 404: Not Found"},
		{"default, 503", broken, health.Expect{}, "L7STS 503: Gone to ?[31mlunch"},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n", health.Expect{}, "L7OK 200"},
		{"no phrase", "HTTP/1.1 500\r\n\r\n", health.Expect{}, "L7STS 500"},
		{
			"interim answers", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + page,
			health.Expect{}, "L7OK 200",
		},
		{"switching", "HTTP/1.1 101 Switching\r\n\r\n", status(101, 101), "L7OK 101"},
		{"one status", page, status(200, 200), "L7OK 200"},
		{"another status", page, status(204, 204), "L7STS 200: OK"},
		{
			"a list", broken,
			health.Expect{Status: []health.StatusRange{{From: 200, To: 299}, {From: 503, To: 503}}},
			"L7OK 503",
		},
		{"status regex", page, health.Expect{StatusRegex: "^20[04]$"}, "L7OK 200"},
		{
			"status regex, other", broken, health.Expect{StatusRegex: "^20[04]$"},
			"L7STS 503: Gone to ?[31mlunch",
		},
		{"not a status", page, not(status(500, 599)), "L7OK 200"},
		{
			"not a status, and yet", broken, not(status(500, 599)),
			"L7STS 503: the answer is one that is not expected",
		},
		{"field", page, field("yes"), "L7OK 200"},
		{"field, second line", page, field("very"), "L7OK 200"},
		{"field, other", page, field("no"), `L7STS 200: field X-Ready is "yes"`},
		{"field, regex", page, field("~^v.*y$"), "L7OK 200"},
		{"field, regex, other", page, field("~^x"), `L7STS 200: field X-Ready is "yes"`},
		{"field, present", page, field("*"), "L7OK 200"},
		{"field, absent", broken, field("*"), "L7STS 503: no field X-Ready"},
		{"body", page, health.Expect{Body: "all fine"}, "L7OK 200"},
		{"body, whatever the status", broken, health.Expect{Body: "no"}, "L7OK 503"},
		{"body, other", page, health.Expect{Body: "on fire"}, `L7RSP 200: "on fire" is not in the body`},
		{"body, regex", page, health.Expect{BodyRegex: `(?m)^status:.*fine$`}, "L7OK 200"},
		{
			"body, regex, other", page, health.Expect{BodyRegex: `^fine`},
			`L7RSP 200: nothing in the body matches "^fine"`,
		},
		{
			"chunked body",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n5\r\n fine\r\n0\r\n\r\n",
			health.Expect{Body: "all fine"}, "L7OK 200",
		},
		{
			"body until the end", "HTTP/1.1 200 OK\r\n\r\nall fine",
			health.Expect{Body: "all fine"}, "L7OK 200",
		},
		{
			"body cut short", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nall fine",
			health.Expect{Body: "all fine"}, "L7OK 200",
		},
		{"all together", page, health.Expect{
			Status: []health.StatusRange{{From: 200, To: 200}}, Body: "fine", BodyRegex: "al+",
			Header: map[string]string{"X-Ready": "*", "Content-Length": "16"},
		}, "L7OK 200"},
		{"one is missing", page, health.Expect{
			Status: []health.StatusRange{{From: 200, To: 200}}, Body: "fine", BodyRegex: "bl+",
		}, `L7RSP 200: nothing in the body matches "bl+"`},
		{"not all of them", page, not(health.Expect{StatusRegex: "200", Body: "on fire"}), "L7OK 200"},
		{
			"not, and all of them", page, not(health.Expect{StatusRegex: "200", Body: "fine"}),
			"L7RSP 200: the answer is one that is not expected",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := probe(t, answers(c.answer), health.CheckOptions{Expect: c.expect})
			if got.String() != c.want {
				t.Errorf("the check says %q, want %q", got, c.want)
			}
			if got.Took <= 0 || got.FirstByte <= 0 || got.Dial.Connect <= 0 || got.At.IsZero() {
				t.Errorf("times are missing: %+v", got)
			}
		})
	}
}

// The answer to HEAD has a length and no body.
func TestExpectationsOfHead(t *testing.T) {
	got := probe(t, answers("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n"), health.CheckOptions{
		Request: health.Request{Method: "HEAD"},
		Expect:  health.Expect{BodyRegex: "^$"},
	})
	if got.String() != "L7OK 200" {
		t.Errorf("the check says %q, want L7OK 200", got)
	}
}
