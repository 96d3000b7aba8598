// Bench runs Doorward, HAProxy and nginx side by side and prints what a request
// costs each of them. One run measures all, in turns, because figures of two
// runs are figures of two machines: `make bench`, or
//
//	go run ./bench -rows small-h1,small-tls -rounds 5 -duration 3s
//
// The proxies do the same work, and a probe makes sure of it before anything is
// measured: route by host to two servers in turn, add five headers to each answer
// and four to each request, remove Server, log nothing, TLS 1.3 with the same
// key, suite and group. Their configuration files are in bench/config.
//
// Every proxy has one core to itself and the load and the servers have another,
// so the proxy is what runs out first; as root, all of them come before other
// work on those cores. CPU per request is the figure to compare:
// user and system time of the proxy's processes divided by the requests that
// were answered. Requests per second also tell how fast the other core was.
//
// Everything runs on loopback, on free ports, in a temporary folder. Linux only:
// times come from /proc.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// options is the command line.
type options struct {
	rows     string
	only     string
	binary   string
	json     string
	perf     string
	rounds   int
	duration time.Duration
	limit    time.Duration
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == loadCommand {
		exit(load(os.Args[2:], os.Stdin, os.Stdout))
	}
	var o options
	flag.StringVar(&o.rows, "rows", "", "rows to measure, with commas: "+strings.Join(rowNames(), ","))
	flag.StringVar(&o.only, "only", strings.Join(available(), ","), "proxies to measure, with commas")
	flag.StringVar(&o.binary, "doorward", "bin/doorward", "the built `binary`")
	flag.StringVar(&o.json, "json", "", "also write every sample to this `file`")
	flag.StringVar(&o.perf, "perf", "", "instead of figures to keep, stacks sampled by perf into this `folder`")
	flag.IntVar(&o.rounds, "rounds", 5, "how often each proxy has its turn in a row")
	flag.DurationVar(&o.duration, "duration", 2*time.Second, "of one turn")
	flag.DurationVar(&o.limit, "limit", 30*time.Minute, "stop everything after this time")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, o, os.Stdout, os.Stderr))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run measures and writes the report; what it is doing meanwhile goes to
// progress.
func run(ctx context.Context, o options, out, progress io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	rows, err := selectRows(o.rows)
	if err != nil {
		return err
	}
	lab, err := openLab(o)
	if err != nil {
		return err
	}
	defer lab.close()
	if err := lab.start(ctx); err != nil {
		return err
	}
	for _, p := range lab.proxies {
		if err := lab.examine(ctx, p); err != nil {
			return fmt.Errorf("%s does not do what the others do: %w", p.name, err)
		}
	}
	lab.shareCookies()
	result := report{Machine: describe(ctx, lab)}
	for _, r := range rows {
		measured, err := lab.measure(ctx, r, o, progress)
		if err != nil {
			return fmt.Errorf("row %s: %w", r.name, err)
		}
		result.Rows = append(result.Rows, measured)
	}
	if o.json != "" {
		if err := result.writeJSON(o.json); err != nil {
			return err
		}
	}
	return result.write(out)
}
