package app_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"doorward/app"
)

func TestReloadKeepsServerConnectionsAndCounters(t *testing.T) {
	var mu sync.Mutex
	peers := map[string]int{}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		peers[r.RemoteAddr]++
		mu.Unlock()
		fmt.Fprint(w, "app")
	})
	e := start(t, site(url, ""))
	c := dial(t, e.plain())
	c.get("app")
	e.mustReload(site(url, "[timeouts]\nclient = \"7s\"\n"))
	c.get("app")
	dial(t, e.plain()).get("app")
	if got := e.Connections(); got != 2 {
		t.Errorf("%d connections counted since the start, want 2", got)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(peers) != 1 {
		t.Errorf("the server saw connections %v, want the same one each time", peers)
	}
}

// Who is signed in on a connection stays so over a reload, also where there are
// other servers to go to.
func TestReloadKeepsConnectionsThatAreSignedIn(t *testing.T) {
	whom := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) }
	one, two := serve(t, whom), serve(t, whom)
	config := strings.Replace(site(one, ""), one, one+`", "`+two, 1)
	e := start(t, config)
	c := dial(t, e.plain())
	ask := func(field string) string {
		t.Helper()
		fmt.Fprintf(c.conn, "GET / HTTP/1.1\r\nHost: app.test\r\n%s\r\n", field)
		_, body, err := c.answer()
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	first := ask("Authorization: Negotiate YII=\r\n")
	for i := range 4 {
		if i == 2 {
			e.mustReload(config + "[timeouts]\nclient = \"7s\"\n")
		}
		if again := ask(""); again != first {
			t.Errorf("request %d comes from %s, the one that signed in from %s", i, again, first)
		}
	}
}

// echo repeats lines that come through a tunnel.
func echo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		fmt.Fprint(w, "app")
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	// The key of RFC 6455, section 1.3.
	fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
	lines := bufio.NewScanner(rw)
	for lines.Scan() {
		fmt.Fprintln(conn, "echo", lines.Text())
	}
}

// tunnel opens one to a server that echoes, and returns how to say a line.
func (e *edge) tunnel() func(word string) (string, error) {
	e.t.Helper()
	c := dial(e.t, e.plain())
	fmt.Fprint(c.conn, "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if r, err := http.ReadResponse(c.in, nil); err != nil || r.StatusCode != 101 {
		e.t.Fatalf("no tunnel: %v, %v", r, err)
	}
	return func(word string) (string, error) {
		fmt.Fprintln(c.conn, word)
		return c.in.ReadString('\n')
	}
}

// Maintenance ends the tunnels of a server where a failure would, as HAProxy has it.
func TestMaintenanceEndsTunnels(t *testing.T) {
	for keys, ends := range map[string]bool{"": false, "on_down = \"close\"\n": true} {
		url := serve(t, echo)
		e := start(t, site(url, keys))
		say, name := e.tunnel(), strings.TrimPrefix(url, "http://")
		for _, state := range []string{"drain", "maint"} {
			if err := e.SetAdmin("app", name, state, "test"); err != nil {
				t.Fatal(err)
			}
			got, err := say(state)
			if ended := err != nil; ended != (ends && state == "maint") {
				t.Errorf("%s%s: %q, %v", keys, state, got, err)
			}
		}
	}
}

// A tunnel goes on over reloads, and ends when its route is gone.
func TestReloadKeepsTunnelsWhoseRouteStays(t *testing.T) {
	url := serve(t, echo)
	e := start(t, site(url, ""))
	say := e.tunnel()
	e.mustReload(site(url, "[timeouts]\nclient = \"7s\"\n"))
	if got, err := say("one"); err != nil || got != "echo one\n" {
		t.Errorf("after a reload: %q, %v", got, err)
	}
	e.mustReload(strings.Replace(site(url, ""), `name = "app"`, `name = "other"`, 1))
	if got, err := say("two"); err == nil {
		t.Errorf("after its route was removed: %q", got)
	}
}

func TestAPanicInAReloadIsARefusal(t *testing.T) {
	e := newEdge(t, site(server(t, "app"), ""))
	o := e.options
	o.Env = func(name string) (string, bool) {
		if name == "BOOM" {
			panic("boom")
		}
		return os.LookupEnv(name)
	}
	a, err := app.New(o)
	if err != nil {
		t.Fatal(err)
	}
	e.App = a
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { <-e.stop(patience) }()
	good := site(server(t, "app"), "")
	e.write(strings.Replace(good, `name = "app"`, `name = "${BOOM}"`, 1))
	if _, err := e.Reload(); err == nil || !strings.Contains(err.Error(), "boom") {
		t.Errorf("Reload: %v, want the panic as an error", err)
	}
	if got := e.lines("panic in a reload"); len(got) != 1 ||
		!strings.Contains(fmt.Sprint(got[0]["stack"]), "carry_test.go") {
		t.Errorf("the log says %v", got)
	}
	e.mustReload(good)
	dial(t, e.plain()).get("app")
}
