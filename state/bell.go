package state

import (
	"context"
	"sync"
)

// bell wakes those who follow logs within this process. The zero value is ready.
type bell struct {
	mu      sync.Mutex
	waiting map[string]chan struct{}
}

// listen returns a channel that is closed when the log gets its next event. Who
// reads the log after listen and finds nothing can wait without missing one.
func (b *bell) listen(log string) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting == nil {
		b.waiting = map[string]chan struct{}{}
	}
	rung, ok := b.waiting[log]
	if !ok {
		rung = make(chan struct{})
		b.waiting[log] = rung
	}
	return rung
}

// ring tells of the events among changes that were made.
func (b *bell) ring(changes []Change) {
	for _, c := range changes {
		if c.Do != DoAppend {
			continue
		}
		b.mu.Lock()
		if rung, ok := b.waiting[c.Key]; ok {
			close(rung)
			delete(b.waiting, c.Key)
		}
		b.mu.Unlock()
	}
}

// follow is Engine.Follow for engines of one process: look is the part that does
// not wait, and closed the end of the engine.
func (b *bell) follow(
	ctx context.Context, t Tail, closed <-chan struct{}, look func(Tail) ([]Event, error),
) ([]Event, error) {
	for {
		rung := b.listen(t.Log)
		events, err := look(t)
		if err != nil || len(events) > 0 {
			return events, err
		}
		select {
		case <-rung:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-closed:
			return nil, ErrClosed
		}
	}
}
