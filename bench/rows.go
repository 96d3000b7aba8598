package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// row is one kind of load.
type row struct {
	name, title string
	path        string // for wrk; empty: the load generator of our own
	kind        string // for that one
	conns       int
	tls         bool
}

func rows() []row {
	return []row{
		{name: "small-h1", title: "97 bytes, HTTP/1.1", path: "/", conns: 64},
		{name: "small-tls", title: "97 bytes, HTTP/1.1 + TLS", path: "/", conns: 64, tls: true},
		{name: "new-tls", title: "97 bytes, new TLS connection each", kind: "fresh", conns: 16, tls: true},
		{name: "down", title: "1 MiB answer", path: "/big", conns: 16},
		{name: "down-tls", title: "1 MiB answer + TLS", path: "/big", conns: 16, tls: true},
		{name: "up", title: "1 MiB upload", kind: "upload", conns: 8},
		{name: "up-tls", title: "1 MiB upload + TLS", kind: "upload", conns: 8, tls: true},
		{name: "idle-tls", title: "2,000 idle TLS connections", kind: "idle", conns: 2000, tls: true},
	}
}

func rowNames() []string {
	var names []string
	for _, r := range rows() {
		names = append(names, r.name)
	}
	return names
}

// selectRows takes names with commas between them; none are all.
func selectRows(names string) ([]row, error) {
	if names == "" {
		return rows(), nil
	}
	var selected []row
	for _, name := range strings.Split(names, ",") {
		i := slices.Index(rowNames(), name)
		if i < 0 {
			return nil, fmt.Errorf("no row %q, there are %s", name, strings.Join(rowNames(), ", "))
		}
		selected = append(selected, rows()[i])
	}
	return selected, nil
}

// host is the one that all load asks for. It is neither the first nor the last
// in the proxies' files.
func (l *lab) host() string { return l.setting.Hosts[1] }

// apply puts the row's load on a proxy for the duration.
func (l *lab) apply(ctx context.Context, r row, p *proxy, d time.Duration) (outcome, error) {
	if r.path != "" {
		return l.wrk(ctx, r, p, d)
	}
	cmd, err := l.generator(ctx, r, p, d)
	if err != nil {
		return outcome{}, err
	}
	text, err := l.output(cmd)
	if err != nil {
		return outcome{}, err
	}
	var o outcome
	return o, json.Unmarshal([]byte(text), &o)
}

// generator is this program as the load generator of a row.
func (l *lab) generator(ctx context.Context, r row, p *proxy, d time.Duration) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{loadCommand, "-kind", r.kind, "-host", l.host(), "-address", p.http,
		"-conns", fmt.Sprint(r.conns), "-duration", d.String()}
	if r.tls {
		args = append(args, "-address", p.https, "-certificate", l.setting.Certificate)
	}
	return exec.CommandContext(ctx, self, args...), nil
}

// output runs a load tool on the load's core.
func (l *lab) output(cmd *exec.Cmd) (string, error) {
	var out, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trouble
	if err := startOn(l.cores.load, cmd); err != nil {
		return "", err
	}
	if err := cmd.Wait(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", cmd.Args[0], err, bytes.TrimSpace(trouble.Bytes()))
	}
	return out.String(), nil
}

// hold opens the idle connections of a row, and calls during while they are open.
func (l *lab) hold(ctx context.Context, r row, p *proxy, during func() error) error {
	cmd, err := l.generator(ctx, r, p, 0)
	if err != nil {
		return err
	}
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := startOn(l.cores.load, cmd); err != nil {
		return err
	}
	_, held := bufio.NewReader(out).ReadString('\n')
	if held == nil {
		held = during()
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("hold connections: %w: %s", err, bytes.TrimSpace(trouble.Bytes()))
	}
	return held
}
