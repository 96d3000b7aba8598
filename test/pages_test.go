package test_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// answerTo starts an edge and returns the answers to requests, each made over a
// plain connection and over TLS.
type answerTo struct {
	request, line string   // line is the first one of the answer
	has           []string // fields as lines
	body          string
}

func wantAnswers(t *testing.T, edge *edgetest.Edge, all []answerTo) {
	t.Helper()
	for _, a := range all {
		for _, c := range []*edgetest.Client{edge.Dial(t), edge.DialTLS(t, "app.example")} {
			method, _, _ := strings.Cut(a.request, " ")
			m := c.Send(a.request).AnswerTo(method)
			if m.Line != "HTTP/1.1 "+a.line || m.Body != a.body {
				t.Errorf("%q: %s %q, want %s %q", a.request, m.Line, m.Body, a.line, a.body)
			}
			for _, field := range a.has {
				name, value, _ := strings.Cut(field, ": ")
				if got := strings.Join(m.Values(name), "|"); got != value {
					t.Errorf("%q: %s is %q, want %q", a.request, name, got, value)
				}
			}
			c.Close()
		}
	}
}

func to(host, method, path string, lines ...string) string {
	return request(method+" "+path+" HTTP/1.1", append([]string{"Host: " + host}, lines...)...)
}

func TestRedirects(t *testing.T) {
	edge := edgetest.Start(t, edgetest.Config{Text: `
		[[route]]
		hosts = ["www.example"]
		redirect = "https://app.example{uri}"
		[[route]]
		hosts = ["old.example"]
		paths = ["/a"]
		redirect = { to = "{scheme}://{host}/b?from={path}", status = 302 }
		[[route]]
		hosts = ["local.example"]
		redirect = { to = "/there", status = 303 }
	`})
	long := strings.Repeat("x", 3000)
	wantAnswers(t, edge, []answerTo{
		{to("www.example", "GET", "/a%20b/?c=d&e"), "308 Permanent Redirect",
			[]string{"Location: https://app.example/a%20b/?c=d&e", "Content-Length: 0"}, ""},
		{to("www.example", "GET", "/"), "308 Permanent Redirect", []string{"Location: https://app.example/"}, ""},
		{to("www.example", "GET", "/a/../b//c"), "308 Permanent Redirect",
			[]string{"Location: https://app.example/b/c"}, ""},
		{to("www.example", "GET", "//evil.example/"), "308 Permanent Redirect",
			[]string{"Location: https://app.example/evil.example/"}, ""},
		{to("www.example", "HEAD", "/"), "308 Permanent Redirect", nil, ""},
		{to("www.example", "POST", "/", "Content-Length: 2") + "ok", "308 Permanent Redirect",
			[]string{"Location: https://app.example/"}, ""},
		{to("local.example", "GET", "/x"), "303 See Other", []string{"Location: /there"}, ""},
		{to("www.example", "GET", "/?"+long), "308 Permanent Redirect",
			[]string{"Location: https://app.example/?" + long}, ""},
	})
	if m := edge.Dial(t).Send(to("OLD.example.:80", "GET", "/a/x")).Answer(); m.Status != 302 ||
		m.Get("Location") != "http://old.example/b?from=/a/x" {
		t.Errorf("answer %+v", m)
	}
}

func TestRedirectToHTTPS(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{Listen: "http_redirect = true", Text: rec.Backend("app") + site})
	_, port, _ := strings.Cut(strings.TrimPrefix(edge.HTTPS, "127.0.0.1"), ":")
	for target, want := range map[string]string{
		"/a?b": "/a?b", "/": "/", "/a/./b": "/a/b", "//evil.example/x": "/evil.example/x",
	} {
		m := edge.Dial(t).Send(to("APP.example:8080", "GET", target)).Answer()
		if location := m.Get("Location"); m.Status != 301 ||
			location != "https://app.example:"+port+want {
			t.Errorf("%s: %+v", target, m)
		}
	}
	for method, status := range map[string]int{
		"HEAD": 301, "POST": 308, "PUT": 308, "DELETE": 308, "OPTIONS": 308,
	} {
		m := edge.Dial(t).Send(to("app.example", method, "/a")).Answer()
		if m.Status != status || m.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: %+v, want %d", method, m, status)
		}
	}
	if m := edge.Dial(t).Send(to("nobody.example", "GET", "/")).Answer(); m.Status != 421 {
		t.Errorf("an unknown host gets %+v", m)
	}
	if m := edge.DialTLS(t, "app.example").Send(get("/")).Answer(); m.Status != 200 {
		t.Errorf("over TLS: %+v", m)
	}
}

func TestPrefixes(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{Text: rec.Backend("app") + `
		[[route]]
		hosts = ["app.example"]
		paths = ["/strip"]
		strip_prefix = "/strip"
		backend = "app"
		[[route]]
		hosts = ["app.example"]
		paths = ["/from"]
		replace_prefix = { from = "/from", to = "/to/deep" }
		backend = "app"
		[[route]]
		hosts = ["app.example"]
		backend = "app"
	`})
	var all []answerTo
	for target, want := range map[string]string{
		"/strip": "/", "/strip/": "/", "/strip/a/b?c": "/a/b?c", "/strip?q": "/?q", "/stripes": "/stripes",
		"/strip/../x": "/x", "/strip//a": "/a", "/strip/%61": "/a", "/from": "/to/deep",
		"/from/x?y": "/to/deep/x?y", "/fromage": "/fromage", "/strip/strip/x": "/strip/x",
		"/strip/%2e%2e/from/z": "/to/deep/z",
	} {
		all = append(all, answerTo{get(target), "200 OK", nil, "GET " + want})
	}
	wantAnswers(t, edge, all)
}

func TestErrorPages(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"all.html": "<p>all</p>", "route.txt": "of the route"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	edge := edgetest.Start(t, edgetest.Config{Text: fmt.Sprintf(`
		[error_pages]
		503 = %q
		421 = %[1]q
		404 = %[1]q
		[[route]]
		hosts = ["app.example"]
		paths = ["/down"]
		backend = "down"
		[[route]]
		hosts = ["app.example"]
		paths = ["/own"]
		backend = "down"
		error_pages = { 503 = %[2]q }
		[[route]]
		hosts = ["app.example"]
		paths = ["/closed"]
		access = { networks = ["192.0.2.1/32"] }
		backend = "down"
		[backends.down]
		servers = ["http://127.0.0.1:1"]
		retries = 0
	`, filepath.Join(dir, "all.html"), filepath.Join(dir, "route.txt"))})
	noStore, nosniff := "Cache-Control: no-store", "X-Content-Type-Options: nosniff"
	wantAnswers(t, edge, []answerTo{
		{get("/down"), "503 Service Unavailable", []string{
			"Content-Type: text/html; charset=utf-8", noStore, nosniff, "Retry-After: 5",
		}, "<p>all</p>"},
		{get("/own"), "503 Service Unavailable", []string{
			"Content-Type: text/plain; charset=utf-8", noStore,
		}, "of the route"},
		{to("nobody.example", "GET", "/"), "421 Misdirected Request", []string{noStore, nosniff}, "<p>all</p>"},
		{get("/nothing"), "404 Not Found", nil, "<p>all</p>"},
		{to("app.example", "HEAD", "/down"), "503 Service Unavailable", []string{"Content-Length: 10"}, ""},
	})
	// Without a file there is a short page with the request's id and no more.
	m := edge.Dial(t).Send(get("/closed")).Answer()
	if m.Status != 403 || !strings.Contains(m.Body, m.Get("X-Request-ID")) || m.Get("X-Request-ID") == "" {
		t.Errorf("answer %+v", m)
	}
}

func TestFixedAnswers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "robots.txt")
	if err := os.WriteFile(file, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	edge := edgetest.Start(t, edgetest.Config{Text: fmt.Sprintf(`
		[[route]]
		hosts = ["app.example"]
		paths = ["=/robots.txt"]
		respond = { file = %q }
		[[route]]
		hosts = ["app.example"]
		paths = ["/gone"]
		respond = { status = 410, file = %[1]q, content_type = "text/x-y" }
		[[route]]
		hosts = ["app.example"]
		paths = ["/empty"]
		respond = { status = 204 }
		[[route]]
		hosts = ["app.example"]
		respond = { body = "äpfel" }
	`, file)})
	const text = "Content-Type: text/plain; charset=utf-8"
	wantAnswers(t, edge, []answerTo{
		{get("/"), "200 OK", []string{text, "Content-Length: 6", "X-Content-Type-Options: nosniff"}, "äpfel"},
		{to("app.example", "HEAD", "/"), "200 OK", []string{"Content-Length: 6"}, ""},
		{sized("ignored"), "200 OK", nil, "äpfel"},
		{get("/empty/x"), "204 No Content", []string{"Content-Length: ", "Transfer-Encoding: "}, ""},
		{get("/gone", "Range: bytes=2-4"), "410 Gone", []string{"Content-Type: text/x-y"}, "0123456789"},
		{get("/robots.txt"), "200 OK", []string{text, "Accept-Ranges: bytes"}, "0123456789"},
		{get("/robots.txt", "Range: bytes=2-4"), "206 Partial Content",
			[]string{"Content-Range: bytes 2-4/10", "Content-Length: 3"}, "234"},
		{get("/robots.txt", "Range: bytes=-3"), "206 Partial Content", nil, "789"},
		{to("app.example", "HEAD", "/robots.txt"), "200 OK", []string{"Content-Length: 10"}, ""},
	})
	c := edge.Dial(t)
	changed := c.Send(get("/robots.txt")).Answer().Get("Last-Modified")
	if m := c.Send(get("/robots.txt", "If-Modified-Since: "+changed)).Answer(); m.Status != 304 {
		t.Errorf("answer %+v", m)
	}
	if m := c.Send(get("/robots.txt", "Range: bytes=20-30")).Answer(); m.Status != 416 {
		t.Errorf("answer %+v", m)
	}
}
