package test_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"doorward/internal/edgetest"
)

// TestHTTP2SameAsHTTP1 sends requests over HTTP/1 and over HTTP/2: the server must get
// the same head, body and trailers, and the client the same answer.
func TestHTTP2SameAsHTTP1(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{Text: edgeToken + rec.Backend("app") + pathRules})
	both := &bothVersions{t: t, edge: edge, rec: rec, framed: &asker{t: t, edge: edge}}
	t.Run("by hand", func(t *testing.T) {
		both.t, both.framed.t = t, t
		for _, input := range sameRequests() {
			both.compare(input)
		}
		if both.reached < 40 {
			t.Errorf("only %d reached the server", both.reached)
		}
	})
	both.hangUp()
	t.Run("by chance", func(t *testing.T) {
		both.t, both.framed.t, both.reached = t, t, 0
		rng := rand.New(rand.NewPCG(4, 10))
		rounds := 2000
		if testing.Short() {
			rounds = 200
		}
		for range rounds {
			both.compare(randomRequest(rng))
		}
		if both.reached < rounds/2 {
			t.Errorf("only %d reached the server", both.reached)
		}
	})
	both.hangUp()
}

// bothVersions asks for the same over both.
type bothVersions struct {
	t       *testing.T
	edge    *edgetest.Edge
	rec     *edgetest.Recorder
	text    *edgetest.Client
	framed  *asker
	asked   int
	reached int
}

func (b *bothVersions) hangUp() {
	if b.text != nil {
		b.text.Close()
	}
	if b.framed.f != nil {
		b.framed.f.Close()
	}
	b.text, b.framed.f = nil, nil
}

func (b *bothVersions) compare(input string) {
	b.t.Helper()
	q, ok := edgetest.InFrames(input)
	if !ok {
		b.t.Fatalf("no form in HTTP/2: %q", input)
	}
	if b.asked++; b.asked%100 == 0 {
		b.hangUp()
	}
	one := b.overText(input)
	if requests, _ := b.rec.Take(); len(requests) > 0 {
		b.reached++
		one += written(requests)
	}
	two := b.overFrames(crumbled(q))
	if requests, _ := b.rec.Take(); len(requests) > 0 {
		two += written(requests)
	}
	if one != two {
		b.t.Errorf("%q\nover HTTP/1: %s\nover HTTP/2: %s", edgetest.Bytes(input), one, two)
	}
}

// overText is what the client gets over HTTP/1.
func (b *bothVersions) overText(input string) string {
	if b.text == nil {
		b.text = b.edge.DialTLS(b.t, "app.example")
	}
	method, _, _ := strings.Cut(input, " ")
	m, err := b.text.Send(input).TryAnswer(method)
	if err != nil {
		b.t.Fatalf("%q: %v", input, err)
	}
	if m.Get("Connection") == "close" {
		b.text.Close()
		b.text = nil
	}
	return outcome(m.Status, m.Get("Location"), m.Get("Content-Length"))
}

// outcome is an answer in one line.
func outcome(status int, location, length string) string {
	if status == 400 { // over HTTP/2 most of them are reset
		return "malformed"
	}
	return fmt.Sprintf("%d %q %s bytes\n", status, location, length)
}

// overFrames is the same over HTTP/2.
func (b *bothVersions) overFrames(q edgetest.Framed) string {
	r := b.framed.ask(q)
	if r.Reset && r.Status == "" {
		return outcome(400, "", "")
	}
	status, _ := strconv.Atoi(r.Status)
	return outcome(status, r.Get("location"), r.Get("content-length"))
}

// written is what a server got: the order of fields that have different names is of no
// meaning, and the number of a request is its own.
func written(requests []*edgetest.Message) string {
	var b strings.Builder
	for _, m := range requests {
		fields := slices.DeleteFunc(slices.Clone(m.Fields), func(f edgetest.Field) bool {
			return f.Name == "X-Request-ID"
		})
		slices.SortStableFunc(fields, func(a, b edgetest.Field) int {
			return strings.Compare(a.Name, b.Name)
		})
		fmt.Fprintf(&b, "%s\n%q\nbody %q, trailers %q, %v", m.Line, fields, m.Body, m.Trailers, m.Err)
	}
	return b.String()
}

// crumbled has the cookies one by one, as browsers send them (RFC 9113, section 8.2.3).
func crumbled(q edgetest.Framed) edgetest.Framed {
	var fields []hpack.HeaderField
	for _, f := range q.Head {
		if f.Name != "cookie" {
			fields = append(fields, f)
			continue
		}
		for crumb := range strings.SplitSeq(f.Value, "; ") {
			fields = append(fields, hpack.HeaderField{Name: "cookie", Value: crumb})
		}
	}
	q.Head = fields
	return q
}

// sameRequests are requests that mean the same in both versions.
func sameRequests() []string {
	to := func(host string) func(string) string {
		return func(target string) string {
			return request("GET "+target+" HTTP/1.1", "Host: "+host)
		}
	}
	by := func(method string) string {
		return request(method+" /x HTTP/1.1", "Host: raw.example", "Content-Length: 2") + "ab"
	}
	return slices.Concat(
		each(to("app.example"), "/", "/x?y=z", "/x?", "/?a=%zz&b;c", "/public/../x", "/%41/%7e", "//x//y",
			"/admin", "/%61dmin", "/a%2fb", "/x;y", "/%e4%bd%a0", "/public;x/y", "/?"+
				strings.Repeat("q", 5000)),
		each(to("raw.example"), "/../%2e/a%2fb;c\\d", "/%", "//evil.example/", "/a:b@c", "/\"<>^`{|}"),
		each(to("strip.example"), "/api/x?y", "/api", "/api//x", "/other"),
		each(to("replace.example"), "/api/%7eu", "/api"),
		each(to("moved.example"), "/x?y", "//evil.example/", "/%41"),
		each(withHost, "APP.example", "app.example:443", "app.example:8443", "app.example.",
			"nope.example", "strip.example", "[::1]", "raw.EXAMPLE.:80"),
		each(by, "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "get", "X!", "TRACE"),
		[]string{
			request("OPTIONS * HTTP/1.1", "Host: app.example"), sized(""), sized("hello"),
			chunked("0⏎⏎"), chunked("5⏎hello⏎0⏎⏎"), chunked("5⏎hello⏎0⏎x-sum: 7⏎x-user: a⏎⏎"),
			chunked("5⏎hello⏎0⏎x-real-ip: 1.2.3.4⏎x_y: z⏎⏎"), sized(strings.Repeat("x", 100_000)),
			chunked("186a0⏎" + strings.Repeat("x", 100_000) + "⏎0⏎⏎"), sized(smuggled),
			request("POST / HTTP/1.1", "Host: app.example"),
		},
		each(withLine, "accept: */*⏎accept: text/html", "cookie: a=1; b=2; c=\"x y\"", "cookie: ",
			"cookie: ; a=b; ", "cookie: a=1;b=2", "te: trailers", "user-agent: x⏎referer: y⏎date: z",
			"authorization: Basic x", "x-forwarded-for: 192.0.2.1⏎forwarded: for=x",
			"x_forwarded_user: a⏎x.y: b⏎x-y: c", "x-edge-token: theirs⏎remote-user: b",
			"x-request-id: abc", "empty: ", "x: \x80\xff\tb", "host_: a", "via: 1.0 fred",
			"content-type: a;b=\"c\"", "range: bytes=0-1", "max-forwards: 0", "priority: u=1, i"),
	)
}

// randomRequest is one that means the same in both versions.
func randomRequest(rng *rand.Rand) string {
	pick := func(all ...string) string { return all[rng.IntN(len(all))] }
	target := "/"
	for range rng.IntN(6) {
		target += pick("/", ".", "..", "a", "B", "%41", "%2e", "public", ";x=y", "~", "!$&'()*+,", ":@",
			"%e4%bd%a0", "-_", "api/")
	}
	if rng.IntN(3) == 0 {
		target += "?" + pick("", "a=b", "a=b&c=d;e", "%zz", "?/..", "\\\"")
	}
	method := pick("GET", "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "M-SEARCH")
	host := pick("app.example", "app.example", "raw.example", "APP.example", "raw.example:8443",
		"strip.example", "replace.example", "moved.example")
	lines, cookies := []string{"Host: " + host}, false
	for range rng.IntN(10) {
		name := pick("accept", "user-agent", "referer", "date", "authorization", "te", "cookie",
			"x-forwarded-for", "x-forwarded-host", "forwarded", "x-real-ip", "x-request-id", "x_y", "x.y",
			"range", "via", "priority", "!#$%&'*+-.^_`|~", "a", "content-type", "x-"+randomText(rng,
				"abcdefghijklmnopqrstuvwxyz0123456789-", 20))
		value := strings.Trim(randomText(rng, " \tabcXYZ019!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~\x80\xa0\xff",
			30), " \t")
		switch {
		case name == "te":
			value = "trailers"
		case name == "cookie" && cookies:
			continue
		case name == "cookie":
			value = pick("a=b; c=d", "a=b", "a=b; c; d=\"e f\"; g=h", "a=b;c=d;e")
			cookies = true
		}
		lines = append(lines, name+": "+value)
	}
	body := ""
	switch data := randomText(rng, "abc\r\n\x00GET /0", 3000); rng.IntN(4) {
	case 0:
		body = data
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(data)))
	case 1:
		lines = append(lines, "Transfer-Encoding: chunked")
		if len(data) > 0 {
			body = fmt.Sprintf("%x⏎%s⏎", len(data), data)
		}
		body += "0⏎" + pick("", "", "x-sum: 7⏎", "x-real-ip: a⏎y: z⏎") + "⏎"
	}
	return request(method+" "+target+" HTTP/1.1", lines...) + body
}

// randomText is up to n of the bytes of an alphabet.
func randomText(rng *rand.Rand, alphabet string, n int) string {
	b := make([]byte, rng.IntN(n+1))
	for i := range b {
		b[i] = alphabet[rng.IntN(len(alphabet))]
	}
	return string(b)
}
