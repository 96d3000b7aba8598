package test_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"doorward/internal/edgetest"
	"doorward/internal/porttest"
)

// patient are keys of a backend whose clients notice nothing, whatever one server
// does.
const patient = `
	retries = 3
	retry_on = ["connect", "empty-response", "response-timeout", 500]
	timeouts = { server = "400ms" }
	`

// A server dies, hangs, answers wrongly, and comes back each time. Nobody notices,
// and it gets nothing while it is down. Each change is told once, with its reason.
func TestServersThatFailAndComeBack(t *testing.T) {
	all := newActors(t, "", "", "")
	edge := edgetest.Start(t, cast(patient+watched+"expect = { status = [\"2xx\"], body = \"ok\" }\n", all...))
	bad := all[1]
	var reasons []string
	l := startCallers(edge)
	for _, c := range []struct {
		reason     string
		fail, mend func()
	}{
		{"L4CON: ", bad.die, bad.live},
		{"L7TOUT: no answer in time", func() { bad.ails(silent); bad.play(silent) }, func() {}},
		{"L7STS 500", func() { bad.ails(status(500)); bad.play(status(500)) }, func() {}},
		{"L7RSP 200", func() {
			bad.ails(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "no") })
		}, func() {}},
	} {
		reasons = append(reasons, c.reason)
		c.fail()
		goes(t, edge, "s2", false)
		wait(t, "requests leave s2", func() bool { return row(t, edge, "s2").Active == 0 })
		before := bad.served.Load()
		more(t, l, 60)
		if n := bad.served.Load() - before; n > 0 {
			t.Errorf("%s: the server got %d requests while it was down", c.reason, n)
		}
		c.mend()
		bad.heals()
		bad.part.Store(nil)
		goes(t, edge, "s2", true)
		before = bad.served.Load()
		wait(t, "s2 serves again", func() bool { return bad.served.Load() > before+10 })
	}
	l.end(t)
	wantChanges(t, edge, reasons)
}

// wantChanges says why server s2 of three went down, once for each reason, and
// that it came up after each.
func wantChanges(t *testing.T, edge *edgetest.Edge, reasons []string) {
	t.Helper()
	ups := func() int { return len(told(t, edge, "server is up", "s2")) }
	wait(t, "the last line", func() bool { return ups() >= len(reasons) })
	downs := told(t, edge, "server is down", "s2")
	if len(downs) != len(reasons) || ups() != len(reasons) {
		t.Fatalf("the log tells %d times that it went down and %d times that it came up,"+
			" want %d:\n%v", len(downs), ups(), len(reasons), downs)
	}
	for i, line := range downs {
		reason, _ := line["reason"].(string)
		if !strings.HasPrefix(reason, reasons[i]) || line["left"] != 2.0 || line["level"] != "warn" ||
			line["backend"] != "app" || line["state"] != "down" || !positive(line["last_state"]) {
			t.Errorf("line %v, want reason %q and two left", line, reasons[i])
		}
	}
	for _, line := range told(t, edge, "server is up", "s2") {
		if line["left"] != 3.0 || !positive(line["last_state"]) || line["level"] != "info" {
			t.Errorf("line %v, want three left", line)
		}
	}
	if n := len(told(t, edge, "server is", "")); n != 2*len(reasons) {
		t.Errorf("%d lines about servers that go up or down, want %d", n, 2*len(reasons))
	}
}

func positive(v any) bool {
	switch v := v.(type) {
	case float64:
		return v > 0
	case string:
		return v != "" && !strings.HasPrefix(v, "-") && v != "0s"
	}
	return false
}

// What is under way at a server that is marked down is finished there.
func TestRequestsInFlightOutliveTheirServersHealth(t *testing.T) {
	all := newActors(t, "", "")
	edge := edgetest.Start(t, cast(watched, all...))
	releaseFirst, releaseSecond := all[0].hold(), all[1].hold()
	var held []*edgetest.Client
	for range 2 {
		held = append(held, edge.Dial(t), edge.DialTLS(t, "app.example"))
	}
	for _, c := range held {
		c.Send(get("/held"))
	}
	wait(t, "two requests at each server", func() bool {
		return all[0].now.Load() == 2 && all[1].now.Load() == 2
	})
	all[0].ails(status(503))
	goes(t, edge, "s1", false)
	releaseSecond()
	wantTour(t, edge, map[string]int{"s2": 10})
	releaseFirst()
	by := map[string]int{}
	for _, c := range held {
		m := c.Answer()
		by[m.Body]++
		if m.Status != 200 {
			t.Errorf("answer %+v", m)
		}
	}
	if by["s1 /held"] != 2 || by["s2 /held"] != 2 {
		t.Errorf("answers %v, want two of each server", by)
	}
	wantTour(t, edge, map[string]int{"s2": 10})
}

// Backup servers wait until no other server is left, and make room again.
func TestBackupServers(t *testing.T) {
	for name, c := range map[string]struct {
		keys string
		both map[string]int
	}{
		"the first":   {"", map[string]int{"s2": 10}},
		"all of them": {"use_all_backups = true\n", map[string]int{"s2": 5, "s3": 5}},
	} {
		t.Run(name, func(t *testing.T) {
			all := newActors(t, "", "backup = true", "backup = true")
			edge := edgetest.Start(t, cast(c.keys+watched, all...))
			wantTour(t, edge, map[string]int{"s1": 10})
			all[0].ails(status(500))
			goes(t, edge, "s1", false)
			wantTour(t, edge, c.both)
			line := told(t, edge, "server is down", "s1")[0]
			if line["left"] != 0.0 || line["backups_left"] != 2.0 {
				t.Errorf("line %v, want two backups left", line)
			}
			all[1].ails(status(500))
			goes(t, edge, "s2", false)
			wantTour(t, edge, map[string]int{"s3": 10})
			all[2].ails(status(500))
			goes(t, edge, "s3", false)
			wantTour(t, edge, map[string]int{"503": 3})
			if lines := told(t, edge, "server is down, and its backend has no other", "s3"); len(lines) != 1 ||
				lines[0]["level"] != "error" {
				t.Errorf("lines %v", lines)
			}
			all[0].heals()
			goes(t, edge, "s1", true)
			wantTour(t, edge, map[string]int{"s1": 10})
		})
	}
}

// nginx is a real one that can be stopped and started.
type nginx struct {
	t         *testing.T
	dir, file string
	address   string
	cmd       *exec.Cmd
}

func newNginx(t *testing.T, name string) *nginx {
	t.Helper()
	dir := t.TempDir()
	n := &nginx{t: t, dir: dir, file: filepath.Join(dir, "nginx.conf"), address: porttest.Address(t)}
	config := fmt.Sprintf(`daemon off; pid nginx.pid; error_log stderr crit; worker_processes 1;
		events {}
		http {
			access_log off; default_type text/plain;
			client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
			uwsgi_temp_path tmp; scgi_temp_path tmp;
			server {
				listen %s;
				add_header X-Server %[2]s;
				location / { return 200 "%[2]s $uri is ok"; }
			}
		}`, n.address, name)
	if err := os.WriteFile(n.file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.die)
	n.live()
	return n
}

func (n *nginx) live() {
	n.t.Helper()
	n.cmd = exec.Command(program(n.t, "nginx"), "-e", "stderr", "-p", n.dir, "-c", n.file)
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *nginx) die() {
	if n.cmd != nil {
		_ = n.cmd.Process.Signal(os.Interrupt)
		_ = n.cmd.Wait()
		n.cmd = nil
	}
}

// A real nginx is stopped and started under load.
func TestNginxStoppedAndStarted(t *testing.T) {
	all := newActors(t, "", "")
	real := newNginx(t, "s1")
	all[0].die()
	all[0].address = real.address
	edge := edgetest.Start(t, cast(patient+watched+"expect = { body = \"ok\" }\n", all...))
	goes(t, edge, "s1", true)
	l := startCallers(edge)
	for range 2 {
		before := row(t, edge, "s1").Traffic.Classes[2]
		wait(t, "nginx serves", func() bool {
			return row(t, edge, "s1").Traffic.Classes[2] > before+10
		})
		real.die()
		goes(t, edge, "s1", false)
		more(t, l, 30)
		real.live()
		goes(t, edge, "s1", true)
	}
	l.end(t)
}

// more waits for so many further requests.
func more(t *testing.T, l *load, n int64) {
	t.Helper()
	if !l.wait(n) {
		t.Errorf("no %d further requests within %v", n, edgetest.Patience)
	}
}
