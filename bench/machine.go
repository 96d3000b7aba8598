package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// machine says where and with what figures were taken.
type machine struct {
	Date     string
	CPU      string
	Cores    int
	Kernel   string
	Versions []string
}

func describe(ctx context.Context, l *lab) machine {
	m := machine{
		Date:   time.Now().Format(time.DateOnly),
		CPU:    cpuModel(),
		Cores:  runtime.NumCPU(),
		Kernel: strings.TrimSpace(read("/proc/sys/kernel/osrelease")),
	}
	for _, p := range l.proxies {
		m.Versions = append(m.Versions, versionOf(ctx, p.name, p.version))
	}
	m.Versions = append(m.Versions, versionOf(ctx, "wrk", []string{"wrk", "-v"}))
	return m
}

// String is one paragraph of Markdown.
func (m machine) String() string {
	return fmt.Sprintf("%s; %s, %d cores (one for the proxy, one for load and servers); Linux %s; %s.",
		m.Date, m.CPU, m.Cores, m.Kernel, strings.Join(m.Versions, ", "))
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
func versionOf(ctx context.Context, name string, command []string) string {
	path, err := program(command[0])
	if err != nil {
		return name
	}
	out, _ := exec.CommandContext(ctx, path, command[1:]...).CombinedOutput()
	first, _ := bufio.NewReader(bytes.NewReader(out)).ReadString('\n')
	if number := versionNumber.FindString(first); number != "" {
		return name + " " + number
	}
	return strings.TrimSpace(name + " " + strings.TrimPrefix(strings.TrimSpace(first), name))
}
