package test_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"doorward/app"
	"doorward/internal/edgetest"
	"doorward/internal/porttest"
)

// secretsAreNowhere puts a secret wherever a configuration has one, lets all that
// uses it go wrong, and looks at everything that comes out.
func secretsAreNowhere(t *testing.T) {
	t.Setenv("SECRET", "s3cret-words-of-all")
	hooks := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			body := "no " + m.Path
			p.Send(fmt.Sprintf("HTTP/1.1 403 Forbidden⏎Content-Length: %d⏎⏎%s", len(body), body))
		}
	})
	sick := edgetest.Record(t, edgetest.Answers(
		"HTTP/1.1 503 s3cret-words-of-the-server⏎Content-Length: 0⏎Connection: close⏎⏎"))
	metrics := porttest.Address(t)
	site := func(fall int) edgetest.Config {
		return edgetest.Config{Log: `level = "debug"`, Text: fmt.Sprintf(`
			[stats]
			host = "stats.example"
			users = { ops = "${SECRET}" }
			metrics = %q
			[alerts]
			webhook = "%s/T00/${SECRET}?token=${SECRET}"
			mail = ["ops@example.com"]
			delay = "0s"
			[mail]
			host = "127.0.0.1"
			port = 1
			security = "none"
			from = "edge@example.com"
			username = "edge"
			password = "${SECRET}"
			[headers.request]
			set = { Authorization = "Bearer ${SECRET}" }
			[[route]]
			hosts = ["app.example"]
			backend = "app"
			[backends.app]
			servers = [%q]
			[backends.app.check]
			headers = { Authorization = "Bearer ${SECRET}" }
			interval = "100ms"
			fall = %d
			expect = [200]
		`, metrics, hooks.URL, sick.URL, fall)}
	}
	edge := edgetest.Start(t, site(1))
	for _, event := range []string{"server is down", `"webhook"`, `"mail"`} {
		if !edgetest.Until(func() bool { return strings.Contains(edge.Log(), event) }) {
			t.Errorf("no %s in the log", event)
		}
	}
	shown := secretsShown(t, edge, metrics)
	t.Setenv("SECRET", "s3cret-words-in-place-of-those")
	if err := edge.Reload(site(2)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SECRET", "s3cret-words\x01")
	err := edge.Reload(site(2))
	if err == nil {
		t.Fatal("a control character in a secret is taken")
	}
	shown += err.Error() + secretsShown(t, edge, metrics)
	edge.Write(edgetest.Config{Text: site(2).Text})
	shown += app.Check(app.Options{Path: edge.Dir() + "/doorward.toml", Env: func(string) (string, bool) {
		return "s3cret", true
	}}).String()
	edge.Stop()
	shown += edge.Log()
	// What a server says of itself is no secret of ours.
	shown = strings.ReplaceAll(shown, "s3cret-words-of-the-server", "")
	if i := strings.Index(shown, "s3cret"); i >= 0 {
		t.Errorf("a secret is shown: %.300q", shown[max(0, i-150):])
	}
}

// secretsShown is everything that the page and the metrics say.
func secretsShown(t *testing.T, edge *edgetest.Edge, metrics string) (all string) {
	t.Helper()
	login := basicOf("ops", "s3cret-words-of-all")
	if once(t, edge.HTTP, board("/", login)).Status != 200 {
		login = basicOf("ops", "s3cret-words-in-place-of-those")
	}
	for _, path := range []string{"/", "/;csv", "/;json"} {
		m := once(t, edge.HTTP, board(path, login))
		if m.Status != 200 {
			t.Fatalf("%s: %+v", path, m)
		}
		all += m.Raw
	}
	return all + once(t, metrics, to(metrics, "GET", "/metrics")).Raw
}

// stream opens the event stream of the page, and is there once it has begun.
func stream(t *testing.T, edge *edgetest.Edge, lines ...string) *bufio.Reader {
	t.Helper()
	r := bufio.NewReader(edge.Dial(t).Send(board("/events", lines...)).Rest())
	if !readsLine(r, "retry: ") {
		t.Fatal("no event stream")
	}
	return r
}

// readsLine reads until a line begins with the text; false if none does.
func readsLine(r *bufio.Reader, begin string) bool {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return false
		}
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
}

// streamsEnd: a reload that takes the right to see the page ends what was opened
// under it, and one of something else leaves it alone.
func streamsEnd(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	with := boardSite(rec, usersOnly)
	edge := edgetest.Start(t, with)
	reload := func(c edgetest.Config) {
		t.Helper()
		if err := edge.Reload(c); err != nil {
			t.Fatal(err)
		}
	}
	events := stream(t, edge, asOps())
	other := with
	other.Text += "\n[timeouts]\nkeep_alive = \"20s\"\n"
	reload(other)
	if !readsLine(events, "data: ") {
		t.Error("a reload of something else ends the stream")
	}
	for name, after := range map[string]edgetest.Config{
		"user gone":        boardSite(rec, `users = { anna = "another long password" }`),
		"another password": boardSite(rec, `users = { ops = "another long password" }`),
		"networks":         boardSite(rec, usersOnly+"\naccess = { networks = [\"192.0.2.0/24\"] }"),
		"page gone": {
			Text: strings.Replace(with.Text, "[stats]\nhost = \"stats.example\"\n"+usersOnly, "", 1),
		},
	} {
		reload(with)
		events := stream(t, edge, asOps())
		reload(after)
		if !readsLine(events, "0\r\n") { // the last chunk
			t.Errorf("%s: the stream goes on", name)
		}
	}
}

// sidesAreBounded: whoever can reach the address for a balancer cannot take the
// files away that clients need.
func sidesAreBounded(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	health := porttest.Address(t)
	edge := edgetest.Start(t, boardSite(rec, fmt.Sprintf("health = %q", health)))
	before := openFiles(t)
	const many = 400
	var idle []*edgetest.Client
	for range many {
		idle = append(idle, edgetest.Dial(t, health))
	}
	if m := once(t, edge.HTTP, get("/")); m.Status != 200 {
		t.Errorf("a client got %+v", m)
	}
	// Each of ours is one file here; those that it has accepted are one more.
	if taken := openFiles(t) - before - many; taken > 150 {
		t.Errorf("%d connections that say nothing took %d files", many, taken)
	}
	for _, c := range idle {
		c.Reset()
	}
	if m := once(t, health, to(health, "GET", "/readyz")); m.Status != 200 {
		t.Errorf("the balancer got %+v once they were gone", m)
	}
}

// guessingIsSlow: after ten wrong passwords a client has to wait, whoever it says
// it is, and others need not.
func guessingIsSlow(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	c := boardSite(rec, usersOnly)
	c.Listen = `trusted_proxies = ["192.0.2.1"]
		proxy_protocol = ["127.0.0.1"]`
	edge := edgetest.Start(t, c)
	from := func(address, login string, lines ...string) int {
		text := "PROXY TCP4 " + address + " 10.0.0.1 1 2⏎"
		return once(t, edge.HTTP, text+board("/", append(lines, login)...)).Status
	}
	for i := range 14 {
		want := http.StatusUnauthorized
		if i >= 10 {
			want = http.StatusTooManyRequests
		}
		spoofed := fmt.Sprintf("X-Forwarded-For: 10.0.0.%d", i)
		got := from("198.51.100.7", basicOf("ops", fmt.Sprint("guess", i)), spoofed)
		if got != want {
			t.Errorf("guess %d: %d, want %d", i, got, want)
		}
	}
	if got := from("198.51.100.7", asOps()); got != http.StatusTooManyRequests {
		t.Errorf("the right one among many: %d", got)
	}
	if got := from("198.51.100.8", asOps()); got != 200 {
		t.Errorf("somebody else: %d", got)
	}
	// Behind a proxy each client waits alone.
	for i := range 12 {
		from("192.0.2.1", basicOf("ops", "guess"), "X-Forwarded-For: 203.0.113.9, 203.0.113.7")
		if i == 11 {
			if got := from("192.0.2.1", asOps(), "X-Forwarded-For: 203.0.113.9"); got != 200 {
				t.Errorf("another client of the proxy: %d", got)
			}
			if got := from("192.0.2.1", asOps(), "X-Forwarded-For: 203.0.113.7"); got != 429 {
				t.Errorf("the one who guessed behind the proxy: %d", got)
			}
		}
	}
}

// openFiles is how many this process has, where the system tells.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("the system does not tell how many files are open")
	}
	return len(entries)
}
