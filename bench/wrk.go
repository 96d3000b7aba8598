package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// outcome is what a load tool counted in one turn.
type outcome struct {
	Requests int
	Seconds  float64
	P50, P99 time.Duration
}

// wrk loads a proxy over keep-alive connections. The host that the proxies route
// by goes into the head, since nobody resolves it.
func (l *lab) wrk(ctx context.Context, r row, p *proxy, d time.Duration) (outcome, error) {
	path, err := program("wrk")
	if err != nil {
		return outcome{}, err
	}
	url := "http://" + p.http + r.path
	if r.tls {
		url = "https://" + p.https + r.path
	}
	seconds := int(d.Round(time.Second).Seconds()) // it takes no fractions
	args := []string{"--latency", "--timeout", "10s", "-t", "1",
		"-c", strconv.Itoa(r.conns), "-d", strconv.Itoa(max(seconds, 1)) + "s", "-H", "Host: " + l.host()}
	if r.gate {
		args = append(args, "-H", "Cookie: "+p.cookie)
	}
	text, err := l.output(exec.CommandContext(ctx, path, append(args, url)...))
	if err != nil {
		return outcome{}, err
	}
	return parseWrk(text)
}

// parseWrk reads the report of wrk --latency. Answers that are not 2xx or 3xx and
// broken connections are errors: a proxy that refuses is fast.
func parseWrk(text string) (outcome, error) {
	var o outcome
	if found := wrkTrouble.FindString(text); found != "" {
		return o, fmt.Errorf("wrk reports %q", found)
	}
	total := wrkTotal.FindStringSubmatch(text)
	if total == nil {
		return o, fmt.Errorf("no number of requests in the output of wrk:\n%s", text)
	}
	if o.Requests, _ = strconv.Atoi(total[1]); o.Requests == 0 {
		return o, errors.New("wrk got not one answer: is the machine this busy?")
	}
	seconds, err := time.ParseDuration(total[2])
	if err != nil {
		return o, fmt.Errorf("duration in the output of wrk: %w", err)
	}
	o.Seconds = seconds.Seconds()
	for _, found := range wrkLatency.FindAllStringSubmatch(text, -1) {
		latency, err := time.ParseDuration(found[2])
		if err != nil {
			return o, fmt.Errorf("latency in the output of wrk: %w", err)
		}
		switch found[1] {
		case "50":
			o.P50 = latency
		case "99":
			o.P99 = latency
		}
	}
	if o.P50 == 0 || o.P99 == 0 {
		return o, fmt.Errorf("no latencies in the output of wrk:\n%s", text)
	}
	return o, nil
}

var (
	wrkTrouble = regexp.MustCompile(`Non-2xx or 3xx responses: \d+|Socket errors: .*`)
	wrkTotal   = regexp.MustCompile(`(\d+) requests in ([0-9.]+(?:us|ms|s|m|h))`)
	wrkLatency = regexp.MustCompile(`(?m)^ +(\d+)% +([0-9.]+(?:us|ms|s|m))\s*$`)
)
