package app

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"doorward/internal/safe"
)

// curfew has what is open looked at when the first of the tokens ends by which somebody
// came in. Who looks tells it of those that end later. Sessions have a sweep of their own.
type curfew struct {
	review func()
	log    *zap.Logger

	// next is when it strikes, in milliseconds since 1970; 0 is never.
	next atomic.Int64

	mu     sync.Mutex
	timer  *time.Timer
	closed bool
}

// until notes that a right ends then. It is asked at every request by a token, and has
// nothing to do for almost all.
func (c *curfew) until(end time.Time) {
	at := end.UnixMilli()
	if next := c.next.Load(); next != 0 && next <= at {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if next := c.next.Load(); c.closed || next != 0 && next <= at {
		return
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.next.Store(at)
	c.timer = time.AfterFunc(time.Until(end), c.strike)
}

func (c *curfew) strike() {
	defer safe.Recover(c.log, "end of a token")
	c.mu.Lock()
	over := c.closed
	c.next.Store(0)
	c.mu.Unlock()
	if !over {
		c.review()
	}
}

// close ends it. One that strikes just now may still look.
func (c *curfew) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
	}
}
