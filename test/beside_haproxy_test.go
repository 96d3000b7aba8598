package test_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"doorward/internal/edgetest"
	"doorward/internal/porttest"
)

// rival is a real HAProxy in front of the same servers as an edge.
type rival struct {
	t                    *testing.T
	address, socket, log string
}

// startRival starts one with these lines about its backend app.
func startRival(t *testing.T, lines string) *rival {
	t.Helper()
	dir := t.TempDir()
	r := &rival{
		t: t, address: porttest.Address(t), socket: filepath.Join(dir, "sock"),
		log: filepath.Join(dir, "log"),
	}
	file := filepath.Join(dir, "haproxy.cfg")
	config := fmt.Sprintf(`
global
	stats socket %s level admin
	log stdout format raw local0
defaults
	mode http
	log global
	option httplog
	option redispatch 1
	option http-server-close
	retries 3
	timeout client 10s
	timeout server 10s
	timeout connect 1s
	timeout queue 150ms
frontend all
	bind %s
	default_backend app
backend app
%s
`, r.socket, r.address, lines)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon(t, r.address, "sh", "-c", `exec "$0" -db -f "$1" >"$2" 2>&1`, program(t, "haproxy"),
		file, r.log)
	return r
}

// tell says something at the socket for operators.
func (r *rival) tell(command string) {
	r.t.Helper()
	c, err := net.Dial("unix", r.socket)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, command+"\n")
	if answer, _ := io.ReadAll(c); strings.TrimSpace(string(answer)) != "" {
		r.t.Fatalf("%s: %s", command, answer)
	}
}

// became tells how a request ended: its status, who answered it, which cookie the
// client got, and the letters of the log.
func became(t *testing.T, m *edgetest.Message, log string, path string) string {
	t.Helper()
	line := ""
	wait(t, "a line about "+path, func() bool {
		text, _ := os.ReadFile(log)
		for each := range strings.Lines(string(text)) {
			if strings.Contains(each, "GET "+path+" HTTP") {
				line = each
			}
		}
		return line != ""
	})
	cookie := strings.ToLower(strings.Join(m.Values("Set-Cookie"), ", "))
	for field := range strings.FieldsSeq(line) {
		if len(field) == 4 && (field[2:] == "--" || strings.ContainsAny(field[2:3], "NIDVEO")) &&
			strings.ToUpper(field[2:]) == field[2:] && !strings.ContainsAny(field, "/:[0123456789") {
			return fmt.Sprint(m.Status, " by ", m.Get("X-Server"), ", ", field, ", ", cookie)
		}
	}
	t.Fatalf("line %q has no letters", line)
	return ""
}

// step is something that is done to both, and a request for each.
type step struct {
	name string
	do   func()
	// admin is a state for s1, "" for none.
	admin string
	lines []string
}

// besides does the steps on both and compares what became of the requests.
func besides(t *testing.T, edge *edgetest.Edge, r *rival, steps []step) {
	t.Helper()
	for _, s := range steps {
		if s.do != nil {
			s.do()
		}
		if s.admin != "" {
			administer(t, edge, "s1", s.admin, "ops")
			r.tell("set server app/s1 state " + s.admin)
		}
		path := "/" + strings.ReplaceAll(s.name, " ", "-")
		ours := became(t, once(t, edge.HTTP, get(path, s.lines...)), edge.Dir()+"/doorward.log", path)
		theirs := became(t, once(t, r.address, get(path, s.lines...)), r.log, path)
		t.Logf("%s: %s", s.name, ours)
		if ours != theirs {
			t.Errorf("%s:\n%s; HAProxy has\n%s", s.name, ours, theirs)
		}
	}
}

func (r *rival) servers(all []*actor, keys ...string) (lines string) {
	for i, a := range all {
		lines += fmt.Sprintf("\tserver %s %s %s\n", a.name, a.address, keys[i])
	}
	return lines
}

// A real HAProxy sends the clients of its cookie to the same servers, and says the
// same about it.
func TestPersistenceCookieBesideHAProxy(t *testing.T) {
	all := newActors(t, "cookie = \"one\"", "cookie = \"two\"")
	r := startRival(t, "\tcookie SRV insert indirect nocache httponly secure attr SameSite=Lax\n"+
		(*rival)(nil).servers(all, "cookie one", "cookie two"))
	c := cast(cookies, all...)
	c.Log = `access = "haproxy"`
	edge := edgetest.Start(t, c)
	one, two := []string{"Cookie: SRV=one"}, []string{"Cookie: a=b; SRV=two"}
	besides(t, edge, r, []step{
		{name: "new"}, {name: "new too"}, {name: "valid", lines: one}, {name: "the other", lines: two},
		{name: "invalid", lines: []string{"Cookie: SRV=x"}}, {name: "empty", lines: []string{"Cookie: SRV="}},
		{name: "another cookie", lines: []string{"Cookie: srv=one; SRVX=one"}},
		{name: "drain", admin: "drain", lines: one}, {name: "new while it drains"},
		{name: "maint", admin: "maint", lines: one}, {name: "new in maintenance"},
		{name: "ready", admin: "ready", lines: one},
		{name: "gone, and nobody knows", do: all[0].die, lines: one},
		{name: "both gone", do: all[1].die, lines: two},
	})
}

// And those of its stick table.
func TestStickTableBesideHAProxy(t *testing.T) {
	all := newActors(t, "", "")
	r := startRival(t, "\tstick-table type string len 32 size 100 expire 1m\n"+
		"\tstick on req.hdr(x-session)\n"+(*rival)(nil).servers(all, "", ""))
	c := cast("[backends.app.stick]\non = \"header:x-session\"\nsize = 100\n", all...)
	c.Log = `access = "haproxy"`
	edge := edgetest.Start(t, c)
	client := func(name string) []string { return []string{"X-Session: " + name} }
	besides(t, edge, r, []step{
		{name: "a", lines: client("a")}, {name: "b", lines: client("b")}, {name: "c", lines: client("c")},
		{name: "a again", lines: client("a")}, {name: "b again", lines: client("b")},
		{name: "a while s1 drains", admin: "drain", lines: client("a")},
		{name: "d is new", lines: client("d")},
		{name: "a in maintenance", admin: "maint", lines: client("a")},
		{name: "a once s1 is back", admin: "ready", lines: client("a")},
		{name: "c, who was not here meanwhile", lines: client("c")},
		{name: "c with s1 gone, and nobody knows", do: all[0].die, lines: client("c")},
		{name: "c once s1 is back", do: all[0].live, lines: client("c")},
	})
}

// Who waits in vain gets the same answer.
func TestQueueBesideHAProxy(t *testing.T) {
	all := newActors(t, "max_connections = 1")
	r := startRival(t, (*rival)(nil).servers(all, "maxconn 1"))
	c := cast(`timeouts = { queue = "150ms" }`, all...)
	c.Log = `access = "haproxy"`
	edge := edgetest.Start(t, c)
	release := all[0].hold()
	held := []*edgetest.Client{
		edgetest.Dial(t, edge.HTTP).Send(get("/held")), edgetest.Dial(t, r.address).Send(get("/held")),
	}
	wait(t, "both places are taken", func() bool { return all[0].now.Load() == 2 })
	besides(t, edge, r, []step{{name: "queued"}})
	release()
	for _, c := range held {
		if m := c.Answer(); m.Status != 200 {
			t.Errorf("answer %+v", m)
		}
	}
	besides(t, edge, r, []step{{name: "after"}})
}
