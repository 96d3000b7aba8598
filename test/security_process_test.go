package test_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"doorward/internal/edgetest"
	"doorward/internal/porttest"
)

// TestSecurityProcess has the cases that are about the process: limits and
// signals of the real program.
func TestSecurityProcess(t *testing.T) {
	program := filepath.Join(t.TempDir(), "doorward")
	build := exec.Command("go", "build", "-o", program, "doorward/cmd/doorward")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rec := edgetest.Record(t, edgetest.Echo)
	t.Run("DOS-02_files_run_out", func(t *testing.T) {
		p := startProcess(t, program, rec, "ulimit -n 100", "[limits]\nconnections = 100000\n")
		p.flood(t, 300, func() bool { return strings.Contains(p.log(), "accepting pauses") })
		if n := strings.Count(p.log(), "accepting pauses"); n > 100 {
			t.Errorf("accepting was tried again %d times", n)
		}
	})
	t.Run("DOS-02_connections_as_files_allow", func(t *testing.T) {
		p := startProcess(t, program, rec, "ulimit -n 200", "")
		p.flood(t, 300, func() bool { return p.sockets() >= 68 })
		if strings.Contains(p.log(), "accepting pauses") {
			t.Errorf("files ran out:\n%s", p.log())
		}
	})
	t.Run("CRASH-11_signals", func(t *testing.T) { testSignals(t, startProcess(t, program, rec, "true", "")) })
	t.Run("FS-08_no_program_is_started", func(t *testing.T) {
		// Libraries may import os/exec for what we never ask of them: what counts is
		// that none of it is in the program.
		out, err := exec.Command("go", "tool", "nm", program).Output()
		if err != nil || !strings.Contains(string(out), " main.main") {
			t.Fatalf("no symbols: %v", err)
		}
		for _, name := range []string{
			" os/exec.", " plugin.", " os.StartProcess", " net/http/httputil.(*ReverseProxy)",
		} {
			if strings.Contains(string(out), name) {
				t.Errorf("the program holds %s", name)
			}
		}
	})
}

// process is the real program at work.
type process struct {
	*exec.Cmd
	addr, logFile string
	ended         chan error
}

// startProcess runs the program in front of the server, from a shell that has
// done something first.
func startProcess(t *testing.T, program string, rec *edgetest.Recorder, first, more string) *process {
	t.Helper()
	p := &process{
		addr: porttest.Address(t), logFile: filepath.Join(t.TempDir(), "log"),
		ended: make(chan error, 1),
	}
	config := filepath.Join(t.TempDir(), "doorward.toml")
	text := fmt.Sprintf("[listen]\nhttp = [%q]\nhttps = []\nhttp_redirect = false\ncontrol = \"\"\n"+
		"[log]\noutput = %q\naccess = \"off\"\n%s%s", p.addr, p.logFile, more, rec.Backend("app")) + site
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Cmd = exec.Command("sh", "-c", first+` && exec "$0" run --config "$1"`, program, config)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.Wait() }()
	t.Cleanup(func() { _ = p.Process.Kill() })
	if !edgetest.Until(p.serves) {
		t.Fatalf("the program does not serve:\n%s", p.log())
	}
	return p
}

func (p *process) log() string {
	b, _ := os.ReadFile(p.logFile)
	return string(b)
}

// serves tells whether a request gets its answer.
func (p *process) serves() bool {
	c, err := net.DialTimeout("tcp", p.addr, edgetest.Patience)
	if err != nil {
		return false
	}
	defer c.Close()
	_, _ = c.Write([]byte(edgetest.Bytes(get("/", "Connection: close"))))
	b := make([]byte, 12)
	n, _ := c.Read(b)
	return string(b[:n]) == "HTTP/1.1 200"
}

// sockets is how many files the program has open, more or less all of them
// sockets.
func (p *process) sockets() int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.Process.Pid))
	return len(entries)
}

// flood opens connections that say nothing, until the condition holds. When they
// are gone, the program has to serve again.
func (p *process) flood(t *testing.T, n int, condition func() bool) {
	t.Helper()
	var open []net.Conn
	for range n {
		c, err := net.DialTimeout("tcp", p.addr, edgetest.Patience)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	if !edgetest.Until(condition) {
		t.Errorf("the flood has no effect: %d files are open", p.sockets())
	}
	for _, c := range open {
		_ = c.Close()
	}
	if !edgetest.Until(p.serves) {
		t.Errorf("the program does not serve after the flood:\n%s", p.log())
	}
}

func testSignals(t *testing.T, p *process) {
	for range 1000 {
		for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE} {
			if err := p.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !p.serves() {
		t.Errorf("the program does not serve after signals:\n%s", p.log())
	}
	if !edgetest.Until(func() bool { return strings.Contains(p.log(), "reloaded") }) {
		t.Errorf("no reload is in the log:\n%s", p.log())
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-p.ended; err != nil {
		t.Errorf("the program ended with %v", err)
	}
}
