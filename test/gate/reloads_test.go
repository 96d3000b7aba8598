package gate_test

import (
	"net/http"
	"strings"
	"testing"
)

// A reload that puts a route behind the gate, or takes one away, ends what is open there
// for those who would not be let in now, and nothing elsewhere.
func TestReloadsThatShutDoors(t *testing.T) {
	const shut, public = `access = { groups = ["staff"] }`, `access = "public"`
	h := newLastingHouse(t, "")
	open := h.site
	open.Text = strings.Replace(open.Text, shut, public, 1)
	if err := h.Edge.Reload(open); err != nil {
		t.Fatal(err)
	}
	bob, stranger := h.somebody("bob"), h.browser()
	stays := map[string]*lasting{
		"a WebSocket elsewhere":                openSocket(h, bob, "app.example"),
		"a WebSocket over HTTP/2, elsewhere":   openStreamSocket(h, bob, "app.example"),
		"an event stream over HTTP/2 of bob's": openAnswer("/time", "h2")(h, bob, "app.example"),
	}
	ends := func(what string) {
		t.Helper()
		gone := map[string]*lasting{
			"a WebSocket":             openSocket(h, bob, "staff.example"),
			"a WebSocket over HTTP/2": openStreamSocket(h, bob, "staff.example"),
		}
		if what == "behind the gate" {
			gone["a stranger's WebSocket"] = openSocket(h, stranger, "staff.example")
		}
		for name, l := range gone {
			if !l.goes() {
				t.Fatalf("%s does not begin", name)
			}
		}
		next := h.site
		if what == "without a route" {
			next.Text = strings.Replace(next.Text, `"staff.example"`, `"other.example"`, 1)
			next.Text = strings.Replace(next.Text, `name = "staff"`, `name = "other"`, 1)
		}
		if err := h.Edge.Reload(next); err != nil {
			t.Fatal(err)
		}
		for name, l := range gone {
			if !l.ends() {
				t.Errorf("%s: %s goes on after a second", what, name)
			}
		}
	}
	ends("behind the gate")
	if p := stranger.open("https://staff.example/"); !strings.HasPrefix(p.url, "https://login.example/") {
		t.Errorf("a stranger is at %s: %d", p.url, p.status)
	}
	bob.open("https://staff.example/")
	ends("without a route")
	if p := bob.open("https://staff.example/"); p.status != http.StatusMisdirectedRequest &&
		p.status != http.StatusNotFound {
		t.Errorf("where no route is: %d at %s", p.status, p.url)
	}
	for name, l := range stays {
		if !l.goes() {
			t.Errorf("%s has ended", name)
		}
	}
}
