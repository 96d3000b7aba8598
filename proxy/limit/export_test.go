package limit

import (
	"time"

	"doorward/internal/table"
)

// WaitOf is how long a request of a key would have to wait at a moment. It
// changes nothing.
func (l *Limiter) WaitOf(key []byte, now time.Time) time.Duration {
	r, _ := l.keys.Get(table.KeyOf(key), time.Now())
	return l.judge(&r, now, 0).wait
}
