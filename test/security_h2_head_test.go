package test_test

import (
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"doorward/internal/edgetest"
)

// TestSecurityH2Head has the cases of group H2 that one head decides: most are reset
// before anybody looks at what they ask for.
func TestSecurityH2Head(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	var cases []edgetest.Case
	cases = append(cases, pseudoCases()...)
	cases = append(cases, framedHostCases()...)
	cases = append(cases, framedFieldCases()...)
	cases = append(cases, framedLengthCases()...)
	cases = append(cases, framedTrailerCases()...)
	if ran := edgetest.RunFramed(t, edge, rec, cases); ran < 200 {
		t.Errorf("only %d inputs", ran)
	}
}

// head is a GET request for /x of app.example. Names and values in pairs take the place
// of its fields, or come behind them.
func head(pairs ...string) edgetest.Framed {
	q := edgetest.Framed{Head: []hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: "app.example"}, {Name: ":path", Value: "/x"},
	}}
	for i := 0; i < len(pairs); i += 2 {
		f := hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}
		at := len(q.Head)
		for j := range q.Head[:4] {
			if q.Head[j].Name == f.Name {
				at = j
			}
		}
		q.Head = append(q.Head[:at], append([]hpack.HeaderField{f}, q.Head[min(at+1,
			len(q.Head)):]...)...)
	}
	return q
}

// without is head without one of its fields, and with others behind.
func without(name string, pairs ...string) edgetest.Framed {
	q := head(pairs...)
	for i := range q.Head {
		if q.Head[i].Name == name {
			q.Head = append(q.Head[:i], q.Head[i+1:]...)
			break
		}
	}
	return q
}

// appended is head with fields behind it, whatever they are.
func appended(pairs ...string) edgetest.Framed {
	q := head()
	for i := 0; i < len(pairs); i += 2 {
		q.Head = append(q.Head, hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return q
}

// valued makes an input of every value of a field, a pseudo-header field in most cases.
func valued(name string, values ...string) (inputs []edgetest.Framed) {
	for _, v := range values {
		inputs = append(inputs, head(name, v))
	}
	return inputs
}

// called makes an input of every name of a field.
func called(value string, names ...string) (inputs []edgetest.Framed) {
	for _, n := range names {
		inputs = append(inputs, appended(n, value))
	}
	return inputs
}

// withBody has the inputs with a body.
func withBody(body string, inputs ...edgetest.Framed) []edgetest.Framed {
	for i := range inputs {
		inputs[i].Body, inputs[i].HasBody = body, true
	}
	return inputs
}

// resets is a case whose streams are reset, and nothing of them gets to a server.
func resets(name string, inputs ...edgetest.Framed) edgetest.Case {
	return edgetest.Case{
		Name: name, Frames: inputs, Resets: true, Never: []string{"admin", "smuggled", "evil"},
	}
}

// answeredFrames is a case whose streams are answered here.
func answeredFrames(name string, status int, inputs ...edgetest.Framed) edgetest.Case {
	c := resets(name, inputs...)
	c.Resets, c.Status = false, status
	return c
}

// servedFrames is a case whose inputs are forwarded, each as one request.
func servedFrames(name string, check func(testing.TB, *edgetest.Outcome),
	inputs ...edgetest.Framed,
) edgetest.Case {
	return edgetest.Case{Name: name, Frames: inputs, Status: 200, Reach: 1, Check: check}
}

// lineEnds are ways to end a line, or to look as if.
func lineEnds(before, after string) (values []string) {
	for _, end := range []string{"\r\n", "\n", "\r", "\x00", "\r\n\r\n", "\n ", "\v", "\x0c", "\x1f",
		"\x7f"} {
		values = append(values, before+end+after)
	}
	return values
}

// pseudoCases are pseudo-header fields that would change a line of text.
func pseudoCases() []edgetest.Case {
	const request = "/x HTTP/1.1\r\nHost: app.example\r\n\r\nGET /admin"
	return []edgetest.Case{
		resets("H2-10_method", valued(":method", append(lineEnds("GET", "X: smuggled"),
			"GET /admin HTTP/1.1\r\nX: y", "GET /x", "", " ", "GET ", " GET", "GET\t", "G:T", "GET/",
			strings.Repeat("A", 33), strings.Repeat("A", 300), "G\xc3\x8bT", "\"GET\"", "GET,POST",
			"GET "+request)...)...),
		resets("H2-10_method_twice_or_not_at_all", without(":method"), appended(":method", "GET"),
			appended(":method", "POST"), without(":method", "x", "y")),
		answeredFrames("H2-10_H1-54_refused_methods", 405, valued(":method", "TRACE", "TRACK")...),
		resets("H2-10_H1-45_CONNECT", valued(":method", "CONNECT")[0],
			without(":path", ":method", "CONNECT"), without(":scheme", ":method", "CONNECT"),
			edgetest.Framed{Head: []hpack.HeaderField{{Name: ":method", Value: "CONNECT"},
				{Name: ":authority", Value: "internal:80"}}}),
		resets("H2-10_protocol", head(":method", "GET", ":protocol", "websocket"),
			withProtocol(""), withProtocol("h2c"), withProtocol("connect-udp"),
			withProtocol("websocket\r\nX: smuggled"), withProtocol("WebSocket"),
			withProtocol("websocket, h2c"), withProtocol("websocket ")),
		resets("H2-11_path", valued(":path", append(lineEnds("/x", "X: smuggled"),
			request, "/x HTTP/1.1", "/x y", "/x\ty", " /x", "/x ", "/a#b", "#", "http://i/",
			"http://app.example/x", "https://app.example/x", "//\r\n", "http:admin", "admin", "*", "",
			"/\xff", "/\u00e9", "?x", "@evil", "\\admin", ".", "/\x80", "*/admin")...)...),
		resets("H2-11_path_twice_or_not_at_all", without(":path"), appended(":path", "/admin"),
			appended(":path", "/x"), without(":path", "path", "/admin")),
		servedFrames("H2-11_path_that_only_looks_odd", func(t testing.TB, o *edgetest.Outcome) {
			if !strings.Contains(o.Input, `":path: `+o.Requests[0].Path+`"`) {
				t.Errorf("%s: the server got %q", o.Input, o.Requests[0].Path)
			}
		}, valued(":path", "/%0d%0aX:%20smuggled", "//evil.example/", "/a:b", "/a@b", "/?a=/b?c",
			"/x%20HTTP/1.1", "/:path", "/http://i/")...),
		resets("H2-12_scheme", valued(":scheme", append(lineEnds("https", "X: smuggled"), "http", "HTTP",
			"ht tp", "file", "", "https ", "https://evil/", "wss", "https,http",
			"https://app.example/x HTTP/1.1\r\nX: y")...)...),
		resets("H2-12_scheme_twice_or_not_at_all", without(":scheme"), appended(":scheme", "https"),
			appended(":scheme", "http")),
		resets("H2-16_unknown", called("smuggled", ":foo", ":status", ":", "::path", ":Path", ":host",
			":transfer-encoding", ":protocol\r\n", ":path ", ":version", ":method:")...),
		resets("H2-16_status", valued(":status", "200", "101")...),
		resets("H2-16_behind_others", reversed(head("x", "y")), reversed(head("cookie", "a=b")),
			reversed(head("host", "app.example"))),
	}
}

// withProtocol is an extended CONNECT (RFC 8441).
func withProtocol(protocol string) edgetest.Framed {
	q := head(":method", "CONNECT")
	q.Head = append([]hpack.HeaderField{{Name: ":protocol", Value: protocol}}, q.Head...)
	q.HasBody, q.Cut = true, true
	return q
}

// reversed has the fields of the head in the other order.
func reversed(q edgetest.Framed) edgetest.Framed {
	var turned []hpack.HeaderField
	for _, f := range q.Head {
		turned = append([]hpack.HeaderField{f}, turned...)
	}
	q.Head = turned
	return q
}

// framedHostCases say which host is asked for, in one place or in two.
func framedHostCases() []edgetest.Case {
	oneHost := func(t testing.TB, o *edgetest.Outcome) {
		wantField("Host", "app.example")(t, o)
		wantField("X-Forwarded-Host", "app.example")(t, o)
	}
	return []edgetest.Case{
		resets("H2-13_authority", valued(":authority", append(lineEnds("app.example", "X: smuggled"),
			"a/b", "a?b", "a b", "u@a", "u:p@app.example", "a,b", "", " ", "app.example ",
			" app.example", "\tapp.example", "app.example/admin", "a#b", "a\\b", "a\"b", "<a>",
			"https://app.example", "app.ex\xe4mple", "app.example, evil.example",
			"app.example HTTP/1.1\r\nHost: evil.example")...)...),
		answeredFrames("H2-13_authority_that_is_no_host", 400, valued(":authority", "a:80x", ":80",
			"app.example:", "app.example:99999", "app.example:80:80", "[::1", "[]", "a..b", ".",
			"app.example:0", "app.example:-1", "app.example:+80", "%61pp.example", "a;b", "-",
			strings.Repeat("l", 300), "[fe80::1%25eth0]", "::1", "*", "a{b}", "a|b", "a=b")...),
		answeredFrames("H2-13_unknown_authority", 421, valued(":authority", "nope.example",
			"app.example.evil", "127.0.0.1", "localhost")...),
		resets("H2-13_no_authority", without(":authority"), without(":authority", "host", ""),
			without(":authority", "x-forwarded-host", "app.example")),
		resets("H2-13_authority_twice", appended(":authority", "app.example"),
			appended(":authority", "evil.example")),
		resets("H2-14_host_beside_authority", valued("host", "admin.internal", "app.example:80",
			"app.example:443", "app.example.", "", "evil.example", "app.example,evil.example",
			"app.example\r\nX: smuggled", "app.example ", "closed.example")...),
		servedFrames("H2-14_host_and_authority_alike", oneHost, valued("host", "app.example",
			"APP.example", "App.Example")...),
		servedFrames("H2-14_host_alone", oneHost, without(":authority", "host", "app.example")),
		answeredFrames("H2-14_host_alone_decides", 403,
			without(":authority", "host", "closed.example")),
		answeredFrames("H2-14_host_alone_that_is_none", 400,
			without(":authority", "host", "a,b"), without(":authority", "host", "u@app.example"),
			without(":authority", "host", "a/b"), without(":authority", "host", "a b")),
		resets("H2-15_two_hosts", appended("host", "app.example", "host", "app.example"),
			appended("host", "app.example", "host", "evil.example"),
			without(":authority", "host", "app.example", "x", "y", "host", "evil.example"),
			without(":authority", "host", "app.example", "host", "app.example")),
		servedFrames("H2-14_fields_that_only_sound_like_a_host", oneHost,
			called("evil.example", "x-forwarded-host", "x_host", "x-host_", "forwarded-host_",
				"x-original-host")...),
	}
}

// framedFieldCases have names and values that would be more than one field as text,
// another one, or none.
func framedFieldCases() []edgetest.Case {
	plain := func(t testing.TB, o *edgetest.Outcome) {
		if _, rest, _ := strings.Cut(o.Raw, "GET /x"); strings.Contains(rest, "spoofed") {
			t.Errorf("%s: the server got %q", o.Input, o.Raw)
		}
	}
	return []edgetest.Case{
		resets("H2-08_name", called("smuggled", append(lineEnds("foo", "host"),
			"foo: x\r\nhost", "foo:bar", "foo:", "Foo", "fOO", "X-Forwarded-User", "", " ", " foo",
			"foo ", "\tfoo", "foo\t", "foo\x7f", "foo\xa0", "f\xc3\xb6\xc3\xb6", "foo,bar", "foo;bar",
			"foo/bar", "(foo)", "foo=bar", "foo@bar", "[foo]", "{foo}", "foo\"", "foo\\bar", "<foo>",
			"f\u212ao", "foo?bar", "Content-Length", "Transfer-Encoding", "Cookie")...)...),
		resets("H2-08_name_that_would_be_a_request", appended(
			"x: y\r\n\r\nGET /admin HTTP/1.1\r\nHost: app.example\r\nx", "z")),
		resets("H2-09_value", valued("foo", append(lineEnds("x", "x-forwarded-user: smuggled"),
			" \tb ", "b ", " b", "\tb", "b\t", " ", "\t", "x\r\n\r\nGET /admin HTTP/1.1\r\n", "\n", "\r",
			"x\r\n host: evil", "a\x01b", "\x00")...)...),
		resets("H2-09_value_of_a_cookie", valued("cookie", lineEnds("a=b", "c: smuggled")...)...),
		resets("H2-09_value_of_a_second_cookie", appended("cookie", "a=b", "cookie", "c\r\nd: smuggled"),
			appended("cookie", "a=b", "x", "y", "cookie", "c=d ")),
		servedFrames("H2-09_text_that_passes", wantField("Foo", "a: b\tc;\x80\xff\"<>"),
			head("foo", "a: b\tc;\x80\xff\"<>")),
		servedFrames("H2-09_no_value", wantField("Foo", ""), head("foo", "")),
		resets("H2-05_transfer-encoding", append(valued("transfer-encoding", "chunked", "identity",
			"", "gzip, chunked"), withBody("0\r\n\r\n", valued("transfer-encoding", "chunked", "Chunked",
			"x")...)...)...),
		resets("H2-05_transfer-encoding_beside_a_length", withBody("0\r\n\r\n",
			head("transfer-encoding", "chunked", "content-length", "5"))...),
		servedFrames("H2-05_names_that_fold_to_it_are_dropped", func(t testing.TB,
			o *edgetest.Outcome,
		) {
			wantBody("0\r\n\r\n", false)(t, o)
			plain(t, o)
		}, withBody("0\r\n\r\n", head("transfer_encoding", "spoofed", "content-length", "5"),
			head("transfer.encoding", "spoofed", "content-length", "5"),
			head("content-length", "5", "content_length", "spoofed"))...),
		resets("HOP-09_connection", append(called("x-forwarded-user", "connection", "keep-alive",
			"proxy-connection", "upgrade", "http2-settings", "transfer-encoding"),
			valued("connection", "close", "keep-alive", "", "te", "upgrade, http2-settings")...)...),
		resets("HOP-09_te", valued("te", "gzip", "trailers, gzip", "trailers;q=1", "chunked", "",
			"trailer")...),
		servedFrames("HOP-09_te_trailers", wantField("TE", "trailers"),
			valued("te", "trailers", "Trailers")...),
		servedFrames("H2-17_other_spellings_of_an_identity", plain, called("spoofed",
			"x_forwarded_user", "x.forwarded.user", "x-forwarded_user", "x_real_ip", "x.real.ip",
			"x!forwarded!user", "x_auth_request_email", "remote_user", "x-forwarded-user",
			"x-real-ip", "x_forwarded_for", "for_warded", "x-client-cert-subject")...),
		servedFrames("H2-17_twice_the_first_empty", plain, appended("x-forwarded-user", "",
			"x-forwarded-user", "spoofed"), appended("x_forwarded_user", "", "x-forwarded-user", "spoofed")),
	}
}

// framedLengthCases have lengths that not everybody reads alike.
func framedLengthCases() []edgetest.Case {
	return []edgetest.Case{
		resets("H2-04_length", withBody("abc", valued("content-length", "+3", "3,3", "3, 3", "03", "-3",
			" 3", "3 ", "0x3", "", "3.0", "3e0", "\uff13", "3\r\nx: smuggled", "three", "3;", "000",
			"99999999999999999999", "18446744073709551619", strings.Repeat("9", 300))...)...),
		resets("H2-04_length_twice", withBody("abc",
			appended("content-length", "3", "content-length", "4"),
			appended("content-length", "4", "content-length", "3"),
			appended("content-length", "3", "x", "y", "content-length", "3"),
			appended("content-length", "3", "content-length", ""))...),
		resets("H2-02_length_without_a_body", valued("content-length", "1", "10")...),
		servedFrames("H2-04_length_of_nothing", wantField("Content-Length", "0"),
			head("content-length", "0"), withBody("", head("content-length", "0"))[0]),
		answeredFrames("H2-04_length_over_the_limit", 413,
			cut(head(":authority", "small.example", "content-length", "1025")),
			cut(head(":authority", "small.example", "content-length", "9223372036854775807"))),
	}
}

// cut leaves the end of the stream out.
func cut(q edgetest.Framed) edgetest.Framed {
	q.HasBody, q.Cut = true, true
	return q
}

// framedTrailerCases have fields behind the body.
func framedTrailerCases() []edgetest.Case {
	trailing := func(pairs ...string) edgetest.Framed {
		q := withBody("ab", head(":method", "POST"))[0]
		for i := 0; i < len(pairs); i += 2 {
			q.Trailers = append(q.Trailers, hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
		}
		return q
	}
	// The server has heard of the request by then: what it got must stay a part of one.
	broken := func(name string, inputs ...edgetest.Framed) edgetest.Case {
		c := resets(name, inputs...)
		c.Broken = 1
		return c
	}
	var heavy, odd []edgetest.Framed
	for _, name := range []string{"content-length", "host", "transfer-encoding", "content_length",
		"transfer.encoding", "connection", "te", "trailer", "upgrade", "keep-alive", "authorization",
		"cookie", "expect", "proxy-authorization", ":path", ":method", ":status", ":foo"} {
		heavy = append(heavy, trailing(name, "smuggled"), trailing("x", "y", name, "smuggled"))
	}
	for _, value := range lineEnds("a", "x-forwarded-user: smuggled") {
		odd = append(odd, trailing("x", value), trailing(value, "x"))
	}
	odd = append(odd, trailing("X-A", "b"), trailing("", "b"), trailing("x ", "b"),
		trailing("x", " b"), trailing("x", "b "), trailing("x", "\r\n\r\nGET /admin HTTP/1.1"))
	many := make([]string, 0, 20_000)
	for range 10_000 {
		many = append(many, "x", "smuggled")
	}
	return []edgetest.Case{
		broken("H2-19_H1-34_trailers_of_weight", heavy...),
		broken("H2-19_malformed_trailers", odd...),
		broken("H2-19_H1-36_too_many_trailers", trailing(many[:202]...), trailing(many...),
			trailing("x", strings.Repeat("smuggled", 8<<10))),
		broken("H2-19_trailers_behind_a_length_that_lies",
			withLength("3", trailing("x", "y")), withLength("1", trailing("x", "y"))),
		{
			Name: "H2-19_H1-35_identity_in_trailers", Status: 200, Reach: 1, Never: []string{"spoofed"},
			Frames: []edgetest.Framed{trailing("x-forwarded-user", "spoofed"),
				trailing("x_forwarded_user", "spoofed", "x.real.ip", "spoofed"),
				trailing("x-real-ip", "spoofed", "forwarded", "spoofed", "proxy", "spoofed")},
			Check: func(t testing.TB, o *edgetest.Outcome) {
				if m := o.Requests[0]; m.Body != "ab" || len(m.Trailers) > 0 {
					t.Errorf("the server got %q and trailers %q", m.Body, m.Trailers)
				}
			},
		},
		servedFrames("H2-19_harmless_trailers", func(t testing.TB, o *edgetest.Outcome) {
			if m := o.Requests[0]; len(m.Trailers) != 1 || m.Trailers[0].Name != "x-sum" {
				t.Errorf("the server got trailers %q", m.Trailers)
			}
		}, trailing("x-sum", "7"), trailing("x-sum", "GET /smug HTTP/1.1")),
	}
}

func withLength(length string, q edgetest.Framed) edgetest.Framed {
	q.Head = append(q.Head, hpack.HeaderField{Name: "content-length", Value: length})
	return q
}
