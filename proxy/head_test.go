package proxy_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"doorward/internal/netset"
	"doorward/proxy"
	"doorward/proxy/backend"
	"doorward/proxy/h1"
	"doorward/proxy/route"
)

// setup is a snapshot with one route for every host, to change before use.
func setup(t testing.TB) (*proxy.Snapshot, *proxy.Route) {
	t.Helper()
	b, err := backend.New(backend.Options{
		Name: "app", KeepAlive: true,
		Servers: []backend.ServerOptions{{URL: "http://10.1.2.3:8080", Weight: 1}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Retire(nil) })
	table, err := route.Compile([]route.Rule{{Name: "app"}})
	if err != nil {
		t.Fatal(err)
	}
	r := &proxy.Route{Name: "app", Backend: b, Request: request(t, proxy.ChangeList{})}
	r.Answer = answers(t, proxy.ChangeList{})
	return &proxy.Snapshot{
		Table: table, Routes: []*proxy.Route{r},
		Trusted: netset.New([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}),
		Limits: proxy.Limits{Limits: h1.Limits{
			HeadBytes: 8 << 10, HeadFields: 32, TargetBytes: 1 << 10,
		}},
		Forwarding: proxy.XForwarded, RequestIDHeader: "X-Request-Id",
	}, r
}

func request(t testing.TB, lists ...proxy.ChangeList) *proxy.Changes {
	t.Helper()
	c, err := proxy.CompileChanges(true, lists...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answers(t testing.TB, lists ...proxy.ChangeList) proxy.AnswerChanges {
	t.Helper()
	c, err := proxy.CompileAnswerChanges(lists...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	stranger = "192.0.2.7:4711"
	insider  = "10.0.0.2:4711" // a trusted proxy
)

// trial decides on a request that has a route.
func trial(t testing.TB, s *proxy.Snapshot, peer, head string) *proxy.Trial {
	t.Helper()
	tr, err := proxy.NewTrial(s, &proxy.Listener{}, peer, strings.ReplaceAll(head, "⏎", "\r\n"))
	if err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	if status := tr.Decide(); status != 0 {
		t.Fatalf("%q is answered with %d", head, status)
	}
	return tr
}

// lines are those of a head, without the random request id and the date.
func lines(head string) []string {
	all := strings.Split(strings.TrimSuffix(head, "\r\n\r\n"), "\r\n")
	return slices.DeleteFunc(all, func(l string) bool {
		return strings.HasPrefix(l, "X-Request-Id") || strings.HasPrefix(l, "Date: ")
	})
}

// An answer without a date gets one, unless dates are removed.
func TestAnswersAreDated(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		list   proxy.ChangeList
		want   string
	}{
		"none": {"", proxy.ChangeList{}, "Date: " + time.Now().UTC().Format("Mon, 02 Jan 2006")},
		"own": {"Date: Tue, 01 Jan 2030 00:00:00 GMT\r\n", proxy.ChangeList{},
			"Date: Tue, 01 Jan 2030 00:00:00 GMT"},
		"removed": {"", proxy.ChangeList{Remove: []string{"date"}}, ""},
	} {
		s, r := setup(t)
		r.Answer = answers(t, c.list)
		tr, err := proxy.NewTrial(s, &proxy.Listener{}, stranger,
			"GET / HTTP/1.1\r\nHost: a.b\r\n\r\n")
		if err != nil || tr.Decide() != 0 {
			t.Fatal(err, tr.Decide())
		}
		head, err := tr.AnswerHead("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + c.answer + "\r\n")
		n := strings.Count(head, "\r\nDate: ")
		if err != nil || (c.want == "") != (n == 0) || n > 1 || !strings.Contains(head, c.want) {
			t.Errorf("%s: %q, %v; want %q", name, head, err, c.want)
		}
	}
}

func values(head, name string) (vs []string) {
	for _, l := range lines(head) {
		if n, v, _ := strings.Cut(l, ": "); strings.EqualFold(n, name) {
			vs = append(vs, v)
		}
	}
	return vs
}

func TestRequestHead(t *testing.T) {
	const ours = "X-Forwarded-For: 192.0.2.7⏎X-Forwarded-Host: a.b⏎X-Forwarded-Proto: http"
	for head, want := range map[string]string{
		"GET /x?y=z HTTP/1.1⏎Host: a.b⏎Accept: */*⏎cookie: c=d⏎⏎": "GET /x?y=z HTTP/1.1⏎Host: a.b⏎" +
			"Accept: */*⏎cookie: c=d⏎" + ours,
		"GET http://a.b HTTP/1.1⏎Host: a.b⏎⏎":   "GET / HTTP/1.1⏎Host: a.b⏎" + ours,
		"GET http://A.B?q HTTP/1.1⏎Host: a.b⏎⏎": "GET /?q HTTP/1.1⏎Host: a.b⏎" + ours,
		"GET / HTTP/1.0⏎Host: a.b⏎⏎":            "GET / HTTP/1.1⏎Host: a.b⏎" + ours,
		"POST / HTTP/1.1⏎Host: a.b⏎Content-Length: 007⏎⏎": "POST / HTTP/1.1⏎Host: a.b⏎" +
			"Content-Length: 7⏎" + ours,
		"POST / HTTP/1.1⏎Host: a.b⏎Content-Length: 0⏎⏎": "POST / HTTP/1.1⏎Host: a.b⏎" +
			"Content-Length: 0⏎" + ours,
		"POST / HTTP/1.1⏎Host: a.b⏎Transfer-Encoding: Chunked⏎Trailer: X⏎TE: trailers⏎⏎": "POST / " +
			"HTTP/1.1⏎Host: a.b⏎Transfer-Encoding: chunked⏎TE: trailers⏎" + ours,
		"PUT / HTTP/1.1⏎Host: a.b⏎Expect: 100-Continue⏎Content-Length: 9⏎⏎": "PUT / HTTP/1.1⏎" +
			"Host: a.b⏎Content-Length: 9⏎Expect: 100-continue⏎" + ours,
		"PUT / HTTP/1.1⏎Host: a.b⏎Expect: 100-continue⏎Content-Length: 2⏎⏎ok": "PUT / HTTP/1.1⏎" +
			"Host: a.b⏎Content-Length: 2⏎" + ours,
		"GET / HTTP/1.1⏎Host: a.b⏎Connection: close, X-A, User-Agent⏎X-A: 1⏎X-B: 2⏎User-Agent: u⏎" +
			"Keep-Alive: 5⏎Proxy-Connection: x⏎Proxy-Authorization: x⏎TE: deflate⏎Upgrade: h2c⏎" +
			"HTTP2-Settings: x⏎Content_Length: 5⏎⏎": "GET / HTTP/1.1⏎Host: a.b⏎X-B: 2⏎" + ours,
		"GET / HTTP/1.1⏎Host: a.b⏎X_B: 1⏎X.B: 2⏎⏎": "GET / HTTP/1.1⏎Host: a.b⏎X.B: 2⏎" + ours,
		"GET /ws HTTP/1.1⏎Host: a.b⏎Connection: Upgrade⏎Upgrade: websocket⏎⏎": "GET /ws HTTP/1.1⏎" +
			"Host: a.b⏎Connection: Upgrade⏎Upgrade: websocket⏎" + ours,
	} {
		s, _ := setup(t)
		got := lines(trial(t, s, stranger, head).RequestHead())
		if w := strings.Split(want, "⏎"); !slices.Equal(got, w) {
			t.Errorf("%q\n got %q\nwant %q", head, got, w)
		}
	}
}

func TestRequestHeadOptions(t *testing.T) {
	const head = "GET /a/b HTTP/1.1⏎Host: a.b⏎X_Under: 1⏎X-Request-Id: mine⏎X-Old: 1⏎⏎"
	s, r := setup(t)
	s.PassUnderscores, s.Forwarding, s.RequestIDHeader = true, 0, ""
	r.Request = request(t, proxy.ChangeList{
		Set:    []proxy.HeaderValue{{Name: "Host", Value: "inner:{client_ip}"}, {Name: "x-old", Value: "2"}},
		Add:    []proxy.HeaderValue{{Name: "X-New", Value: "{method} {path}"}},
		Remove: []string{"nothing"},
	})
	r.Rewrite = func(_, path []byte) []byte { return path[2:] }
	got := lines(strings.ReplaceAll(trial(t, s, stranger, head).RequestHead(), "X-Request-Id", "Id"))
	want := []string{
		"GET /b HTTP/1.1", "Host: inner:192.0.2.7", "X_Under: 1", "Id: mine", "x-old: 2", "X-New: GET /b",
	}
	if !slices.Equal(got, want) {
		t.Errorf(" got %q\nwant %q", got, want)
	}
}

// The server hears of the host by the name that decided, and of the port.
func TestHostOfTheRequestHead(t *testing.T) {
	s, _ := setup(t)
	for head, want := range map[string]string{
		"GET http://A.b:81/ HTTP/1.0⏎⏎":          "a.b:81",
		"GET / HTTP/1.1⏎Host: A.B.:8443⏎⏎":       "a.b:8443",
		"GET / HTTP/1.1⏎Host: a.b.⏎⏎":            "a.b",
		"GET / HTTP/1.1⏎Host: [2001:DB8::0:1]⏎⏎": "[2001:db8::1]",
		"GET / HTTP/1.1⏎Host: [::0001]:80⏎⏎":     "[::1]:80",
	} {
		head := trial(t, s, stranger, head).RequestHead()
		for _, name := range []string{"Host", "X-Forwarded-Host"} {
			if got := values(head, name); !slices.Equal(got, []string{want}) {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	}
}

func TestRequestID(t *testing.T) {
	long := strings.Repeat("x", 33)
	for _, c := range []struct{ peer, sent, want string }{
		{insider, "abc-123-XYZ", "abc-123-XYZ"}, {insider, long[:32], long[:32]},
		{insider, long, ""}, {insider, "a b", ""}, {insider, "../../x", ""}, {insider, "", ""},
		{stranger, "abc", ""},
	} {
		s, _ := setup(t)
		tr := trial(t, s, c.peer, "GET / HTTP/1.1⏎Host: a⏎x-request-ID: "+c.sent+"⏎⏎")
		head := tr.RequestHead()
		_, rest, _ := strings.Cut(head, "X-Request-Id: ")
		id, _, _ := strings.Cut(rest, "\r\n")
		if c.want != "" && id != c.want || c.want == "" && (len(id) != 32 || id == c.sent) ||
			strings.Count(strings.ToLower(head), "x-request-id") != 1 {
			t.Errorf("%s sends id %q, the server gets %q", c.peer, c.sent, head)
		}
		if a, err := tr.AnswerHead("HTTP/1.1 200 OK\r\nX-Request-Id: theirs\r\n\r\n"); err != nil ||
			strings.Count(a, "X-Request-Id: "+id+"\r\n") != 1 || strings.Contains(a, "theirs") {
			t.Errorf("the client gets %q, %v", a, err)
		}
	}
}

func TestAnswerHead(t *testing.T) {
	for _, c := range []struct{ request, answer, want string }{
		{
			"GET / HTTP/1.1", "200 OK⏎Content-Length: 05⏎X: y⏎Connection: X, close⏎Keep-Alive: 1",
			"200 OK⏎X: y⏎Content-Length: 5",
		},
		{"GET / HTTP/1.1", "200 ⏎Transfer-Encoding: CHUNKED", "200 ⏎Transfer-Encoding: chunked"},
		{"GET / HTTP/1.1", "200", "200 ⏎Transfer-Encoding: chunked"},
		{"GET / HTTP/1.0", "200 OK⏎Transfer-Encoding: chunked", "200 OK⏎Connection: close"},
		{"GET / HTTP/1.0", "200 OK⏎Content-Length: 5", "200 OK⏎Content-Length: 5⏎Connection: close"},
		{"HEAD / HTTP/1.1", "200 OK⏎Content-Length: 5", "200 OK⏎Content-Length: 5"},
		{"HEAD / HTTP/1.1", "200 OK", "200 OK"},
		{"GET / HTTP/1.1", "204 No Content⏎Content-Length: 5", "204 No Content"},
		{"GET / HTTP/1.1", "204 No Content⏎Transfer-Encoding: chunked", "204 No Content"},
		{"GET / HTTP/1.1", "304 Not Modified⏎Content-Length: 5", "304 Not Modified⏎Content-Length: 5"},
		{"GET / HTTP/1.1", "304 Not Modified⏎Etag: x", "304 Not Modified⏎Etag: x"},
		{"GET / HTTP/1.1", "200 OK⏎Content_Length: 3⏎Content-Length: 0⏎Upgrade: h2,h2c⏎TE: x⏎Trailer: y",
			"200 OK⏎Content-Length: 0"},
	} {
		s, _ := setup(t)
		tr := trial(t, s, stranger, c.request+"⏎Host: a⏎⏎")
		got, err := tr.AnswerHead(strings.ReplaceAll("HTTP/1.1 "+c.answer+"⏎⏎", "⏎", "\r\n"))
		if want := strings.Split("HTTP/1.1 "+c.want, "⏎"); err != nil || !slices.Equal(lines(got), want) {
			t.Errorf("%s, %q, %v\n got %q\nwant %q", c.request, c.answer, err, lines(got), want)
		}
	}
}
