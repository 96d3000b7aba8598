package portal

import (
	"crypto/sha256"
	"sync"
	"time"
)

// A browser that comes for the same return address more often than loopLimit
// times within loopWindow goes in circles.
const (
	loopLimit  = 3
	loopWindow = 30 * time.Second
	maxLoops   = 16384
)

// Loops notices browsers that come for the same address again and again, since
// what they got did not get them through. It outlives a Portal; its methods may be
// called by many goroutines.
type Loops struct {
	now func() time.Time

	mu    sync.Mutex
	comes map[[sha256.Size]byte]coming
}

type coming struct {
	first time.Time
	count int
}

// NewLoops makes one that has seen nobody. A nil now is time.Now.
func NewLoops(now func() time.Time) *Loops {
	if now == nil {
		now = time.Now
	}
	return &Loops{now: now, comes: map[[sha256.Size]byte]coming{}}
}

// Circles counts that a browser leaves for an address, and tells whether it did so
// too often.
func (l *Loops) Circles(browser, address string) bool {
	key := sha256.Sum256([]byte(browser + "\n" + address))
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.comes[key]
	if c.count == 0 || now.Sub(c.first) >= loopWindow {
		l.makeRoom(now)
		c = coming{first: now}
	}
	c.count++
	l.comes[key] = c
	return c.count > loopLimit
}

// Forget lets a browser start anew, once somebody has read why it was stopped.
func (l *Loops) Forget(browser, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.comes, sha256.Sum256([]byte(browser+"\n"+address)))
}

// makeRoom bounds the memory. When more browsers come than fit, all are forgotten:
// a circle that goes on is noticed a few rounds later.
func (l *Loops) makeRoom(now time.Time) {
	if len(l.comes) < maxLoops {
		return
	}
	for key, c := range l.comes {
		if now.Sub(c.first) >= loopWindow {
			delete(l.comes, key)
		}
	}
	if len(l.comes) >= maxLoops {
		clear(l.comes)
	}
}
