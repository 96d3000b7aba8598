package test_test

import (
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// chunkCases have chunks that not everybody reads alike. What is wrong stands
// right behind the head here, so no byte of it may reach a server.
func chunkCases() []edgetest.Case {
	sizeLine := func(size string) string { return chunked(size + "⏎ab⏎0⏎⏎" + smuggled) }
	extension := func(ext string) string { return chunked("2;" + ext + "⏎ab⏎0⏎⏎") }
	return []edgetest.Case{
		refused("H1-26_chunk_size_syntax", each(sizeLine,
			"0x2", "+2", "-2", " 2", "2 ", "\t2", "2\t", "0_2e", "2;", "", "1FFFFFFFFFFFFFFFF",
			"ffffffffffffffff", "10000000000000000", "2\v", "２", "2\x00", "2,", "2.0", "g",
			"2 ;a=b",
			"\"2\"", "2⏎")...),
		served("H1-26_chunk_size_that_everybody_reads_alike", wantBody("ab", true),
			each(sizeLineAlone,
				"2", "02", "000000000000002")...),
		refused("H1-28_TERM.EXT", chunked("2;\nxx⏎ab⏎0⏎⏎"), chunked("2;a\nxx⏎ab⏎0⏎⏎")),
		refused("H1-29_EXT.TERM", chunked("2;a\rb⏎ab⏎0⏎⏎"), chunked("2\nab⏎0⏎⏎"),
			chunked("5\r\r;ABCD⏎0⏎⏎"), chunked("2\rab⏎0⏎⏎"), chunked("2;a\r\r\nab⏎0⏎⏎"),
			chunked("2⏎ab\n0⏎⏎"), chunked("2⏎ab⏎0\n\n"), chunked("2⏎ab⏎0\n⏎")),
		refused("H1-30_quoted_extension",
			chunked("1;a=\"⏎X⏎0⏎⏎"+smuggled+"\"⏎Y⏎0⏎⏎"), extension(`"`),
			extension(`a="\"`)),
		refused("H1-31_SPILL", chunked("2⏎abXX0⏎⏎"), chunked("2⏎abc⏎0⏎⏎"), chunked("3⏎ab⏎0⏎⏎"),
			chunked("2⏎ab0⏎⏎"), chunked("2⏎ab ⏎0⏎⏎")),
		refused("H1-32_long_extension", extension(strings.Repeat("x", 257)),
			chunked("0;"+strings.Repeat("x", 257)+"⏎⏎")),
		{
			Name: "H1-32_extension_flood", Status: 400, Closes: true, Broken: 1,
			Never: []string{"xxx", "yyy"},
			Send: []string{chunked("20000⏎" + strings.Repeat("a", 128<<10) + "⏎" +
				strings.Repeat("1;"+strings.Repeat("x", 200)+"⏎a⏎", 99) + "3⏎yyy⏎0⏎⏎")},
		},
		{
			Name: "H1-32_extensions_are_not_forwarded", Status: 200, Reach: 1,
			Never: []string{"sig"},
			Send: each(extension, "sig", "sig=1", `sig="1"`, " sig = 1;more",
				strings.Repeat("sig", 80)),
			Check: wantBody("ab", true),
		},
		{
			Name: "H1-33_one-byte_chunks_become_large_ones", Status: 200, Reach: 1,
			Send: []string{chunked(strings.Repeat("1⏎a⏎", 200_000) + "0⏎⏎")},
			Check: func(t testing.TB, o *edgetest.Outcome) {
				m := o.Requests[0]
				if m.Body != strings.Repeat("a", 200_000) {
					t.Errorf("the server got %d bytes", len(m.Body))
				}
				if frames := strings.Count(m.Raw, "\r\n"); frames > 2000 {
					t.Errorf("the server got %d lines", frames)
				}
			},
		},
		{
			Name: "H1-26_bad_chunk_that_comes_later", Status: 400, Closes: true, Broken: 1,
			Never: []string{"smuggled", "zz"},
			Send: []string{chunked(strings.Repeat("800⏎"+strings.Repeat("a", 2048)+"⏎", 64) +
				"zz⏎smuggled⏎0⏎⏎")},
		},
	}
}

func sizeLineAlone(size string) string { return chunked(size + "⏎ab⏎0⏎⏎") }

// trailerCases have fields behind the last chunk that are none of a trailer's
// business, or too many of them.
func trailerCases() []edgetest.Case {
	trailer := func(lines string) string { return chunked("2⏎ab⏎0⏎" + lines + "⏎") }
	// A body larger than what is read with the head: a server has heard of it.
	heard := chunked("20000⏎" + strings.Repeat("a", 128<<10) + "⏎0⏎")
	return []edgetest.Case{
		refused("H1-34_trailers_of_weight", each(trailer,
			"Content-Length: 5⏎", "Transfer-Encoding: chunked⏎", "Host: x⏎",
			"Authorization: x⏎", "Cookie: a=b⏎", "content-length: 0⏎", "Content_Length: 5⏎",
			"Transfer.Encoding: chunked⏎", "Connection: close⏎", "Trailer: x⏎", "Upgrade: x⏎",
			"TE: trailers⏎", "Expect: 100-continue⏎")...),
		refused("H1-34_malformed_trailers", each(trailer,
			"no colon⏎", " X-A: b⏎", "X-A: b⏎ folded⏎", "X-A : b⏎", "X-A: b\n", "X-A: \x00⏎",
			": b⏎", "X-A: a\rb⏎")...),
		{
			Name: "H1-35_identity_in_trailers", Status: 200, Reach: 1,
			Never: []string{"Trailer", "admin", "Forwarded-User", "Forwarded_User", "X.Forwarded"},
			Send: each(func(name string) string {
				return post("2⏎ab⏎0⏎"+name+": admin⏎⏎", "Trailer: "+name,
					"Transfer-Encoding: chunked")
			}, "X-Forwarded-User", "x-forwarded-user", "X_Forwarded_User", "X.Forwarded.User",
				"X-Forwarded-Groups", "X-Real-Ip", "Proxy", "X-SSL-Client-Verify"),
			Check: func(t testing.TB, o *edgetest.Outcome) {
				if m := o.Requests[0]; m.Body != "ab" || len(m.Trailers) > 0 {
					t.Errorf("the server got %q and trailers %q", m.Body, m.Trailers)
				}
			},
		},
		{
			Name: "H1-35_harmless_trailers_pass_as_trailers", Status: 200, Reach: 1,
			Send: []string{trailer("Grpc-Status: 0⏎X-Checksum: abc⏎")},
			Check: func(t testing.TB, o *edgetest.Outcome) {
				m := o.Requests[0]
				if len(m.Trailers) != 2 || m.Trailers[0].Value != "0" ||
					m.Get("Grpc-Status") != "" {
					t.Errorf("the server got fields %q and trailers %q", m.Fields, m.Trailers)
				}
			},
		},
		{
			Name: "H1-36_too_many_trailers", Status: 431, Closes: true,
			Send: []string{
				trailer(strings.Repeat("X-A: b⏎", 101)),
				post("0⏎⏎", "Transfer-Encoding: chunked", "Trailer: "+strings.Repeat("a,",
					100_000)),
			},
		},
		{
			Name: "H1-36_trailer_flood", Status: 431, Closes: true, Broken: 1,
			Never: []string{"X-A"},
			Send: []string{
				heard + strings.Repeat("X-A: b⏎", 100_000) + "⏎",
				heard + "X-A: " + strings.Repeat("b", 64<<10) + "⏎⏎",
			},
		},
		{
			Name: "H1-37_trailer_that_looks_like_a_request", Status: 200, Reach: 1,
			Send: []string{chunked("0⏎X:GET /smug HTTP/1.1⏎⏎")},
			Check: func(t testing.TB, o *edgetest.Outcome) {
				if m := o.Requests[0]; len(m.Trailers) != 1 || m.Path != "/" {
					t.Errorf("the server got %q with trailers %q", m.Path, m.Trailers)
				}
			},
		},
		refused("H1-37_trailer_that_looks_like_a_request_with_Host",
			chunked("0⏎X:GET /smug HTTP/1.1⏎Host: app.example⏎⏎")),
	}
}
