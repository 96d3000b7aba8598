package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// sample is one turn of one proxy in one row.
type sample struct {
	Proxy   string
	Ungated string // the same proxy without a gate; empty where it has none
	outcome
	CPU      time.Duration // of the proxy, during the turn
	Resident int64         // bytes of memory at its peak in the turn
	Held     int64         // bytes more with the idle connections than before

	Start  time.Duration // until it listened with the certificates of all names
	Reload time.Duration // of the same again; 0 where it was not tried
	Alone  float64       // perRequest with the certificate of one name
}

// perRequest is the CPU time that one request took.
func (s sample) perRequest() float64 {
	return float64(s.CPU.Nanoseconds()) / 1e3 / float64(s.Requests)
}

// rate is requests per second.
func (s sample) rate() float64 { return float64(s.Requests) / s.Seconds }

// perConnection is the memory that one idle connection takes, in KiB.
func (s sample) perConnection() float64 { return float64(s.Held) / 1024 / float64(s.Requests) }

// toAlone compares to the same with one certificate.
func (s sample) toAlone() float64 { return s.perRequest() / s.Alone }

// measure gives every proxy its turns in a row. Who begins a round changes, so
// that a slow minute of the machine hits all alike.
func (l *lab) measure(ctx context.Context, r row, o options, progress io.Writer) (rowResult, error) {
	result := rowResult{Name: r.name, Title: r.title, Gate: r.gate}
	proxies, lacking := l.contendersOf(r)
	if len(proxies) == 0 {
		return result, errors.New("no proxy takes part")
	}
	result.Lacking = lacking
	turn := l.turnOf(r)
	if r.kind != "idle" && r.kind != "certs" {
		for _, p := range proxies {
			if _, err := turn(ctx, r, p, time.Second); err != nil {
				return result, fmt.Errorf("warm up %s: %w", p.name, err)
			}
		}
	}
	rounds := o.rounds
	if r.rounds > 0 {
		rounds = min(rounds, r.rounds)
	}
	for round := range rounds {
		for i := range proxies {
			p := proxies[(i+round)%len(proxies)]
			s, err := l.recorded(o.perf, r, p, func() (sample, error) {
				return turn(ctx, r, p, o.duration)
			})
			if err != nil {
				return result, fmt.Errorf("%s: %w", p.name, err)
			}
			s.Proxy, s.Ungated = p.name, p.ungated
			result.Samples = append(result.Samples, s)
			fmt.Fprintf(progress, "%s round %d/%d %s: %s\n", r.name, round+1, rounds, p.name, s)
		}
	}
	return result, nil
}

// contendersOf returns the proxies that take part in a row, and the names of those
// that do not speak its protocol.
func (l *lab) contendersOf(r row) (proxies []*proxy, lacking []string) {
	for _, p := range l.proxies {
		switch {
		case p.name == r.without, len(p.rows) > 0 && !slices.Contains(p.rows, r.name):
		case r.gate && p.cookie == "":
		case r.http2() && !p.http2:
			lacking = append(lacking, p.name)
		default:
			proxies = append(proxies, p)
		}
	}
	return proxies, lacking
}

// turnOf is how a proxy has its turn in a row.
func (l *lab) turnOf(r row) func(context.Context, row, *proxy, time.Duration) (sample, error) {
	switch r.kind {
	case "idle":
		return l.idleTurn
	case "certs":
		return l.certificatesTurn
	}
	return l.turn
}

// String is the line that shows the progress.
func (s sample) String() string {
	if s.Held != 0 {
		return fmt.Sprintf("%.1f KiB per connection", s.perConnection())
	}
	if s.Start != 0 {
		return fmt.Sprintf("started in %s, %.1f us CPU for a handshake, %.1f with one certificate",
			s.Start.Round(time.Millisecond), s.perRequest(), s.Alone)
	}
	return fmt.Sprintf("%.0f requests/s, %.1f us CPU", s.rate(), s.perRequest())
}

func (l *lab) turn(ctx context.Context, r row, p *proxy, d time.Duration) (sample, error) {
	var s sample
	if err := p.process.forgetPeak(); err != nil {
		return s, err
	}
	w := stopwatch{process: p.process}
	var err error
	if s.outcome, err = l.apply(ctx, r, p, d, &w); err != nil {
		return s, err
	}
	s.CPU = w.used
	s.Resident, err = p.process.memory("VmHWM")
	return s, err
}

// idleTurn compares a proxy's memory with and without idle connections, in a
// process of its own: what earlier rows left behind would hide them.
func (l *lab) idleTurn(ctx context.Context, r row, running *proxy, _ time.Duration) (sample, error) {
	p := *running
	if err := l.launch(ctx, &p, l.setting); err != nil {
		return sample{}, err
	}
	defer p.process.stop()

	few := r
	few.conns = 20
	if err := l.hold(ctx, few, &p, func() error { return nil }); err != nil {
		return sample{}, err
	}
	before, err := p.process.memory("VmRSS")
	if err != nil {
		return sample{}, err
	}
	s := sample{outcome: outcome{Requests: r.conns}}
	err = l.hold(ctx, r, &p, func() error {
		// What is freed a moment later than the last answer does not count.
		select {
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
		s.Resident, err = p.process.memory("VmRSS")
		return err
	})
	s.Held = s.Resident - before
	return s, err
}
