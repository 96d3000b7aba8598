package test_test

import (
	"fmt"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// lineCases have lines that are none, or that end before they end.
func lineCases() []edgetest.Case {
	value := func(v string) string { return withLine("X: " + v) }
	return []edgetest.Case{
		refused("H1-15_empty_field_name", sized("test", ": x"), sized("test", ":"),
			sized("test", ":x: y")),
		refused("H1-16_no_colon", sized("hello", "X-Invalid Y"), sized("hello", "X"),
			sized("hello", "X-Invalid\tY: z")),
		refused("H1-18_obs-fold_in_TE", post("0⏎⏎", "Transfer-Encoding:⏎ chunked"),
			post("0⏎⏎", "Transfer-Encoding:⏎\tchunked"), post("0⏎⏎",
				"Transfer-Encoding: chun⏎ ked")),
		refused("H1-19_obs-fold_that_hides_a_field",
			post("hello", "Foo: bar⏎ Transfer-Encoding: chunked", "Content-Length: 5"),
			post("hello", "Foo: bar⏎\tTransfer-Encoding: chunked", "Content-Length: 5"),
			withLine("Foo: bar⏎ "), withLine("Foo:⏎ ⏎ bar")),
		refused("H1-20_white_space_before_the_first_field",
			request("POST / HTTP/1.1", " Content-Length: 5", "Host: app.example")+"hello",
			request("POST / HTTP/1.1", "\tContent-Length: 5", "Host: app.example")+"hello",
			request("GET / HTTP/1.1", " ", "Host: app.example")),
		refused("H1-21_bare_LF",
			"GET / HTTP/1.1\nHost: app.example\n\n", "GET / HTTP/1.1\nHost: app.example⏎⏎",
			"GET / HTTP/1.1⏎Host: app.example\n⏎", "GET / HTTP/1.1⏎Host: app.example⏎\n",
			"GET / HTTP/1.1⏎Host: app.example\n\n", "\nGET / HTTP/1.1⏎Host: app.example⏎⏎",
			get("/", "A: b\nContent-Length: 5")),
		refused("H1-21_bare_CR", "GET / HTTP/1.1\rHost: app.example\r\r\n",
			"GET / HTTP/1.1⏎Host: app.example\r\r\n⏎", withLine("A: b\rContent-Length: 5"),
			withLine("A\r: b"), withLine("\rA: b"), withLine("A: b\r"), withLine("\r"),
			"\rGET / HTTP/1.1⏎Host: app.example⏎⏎"),
		refused("H1-23_control_characters_in_a_value", append(each(value,
			"a\x00b", "a\x01b", "a\x7fb", "a\x1fb", "\x00", "a\x0bb", "a\x0cb", "a\x08b",
			"1234567\x00",
			"123456789\x7fabcdefgh"),
			withLine("Cookie: a=\x00b"), withLine("Cookie: a=b\x7f"), withHost("app.example\x01"),
			withHost("\x00app.example"))...),
		served("H1-25_text_beyond_ASCII_passes_as_it_is", wantField("X-Other", "\x85admin\xa0"),
			withLine("X-Other: \x85admin\xa0"), withLine("X-Other:\t\x85admin\xa0 ")),
		served("H1-25_text_beyond_ASCII_in_what_is_ours", wantField("X-Forwarded-User"),
			withLine("X-Forwarded-User: \x85admin\xa0")),
		refused("H1-53_spacing_of_the_request_line", each(func(line string) string {
			return request(line, "Host: app.example")
		}, "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET\t/ HTTP/1.1", "GET /\tHTTP/1.1",
			" GET / HTTP/1.1", "GET /a b HTTP/1.1", "GET\v/ HTTP/1.1", "GET / HTTP/1.1 ",
			"GET /", "GET", "GET / ", "GET  HTTP/1.1", "/ HTTP/1.1", "GET / HTTP/1.1 x",
			"GET / HTTP / 1.1", "GET / http/1.1", "GET / HTTP/1.1\t", "GET / HTTP/11",
			"GET / HTTP/1.", "GET / HTTP/1.10", "GET / HTTP/01.1", "GET / HTTQ/1.1",
			"GET / HTTP/+1.1", "GET /\xa0 HTTP/1.1", "GET /\u00a0HTTP/1.1")...),
		refused("H1-53_many_empty_lines", strings.Repeat("⏎", 2)+get("/"),
			strings.Repeat("⏎", 10_000)+get("/"), "\n"+get("/"), "\r"+get("/"), " ⏎"+get("/")),
		served("H1-53_one_empty_line", wantPath("/x"), "⏎"+get("/x")),
		{
			Name: "H1-53_other_versions", Status: 505, Closes: true,
			Send: each(func(v string) string { return request("GET / "+v, "Host: app.example") },
				"HTTP/2.0", "HTTP/3.0", "HTTP/0.9", "HTTP/9.9", "HTTP/2.1"),
		},
		{
			Name: "H1-51_HTTP_2_preface", Status: 505, Closes: true,
			Send: []string{"PRI * HTTP/2.0⏎⏎SM⏎⏎",
				"PRI * HTTP/2.0⏎⏎SM⏎⏎\x00\x00\x00\x04\x00\x00\x00\x00\x00"},
		},
	}
}

// limitCases have too much of something.
func limitCases() []edgetest.Case {
	fields := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%c%c: x⏎", 'a'+i%26, 'a'+i/26%26)
		}
		return get("/", strings.TrimSuffix(b.String(), "⏎"))
	}
	name := func(n int) string {
		return sized("0123456789", strings.Repeat("n", n)+": x")
	}
	return []edgetest.Case{
		served("H1-14_name_of_256_bytes", wantField(strings.Repeat("n", 256), "x"), name(256)),
		{
			Name: "H1-14_longer_names", Status: 431, Closes: true, Never: []string{"nnn"},
			Send: []string{name(257), name(270), name(65_536), name(65_536 + 14)},
		},
		{
			Name: "H1-59_large_heads", Status: 431, Closes: true,
			Send: []string{
				withLine("X: " + strings.Repeat("x", 32<<10)),
				get("/", strings.Repeat("X-Y: "+strings.Repeat("y", 195)+"⏎", 199)+"Z: z"),
				get("/", strings.Repeat("X-Y: "+strings.Repeat("y", 995)+"⏎", 64)+"Z: z"),
				withLine("X: " + strings.Repeat("x", 1<<20)),
			},
		},
		served("H1-59_head_just_within_the_limit", wantPath("/"),
			withLine("X: "+strings.Repeat("x", 32<<10-len(edgetest.Bytes(withLine("X: ")))))),
		{
			Name: "H1-59_long_targets", Status: 414, Closes: true,
			Send: []string{
				get("/" + strings.Repeat("x", 8<<10)), get("/?" + strings.Repeat("x", 8<<10)),
				get("/" + strings.Repeat("x", 1<<20)), "GET /" + strings.Repeat("x", 64<<10),
			},
		},
		served("H1-59_target_just_within_the_limit", wantPath("/"+strings.Repeat("x", 8<<10-1)),
			get("/"+strings.Repeat("x", 8<<10-1))),
		served("H1-61_as_many_fields_as_allowed", wantPath("/"), fields(99)),
		{
			Name: "H1-61_too_many_fields", Status: 431, Closes: true,
			Send: []string{fields(100), fields(501), fields(3500), fields(175_000)},
		},
		{
			Name: "H1-54_refused_methods", Status: 405, Closes: true,
			Send: []string{
				request("TRACE / HTTP/1.1", "Host: app.example", "Cookie: a=b"),
				request("TRACK / HTTP/1.1", "Host: app.example"),
				request("TRACE / HTTP/1.1", "Host: app.example", "Content-Length: 5") + "hello",
			},
		},
		{
			Name: "H1-45_CONNECT", Status: 405, Closes: true,
			Send: []string{
				request("CONNECT internal:80 HTTP/1.1", "Host: internal:80"),
				request("CONNECT / HTTP/1.1", "Host: app.example"),
				request("CONNECT app.example:443 HTTP/1.1", "Host: app.example:443") + smuggled,
				request("CONNECT app.example:443 HTTP/1.0"),
				request("CONNECT http://app.example/ HTTP/1.1", "Host: app.example"),
			},
		},
		refused("H1-54_illegal_methods", each(func(m string) string {
			return request(m+" / HTTP/1.1", "Host: app.example")
		}, "GET\x00", "G=\":<>", "G(T", "GET,", "", "\"GET\"", "G\u00cbT", strings.Repeat("M", 33),
			strings.Repeat("M", 100<<10))...),
		served("H1-54_other_methods_pass_as_they_are", func(t testing.TB, o *edgetest.Outcome) {
			if want, _, _ := strings.Cut(o.Input, " "); o.Requests[0].Method != want {
				t.Errorf("the server got %s, want %s", o.Requests[0].Method, want)
			}
		}, each(func(m string) string { return request(m+" / HTTP/1.1", "Host: app.example") },
			"get", "Get", "DEBUG", "PROPFIND", "connect", "trace", "X!", strings.Repeat("M",
				32))...),
		{
			Name: "H1-54_lower_case_is_another_method", Status: 404,
			Send: []string{
				request("get / HTTP/1.1", "Host: methods.example"),
				request("Get / HTTP/1.1", "Host: methods.example"),
				request("HEAD / HTTP/1.1", "Host: methods.example"),
			},
		},
	}
}

// targetCases have a target in another form than a path.
func targetCases() []edgetest.Case {
	return []edgetest.Case{
		refused("H1-46_opaque_target", each(withTarget, "http:http://internal/admin", "http:admin",
			"a:b/c", "a:80", "http:/app.example/", "http:app.example", "mailto:a@app.example",
			":///", "://app.example/", "app.example:80")...),
		refused("H1-47_absolute_target_of_another_host",
			withTarget("http://internal/x"), withTarget("https://internal/x"),
			withTarget("http://app.example.evil/x"), withTarget("http://app.example:81/x"),
			request("GET http://app.example/x HTTP/1.1", "Host: internal"),
			request("GET http://app.example/x HTTP/1.1", "Host: app.example:80")),
		{
			Name: "H1-47_absolute_target_of_the_other_scheme", Status: 400, Closes: true,
			Over: "tls",
			Send: each(withTarget, "http://app.example/x", "HTTP://app.example/x"),
		},
		{
			Name: "H1-47_absolute_target_of_the_other_scheme", Status: 400, Closes: true,
			Over: "plain",
			Send: each(withTarget, "https://app.example/x"),
		},
		{
			Name: "H1-47_absolute_target_becomes_a_path", Status: 200, Reach: 1, Over: "plain",
			Send: append(each(withTarget, "http://app.example/x", "HTTP://APP.EXAMPLE/x"),
				request("GET http://app.example/x HTTP/1.1", "Host: APP.example"),
				request("GET http://app.example:80/x HTTP/1.1", "Host: app.example:80")),
			Check: wantPath("/x"),
		},
		{
			Name: "H1-47_absolute_target_becomes_a_path", Status: 200, Reach: 1, Over: "tls",
			Send: each(withTarget, "https://app.example/x"), Check: wantPath("/x"),
		},
		{
			Name: "H1-48_absolute_target_without_a_path", Status: 200, Reach: 1, Over: "plain",
			Send:  each(withTarget, "http://app.example", "http://app.example/"),
			Check: wantPath("/"),
		},
		{
			Name: "H1-48_absolute_target_with_a_query_alone", Status: 200, Reach: 1, Over: "plain",
			Send: each(withTarget, "http://app.example?x=/y"), Check: wantPath("/?x=/y"),
		},
		refused("H1-48_odd_absolute_targets", each(withTarget, "http://u:p@app.example/",
			"http://@app.example/", "http://u@app.example/", "ftp://app.example/",
			"ws://app.example/",
			"http:///x", "http://?x", "http://app.example\\@internal/",
			"http://app.example%2f/", "http://app.example,internal/", "http:///app.example/")...),
		refused("H1-49_asterisk", withTarget("*"), withTarget("*/test"),
			request("OPTIONS */test HTTP/1.1", "Host: app.example"),
			request("OPTIONS ** HTTP/1.1", "Host: app.example"),
			request("POST * HTTP/1.1", "Host: app.example", "Content-Length: 0")),
		{
			Name: "H1-49_asterisk_is_answered_here", Status: 204,
			Send: []string{request("OPTIONS * HTTP/1.1", "Host: app.example"),
				request("OPTIONS * HTTP/1.1", "Host: nobody.example")},
		},
		refused("H1-50_target_without_a_slash", each(withTarget, "admin", "@x", "?x", "#x",
			"\\admin",
			"..", "%2fadmin", "~", ";x")...),
		refused("H1-55_raw_number_sign", each(withTarget, "/public#/../admin", "/#", "/?a#b",
			"/x%23#")...),
		served("H1-65_encoded_line_ends_stay_encoded", func(t testing.TB, o *edgetest.Outcome) {
			wantPath(strings.Split(o.Input, " ")[1])(t, o)
		}, each(withTarget, "/%0d%0aX-Forwarded-User:%20admin",
			"/x%0d%0a%0d%0aGET%20/admin", "/?%0d%0aX:%20y")...),
	}
}

// hostFieldCases have a Host that is none, or more than one.
func hostFieldCases() []edgetest.Case {
	second := func(line string) string { return get("/", line) }
	return []edgetest.Case{
		refused("H1-56_Host_twice", append(each(second, "Host: app.example", "Host: internal",
			"host: internal", "Host : internal", " Host: internal", "Host:", "HOST: app.example"),
			withHost("app.example, internal"), withHost("app.example,internal"),
			withHost("app.example⏎ internal"), withHost("app.example internal"))...),
		refused("H1-57_no_Host", request("GET / HTTP/1.1"), withHost(""), withHost(" "),
			request("GET http://app.example/ HTTP/1.1"), request("GET / HTTP/1.0", "Host:")),
		{
			Name: "H1-57_no_Host_in_HTTP_1.0", Status: 421, Closes: true,
			Send: []string{request("GET / HTTP/1.0"), request("GET /x HTTP/1.0",
				"Host_: app.example")},
		},
		refused("H1-58_Host_syntax", each(withHost, "app.example:80abc", ":80", "app.example:",
			"app.example:99999", "[::1", "[fe80::1%25eth0]", "a/b", "a?b", "u@a", "a b", "a\\b",
			"-",
			strings.Repeat("l", 300), "app.example\x00", "app.example:0", "app.example:-1",
			"app.example:+80", "app.example: 80", "app..example", ".app.example", "app.example..",
			"%61pp.example", "app.example#", "http://app.example", "app.example:80:80", "[::1]x",
			"[]", "::1", "[::1]:", "app.example;x", "app.example\"", "\u0430pp.example",
			"app.ex\xe4mple",
			strings.Repeat("l.", 127)+"l", "app.-example", "app-.example")...),
	}
}
