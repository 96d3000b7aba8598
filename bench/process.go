package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// patience is how long a program may take to listen, and to end.
const patience = time.Minute

// process is a program that runs until stop.
type process struct {
	cmd    *exec.Cmd
	log    string        // the file with its output
	ended  chan struct{} // closed when it has ended
	result error         // of Wait, after ended
	helper *process      // a program that this one cannot do without; nil: none
}

func startProcess(core int, dir string, command []string) (*process, error) {
	path, err := program(command[0])
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp(dir, filepath.Base(path)+"-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(path, command[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := startOn(core, cmd); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: log.Name(), ended: make(chan struct{})}
	go func() {
		p.result = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// program finds a program also where servers are installed, which a user's PATH
// often lacks.
func program(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	if path, again := exec.LookPath(filepath.Join("/usr/sbin", name)); again == nil {
		return path, nil
	}
	return "", fmt.Errorf("%w (make tools installs HAProxy, nginx, wrk and h2load; make build makes Doorward)", err)
}

// listening waits until all addresses accept a connection.
func (p *process) listening(ctx context.Context, addresses ...string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for _, address := range addresses {
		for {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
				break
			}
			select {
			case <-p.ended:
				return fmt.Errorf("it ended at once (%v): %s", p.result, p.output())
			case <-ctx.Done():
				return fmt.Errorf("it does not listen on %s: %s", address, p.output())
			case <-again.C:
			}
		}
	}
	return nil
}

// output is the end of what the program wrote.
func (p *process) output() string {
	text, _ := os.ReadFile(p.log)
	const most = 2000
	return string(bytes.TrimSpace(text[max(0, len(text)-most):]))
}

// stop asks the program to end, and makes it when it does not. A nil process is
// one that never started.
func (p *process) stop() {
	if p == nil {
		return
	}
	p.helper.stop()
	// A program that has ended already refuses the signal, which is as well.
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}
