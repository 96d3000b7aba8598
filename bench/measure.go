package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// sample is one turn of one proxy in one row.
type sample struct {
	Proxy string
	outcome
	CPU      time.Duration // of the proxy, during the turn
	Resident int64         // bytes of memory at its peak in the turn
	Held     int64         // bytes more with the idle connections than before
}

// perRequest is the CPU time that one request took.
func (s sample) perRequest() float64 {
	return float64(s.CPU.Nanoseconds()) / 1e3 / float64(s.Requests)
}

// rate is requests per second.
func (s sample) rate() float64 { return float64(s.Requests) / s.Seconds }

// perConnection is the memory that one idle connection takes, in KiB.
func (s sample) perConnection() float64 { return float64(s.Held) / 1024 / float64(s.Requests) }

// measure gives every proxy its turns in a row. Who begins a round changes, so
// that a slow minute of the machine hits all alike.
func (l *lab) measure(ctx context.Context, r row, o options, progress io.Writer) ([]sample, error) {
	var proxies []*proxy
	for _, p := range l.proxies {
		if len(p.rows) == 0 || slices.Contains(p.rows, r.name) {
			proxies = append(proxies, p)
		}
	}
	turn := l.turn
	if r.kind == "idle" {
		turn = l.idleTurn
	} else {
		for _, p := range proxies {
			if _, err := l.apply(ctx, r, p, time.Second); err != nil {
				return nil, fmt.Errorf("warm up %s: %w", p.name, err)
			}
		}
	}
	var samples []sample
	for round := range o.rounds {
		for i := range proxies {
			p := proxies[(i+round)%len(proxies)]
			s, err := l.recorded(o.perf, r, p, func() (sample, error) {
				return turn(ctx, r, p, o.duration)
			})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			s.Proxy = p.name
			samples = append(samples, s)
			fmt.Fprintf(progress, "%s round %d/%d %s: %s\n", r.name, round+1, o.rounds, p.name, s)
		}
	}
	return samples, nil
}

// String is the line that shows the progress.
func (s sample) String() string {
	if s.Held != 0 {
		return fmt.Sprintf("%.1f KiB per connection", s.perConnection())
	}
	return fmt.Sprintf("%.0f requests/s, %.1f us CPU", s.rate(), s.perRequest())
}

func (l *lab) turn(ctx context.Context, r row, p *proxy, d time.Duration) (sample, error) {
	var s sample
	if err := p.process.forgetPeak(); err != nil {
		return s, err
	}
	before, err := p.process.cpu()
	if err != nil {
		return s, err
	}
	if s.outcome, err = l.apply(ctx, r, p, d); err != nil {
		return s, err
	}
	after, err := p.process.cpu()
	if err != nil {
		return s, err
	}
	s.CPU = after - before
	s.Resident, err = p.process.memory("VmHWM")
	return s, err
}

// idleTurn compares a proxy's memory with and without idle connections, in a
// process of its own: what earlier rows left behind would hide them.
func (l *lab) idleTurn(ctx context.Context, r row, running *proxy, _ time.Duration) (sample, error) {
	p := *running
	if err := l.launch(ctx, &p); err != nil {
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
