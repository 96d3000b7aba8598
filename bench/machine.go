package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// machine says where and with what figures were taken.
type machine struct {
	Date     string
	CPU      string
	Cores    int
	Kernel   string
	Busy     float64 // share of all cores that others used before the run
	Versions []string
}

// quiet is how busy a machine may be with other work for its figures to be
// worth keeping.
const quiet = 0.05

func describe(ctx context.Context, l *lab) machine {
	m := machine{
		Date:   time.Now().Format(time.DateOnly),
		CPU:    cpuModel(),
		Cores:  runtime.NumCPU(),
		Kernel: strings.TrimSpace(read("/proc/sys/kernel/osrelease")),
		Busy:   busy(ctx),
	}
	for _, p := range l.proxies {
		if text := versionOf(ctx, p.version); !slices.Contains(m.Versions, text) {
			m.Versions = append(m.Versions, text)
		}
	}
	m.Versions = append(m.Versions, versionOf(ctx, []string{"wrk", "-v"}),
		versionOf(ctx, []string{"h2load", "--version"}))
	return m
}

// String is one paragraph of Markdown.
func (m machine) String() string {
	text := fmt.Sprintf("%s; %s, %d cores (one for the proxy, one for load and servers); Linux %s; %s.",
		m.Date, m.CPU, m.Cores, m.Kernel, strings.Join(m.Versions, ", "))
	if m.Busy > quiet {
		text += fmt.Sprintf(" Other work took %.0f%% of the machine before the run: read the ratios, and"+
			" those with care.", 100*m.Busy)
	}
	return text
}

// busy watches the machine for a second in which nothing of ours works.
func busy(ctx context.Context) float64 {
	work, all := parseCPU(read("/proc/stat"))
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	laterWork, laterAll := parseCPU(read("/proc/stat"))
	if laterAll == all {
		return 0
	}
	return float64(laterWork-work) / float64(laterAll-all)
}

// parseCPU sums the first line of /proc/stat (proc_stat(5)): ticks at work, and
// with the idle ones. Time of guests is in that of users already.
func parseCPU(text string) (work, all int) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	const idle, wait, guest = 4, 5, 9 // with "cpu" as the first
	for i, field := range fields[min(1, len(fields)):] {
		n, err := strconv.Atoi(field)
		if i++; err != nil || i >= guest {
			break
		}
		all += n
		if i != idle && i != wait {
			work += n
		}
	}
	return work, all
}

func read(file string) string {
	text, _ := os.ReadFile(file)
	return string(text)
}

func cpuModel() string {
	for line := range strings.Lines(read("/proc/cpuinfo")) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

var versionNumber = regexp.MustCompile(`\d+\.\d+[^\s,]*`)

// versionOf finds the number in the first line that a program prints of itself.
// The status does not matter: wrk knows no way to ask but a wrong one.
func versionOf(ctx context.Context, command []string) string {
	name := filepath.Base(command[0])
	path, err := program(command[0])
	if err != nil {
		return name
	}
	out, _ := exec.CommandContext(ctx, path, command[1:]...).CombinedOutput()
	first, _ := bufio.NewReader(bytes.NewReader(out)).ReadString('\n')
	if number := versionNumber.FindString(first); number != "" {
		return name + " " + number
	}
	return name + " " + strings.TrimSpace(strings.TrimPrefix(first, name))
}
