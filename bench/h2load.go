package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// h2load loads a proxy over HTTP/2 connections with many streams each. What
// counts is the time between the two lines it prints: before them connections
// are opened, a handshake each, and after them streams are cut off.
func (l *lab) h2load(ctx context.Context, r row, p *proxy, d time.Duration, w *stopwatch) (
	outcome, error,
) {
	path, err := program("h2load")
	if err != nil {
		return outcome{}, err
	}
	log := filepath.Join(l.dir, "h2load.log")
	args := []string{
		"-t", "1", "-c", strconv.Itoa(r.conns), "-m", strconv.Itoa(r.streams),
		"-D", inMilliseconds(d), "--warm-up-time", inMilliseconds(warmUp(r)),
		"--log-file", log, "--connect-to", p.https, "https://" + l.host() + r.path,
	}
	if r.gate {
		args = append([]string{"-H", "cookie: " + p.cookie}, args...)
	}
	if r.upload {
		args = append([]string{"-d", filepath.Join(l.dir, "big")}, args...)
	}
	text, err := l.between(exec.CommandContext(ctx, path, args...), w)
	if err != nil {
		return outcome{}, err
	}
	if err := checkH2load(text, r); err != nil {
		return outcome{}, err
	}
	entries, err := os.ReadFile(log)
	if err != nil {
		return outcome{}, err
	}
	o, err := parseH2loadLog(entries, r)
	o.Seconds = d.Seconds()
	return o, errors.Join(err, os.Remove(log))
}

// warmUp is long enough for all handshakes of a row, on one core each side.
func warmUp(r row) time.Duration {
	return 500*time.Millisecond + time.Duration(r.conns)*3*time.Millisecond
}

// inMilliseconds is the unit that h2load takes no fractions of.
func inMilliseconds(d time.Duration) string {
	return strconv.FormatInt(max(d.Milliseconds(), 1), 10) + "ms"
}

// between runs h2load on the load's core, and the stopwatch while it measures.
func (l *lab) between(cmd *exec.Cmd, w *stopwatch) (string, error) {
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := startOn(l.cores.load, cmd); err != nil {
		return "", err
	}
	var text strings.Builder
	lines := bufio.NewScanner(io.TeeReader(out, &text))
	for lines.Scan() {
		switch {
		case strings.HasPrefix(lines.Text(), "Main benchmark duration is started"):
			err = errors.Join(err, w.start())
		case strings.HasPrefix(lines.Text(), "Main benchmark duration is over"):
			err = errors.Join(err, w.stop())
		}
	}
	if failed := cmd.Wait(); failed != nil {
		err = errors.Join(err, fmt.Errorf("h2load: %w: %s", failed, bytes.TrimSpace(trouble.Bytes())))
	}
	return text.String(), err
}

// checkH2load reads the report of h2load for anything but good answers: a proxy
// that refuses is fast, and connections that it never got are no load.
func checkH2load(text string, r row) error {
	if !strings.Contains(text, "Application protocol: h2\n") {
		return fmt.Errorf("no HTTP/2 in the output of h2load:\n%s", text)
	}
	counts := h2loadCounts.FindStringSubmatch(text)
	status := h2loadStatus.FindStringSubmatch(text)
	data := h2loadData.FindStringSubmatch(text)
	slowest := h2loadRate.FindStringSubmatch(text)
	if counts == nil || status == nil || data == nil || slowest == nil {
		return fmt.Errorf("no counts in the output of h2load:\n%s", text)
	}
	for _, bad := range slices.Concat(counts[2:], status[1:]) {
		if bad != "0" {
			return fmt.Errorf("h2load reports %q, %q", counts[0], status[0])
		}
	}
	if rate, _ := strconv.ParseFloat(slowest[1], 64); rate == 0 {
		return errors.New("h2load had connections that got not one answer: is the machine this busy?")
	}
	// Those whose head came just before the count began brought no body into it.
	done, _ := strconv.Atoi(counts[1])
	bytes, _ := strconv.Atoi(data[1])
	if least := (done - r.conns*r.streams) * r.size; bytes < least {
		return fmt.Errorf("h2load got %d bytes in %d answers, which are %d at least", bytes, done, least)
	}
	return nil
}

var (
	h2loadCounts = regexp.MustCompile(`(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout`)
	h2loadStatus = regexp.MustCompile(`status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx`)
	h2loadData   = regexp.MustCompile(`\((\d+)\) data`)
	h2loadRate   = regexp.MustCompile(`(?m)^req/s +: +([0-9.]+) `)
)

// parseH2loadLog reads the log of h2load: a line for each request that ended while
// it measured, with its start, its status and the microseconds it took. The
// status is 0 where the head came before; that is no more than a round of
// requests.
func parseH2loadLog(text []byte, r row) (outcome, error) {
	var took []time.Duration
	border := 0
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) != 3 {
			return outcome{}, fmt.Errorf("line %q in the log of h2load", line)
		}
		us, err := strconv.Atoi(string(fields[2]))
		if err != nil {
			return outcome{}, fmt.Errorf("line %q in the log of h2load: %w", line, err)
		}
		switch string(fields[1]) {
		case "200":
		case "0":
			border++
		default:
			return outcome{}, fmt.Errorf("an answer %s in the log of h2load", fields[1])
		}
		took = append(took, time.Duration(us)*time.Microsecond)
	}
	switch {
	case len(took) == 0:
		return outcome{}, errors.New("h2load got not one answer: is the machine this busy?")
	case border > r.conns*r.streams:
		return outcome{}, fmt.Errorf("%d answers without a status in the log of h2load", border)
	}
	slices.Sort(took)
	return outcome{Requests: len(took), P50: took[len(took)/2], P99: took[len(took)*99/100]}, nil
}
