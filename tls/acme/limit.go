package acme

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"doorward/state"
)

// LimitError means that we began as many orders as we allow ourselves.
type LimitError struct {
	Orders int           // that many
	Window time.Duration // in that time
	Until  time.Time     // when the next may begin
}

// Error says what the bound is and when it ends.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%d orders in %s are the most that we begin; the next at %s",
		e.Orders, e.Window, e.Until.UTC().Format(time.TimeOnly+" UTC"))
}

// limiter bounds the orders that begin at one authority. Its memory is the
// store, so that a process that dies and starts again and again is bounded too.
type limiter struct {
	store  *state.Store
	orders int
	window time.Duration
}

// take counts an order, or returns a LimitError.
func (l *limiter) take(ctx context.Context, ca string) error {
	for {
		key := ordersPrefix + ca
		entry, err := l.store.Get(ctx, key)
		if err != nil && !errors.Is(err, state.ErrNotFound) {
			return err
		}
		now := time.Now()
		begun := l.recent(entry.Value, now)
		if len(begun) >= l.orders {
			return &LimitError{Orders: l.orders, Window: l.window, Until: begun[0].Add(l.window)}
		}
		value, err := json.Marshal(append(begun, now))
		if err != nil {
			return err
		}
		_, err = l.store.CompareAndSwap(ctx, key, entry.Version, value, l.window)
		if !errors.Is(err, state.ErrConflict) {
			return err
		}
	}
}

// recent are the orders of the window, oldest first. What cannot be read counts
// as none: the entry expires by itself, and a certificate matters more.
func (l *limiter) recent(value []byte, now time.Time) []time.Time {
	var all []time.Time
	if json.Unmarshal(value, &all) != nil {
		return nil
	}
	for len(all) > 0 && now.Sub(all[0]) >= l.window {
		all = all[1:]
	}
	return all
}
