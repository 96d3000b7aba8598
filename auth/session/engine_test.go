package session_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"doorward/state"
)

// gated is an engine whose writes wait while shut is not nil.
type gated struct {
	state.Engine
	mu       sync.Mutex
	shut     chan struct{}
	onShut   func()
	fail     bool
	writes   atomic.Int64
	appended atomic.Int64
	onList   func(prefix string)
}

func (g *gated) Write(ctx context.Context, c []state.Change) ([]uint64, error) {
	g.mu.Lock()
	shut, fail, onShut := g.shut, g.fail, g.onShut
	g.onShut = nil
	g.mu.Unlock()
	if onShut != nil {
		onShut()
	}
	if shut != nil {
		<-shut
	}
	if fail {
		return nil, errors.New("store fails")
	}
	g.writes.Add(1)
	for _, x := range c {
		if x.Do == state.DoAppend {
			g.appended.Add(int64(len(x.Value)))
		}
	}
	return g.Engine.Write(ctx, c)
}

func (g *gated) List(ctx context.Context, r state.Range) ([]state.Entry, error) {
	e, err := g.Engine.List(ctx, r)
	if g.onList != nil {
		g.onList(r.Prefix)
	}
	return e, err
}

// engineOf is a Store as an Engine.
type engineOf struct{ *state.Store }

func (e engineOf) Write(ctx context.Context, c []state.Change) ([]uint64, error) {
	return e.Store.Write(ctx, c...)
}
func (e engineOf) Newest(ctx context.Context, l string) (uint64, error) {
	return e.Store.Log(l, 1).Newest(ctx)
}
func (e engineOf) Follow(ctx context.Context, t state.Tail) ([]state.Event, error) {
	for ev, err := range e.Store.Log(t.Log, 1).Follow(ctx, t.After) {
		if err != nil {
			var k *state.KeyError
			if errors.As(err, &k) {
				err = k.Err
			}
			return nil, err
		}
		return []state.Event{ev}, nil
	}
	return nil, state.ErrClosed
}

func gatedHouse(h *house) *gated {
	g := &gated{Engine: engineOf{h.store}}
	h.store = state.New(g)
	return g
}
