package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// recorded takes a turn, with perf beside it when there is a folder for its data.
func (l *lab) recorded(dir string, r row, p *proxy, turn func() (sample, error)) (sample, error) {
	if dir == "" {
		return turn()
	}
	stop, err := l.record(dir, r, p)
	if err != nil {
		return sample{}, err
	}
	s, err := turn()
	return s, errors.Join(err, stop())
}

// record samples the stacks on the proxies' core with perf until the returned function is
// called. It costs the proxy some of its time: figures of such a run are not for
// keeping.
func (l *lab) record(dir string, r row, p *proxy) (func() error, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	path, err := exec.LookPath("perf")
	if err != nil {
		return nil, fmt.Errorf("%w (package linux-perf)", err)
	}
	file := filepath.Join(dir, r.name+"-"+p.name+".data")
	cmd := exec.Command(path, "record", "-q", "-g", "-F", "999", "-o", file,
		"-C", fmt.Sprint(l.cores.proxy)) // nothing else runs there
	if err := startOn(l.cores.load, cmd); err != nil {
		return nil, err
	}
	return func() error {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			return fmt.Errorf("perf record: %w", err)
		}
		_ = cmd.Wait() // the signal is its usual end, and its status says so
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("perf record: %w", err)
		}
		return nil
	}, nil
}
