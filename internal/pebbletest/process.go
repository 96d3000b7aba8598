package pebbletest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// process is a program of the module's tools that runs.
type process struct {
	command *exec.Cmd
	out     *output
	ended   chan struct{}
	once    sync.Once
}

// start builds a tool, which costs nothing the second time, and runs it.
func start(t testing.TB, tool string, environment []string, arguments ...string) *process {
	t.Helper()
	built, err := exec.Command("go", "tool", "-n", tool).CombinedOutput()
	if err != nil {
		t.Fatalf("go tool -n %s: %v\n%s", tool, err, built)
	}
	p := &process{out: &output{}, ended: make(chan struct{})}
	p.command = exec.Command(lastLine(built), arguments...)
	p.command.Env = append(os.Environ(), environment...)
	p.command.Stdout, p.command.Stderr = p.out, p.out
	if err := p.command.Start(); err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	go func() {
		defer close(p.ended)
		_ = p.command.Wait()
	}()
	t.Cleanup(p.stop)
	return p
}

// lastLine is where the path is, after what was said about downloads.
func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// until returns when ready has no error any more.
func (p *process) until(t testing.TB, ready func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		err := ready()
		if err == nil {
			return
		}
		select {
		case <-p.ended:
			t.Fatalf("%s ended by itself\n%s", p.command.Path, p.out)
		case <-ctx.Done():
			t.Fatalf("%s is not ready: %v\n%s", p.command.Path, err, p.out)
		case <-look.C:
		}
	}
}

func (p *process) stop() {
	p.once.Do(func() {
		_ = p.command.Process.Kill()
		<-p.ended
	})
}

// output keeps what a program writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

// String is everything so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
