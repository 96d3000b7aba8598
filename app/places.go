package app

import (
	"runtime"
	"sync"
	"syscall"

	"doorward/config"
)

// places bounds the client connections: who finds none waits, with the
// connection still in the kernel's backlog, as HAProxy's maxconn does.
type places struct {
	mu    sync.Mutex
	free  *sync.Cond
	taken int
	most  int
}

func newPlaces(most int) *places {
	p := &places{most: most}
	p.free = sync.NewCond(&p.mu)
	return p
}

// take waits for a place, until open says no.
func (p *places) take(open func() bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.taken >= p.most && open() {
		p.free.Wait()
	}
	if !open() {
		return false
	}
	p.taken++
	return true
}

// tryTake takes a place if there is one.
func (p *places) tryTake() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.most {
		return false
	}
	p.taken++
	return true
}

func (p *places) give() {
	p.mu.Lock()
	p.taken--
	p.mu.Unlock()
	p.free.Signal()
}

// limit is how many places there are.
func (p *places) limit() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most
}

// setMost changes the bound; those above it may stay.
func (p *places) setMost(most int) {
	p.mu.Lock()
	p.most = most
	p.mu.Unlock()
	p.wake()
}

// wake makes everybody who waits look again. The lock keeps away from somebody who
// has looked and does not wait yet.
func (p *places) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free.Broadcast()
}

// reservedFiles are left for listeners, logs and whatever else is open; side
// listeners have more.
const reservedFiles = 64

// connectionLimit is limits.connections, or what the limit on open files allows:
// a request in flight needs two, one on either side.
func connectionLimit(cfg *config.Config) int {
	if n := int(cfg.Limits.Connections); n > 0 {
		return n
	}
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 1 << 10
	}
	files := int(min(r.Cur, 1<<22)) - reservedFiles
	for _, address := range []string{cfg.Stats.Metrics, cfg.Stats.Health} {
		if address != "" {
			files -= sideConnections
		}
	}
	return max(files/2, 16)
}

// handshakesPerProcessor is how many TLS handshakes one processor has at work.
const handshakesPerProcessor = 32

func handshakeLimit(cfg *config.Config) int {
	if n := int(cfg.Limits.Handshakes); n > 0 {
		return n
	}
	return handshakesPerProcessor * runtime.GOMAXPROCS(0)
}
