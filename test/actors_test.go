package test_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"doorward/internal/edgetest"
	"doorward/internal/porttest"
	"doorward/stats"
)

// actor is a server whose conduct a test changes while it runs: it says its name
// and the path, and counts. Checks ask it for /health.
type actor struct {
	// name is the server's in the configuration, keys are further lines of it there.
	name, keys string

	t       *testing.T
	address string
	server  *http.Server
	// part is how it answers requests, pulse how it answers checks; nil is well.
	part, pulse atomic.Pointer[http.HandlerFunc]
	// served is how many requests came, now how many are here, most how many there
	// were at one time.
	served, now, most atomic.Int64
}

// newActors makes as many as there are keys, s1 and so on.
func newActors(t *testing.T, keys ...string) (all []*actor) {
	t.Helper()
	for i, lines := range keys {
		a := &actor{
			name: fmt.Sprintf("s%d", i+1), keys: lines, t: t, address: porttest.Address(t),
		}
		a.live()
		t.Cleanup(a.die)
		all = append(all, a)
	}
	return all
}

// live opens the listener again. Its port may serve for a moment as the other end
// of somebody's connection.
func (a *actor) live() {
	a.t.Helper()
	var l net.Listener
	wait(a.t, "the listener of "+a.name, func() (ok bool) {
		var err error
		l, err = net.Listen("tcp", a.address)
		return err == nil
	})
	a.server = &http.Server{Handler: a}
	go func(s *http.Server) { _ = s.Serve(l) }(a.server)
}

// die closes the listener and every connection.
func (a *actor) die() { _ = a.server.Close() }

// play is how requests are answered from now on.
func (a *actor) play(part http.HandlerFunc) { a.part.Store(&part) }

// hold makes requests wait until release is called. Those that come later do not.
func (a *actor) hold() (release func()) {
	open := make(chan bool)
	a.play(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-open:
			a.greet(w, r)
		case <-r.Context().Done():
		}
	})
	return func() {
		a.part.Store(nil)
		close(open)
	}
}

// ails makes checks go as told from now on; heals makes them pass.
func (a *actor) ails(how http.HandlerFunc) { a.pulse.Store(&how) }
func (a *actor) heals()                    { a.pulse.Store(nil) }

// silent never answers. It reads the body, since net/http does not notice before
// that a client is gone.
func silent(_ http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err == nil {
		<-r.Context().Done()
	}
}

// status answers with a status alone.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// ServeHTTP implements http.Handler.
func (a *actor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/health" {
		if how := a.pulse.Load(); how != nil {
			(*how)(w, r)
			return
		}
		_, _ = io.WriteString(w, "I am ok")
		return
	}
	a.served.Add(1)
	n := a.now.Add(1)
	defer a.now.Add(-1)
	for most := a.most.Load(); n > most && !a.most.CompareAndSwap(most, n); most = a.most.Load() {
	}
	w.Header().Set("X-Server", a.name)
	if part := a.part.Load(); part != nil {
		(*part)(w, r)
		return
	}
	a.greet(w, r)
}

func (a *actor) greet(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		fmt.Fprintf(w, "%s %s", a.name, r.URL.Path)
		return
	}
	conn, in, err := http.NewResponseController(w).Hijack()
	if err != nil {
		a.t.Error(err)
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, edgetest.Bytes(wsSwitch+"Upgrade: websocket⏎"+wsAccept+"⏎hello "))
	_, _ = io.Copy(conn, in)
}

// cast is a backend of actors with these keys, for app.example.
func cast(keys string, actors ...*actor) edgetest.Config {
	var b strings.Builder
	fmt.Fprintf(&b, "[backends.app]\n%s\n", keys)
	for _, a := range actors {
		fmt.Fprintf(&b, "[[backends.app.server]]\nname = %q\nurl = \"http://%s\"\n%s\n",
			a.name, a.address, a.keys)
	}
	b.WriteString("[[route]]\nhosts = [\"app.example\"]\nbackend = \"app\"\n")
	return edgetest.Config{Text: b.String()}
}

// watched are keys of a backend whose servers are checked often. What it says
// about time suits a machine that is busy with something else for a while.
const watched = `
	[backends.app.check]
	path = "/health"
	interval = "200ms"
	fast_interval = "100ms"
	down_interval = "100ms"
	timeout = "500ms"
	rise = 1
	fall = 2
	jitter = 0
	`

// hardly are keys of a backend whose servers are checked once, at the start.
const hardly = `
	[backends.app.check]
	path = "/health"
	interval = "1h"
	`

// wait waits for what must happen.
func wait(t *testing.T, what string, condition func() bool) {
	t.Helper()
	if !edgetest.Until(condition) {
		t.Fatalf("%s: not within %v", what, edgetest.Patience)
	}
}

// row is what the instance says about a server of the backend app.
func row(t *testing.T, edge *edgetest.Edge, server string) stats.Server {
	t.Helper()
	for _, b := range edge.App.View().Backends {
		for _, s := range b.Servers {
			if b.Name == "app" && s.Name == server {
				return s
			}
		}
	}
	t.Fatalf("there is no server %s", server)
	return stats.Server{}
}

// goes waits until a server is up, or down.
func goes(t *testing.T, edge *edgetest.Edge, server string, up bool) {
	t.Helper()
	wait(t, fmt.Sprintf("%s up %v", server, up), func() bool {
		return row(t, edge, server).Health.Up == up
	})
}

// fetch asks app.example once, over a connection of its own.
func fetch(t *testing.T, edge *edgetest.Edge, path string, lines ...string) *edgetest.Message {
	t.Helper()
	c := edge.Dial(t)
	defer c.Close()
	return c.Send(get(path, lines...)).Answer()
}

// served asks n times and counts the answers by server; a status other than 200
// counts as its own server.
func tour(t *testing.T, edge *edgetest.Edge, n int, lines ...string) map[string]int {
	t.Helper()
	c, by := edge.Dial(t), map[string]int{}
	defer c.Close()
	for range n {
		m := c.Send(get("/", lines...)).Answer()
		if m.Status != http.StatusOK {
			by[fmt.Sprint(m.Status)]++
			continue
		}
		by[m.Get("X-Server")]++
	}
	return by
}

// wantTour says how many requests each server has to get of as many as that is.
func wantTour(t *testing.T, edge *edgetest.Edge, want map[string]int) {
	t.Helper()
	n := 0
	for _, each := range want {
		n += each
	}
	if got := tour(t, edge, n); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("of %d requests the servers got %v, want %v", n, got, want)
	}
}

// told are the lines of the log with that message about a server of the backend,
// "" for any.
func told(t *testing.T, edge *edgetest.Edge, message, server string) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(edge.Log()) {
		var fields map[string]any
		if !strings.HasSuffix(line, "\n") {
			break // is being written
		}
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		text, _ := fields["msg"].(string)
		if strings.HasPrefix(text, message) && (server == "" || fields["server"] == server) {
			lines = append(lines, fields)
		}
	}
	return lines
}

// startCallers is startLoad with few clients, whom every answer must suit that
// comes from an actor.
func startCallers(edge *edgetest.Edge) *load {
	l := &load{stop: make(chan struct{})}
	for _, v := range []visitor{
		{address: edge.HTTP}, {address: edge.HTTP, fresh: true}, {address: edge.HTTPS, tls: true},
	} {
		v.check = func(r *http.Response, body string) error {
			if !strings.HasPrefix(body, r.Header.Get("X-Server")+" /") {
				return fmt.Errorf("body %q of server %q", body, r.Header.Get("X-Server"))
			}
			return nil
		}
		l.all.Go(func() { l.run(&v) })
	}
	return l
}
