package test_test

import (
	"slices"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// TestSecurityH1 has the cases of group H1 that one input decides: framing in
// this file, lines and targets in others.
func TestSecurityH1(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	var cases []edgetest.Case
	cases = append(cases, framingCases()...)
	cases = append(cases, lengthCases()...)
	cases = append(cases, chunkCases()...)
	cases = append(cases, trailerCases()...)
	cases = append(cases, lineCases()...)
	cases = append(cases, limitCases()...)
	cases = append(cases, targetCases()...)
	cases = append(cases, hostFieldCases()...)
	cases = append(cases, bodyCases()...)
	edgetest.Run(t, edge, rec, cases)
}

// TestSecurityH1ByteWise has the heads of group H1 once more, byte by byte: what
// is wrong with a head must not depend on how it arrives.
func TestSecurityH1ByteWise(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	var cases []edgetest.Case
	for _, group := range [][]edgetest.Case{
		framingCases(), lengthCases(), lineCases(), limitCases(), targetCases(), hostFieldCases(),
	} {
		for _, c := range group {
			c.Pieces = 1
			if c.Over == "" {
				c.Over = "plain"
			}
			c.Send = slices.DeleteFunc(c.Send, func(input string) bool { return len(input) > 1000 })
			cases = append(cases, c)
		}
	}
	edgetest.Run(t, edge, rec, cases)
}

const smuggled = "GET /admin HTTP/1.1⏎Host: app.example⏎⏎"

// framingCases have two framings, or one that is spelled so that some read it
// and others do not.
func framingCases() []edgetest.Case {
	both := func(line string) string {
		return post("0⏎⏎"+smuggled, line+": chunked", "Content-Length: 5")
	}
	first := func(line string) string {
		return request("POST / HTTP/1.1", line+": chunked", "Host: app.example",
			"Content-Length: 5") + "0⏎⏎"
	}
	var folding []string
	for _, sign := range "!#$%&'*+.^_`|~" {
		folding = append(folding, post("hello", "Transfer"+string(sign)+"Encoding: chunked",
			"Content"+string(sign)+"Length: 0", "Content-Length: 5"))
	}
	return []edgetest.Case{
		refused("H1-01_CL.TE",
			post("0⏎⏎X", "Content-Length: 6", "Transfer-Encoding: chunked"),
			post("0⏎⏎"+smuggled, "Content-Length: 5", "Transfer-Encoding: chunked")),
		refused("H1-02_TE.CL",
			post("8⏎SMUGGLED⏎0⏎⏎", "Transfer-Encoding: chunked", "Content-Length: 4")),
		refused("H1-03_TE_in_HTTP_1.0",
			request("POST / HTTP/1.0", "Host: app.example", "Transfer-Encoding: chunked")+
				"0⏎⏎"+smuggled),
		refused("H1-04_TE_and_CL_in_HTTP_1.0",
			request("POST / HTTP/1.0", "Host: app.example", "Transfer-Encoding: chunked",
				"Content-Length: 5")+"0⏎⏎"+smuggled),
		refused("H1-06_TE.TE",
			post("0⏎⏎", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
			post("0⏎⏎", "Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
			post("0⏎⏎", "Transfer-Encoding: identity", "Transfer-Encoding: chunked"),
			post("0⏎⏎", "Transfer-Encoding: x", "Transfer-Encoding: chunked"),
			post("0⏎⏎", "Transfer-Encoding: chunked, chunked"),
			post("0⏎⏎", "Transfer-Encoding: gzip, chunked"),
			post("0⏎⏎", "Transfer-Encoding: chunked;q=1"),
			post("0⏎⏎", "Transfer-Encoding: \"chunked\""),
			post("0⏎⏎", "Transfer-Encoding: identity"),
			post("0⏎⏎", "Transfer-Encoding: chunke\u212a"),
			post("0⏎⏎", "Transfer-Encoding:"),
			post("0⏎⏎", "Transfer-Encoding: ,chunked")),
		refused("H1-08_TE_name_with_an_illegal_byte", append(each(both,
			"Transfer Encoding", "Transfer-Encoding ", "Transfer-Encoding\t",
			"Transfer-⏎Encoding", "Transfer-\rEncoding", ":Transfer-Encoding",
			"Transfer-Encoding\x00", "Transfer-Encoding\xa0", "Transfer-Encoding\x0b",
			"\u00a0Transfer-Encoding", "Transfer-Encoding⏎"),
			each(first, " Transfer-Encoding", "\tTransfer-Encoding")...)...),
		{
			Name: "H1-08_TE_name_that_folds_is_dropped", Status: 200, Reach: 1, Send: folding,
			Never: []string{"Encoding", "Content!", "Content_", "Content.", "Length: 0"},
			Check: wantBody("hello", false),
		},
		{
			Name: "H1-08_TE_name_that_folds_to_nothing_passes", Status: 200, Reach: 1,
			Send:  []string{post("hello", "Transfer-%45ncoding: chunked", "Content-Length: 5")},
			Check: wantField("Transfer-%45ncoding", "chunked"),
		},
	}
}

// lengthCases have a Content-Length that not everybody reads alike.
func lengthCases() []edgetest.Case {
	toSmall := func(body string) string {
		return request("POST / HTTP/1.1", "Host: small.example", "Transfer-Encoding: chunked") +
			body
	}
	length := func(value string) string { return post("hello", "Content-Length:"+value) }
	return []edgetest.Case{
		refused("H1-10_CL_twice_the_same",
			post("ab", "Content-Length: 2", "Content-Length: 2"), length(" 5, 5"), length(" 5,5")),
		refused("H1-11_CL_twice_different",
			post("hello", "Content-Length: 5", "Content-Length: 0"),
			post("hello", "Content-Length: 0", "Content-Length: 5"), length(" 5, 0")),
		served("H1-12_CL_with_leading_zeros", wantField("Content-Length", "10"),
			post("0123456789", "Content-Length: 010"),
			post("0123456789", "Content-Length: 00000000000000000000000000000010")),
		refused("H1-13_CL_overflow", each(length,
			" 99999999999999999999", " 9223372036854775808", " 18446744073709551621",
			" "+strings.Repeat("9", 300))...),
		{
			Name: "H1-13_CL_over_the_limit", Status: 413, Closes: true,
			Send: []string{
				request("POST / HTTP/1.1", "Host: small.example",
					"Content-Length: 9223372036854775807"),
				request("POST / HTTP/1.1", "Host: small.example", "Content-Length: 1025"),
			},
		},
		{
			Name: "H1-13_chunks_over_the_limit", Status: 413, Closes: true, Over: "plain",
			Send: []string{
				toSmall("401⏎" + strings.Repeat("a", 1025) + "⏎0⏎⏎"),
				toSmall(strings.Repeat("40⏎"+strings.Repeat("a", 64)+"⏎", 17) + "0⏎⏎"),
			},
		},
		refused("H1-12_CL_that_is_no_number", each(length,
			" +5", " -5", " 5 5", " 0x5", " 5.0", " 5e0", " 5;", " \"5\"", " ", "", " 5_0",
			" \u0665", " 5\xa0", " \v5", " five", " 5,")...),
		refused("H1-17_space_before_the_colon",
			post("hello", "Content-Length : 5"), post("hello", "Content-Length\t: 5"),
			post("hello", "Content-Length\x85: 5"), post("hello", "Content-Length\xa0: 5"),
			withLine("X-A : b"), request("GET / HTTP/1.1", "Host : app.example")),
	}
}

// bodyCases are requests with bodies that look like requests, and requests where
// nobody expects a body.
func bodyCases() []edgetest.Case {
	to := func(method, host string) string {
		return request(method+" / HTTP/1.1", "Host: "+host, "Content-Length: 42") + smuggled
	}
	return []edgetest.Case{
		served("H1-38_GET_and_DELETE_with_a_body", wantBody(smuggled, false),
			to("GET", "app.example"), to("DELETE", "app.example"), to("OPTIONS", "app.example")),
		served("H1-38_HEAD_with_a_body", wantBody(smuggled, false), to("HEAD", "app.example")),
		served("H1-38_GET_with_chunks", wantBody("hello", true),
			get("/", "Transfer-Encoding: chunked")+"5⏎hello⏎0⏎⏎"),
		{
			Name: "H1-38_body_of_a_request_answered_here", Status: 403,
			Send: []string{to("GET", "closed.example"), to("POST", "closed.example")},
		},
		{
			Name: "H1-38_body_of_a_redirected_request", Status: 308,
			Send: []string{to("GET", "moved.example"), to("POST", "moved.example")},
		},
		{
			Name: "H1-38_body_of_a_request_for_a_fixed_answer", Status: 200,
			Send: []string{to("GET", "text.example"), to("POST", "text.example")},
		},
		{
			Name: "H1-38_body_for_a_host_that_nobody_knows", Status: 421,
			Send: []string{to("GET", "nobody.example"), to("POST", "nobody.example")},
		},
		{
			Name: "H1-38_body_that_is_not_here_yet", Status: 403, Closes: true,
			Send: []string{
				request("POST / HTTP/1.1", "Host: closed.example", "Content-Length: 4200") +
					smuggled,
				request("POST / HTTP/1.1", "Host: closed.example", "Transfer-Encoding: chunked") +
					"2a⏎" + smuggled,
			},
		},
		{
			Name: "H1-44_pipelined_requests_are_decided_alone", Statuses: []int{200, 403, 308, 421},
			Reach: 1, Never: []string{"/private"},
			Send: []string{get("/public") +
				request("GET /private HTTP/1.1", "Host: closed.example") +
				request("GET /x HTTP/1.1", "Host: moved.example") +
				request("GET /y HTTP/1.1", "Host: nobody.example")},
		},
		{
			Name: "H1-44_pipelined_behind_the_last_one", Status: 200, Closes: true, Reach: 1,
			Never: []string{"/admin"},
			Send: []string{get("/", "Connection: close") + smuggled, sized("a",
				"Connection: x, close") +
				smuggled, request("GET / HTTP/1.0", "Host: app.example") + smuggled},
		},
		{
			Name: "H1-44_pipelined_behind_a_refused_one", Status: 400, Closes: true,
			Send: []string{get("/", "Bad Name: x") + smuggled},
		},
		{
			Name: "H1-44_pipelined_behind_a_chunked_one", Statuses: []int{200, 200}, Reach: 2,
			Send: []string{chunked("5⏎hello⏎0⏎⏎") + get("/second")},
			Check: func(t testing.TB, o *edgetest.Outcome) {
				if o.Requests[1].Path != "/second" || o.Requests[0].Body != "hello" {
					t.Errorf("the server got %+v", o.Requests)
				}
			},
		},
		{
			Name: "H1-41_odd_expectations", Status: 417, Closes: true,
			Send: []string{
				sized("hello", "Expect: y 100-continue"), sized("hello", "Expect: 100-continue, x"),
				sized("hello", "Expect: 100-continue", "Expect: 100-continue"),
				sized("hello", "Expect: 100-continu"), sized("hello", "Expect: 200-ok"),
				sized("hello", "Expect:"), withLine("Expect: 100-continue"),
				sized("", "Expect: 100-continue"),
			},
		},
		{
			Name: "H1-41_expectation_with_white_space", Status: 200, Reach: 1,
			Never: []string{"expect"},
			Send: []string{sized("hello", "Expect:\t100-Continue "), sized("hello",
				"Expect:100-continue")},
			Check: wantBody("hello", false),
		},
	}
}
