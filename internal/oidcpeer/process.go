package oidcpeer

import (
	"bytes"
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

// run starts the program of a folder with the file of its settings.
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

// ready waits until the program says where it listens.
func (p *process) ready(t testing.TB) string {
	t.Helper()
	patience := time.NewTimer(Patience)
	defer patience.Stop()
	for {
		for line := range strings.Lines(p.out.String()) {
			issuer, ok := strings.CutPrefix(line, "ready ")
			if issuer, whole := strings.CutSuffix(issuer, "\n"); ok && whole {
				return issuer
			}
		}
		select {
		case <-p.out.changed:
		case <-p.ended:
			t.Fatal("the provider ended by itself")
		case <-patience.C:
			t.Fatal("the provider is not ready")
		}
	}
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
