package h1_test

import "strings"

// inHead makes an input of each line: a GET that has it as its last field.
func inHead(lines ...string) (inputs []string) {
	for _, line := range lines {
		inputs = append(inputs, "GET / HTTP/1.1⏎Host: a⏎"+line+"⏎⏎")
	}
	return inputs
}

// onLine makes an input of each request line.
func onLine(lines ...string) (inputs []string) {
	for _, line := range lines {
		inputs = append(inputs, line+"⏎Host: a⏎⏎")
	}
	return inputs
}

// inTarget makes an input of each target.
func inTarget(targets ...string) (inputs []string) {
	for _, target := range targets {
		inputs = append(inputs, onLine("GET "+target+" HTTP/1.1")...)
	}
	return inputs
}

// posting makes an input of each line and a body of five bytes, with a request
// behind it.
func posting(lines ...string) (inputs []string) {
	for _, line := range lines {
		inputs = append(inputs, "POST / HTTP/1.1⏎Host: a⏎"+line+"⏎⏎hello"+next)
	}
	return inputs
}

// inChunks makes an input of each body in chunks, with a request behind it.
func inChunks(bodies ...string) (inputs []string) {
	for _, body := range bodies {
		inputs = append(inputs, "POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding: chunked⏎⏎"+body+next)
	}
	return inputs
}

const next = "GET /next HTTP/1.1⏎Host: a⏎⏎"

func soundGroups() []group {
	return []group{
		{
			name: "targets",
			inputs: inTarget("/\"<>\\^`{|}", "/?\"<>\\^`{|}", "/", "/a", "/a/b/c", "/?",
				"/?a=b", "/a?b?c", "//a", "/a//b", "/./a",
				"/../a", "/%41", "/%2f", "/%00", "/a;b", "/a:b", "/a@b", "/a,b", "/~a",
				"/!$&'()*+,;=:@",
				"/a?%zz", "/a?%", "/*", "/"+strings.Repeat("a", 4000), "/?"+strings.Repeat("b",
					4000)),
		},
		{
			name: "methods",
			inputs: onLine("GET / HTTP/1.1", "HEAD / HTTP/1.1", "DELETE / HTTP/1.1",
				"OPTIONS / HTTP/1.1",
				"PROPFIND / HTTP/1.1", "M-SEARCH / HTTP/1.1", "get / HTTP/1.1", "Get / HTTP/1.1",
				"!#$%&'*+-.^_`|~ / HTTP/1.1", "X1 / HTTP/1.1"),
		},
		{
			name: "versions",
			inputs: onLine("GET / HTTP/1.0", "GET / HTTP/1.1", "GET / HTTP/1.2",
				"GET / HTTP/1.9"),
		},
		{
			name: "values",
			inputs: inHead("X: y", "X:y", "X:  y  ", "X:\ty\t", "X:", "X: ", "X: a b", "X: a\tb",
				"X: \x80\xff", "X: \xc3\xa9", "X: a, b", "X: \"a\"", "X: a:b", "X: y⏎X: z", "x: y",
				"X-Y: z",
				"X: "+strings.Repeat("y", 8000), "Cookie: a=b; c=d", "Authorization: Basic x",
				"X: ()<>@",
				"Accept: */*", "X-Forwarded-For: 1.2.3.4", "X_Y: z", "!#$%&'*+-.^_`|~: z", "1: 2"),
		},
		{
			name: "connections",
			inputs: []string{
				"GET / HTTP/1.1⏎Host: a⏎Connection: close⏎⏎" + next,
				"GET / HTTP/1.1⏎Host: a⏎Connection: Close⏎⏎" + next,
				"GET / HTTP/1.1⏎Host: a⏎Connection: keep-alive⏎⏎" + next,
				"GET / HTTP/1.1⏎Host: a⏎Connection: x, close⏎⏎" + next,
				"GET / HTTP/1.1⏎Host: a⏎Connection: x⏎Connection: close⏎⏎" + next,
				"GET / HTTP/1.0⏎Host: a⏎⏎" + next,
				"GET / HTTP/1.0⏎Host: a⏎Connection: keep-alive⏎⏎" + next,
				"GET / HTTP/1.0⏎Host: a⏎Connection: Keep-Alive⏎⏎" + next,
				"POST / HTTP/1.1⏎Host: a⏎Content-Length: 1⏎⏎a⏎" + next, next + "GET",
				"GET / HTTP/1.1⏎Host: a⏎Connection: close, keep-alive⏎⏎" + next,
				"GET / HTTP/1.0⏎Host: a⏎Connection: close⏎Connection: keep-alive⏎⏎" + next,
				next, next + next, next + next + next,
			},
		},
		{
			name: "lengths",
			inputs: append(posting("Content-Length: 5", "Content-Length: 05",
				"Content-Length:5",
				"content-length: 5", "Content-Length: 5 ", "Content-Length:\t5",
				"Content-Length: 0000000005"),
				"POST / HTTP/1.1⏎Host: a⏎Content-Length: 0⏎⏎"+next,
				"GET / HTTP/1.1⏎Host: a⏎Content-Length: 3⏎⏎abc"+next,
				"POST / HTTP/1.0⏎Host: a⏎Content-Length: 3⏎⏎abc",
				"POST / HTTP/1.0⏎Host: a⏎Content-Length: 3⏎Connection: keep-alive⏎⏎abc"+next,
				"POST / HTTP/1.1⏎Host: a⏎⏎"+next),
		},
		{
			name: "chunks",
			inputs: append(inChunks("0⏎⏎", "5⏎hello⏎0⏎⏎", "1⏎a⏎1⏎b⏎0⏎⏎", "A⏎0123456789⏎0⏎⏎",
				"a⏎0123456789⏎0⏎⏎", "005⏎hello⏎0⏎⏎", "5;x⏎hello⏎0⏎⏎", "5;x=y⏎hello⏎0⏎⏎",
				"5;x=\"y\"⏎hello⏎0⏎⏎",
				"5; x=y⏎hello⏎0;z⏎⏎", "5⏎hello⏎00⏎⏎", "5⏎a⏎b⏎⏎0⏎⏎", "2⏎⏎⏎0⏎⏎", "5⏎hello⏎0⏎X: y⏎⏎",
				"5⏎hello⏎0⏎X: y⏎Z: w⏎⏎"),
				"GET / HTTP/1.1⏎Host: a⏎Transfer-Encoding: chunked⏎⏎0⏎⏎"+next,
				"POST / HTTP/1.1⏎Host: a⏎transfer-encoding: CHUNKED⏎⏎0⏎⏎"+next),
		},
		{
			name: "cut off",
			inputs: []string{
				"", "POST / HTTP/1.1⏎Host: a⏎Content-Length: 5⏎⏎hell",
				"POST / HTTP/1.1⏎Host: a⏎Content-Length: 5⏎⏎",
				"POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding: chunked⏎⏎",
				"POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding: chunked⏎⏎5⏎hel",
				"POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding: chunked⏎⏎5⏎hello⏎0⏎",
				"POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding: chunked⏎⏎5⏎hello⏎0⏎X: y⏎",
			},
		},
		{
			name: "other fields of the connection",
			inputs: inHead("TE: x", "HTTP2-Settings: x",
				"Keep-Alive: x", "Upgrade: x",
				"Connection: upgrade⏎Upgrade: x", "Connection: X⏎X: y", "Trailer: X", "X:\x85y",
				"Transfer_Encoding: chunked", "Content_Length: 5"),
		},
		{
			name: "sound expectations",
			inputs: posting("Content-Length: 5⏎Expect: 100-continue",
				"Content-Length: 5⏎Expect: 100-Continue", "Content-Length: 5⏎Expect:100-continue"),
		},
		{
			name: "hosts",
			inputs: []string{
				"GET / HTTP/1.1⏎Host: a.b⏎⏎", "GET / HTTP/1.1⏎host: A.B⏎⏎",
				"GET / HTTP/1.1⏎Host: a.b:80⏎⏎",
				"GET / HTTP/1.1⏎Host: [::1]:80⏎⏎", "GET / HTTP/1.1⏎Host: 192.0.2.1⏎⏎",
				"GET / HTTP/1.0⏎⏎",
				"GET http://a.b/x HTTP/1.1⏎Host: a.b⏎⏎", "GET http://a.b HTTP/1.1⏎Host: a.b⏎⏎",
				"GET https://a.b/x HTTP/1.1⏎Host: a.b⏎⏎", "GET http://a.b?x HTTP/1.1⏎Host: a.b⏎⏎",
				"GET http://a.b:81/x HTTP/1.0⏎⏎",
				"GET http://b/ HTTP/1.1⏎Host: a⏎⏎", "GET HTTP://a/ HTTP/1.1⏎Host: a⏎⏎",
				"GET / HTTP/1.1⏎Host:⏎⏎", "GET / HTTP/1.1⏎Host: a:b⏎⏎",
				"GET / HTTP/1.1⏎Host: [::1⏎⏎",
			},
		},
	}
}

func headGroups() []group {
	many := func(n int, line string) string {
		return strings.TrimSuffix(strings.Repeat(line+"⏎", n), "⏎")
	}
	return []group{
		{
			name: "lines refused by both",
			inputs: append(inHead("X", "X y", ": x", " X: y", "X : y", "X\t: y",
				"X\x00: y", "X\xa0: y", "X: \x00", "X: a\x01b", "X: a\x7fb", "X: a\rb", "X\r: y",
				"(X): y",
				"X@Y: z", "\"X\": y", "é: y", "X: y\r", "\r", "X: \x0b", "X: \x0c", "X:\x1fy",
				"Content-Length : 5"),
				onLine("GET /", "GET", "", "/ HTTP/1.1", "GET / HTTP/1", "GET / HTTP/1.",
					"GET / HTTP/11",
					"GET / http/1.1", "GET / HTTQ/1.1", "GET / HTTP/a.b", "GET\x00 / HTTP/1.1",
					"G(T / HTTP/1.1", "G,T / HTTP/1.1", "GET\t/\tHTTP/1.1", "GET /\tHTTP/1.1",
					"GET / HTTP/1.1 ", " GET / HTTP/1.1", "GET  HTTP/1.1", "GET / HTTP/1.10",
					"GET / HTTP/01.1", "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/2.0",
					"GET / HTTP/0.9", "GET / HTTP/3.0")...),
		},
		{
			name: "targets refused by both",
			inputs: inTarget("a", "?a", "@a", "a/b", "\\a", "%2fa", "/\x00",
				"/\x7f",
				"/\x1f", "..", "", "://a/", "/a b", "*/a", "http://b c/", "http://b\x00/", "1:2"),
		},
		{
			name: "hosts refused by both",
			inputs: append(inHead("Host: a", "Host: b", "host: a"),
				"GET / HTTP/1.1⏎⏎", "GET / HTTP/1.1⏎X: y⏎⏎", "GET / HTTP/1.1⏎Host: a\x00⏎⏎",
				"GET http://a/ HTTP/1.1⏎⏎", "GET / HTTP/1.0⏎Host: a⏎Host: b⏎⏎"),
		},
		{
			name: "framings refused by both",
			inputs: posting("Content-Length: -5", "Content-Length: +5",
				"Content-Length: 5x", "Content-Length: 0x5", "Content-Length: 5 5",
				"Content-Length: 5.0",
				"Content-Length: 9223372036854775808", "Content-Length: 99999999999999999999",
				"Content-Length: 5⏎Content-Length: 0", "Content-Length: 5, 0",
				"Content-Length: 5, 5",
				"Content-Length:", "Transfer-Encoding: x", "Transfer-Encoding: gzip, chunked",
				"Transfer-Encoding: identity", "Transfer-Encoding: ", "Transfer-Encoding : chunked",
				"Transfer-Encoding: chunked⏎Transfer-Encoding: chunked",
				"Transfer-Encoding: \"chunked\"",
				"Transfer-Encoding: chunked, chunked", "Transfer-Encoding: chunked;q=1",
				"Transfer-Encoding: \x0bchunked", "Content-Length: 5⏎Expect: x",
				"Transfer-Encoding: chunked⏎Content-Length: -5"),
		},

		{
			name: "folded lines",
			differs: "net/http joins them; RFC 9112, section 5.2, lets a server refuse them, and " +
				"nobody else needs them",
			inputs: append(inHead("X: y⏎ z", "X: y⏎\tz", "X: y⏎ "),
				posting("Foo: bar⏎ Content-Length: 5")...),
		},
		{
			name: "bare line feeds",
			differs: "net/http takes them for line ends, as RFC 9112, section 2.2, permits; a " +
				"server in front of or behind us may not",
			inputs: append(inHead("X: y\nZ: w"),
				"GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1⏎Host: a⏎\n",
				"GET / HTTP/1.1\nHost: a⏎⏎"),
		},
		{
			name: "an empty line before a request",
			differs: "RFC 9112, section 2.2, asks servers to pass over one; net/http does so " +
				"behind a POST alone",
			inputs: []string{"⏎" + next, next + "⏎" + next},
		},
		{
			name: "heads that break off",
			differs: "net/http answers 400; here nothing is wrong yet, and whoever hung up gets " +
				"no answer",
			inputs: []string{
				"G", "GET / HTTP/1.1", "GET / HTTP/1.1⏎", "GET / HTTP/1.1⏎Host: a", "⏎",
				"GET / HTTP/1.1⏎Host: a⏎", "GET / HTTP/1.1⏎Host: a⏎\r",
			},
		},
		{
			name:    "targets in no form of RFC 9112",
			differs: "net/http takes any URI, also an opaque one, and leaves the rest to handlers",
			inputs: inTarget("http:", "http:a", "http:/a", "http:http://b/", "a:b",
				"a:80",
				"ftp://a/", "http:///x", "*"),
		},
		{
			name:    "user information",
			differs: "RFC 9110, section 4.2.4, tells recipients to treat it as an error",
			inputs:  inTarget("http://u@a/", "http://u:p@a/", "http://@a/"),
		},
		{
			name:    "number signs and text beyond ASCII",
			differs: "no URI holds them; what a server makes of them differs",
			inputs:  inTarget("/#", "/a#b", "/?a#b", "/é", "/\xff", "/?é"),
		},
		{
			name: "escapes that are none",
			differs: "a path that a route looks at is refused in package route; one that it does " +
				"not look at is the server's own business",
			inputs: inTarget("/%zz", "/%", "/%4"),
		},
		{
			name:    "hosts that are none",
			differs: "package route knows what a host is",
			inputs: append(
				inTarget("http://a\\b/", "http://a%2f/"), "GET / HTTP/1.1⏎Host: a b⏎⏎",
				"GET / HTTP/1.1⏎Host: a, b⏎⏎", "GET / HTTP/1.1⏎Host: a/b⏎⏎",
				"GET / HTTP/1.1⏎Host: u@a⏎⏎",
				"GET / HTTP/1.1⏎Host: é⏎⏎"),
		},
		{
			name: "methods",
			differs: "CONNECT would make a tunnel, TRACE and TRACK echo credentials; names of " +
				"more than 32 bytes are an attack",
			inputs: onLine("CONNECT a:80 HTTP/1.1",
				"CONNECT / HTTP/1.1",
				"CONNECT http://a/ HTTP/1.1", "TRACE / HTTP/1.1", "TRACK / HTTP/1.1",
				strings.Repeat("M", 33)+" / HTTP/1.1"),
		},
		{
			name:    "the preface of HTTP/2",
			differs: "net/http has a handler of HTTP/2 in mind",
			inputs:  onLine("PRI * HTTP/2.0"),
		},
		{
			name:    "OPTIONS *",
			differs: "net/http answers it itself, without a handler that could count it",
			inputs:  onLine("OPTIONS * HTTP/1.1"),
		},
		{
			name: "limits",
			differs: "the defaults are narrower: targets of 8 KiB, names of 256 bytes, 100 " +
				"fields, 32 KiB without the 4 that net/http adds, 32 elements in Connection",
			inputs: append(
				inTarget("/"+strings.Repeat("a", 9000)), inHead(strings.Repeat("n", 257)+": x",
					many(100, "X: y"), many(400, "X: y"), "X: "+strings.Repeat("y", 33<<10),
					"Connection: "+strings.Repeat("x,", 40))...),
		},
		{
			name:    "two lengths",
			differs: "net/http merges equal ones, which RFC 9110, section 8.6, permits",
			inputs: posting("Content-Length: 5⏎Content-Length: 5",
				"Content-Length: 5⏎X: y⏎content-length: 5"),
		},
		{
			name: "two framings",
			differs: "net/http follows the chunks, which RFC 9112, section 6.3, permits; what " +
				"follows may be a smuggled request",
			inputs: posting("Content-Length: 5⏎Transfer-Encoding: chunked",
				"Transfer-Encoding: chunked⏎Content-Length: 5", "Transfer-Encoding:⏎ chunked"),
		},
		{
			name: "chunks in HTTP/1.0",
			differs: "net/http ignores the coding; RFC 9112, section 6.1, calls such a message " +
				"faulty",
			inputs: []string{
				"POST / HTTP/1.0⏎Host: a⏎Transfer-Encoding: chunked⏎⏎0⏎⏎",
				"POST / HTTP/1.0⏎Host: a⏎Transfer-Encoding: chunked⏎Content-Length: 5⏎⏎hello",
			},
		},
		{
			name: "expectations",
			differs: "net/http looks for the word anywhere in the first field; servers behind us " +
				"may not, or may wait for a body that never comes",
			inputs: append(posting(
				"Content-Length: 5⏎Expect: 100-continue, x",
				"Content-Length: 5⏎Expect: y 100-continue",
				"Content-Length: 5⏎Expect: 100-continue⏎Expect: 100-continue"),
				inHead("Expect: 100-continue")...),
		},
		{
			name: "upgrades",
			differs: "net/http leaves them to handlers; a list is a choice that two could make " +
				"differently",
			inputs: posting("Content-Length: 5⏎Upgrade: a⏎Upgrade: b",
				"Content-Length: 5⏎Connection: upgrade⏎Upgrade: a, b"),
		},
	}
}

func bodyGroups() []group {
	return []group{
		{
			name: "chunks refused by both",
			inputs: inChunks("x⏎", "-1⏎", "+5⏎hello⏎0⏎⏎", "0x5⏎hello⏎0⏎⏎", "⏎",
				" 5⏎hello⏎0⏎⏎", "5⏎helloX⏎0⏎⏎", "5⏎hell⏎0⏎⏎", "5⏎hello0⏎⏎", "ffffffffffffffffff⏎",
				"5\x00⏎hello⏎0⏎⏎", "5,⏎hello⏎0⏎⏎", "5⏎hello\n0⏎⏎", "5⏎hello\r0⏎⏎", "5_0⏎",
				"5\v⏎hello⏎0⏎⏎",
				"５⏎hello⏎0⏎⏎", "0⏎X⏎⏎", "0⏎: y⏎⏎", "5\nhello⏎0⏎⏎", "5⏎hello⏎0\n\n",
				"5;\nx⏎hello⏎0⏎⏎",
				"5;a\rb⏎hello⏎0⏎⏎", "5 ;x⏎hello⏎0⏎⏎", "0⏎ X: y⏎⏎", "5⏎hello⏎0⏎X: \x00⏎⏎",
				"1000000000000000⏎",
				"5;"+strings.Repeat("x", 5000)+"⏎hello⏎0⏎⏎", "0000000000000000005⏎hello⏎0⏎⏎"),
		},
		{
			name:    "white space behind a chunk size",
			differs: "net/http cuts it off; RFC 9112, section 7.1, has no place for it",
			inputs:  inChunks("5 ⏎hello⏎0⏎⏎", "5\t⏎hello⏎0⏎⏎"),
		},
		{
			name: "chunk extensions",
			differs: "net/http passes over whatever stands there; an empty one, an open quote and " +
				"more than 256 bytes are no extension to us",
			inputs: inChunks("5;⏎hello⏎0⏎⏎", "5;a=\"⏎hello⏎0⏎⏎", "5;"+strings.Repeat("x",
				300)+"⏎hello⏎0⏎⏎"),
		},
		{
			name: "trailers of weight",
			differs: "net/http drops those that were not announced; a server could merge them " +
				"into the head",
			inputs: inChunks("0⏎Content-Length: 5⏎⏎",
				"0⏎Transfer-Encoding: chunked⏎⏎",
				"0⏎Host: a⏎⏎", "0⏎Authorization: x⏎⏎", "0⏎Cookie: a⏎⏎"),
		},
		{
			name: "trailer lines",
			differs: "net/http reads them as it reads mail: with folds, bare line feeds, spaces " +
				"before the colon, and as many as come",
			inputs: inChunks("0⏎X : y⏎⏎", "0⏎X: y\n⏎",
				"0⏎X: y⏎ z⏎⏎",
				"0⏎X: y⏎\n", "0⏎"+strings.Repeat("X: y⏎", 101)+"⏎"),
		},
	}
}
