package test_test

import (
	"fmt"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// guardedNames are fields that say who sent a request, or what it really asks
// for. Only the edge and proxies it trusts may say so.
var guardedNames = []string{
	"X-Forwarded-User", "X-Forwarded-Groups", "X-Forwarded-Email", "X-Forwarded-Preferred-Username",
	"X-Forwarded-Access-Token", "X-Forwarded-Prefix", "X-Forwarded-Port", "X-Forwarded-Server",
	"X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Scheme", "X-Forwarded-Ssl",
	"X-Forwarded-By", "X-Forwarded-Path", "X-Forwarded-Proto-Version",
	"X-Forwarded-Tls-Client-Cert",
	"X-Original-URL", "X-Original-Uri", "X-Original-Method", "X-Original-Host",
	"X-Original-Forwarded-For", "X-Rewrite-Url", "X-Http-Method-Override", "X-Http-Method",
	"X-Real-Ip", "X-Envoy-External-Address", "X-Envoy-Original-Path", "X-Envoy-Internal",
	"X-Arr-ClientCert", "X-Arr-Ssl", "X-Forwarded-Client-Cert", "X-SSL-Client-Verify",
	"X-SSL-Client-S-DN", "X-Client-Cert", "X-Client-Certificate", "Proxy",
}

// aliases are other spellings of a name that software behind the edge may take
// for it.
func aliases(name string) (names []string) {
	for _, sign := range "!#$%&'*+.^_`|~" {
		names = append(names, strings.ReplaceAll(name, "-", string(sign)),
			strings.Replace(name, "-", string(sign), 1),
			strings.ToLower(strings.ReplaceAll(name, "-", string(sign))))
	}
	return names
}

// TestSecurityID has the cases of group ID on forwarded headers, from a client
// that nobody trusts.
func TestSecurityID(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	edgetest.Run(t, edge, rec, identityCases())
}

// identityCases say who the client is, or what it really asks for.
func identityCases() []edgetest.Case {
	spoof := func(name string) string { return withLine(name + ": spoofed") }
	var spellings []string
	for _, name := range guardedNames {
		if strings.Contains(name, "-") {
			spellings = append(spellings, strings.Join(aliases(name), ": spoofed⏎")+": spoofed")
		}
	}
	peer := func(t testing.TB, o *edgetest.Outcome) {
		proto := map[bool]string{false: "http", true: "https"}[o.TLS]
		wantField("X-Forwarded-For", "127.0.0.1")(t, o)
		wantField("X-Forwarded-Host", "app.example")(t, o)
		wantField("X-Forwarded-Proto", proto)(t, o)
		wantField("Forwarded", "for=127.0.0.1;host=app.example;proto="+proto)(t, o)
	}
	return []edgetest.Case{
		{
			Name: "ID-02_ID-15_ID-20_spoofed_on_a_public_route", Status: 200, Reach: 1,
			Never: []string{"spoofed"}, Send: each(spoof, guardedNames...),
			Check: peer,
		},
		{
			Name: "ID-08_spoofed_twice_the_first_empty", Status: 200, Reach: 1,
			Never: []string{"spoofed", "Forwarded-User", "X-Real"},
			Send: []string{
				withLine("X-Forwarded-User:⏎X-Forwarded-User: spoofed"),
				withLine("X-Real-Ip:⏎x-real-ip: spoofed⏎X-REAL-IP: spoofed"),
			},
		},
		{
			Name: "ID-04_ID-05_ID-06_other_spellings", Status: 200, Reach: 1,
			Never: []string{"spoofed"}, Check: peer,
			Send: append(each(withLine, spellings...), spoof("X_Forwarded-User"),
				spoof("x_auth_request_email"), spoof("X_Forwarded_For"), spoof("x.forwarded.for"),
				spoof("X-Forwarded_Proto"), spoof("Forwarded_"), spoof("For_warded")),
		},
		{
			Name: "ID-04_underscores", Status: 200, Reach: 1, Never: []string{"spoofed"},
			Send: each(spoof, "X_Request_ID", "Remote_User", "_", "a_b", "X-A_", "_X-A"),
		},
		{
			Name: "ID-10_addresses_from_nobody_trusted", Status: 200, Reach: 1,
			Never: []string{"192.0.2.1", "evil"}, Check: peer,
			Send: each(withLine, "X-Forwarded-For: 192.0.2.1",
				"X-Forwarded-For: 192.0.2.1, 127.0.0.1",
				"x-forwarded-for: 192.0.2.1⏎X-Forwarded-For: 192.0.2.1",
				"Forwarded: for=192.0.2.1", "Forwarded: for=192.0.2.1;host=evil;proto=javascript",
				"X-Forwarded-Host: evil", "X-Forwarded-Proto: evil"),
		},
		{
			Name: "ID-10_ID-14_ID-17_decisions_look_at_the_peer_and_the_target", Status: 403,
			Send: each(func(line string) string {
				return request("GET / HTTP/1.1", "Host: closed.example", line)
			}, "X-Forwarded-For: 192.0.2.1", "X-Real-Ip: 192.0.2.1", "Forwarded: for=192.0.2.1",
				"X-Forwarded-Host: app.example", "X-Forwarded-Uri: /public",
				"X-Original-URL: /public",
				"X-Forwarded-Method: OPTIONS", "X-Http-Method-Override: OPTIONS",
				"User-Agent: GoogleHC/1.0", "User-Agent: ELB-HealthChecker/2.0",
				"X-Forwarded-For: 192.0.2.1⏎X-Forwarded-For: 192.0.2.1"),
		},
		{
			Name: "ID-16_redirects_come_from_the_configuration", Status: 308,
			Send: each(func(line string) string {
				return request("GET /x HTTP/1.1", "Host: moved.example", line)
			}, "X-Forwarded-Proto: javascript", "X-Forwarded-Host: evil.example",
				"Forwarded: host=evil.example;proto=javascript",
				"X-Forwarded-Prefix: //evil.example"),
			Check: func(t testing.TB, o *edgetest.Outcome) {
				if got := o.Answers[0].Get("Location"); got != "https://app.example/x" {
					t.Errorf("Location: %q", got)
				}
			},
		},
		served("ID-15_harmless_names_pass", func(t testing.TB, o *edgetest.Outcome) {
			name, _, _ := strings.Cut(strings.Split(edgetest.Bytes(o.Input), "\r\n")[2], ":")
			wantField(name, "spoofed")(t, o)
		}, each(spoof, "X-Forward", "X-Forwarde", "Forwarded-By", "Proxied", "X-Realm", "X-Http",
			"X-Request", "From", "X-Original", "Priority")...),
		served("LOG-10_request_id_from_nobody_trusted", wantRequestID, each(withLine,
			"X-Request-ID: ../../x", "X-Request-ID: spoofed",
			"x-request-id: spoofed⏎X-Request-ID: a",
			"X-Request-ID: "+strings.Repeat("spoofed", 1000), "X-Request-Id:",
			"X_Request_ID: spoofed",
			"X.Request.ID: spoofed")...),
	}
}

// wantRequestID wants one request id of the edge's own making.
func wantRequestID(t testing.TB, o *edgetest.Outcome) {
	got := o.Requests[0].Values("X-Request-ID")
	if len(got) != 1 || len(got[0]) != 32 || strings.Trim(got[0], "0123456789abcdef") != "" {
		t.Errorf("%q: the server got X-Request-ID %q", o.Input, got)
	}
	if strings.Contains(o.Raw, "spoofed") {
		t.Errorf("the server got %q", o.Raw)
	}
	if id := o.Answers[0].Values("X-Request-ID"); len(id) != 1 || id[0] != got[0] {
		t.Errorf("the client got X-Request-ID %q, the server %q", id, got)
	}
}

// TestSecurityIDTrusted has the cases of group ID in which a trusted proxy
// speaks.
func TestSecurityIDTrusted(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, trustingSite(rec))
	edgetest.Run(t, edge, rec, trustedCases())
}

// trustingSite trusts the clients of tests, as if they were proxies.
func trustingSite(rec *edgetest.Recorder) edgetest.Config {
	return edgetest.Config{
		Listen: `trusted_proxies = ["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"]`,
		Text: rec.Backend("app") + `
			[[route]]
			hosts = ["app.example"]
			networks = ["192.0.2.0/24"]
			backend = "app"
			headers.request.set = { Client = "{client_ip}", Scheme = "{scheme}" }

			[[route]]
			hosts = ["app.example"]
			backend = "app"
			headers.request.set = { Client = "other {client_ip}", Scheme = "{scheme}" }
		`,
	}
}

// trustedCases are what a trusted proxy may say, and what not.
func trustedCases() []edgetest.Case {
	return numbered(append(chainCases(),
		served("ID-11_the_chain_goes_on", wantField("X-Forwarded-For",
			"1.2.3.4, 192.0.2.7, 127.0.0.1"),
			withLine("X-Forwarded-For: 1.2.3.4, 192.0.2.7"),
			withLine("X-Forwarded-For: 1.2.3.4⏎X-Forwarded-For: 192.0.2.7")),
		served("ID-16_scheme_of_a_trusted_proxy", wantField("Scheme", "https"),
			withLine("X-Forwarded-Proto: https"), withLine("X-Forwarded-Proto: HTTPS")),
		served("ID-16_host_of_a_trusted_proxy", wantField("X-Forwarded-Host", "front.example"),
			withLine("X-Forwarded-Host: front.example")),
		served("ID-15_a_trusted_proxy_may_say_more", wantField("X-Forwarded-Port", "8443"),
			withLine("X-Forwarded-Port: 8443")),
		served("LOG-10_request_id_of_a_trusted_proxy", wantField("X-Request-ID", "abc-DEF-123"),
			withLine("X-Request-ID: abc-DEF-123")),
		served("LOG-10_odd_request_ids_of_a_trusted_proxy", wantRequestID, each(withLine,
			"X-Request-ID: ../../x", "X-Request-ID: "+strings.Repeat("spoofed", 1000),
			"X-Request-ID: a b", "X-Request-ID:", "X-Request-ID: a\tb", "X-Request-ID: \xe4",
			"X-Request-ID: "+strings.Repeat("0", 65))...),
		edgetest.Case{
			Name: "ID-16_other_schemes", Status: 200, Reach: 1, Over: "plain",
			Send: each(withLine, "X-Forwarded-Proto: javascript", "X-Forwarded-Proto: https, http",
				"X-Forwarded-Proto:", "X-Forwarded-Proto: wss"),
			Check: func(t testing.TB, o *edgetest.Outcome) {
				wantField("Scheme", "http")(t, o)
				wantField("X-Forwarded-Proto", "http")(t, o)
			},
		},
		edgetest.Case{
			Name: "ID-20_nobody_may_send_certificates", Status: 200, Reach: 1,
			Never: []string{"spoofed"},
			Send: each(func(name string) string { return withLine(name + ": spoofed") },
				"X-Forwarded-Client-Cert", "X-SSL-Client-Verify", "X-Client-Cert", "Proxy",
				"X_Forwarded_User", "X.Forwarded.For", "X-Forwarded_For"),
		},
	))
}

// chainCases have chains of addresses, by the client that they lead to; "other"
// says that it is not in the network of the first route.
func chainCases() (cases []edgetest.Case) {
	for client, chains := range map[string][]string{
		"192.0.2.7": {
			"192.0.2.7", "1.2.3.4, 192.0.2.7", "1.2.3.4, 192.0.2.7, 10.0.0.1", "192.0.2.7:4711",
			"1.2.3.4⏎X-Forwarded-For: 192.0.2.7⏎x-forwarded-for: 10.1.1.1", "::ffff:192.0.2.7",
		},
		"other 2001:db8::1": {"[2001:db8::1]:80, [2001:db8::1]"},
		"other 3ffe::1":     {"192.0.2.7, 3ffe::1"},
		"other fe80::1":     {"fe80::1%eth0"},
		"other 10.0.0.1": {
			"10.0.0.1, 10.0.0.2", "192.0.2.7, unknown, 10.0.0.1",
			strings.Repeat("10.0.0.1, ", 800) + "10.0.0.1",
		},
		"other 127.0.0.1": {
			"", "192.0.2.7, unknown", "192.0.2.7, <script>", "192.0.2.7,", "192.0.2.7/24",
			"192.0.2.07", "0xc0000207", "⏎X-Real-Ip: 192.0.2.7",
		},
	} {
		for _, chain := range chains {
			cases = append(cases, served("ID-11_chain_from_a_trusted_proxy",
				wantField("Client", client), withLine("X-Forwarded-For: "+chain)))
		}
	}
	return cases
}

// numbered tells cases of one name apart.
func numbered(cases []edgetest.Case) []edgetest.Case {
	seen := map[string]int{}
	for i := range cases {
		name := cases[i].Name
		if seen[name]++; seen[name] > 1 {
			cases[i].Name = fmt.Sprintf("%s_%d", name, seen[name])
		}
	}
	return cases
}
