package health_test

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// haproxy is a HAProxy of the test's own, with its state to be read.
type haproxy struct {
	socket string
}

// startHAProxy runs the HAProxy of this machine with sections of configuration.
func startHAProxy(t *testing.T, sections string) *haproxy {
	t.Helper()
	path, err := exec.LookPath("haproxy")
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/haproxy"); err != nil {
			t.Fatal("haproxy is missing: make tools installs it")
		}
	}
	// The path of a socket has a hundred bytes, and that of a test may be longer.
	dir, err := os.MkdirTemp("", "health")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	h := &haproxy{socket: filepath.Join(dir, "stats")}
	file := filepath.Join(dir, "haproxy.cfg")
	text := fmt.Sprintf(`
global
    stats socket %s level admin
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 10s
%s`, h.socket, sections)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	run := exec.Command(path, "-db", "-f", file)
	run.Stdout, run.Stderr = &out, &out
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Kill()
		_ = run.Wait()
		if t.Failed() {
			t.Logf("HAProxy said:\n%s", out.String())
		}
	})
	if !within(10*time.Second, func() bool { _, err := h.command("show info"); return err == nil }) {
		t.Fatal("HAProxy does not start")
	}
	return h
}

func (h *haproxy) command(text string) (string, error) {
	c, err := net.Dial("unix", h.socket)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, text+"\n"); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(bufio.NewReader(c))
	return string(answer), err
}

// server is the line of the statistics about the one server of a backend.
func (h *haproxy) server(t *testing.T, backend string) map[string]string {
	t.Helper()
	text, err := h.command("show stat")
	if err != nil {
		t.Error("reading the statistics:", err)
		return nil
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "# "))).ReadAll()
	if err != nil {
		t.Error("reading the statistics:", err)
		return nil
	}
	for _, row := range rows[1:] {
		fields := map[string]string{}
		for i, name := range rows[0] {
			fields[name] = row[i]
		}
		if fields["pxname"] == backend && fields["svname"] == "s1" {
			return fields
		}
	}
	t.Error("no server in the statistics")
	return nil
}

// view is what both sides know of a server, in the same words.
type view struct {
	Status  string // UP, "UP 2/3", "DOWN 1/2", DOWN
	Health  string // the counter
	Outcome string // of the last check, "" before the first
	Fails   string
	Downs   string
}

// view is what HAProxy knows of the one server of a backend.
func (h *haproxy) view(t *testing.T, backend string) view {
	s := h.server(t, backend)
	return view{
		Status:  s["status"],
		Health:  s["check_health"],
		Outcome: strings.TrimPrefix(s["check_status"], "* "),
		Fails:   s["chkfail"],
		Downs:   s["chkdown"],
	}
}
