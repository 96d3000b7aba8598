package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	path        string // for wrk and h2load; empty: the load generator of our own
	kind        string // for that one
	conns       int
	tls         bool
	names       int    // to ask TLS for by chance; 0: the one host
	rounds      int    // no more than these, where a turn takes long; 0: as many as wanted
	without     string // a proxy that has no turn
	gate        bool   // requests of somebody who has signed in
	streams     int    // on each connection; 0: HTTP/1.1
	upload      bool   // for h2load, the body is the big file
	size        int    // of an answer, for h2load
}

// http2 tells whether the row's clients speak nothing else.
func (r row) http2() bool { return r.streams > 0 }

func rows() []row {
	return []row{
		{name: "small-h1", title: "97 bytes, HTTP/1.1", path: "/", conns: 64},
		{name: "small-tls", title: "97 bytes, HTTP/1.1 + TLS", path: "/", conns: 64, tls: true},
		{name: "new-tls", title: "97 bytes, new TLS connection each", kind: "fresh", conns: 16, tls: true},
		{name: "down", title: "1 MiB answer", path: "/big", conns: 16},
		{name: "down-tls", title: "1 MiB answer + TLS", path: "/big", conns: 16, tls: true},
		{name: "up", title: "1 MiB upload", kind: "upload", conns: 8},
		{name: "up-tls", title: "1 MiB upload + TLS", kind: "upload", conns: 8, tls: true},
		{name: "h2-small", title: "97 bytes, HTTP/2, 16 x 10 streams", path: "/", conns: 16,
			streams: 10, size: smallBytes},
		{name: "h2-16x100", title: "97 bytes, HTTP/2, 16 x 100 streams", path: "/", conns: 16,
			streams: 100, size: smallBytes},
		{name: "h2-1000x1", title: "97 bytes, HTTP/2, 1,000 x 1 stream", path: "/",
			conns: 1000, streams: 1, size: smallBytes},
		{name: "h2-new-tls", title: "HTTP/2, new TLS connection each", kind: "fresh", conns: 16,
			tls: true, streams: 1},
		{name: "h2-down", title: "1 MiB answer, HTTP/2", path: "/big", conns: 4,
			streams: 4, size: bigBytes},
		{name: "h2-up", title: "1 MiB upload, HTTP/2", path: "/upload", conns: 4,
			streams: 2, upload: true, size: uploadBytes},
		{name: "gated-h1", title: "97 bytes, HTTP/1.1 + TLS, signed in", path: "/", conns: 64, tls: true,
			gate: true},
		{name: "gated-h2", title: "97 bytes, HTTP/2, 16 x 10 streams, signed in", path: "/", conns: 16,
			streams: 10, size: smallBytes, gate: true},
		{name: "idle-tls", title: "2,000 idle TLS connections", kind: "idle", conns: 2000, tls: true},
		{name: "idle-h2", title: "2,000 idle HTTP/2 connections", kind: "idle", conns: 2000, tls: true,
			streams: 1},
		{name: "certs", title: "10,000 certificates", kind: "certs", conns: 16, tls: true,
			names: 10_000, rounds: 2, without: "doorward-watched"},
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

// apply puts the row's load on a proxy for the duration. The stopwatch runs while
// what the outcome counts is going on.
func (l *lab) apply(ctx context.Context, r row, p *proxy, d time.Duration, w *stopwatch) (
	outcome, error,
) {
	if r.http2() && r.path != "" {
		return l.h2load(ctx, r, p, d, w)
	}
	if err := w.start(); err != nil {
		return outcome{}, err
	}
	load := l.generate
	if r.path != "" {
		load = l.wrk
	}
	o, err := load(ctx, r, p, d)
	return o, errors.Join(err, w.stop())
}

// generate loads a proxy with the load generator of our own.
func (l *lab) generate(ctx context.Context, r row, p *proxy, d time.Duration) (outcome, error) {
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
	if r.http2() {
		args = append(args, "-http2")
	}
	if r.names > 0 {
		args = append(args, "-names", fmt.Sprint(r.names), "-certificate", l.trusted())
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
