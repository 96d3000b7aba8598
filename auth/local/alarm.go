package local

import (
	"sync"
	"time"
)

// alarmAt is how many failures in a minute are worth a line in the log.
const alarmAt = 100

// alarm counts the failures of everybody.
type alarm struct {
	mu     sync.Mutex
	minute time.Time
	count  int
}

// failed counts one, and is true once in a minute that has too many.
func (a *alarm) failed(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.minute) >= time.Minute {
		a.minute, a.count = now, 0
	}
	a.count++
	return a.count == alarmAt
}
