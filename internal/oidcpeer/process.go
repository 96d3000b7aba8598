package oidcpeer

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// process is the Node program.
type process struct {
	command *exec.Cmd
	input   io.Closer
	out     *output
	ended   chan struct{}
	once    sync.Once
}

// starts is how often one is started that says nothing. Rarely, Node hangs before it
// reads the program; the next one then starts as ever.
const starts = 3

// listening starts the program of a folder with the file of its settings, and returns
// it with where it listens.
func listening(t testing.TB, folder, settings, caFile string) (*process, string) {
	t.Helper()
	for range starts {
		p := run(t, folder, settings, caFile)
		if issuer, ok := p.ready(t); ok {
			return p, issuer
		}
		t.Logf("the provider does not start; its threads:\n%s", p.threads())
		p.stop()
	}
	t.Fatalf("the provider was started %d times and never ready", starts)
	return nil, ""
}

// run starts the program.
func run(t testing.TB, folder, settings, caFile string) *process {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("%v: scripts/tools installs it", err)
	}
	p := &process{out: &output{changed: make(chan struct{}, 1)}, ended: make(chan struct{})}
	p.command = exec.Command(path, filepath.Join(folder, "peer.mjs"), settings)
	p.command.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+caFile, "NO_COLOR=1")
	p.command.Stdout, p.command.Stderr = p.out, p.out
	// The program ends with its input, even where the test is killed.
	if p.input, err = p.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	go func() {
		defer close(p.ended)
		_ = p.command.Wait()
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("the provider wrote:\n%s", p.out)
		}
	})
	return p
}

// ready waits until the program says where it listens; false: it does not.
func (p *process) ready(t testing.TB) (issuer string, ok bool) {
	t.Helper()
	patience := time.NewTimer(Patience)
	defer patience.Stop()
	for {
		for line := range strings.Lines(p.out.String()) {
			issuer, ok := strings.CutPrefix(line, "ready ")
			if issuer, whole := strings.CutSuffix(issuer, "\n"); ok && whole {
				return issuer, true
			}
		}
		select {
		case <-p.out.changed:
		case <-p.ended:
			t.Fatal("the provider ended by itself")
		case <-patience.C:
			return "", false
		}
	}
}

// threads says what each thread of it waits for, where the system tells.
func (p *process) threads() string {
	var out strings.Builder
	folder := fmt.Sprintf("/proc/%d/task", p.command.Process.Pid)
	for _, file := range []string{"comm", "wchan", "syscall"} {
		paths, _ := filepath.Glob(filepath.Join(folder, "*", file)) // none elsewhere
		for _, path := range paths {
			text, err := os.ReadFile(path)
			fmt.Fprintf(&out, "%s: %s %v\n", path, bytes.TrimSpace(text), err)
		}
	}
	return out.String()
}

func (p *process) stop() {
	p.once.Do(func() {
		_ = p.command.Process.Kill()
		<-p.ended
		_ = p.input.Close() // Wait has closed it already
	})
}

// output keeps what a program writes, and tells that there is more.
type output struct {
	changed chan struct{}

	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.changed <- struct{}{}:
	default:
	}
	return o.text.Write(b)
}

// String is everything so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
