package health_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"doorward/health"
	"doorward/proxy/backend"
)

// counted is a socket that counts how often it was dialled.
type counted struct {
	socket
	dialled *atomic.Int64
}

func (c *counted) Dial(
	ctx context.Context, to backend.DialTo,
) (net.Conn, backend.DialTimes, error) {
	c.dialled.Add(1)
	return c.socket.Dial(ctx, to)
}

// BenchmarkWatch watches a thousand servers, each checked every two seconds; one
// round is 1,000 checks. The servers are another process, so that what counts is
// ours alone: at most 5 percent of a core.
func BenchmarkWatch(b *testing.B) {
	for _, kind := range []health.Kind{health.HTTP, health.TCP} {
		b.Run(string(kind), func(b *testing.B) {
			address := anotherProcess(b)
			var dialled atomic.Int64
			c := check(b, health.CheckOptions{Kind: kind, Timing: health.Timing{Jitter: 5}})
			var targets []health.Target
			for i := range 1000 {
				targets = append(targets, health.Target{
					Backend: "app", Server: fmt.Sprint(i), Key: c.Key(), Check: c,
					Peer: &counted{socket{address: address}, &dialled},
				})
			}
			m := health.New(health.Options{})
			defer m.Stop()
			m.Set(targets)
			within(10*time.Second, func() bool { return dialled.Load() >= 1000 })
			before, from, start := used(), dialled.Load(), time.Now()
			for b.Loop() {
				round := dialled.Load() + 1000
				tick := time.NewTicker(50 * time.Millisecond)
				for dialled.Load() < round {
					<-tick.C
				}
				tick.Stop()
			}
			cpu, checks := used()-before, float64(dialled.Load()-from)
			b.ReportMetric(100*cpu.Seconds()/time.Since(start).Seconds(), "%core")
			b.ReportMetric(float64(cpu.Microseconds())/checks, "cpu-µs/check")
			if s, _ := m.Status("app", "999"); !s.Last.Outcome.OK() {
				b.Errorf("the last check said %v", s.Last)
			}
		})
	}
}

// BenchmarkObserved is what a good request costs.
func BenchmarkObserved(b *testing.B) {
	m := health.New(health.Options{})
	defer m.Stop()
	p := newFake()
	m.Set([]health.Target{{Backend: "app", Server: "s1", Peer: p, Check: check(b, health.CheckOptions{
		Passive: health.Passive{Level: health.Layer7},
	})}})
	o := p.observed.Load().(listener)
	b.ReportAllocs()
	for b.Loop() {
		o.Saw(backend.OK)
	}
}

// anotherProcess starts a server that is not part of this process.
func anotherProcess(b *testing.B) string {
	b.Helper()
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), serverMode+"=1")
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = server.Wait()
	})
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// used is the processor time of this process.
func used() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
