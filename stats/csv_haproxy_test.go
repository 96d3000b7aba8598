package stats_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"doorward/stats"
)

// haproxyStat is what a real HAProxy answers to "show stat", once its check of
// server a has ended.
func haproxyStat(t *testing.T) []byte {
	t.Helper()
	program, err := exec.LookPath("haproxy")
	if err != nil {
		t.Skip("haproxy is not installed")
	}
	// A test's own folder can have a name too long for a socket.
	folder, err := os.MkdirTemp("", "h")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	config := filepath.Join(folder, "h.cfg")
	text := fmt.Sprintf(`
global
  stats socket %[1]s/s level admin
defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
frontend web
  bind unix@%[1]s/f
  maxconn 500
  default_backend app
backend app
  balance roundrobin
  cookie SRV insert
  server a 127.0.0.1:1 check inter 100ms cookie c1 maxconn 32 maxqueue 64 weight 10
  server b 127.0.0.1:1 backup
  server c 127.0.0.1:1 check weight 5 disabled
`, folder)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	process := exec.CommandContext(t.Context(), program, "-db", "-f", config)
	process.Stderr = t.Output()
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-again.C {
		if text := ask(filepath.Join(folder, "s"), "show stat"); len(text) > 0 {
			if rows := lines(t, text); strings.HasSuffix(rows[1][36], "L4CON") {
				return text
			}
		}
	}
	t.Fatal("haproxy does not come up")
	return nil
}

// ask asks a running HAProxy; nil when it does not answer.
func ask(socket, command string) []byte {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return nil
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(c, command+"\n"); err != nil {
		return nil
	}
	text, _ := io.ReadAll(c)
	return text
}

// TestCSVLooksLikeHAProxys compares with a real one: ours begins with its columns,
// and the same columns of the same kinds of lines have values of the same class.
func TestCSVLooksLikeHAProxys(t *testing.T) {
	theirs := haproxyStat(t)
	p := examplePicture()
	ours := stats.CSV(&p)
	fields := columns(theirs)
	fields = fields[:slices.Index(fields, "-")]
	if len(fields) < 100 {
		t.Fatalf("haproxy has %d columns", len(fields))
	}
	if got := columns(ours)[:len(fields)]; !slices.Equal(got, fields) {
		t.Fatalf("columns\n%q, those of haproxy are\n%q", got, fields)
	}
	// What only one of the two has, by kind of line. Ours are empty where Doorward
	// has no such thing: compression, caches, header rewriting that fails, rules for
	// answers, rules for connections, limits of rates.
	only := map[string]string{
		"FRONTEND": "dresp rate_lim comp_in comp_out comp_byp comp_rsp dcon dses wrew" +
			" cache_lookups cache_hits eint",
		"server": "dresp wrew eint idle_conn_cur safe_conn_cur need_conn_est" +
			" throttle check_code", // these two because of the moment
		"BACKEND": "dresp slim comp_in comp_out comp_byp comp_rsp wrew cache_lookups cache_hits" +
			" eint qlimit",
	}
	mine, their := lines(t, ours), lines(t, theirs)
	if len(mine) != len(their) {
		t.Fatalf("%d lines, haproxy has %d", len(mine), len(their))
	}
	found := map[string]bool{}
	for i := range mine {
		kind := their[i][1]
		if kind != "FRONTEND" && kind != "BACKEND" {
			kind = "server"
		}
		for j, name := range fields {
			a, b := class(mine[i][j]), class(their[i][j])
			if a == b {
				continue
			}
			found[kind+" "+name] = true
			if !slices.Contains(strings.Fields(only[kind]), name) {
				t.Errorf("%s, column %s: %q, haproxy has %q", their[i][1], name, mine[i][j], their[i][j])
			}
		}
	}
	for kind, names := range only {
		for _, name := range strings.Fields(names) {
			if !found[kind+" "+name] {
				t.Errorf("%s, column %s is the same as haproxy's by now", kind, name)
			}
		}
	}
}

// class is what a program can take a value for.
func class(value string) string {
	if value == "" {
		return "nothing"
	}
	if _, err := strconv.ParseInt(value, 10, 64); err == nil {
		return "number"
	}
	return "text"
}
