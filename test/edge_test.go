package test_test

import (
	"fmt"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// site is the configuration most cases need: an application on every path of
// app.example, and places where other things are decided.
const site = `
	[[route]]
	hosts = ["app.example"]
	backend = "app"

	[[route]]
	name = "closed"
	hosts = ["closed.example"]
	backend = "app"
	access = { networks = ["192.0.2.0/24"] }

	[[route]]
	name = "moved"
	hosts = ["moved.example"]
	redirect = "https://app.example{uri}"

	[[route]]
	name = "text"
	hosts = ["text.example"]
	respond = { status = 200, body = "text" }

	[[route]]
	name = "small"
	hosts = ["small.example"]
	backend = "app"
	body_bytes = "1KiB"

	[[route]]
	name = "get"
	hosts = ["methods.example"]
	methods = ["GET"]
	backend = "app"
`

// startSite starts an edge with site and whatever is put before it, in front of
// a recorder.
func startSite(t *testing.T, script edgetest.Script, before string) (
	*edgetest.Edge, *edgetest.Recorder,
) {
	t.Helper()
	rec := edgetest.Record(t, script)
	return edgetest.Start(t, edgetest.Config{Text: before + rec.Backend("app") + site}), rec
}

// get is a request for a path of app.example with further lines.
func get(path string, lines ...string) string {
	return request("GET "+path+" HTTP/1.1", append([]string{"Host: app.example"}, lines...)...)
}

// post is a request with a body, whose framing stands in the lines.
func post(body string, lines ...string) string {
	return request("POST / HTTP/1.1", append([]string{"Host: app.example"}, lines...)...) + body
}

// sized is post with a Content-Length.
func sized(body string, lines ...string) string {
	lines = append(lines, fmt.Sprintf("Content-Length: %d", len(edgetest.Bytes(body))))
	return post(body, lines...)
}

// chunked is post with the body in chunks, as given.
func chunked(body string, lines ...string) string {
	return post(body, append(lines, "Transfer-Encoding: chunked")...)
}

func request(line string, fields ...string) string {
	return line + "⏎" + strings.Join(append(fields, "⏎"), "⏎")
}

// each makes an input of every element.
func each(make func(string) string, elements ...string) (inputs []string) {
	for _, e := range elements {
		inputs = append(inputs, make(e))
	}
	return inputs
}

// withLine is get with one more line.
func withLine(line string) string { return get("/", line) }

// withTarget is a GET for a target of app.example.
func withTarget(target string) string {
	return request("GET "+target+" HTTP/1.1", "Host: app.example")
}

// withHost is a GET with a Host field of that value.
func withHost(host string) string { return request("GET / HTTP/1.1", "Host: "+host) }

// refused is a case whose inputs are answered with 400, and nothing of them gets
// to a server.
func refused(name string, inputs ...string) edgetest.Case {
	return edgetest.Case{Name: name, Send: inputs, Status: 400, Closes: true}
}

// served is a case whose inputs are forwarded, each as one request.
func served(name string, check func(testing.TB, *edgetest.Outcome), inputs ...string,
) edgetest.Case {
	return edgetest.Case{Name: name, Send: inputs, Status: 200, Reach: 1, Check: check}
}

// wantPath says which path the server got.
func wantPath(path string) func(testing.TB, *edgetest.Outcome) {
	return func(t testing.TB, o *edgetest.Outcome) {
		if got := o.Requests[0].Path; got != path {
			t.Errorf("%q: the server got path %q, want %q", o.Input, got, path)
		}
	}
}

// wantField says which values of a field the server got.
func wantField(name string, values ...string) func(testing.TB, *edgetest.Outcome) {
	return func(t testing.TB, o *edgetest.Outcome) {
		got := o.Requests[0].Values(name)
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", values) {
			t.Errorf("%q: the server got %s %q, want %q", o.Input, name, got, values)
		}
	}
}

// wantBody says which body the server got, and under which framing.
func wantBody(body string, chunked bool) func(testing.TB, *edgetest.Outcome) {
	return func(t testing.TB, o *edgetest.Outcome) {
		m := o.Requests[0]
		if m.Body != edgetest.Bytes(body) || m.Chunked != chunked {
			t.Errorf("%q: the server got %q, chunked %v", o.Input, m.Body, m.Chunked)
		}
	}
}
