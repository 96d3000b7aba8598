package health_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"doorward/health"
	"doorward/proxy/backend"
)

var errRefused = errors.New("connection refused")

// fake is a peer without a socket. Its checks find what answer says.
type fake struct {
	observed atomic.Value // of the last backend.Watcher
	// answer does one check, the one with this number from 1; nil is a good one.
	answer func(ctx context.Context, n int) error

	mu      sync.Mutex
	dialled []time.Time
	told    []said // what SetUp was told
	running int
	most    int // checks at a time
}

type said struct{ up, slow bool }

func newFake() *fake { return &fake{} }

func (f *fake) Dial(ctx context.Context, _ backend.DialTo) (net.Conn, backend.DialTimes, error) {
	f.mu.Lock()
	f.dialled = append(f.dialled, time.Now())
	n := len(f.dialled)
	f.running++
	f.most = max(f.most, f.running)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.running--
		f.mu.Unlock()
	}()
	times := backend.DialTimes{Connect: 1}
	if f.answer != nil {
		if err := f.answer(ctx, n); err != nil {
			return nil, times, err
		}
	}
	ours, theirs := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	return ours, times, nil
}

func (f *fake) SetUp(up, slow bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, said{up, slow})
}

// listener is what an atomic.Value can hold, nil included.
type listener struct{ backend.Watcher }

func (f *fake) Observe(w backend.Watcher) { f.observed.Store(listener{w}) }

// saw lets the peer have seen what became of requests.
func (f *fake) saw(events ...backend.Event) {
	for _, e := range events {
		f.observed.Load().(listener).Saw(e)
	}
}

func (f *fake) checks() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]time.Time(nil), f.dialled...)
}

func (f *fake) words() []said {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]said(nil), f.told...)
}

// script answers checks in turn: "+" is a good one, "-" a refused connection. The
// last word is for all that follow.
func script(words string) func(context.Context, int) error {
	all := strings.Fields(words)
	return func(_ context.Context, n int) error {
		if all[min(n, len(all))-1] == "-" {
			return errRefused
		}
		return nil
	}
}

// slow answers every check well, after some time or never when it is called off.
func slow(d time.Duration) func(context.Context, int) error {
	return func(ctx context.Context, _ int) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// monitor makes a monitor that is stopped with the test.
func monitor(t testing.TB, o health.Options) *health.Monitor {
	m := health.New(o)
	t.Cleanup(m.Stop)
	return m
}

// target watches one server of the backend "app".
func target(t testing.TB, server string, p health.Peer, o health.CheckOptions) health.Target {
	t.Helper()
	c := check(t, o)
	return health.Target{Backend: "app", Server: server, Key: c.Key(), Check: c, Peer: p}
}

// status is that of a server that must be watched.
func status(t testing.TB, m *health.Monitor, server string) health.Status {
	t.Helper()
	s, ok := m.Status("app", server)
	if !ok {
		t.Fatalf("%s is not watched", server)
	}
	return s
}

// pass lets time go by in a bubble, and everything happen that is due then.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
