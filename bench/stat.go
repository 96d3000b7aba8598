package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc/PID/stat: USER_HZ is 100 on every platform
// that Linux runs on today.
const tick = 10 * time.Millisecond

// stat is what /proc/PID/stat says of a process, its threads included.
type stat struct {
	pid, parent int
	cpu         time.Duration // user and system
}

// parseStat reads proc_pid_stat(5). The name of the program stands in
// parentheses and may hold anything, so fields are counted from the last one.
func parseStat(line []byte) (stat, error) {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return stat{}, fmt.Errorf("no program name in %q", line)
	}
	rest := strings.Fields(string(line[end+1:]))
	const state, parent, user, system = 3, 4, 14, 15 // as the manual counts
	if len(rest) <= system-state {
		return stat{}, fmt.Errorf("only %d fields in %q", len(rest)+2, line)
	}
	numbers := make([]int, 0, 4)
	for _, text := range []string{
		string(bytes.TrimSpace(line[:open])), rest[parent-state], rest[user-state], rest[system-state],
	} {
		n, err := strconv.Atoi(text)
		if err != nil {
			return stat{}, fmt.Errorf("field of %q: %w", line, err)
		}
		numbers = append(numbers, n)
	}
	cpu := time.Duration(numbers[2]+numbers[3]) * tick
	return stat{pid: numbers[0], parent: numbers[1], cpu: cpu}, nil
}

// parseStatus returns a size of /proc/PID/status, such as VmRSS or VmHWM, in
// bytes.
func parseStatus(text []byte, name string) (int64, error) {
	for line := range strings.Lines(string(text)) {
		value, found := strings.CutPrefix(line, name+":")
		if !found {
			continue
		}
		number, unit, _ := strings.Cut(strings.TrimSpace(value), " ")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || unit != "kB" {
			return 0, fmt.Errorf("%s is %q", name, strings.TrimSpace(value))
		}
		return n << 10, nil
	}
	return 0, fmt.Errorf("no %s", name)
}

// family returns a process and those it started: nginx works in a child.
func family(pid int) ([]stat, error) {
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var members []stat
	for _, name := range names {
		line, err := os.ReadFile(name)
		if err != nil {
			continue // it ended since
		}
		s, err := parseStat(line)
		if err != nil {
			return nil, err
		}
		if s.pid == pid || s.parent == pid {
			members = append(members, s)
		}
	}
	if len(members) == 0 {
		return nil, fmt.Errorf("process %d is gone", pid)
	}
	return members, nil
}

// stopwatch takes the CPU time that a process uses from start to stop.
type stopwatch struct {
	process     *process
	begin, used time.Duration
}

func (w *stopwatch) start() (err error) {
	w.begin, err = w.process.cpu()
	return err
}

func (w *stopwatch) stop() error {
	end, err := w.process.cpu()
	w.used = end - w.begin
	return err
}

// family is the process, its children, and those of its helper.
func (p *process) family() ([]stat, error) {
	members, err := family(p.cmd.Process.Pid)
	if err != nil || p.helper == nil {
		return members, err
	}
	more, err := p.helper.family()
	return append(members, more...), err
}

// cpu is the time that the process, its children and its helper have used.
func (p *process) cpu() (time.Duration, error) {
	members, err := p.family()
	var total time.Duration
	for _, s := range members {
		total += s.cpu
	}
	return total, err
}

// memory is the sum of one size of the process, its children and its helper.
func (p *process) memory(name string) (int64, error) {
	members, err := p.family()
	if err != nil {
		return 0, err
	}
	var total int64
	for _, s := range members {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
		if err != nil {
			return 0, err
		}
		n, err := parseStatus(text, name)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// forgetPeak starts a new peak of the resident memory (proc_pid_clear_refs(5)).
func (p *process) forgetPeak() error {
	members, err := p.family()
	if err != nil {
		return err
	}
	for _, s := range members {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.pid), []byte("5"), 0); err != nil {
			return err
		}
	}
	return nil
}
